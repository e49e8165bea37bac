"""One runner for every ONNX network: in by a card's names, out by a card's names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from understudy.errors import ModelError
from understudy.runtime import batching, graphs
from understudy.runtime.cards import ModelCard, Tensor
from understudy.runtime.sessions import GRAPHICS, Bound, Device, out_of_memory, session
from understudy.runtime.tensors import Array, Floats, decode, encode, fits, in_words
from understudy.runtime.trials import Trial, Trials

if TYPE_CHECKING:
    from onnx import ModelProto

_DTYPES: Final[Mapping[str, str]] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}
_CORRECT: Final = "correct the card, or bring the file that the card is for"
_PLAUSIBLE: Final = (-0.3, 1.3)
"""Range that all but 1 % at either end of a picture or mask of a self-test keeps; a wrong `mean`, `std` or `scale`
leaves it, while a network that overshoots here and there does not."""
_TRIED: Final = 2
"""Samples of a self-test: the fewest that can disturb each other."""
_LOOSE: Final = 0.01
"""`batching.difference` allowed where kernels change: with the graph, and on a graphics card with the number of
samples. Mixed samples are off by tens of percents, since those of the self-test differ in mean and contrast."""
_NO_ROOM: Final = "memory runs out on two samples"
"""Reason that holds for one card on one day, and is not noted."""
_HALF: Final = 0.05
"""`batching.difference` allowed to half precision."""

Run = Callable[[Sequence[str], Mapping[str, Array]], list[Array]]


class Network:
    """A file, run by its card.

    Several samples are run at a time where that was tried and gives what they give alone: on the CPU to the last bit,
    so that no result depends on how frames were put together. On a graphics card every run has `batch` samples, a
    partial one is filled up, so that one shape and one set of kernels is used throughout; while one runs, the next is
    made ready and the last one read.

    Attributes
    ----------
    card:
        The card.
    batch:
        Samples that are run at a time; halved whenever memory does not allow it.
    """

    card: ModelCard
    batch: int

    def __init__(self, card: ModelCard, path: Path, device: Device = Device()) -> None:  # noqa: B008 - frozen
        """Load a file, check it against its card and, the first time, try it on generated samples.

        Raises
        ------
        ModelError
            The provider is not to be had, the file is no network, it is not the one that the card describes, or the
            self-test shows numbers that cannot be right.
        """
        if not card.inputs:
            raise ModelError(
                f"its card describes no tensors; family {card.family} is not run by ONNX Runtime",
                where=f"model {card.name}",
                fix="give it `inputs` and `outputs`",
            )
        if not path.is_file():
            raise ModelError(f"no file {path}", where=f"model {card.name}", fix="run: snakemake models")
        import onnxruntime

        self.card, self.batch = card, 1
        self._path, self._device = path, device
        self._where = f"model {card.name} ({path})"
        # The card is part of it: another one may name other tensors, or read them otherwise.
        version = onnxruntime.__version__
        several = "several" if device.batch > 1 else "one"
        trials = Trials(
            path, f"{several} {device.provider} {device.threads} {device.fp16} {version} {_digest(card)}"
        )
        # TensorRT names what it built by the graph alone: two trainings of one architecture would share it.
        engines = path.parent / "engines" / f"{trials.digest[:16]}-onnxruntime-{version}"
        self._engines = engines if os.access(path.parent, os.W_OK) else None
        trial = trials.recall()
        if trial is None:
            trial = self._try()
            if trial.reason != _NO_ROOM:
                trials.note(trial)
        else:
            self._open(graphs.load(path, self._where), together=trial.together, half=device.fp16)
        if trial.together:
            self.batch = max(1, device.batch)

    def __call__(self, **inputs: Any) -> dict[str, Floats]:
        """Run it.

        Parameters
        ----------
        inputs:
            By the card's names: images [n, h, w, 3] float32 RGB 0..1, masks [n, h, w], vectors [n, d], scalars one
            number, raw arrays as the file takes them (whole, if its shape has no axis of samples). What has one
            sample where others have n serves them all.

        Returns
        -------
        The card's outputs, float32 [n, ...]: images [n, h, w, 3] RGB (not limited to 0..1), masks [n, h, w],
        vectors [n, d], raw tensors with the samples first.

        Raises
        ------
        ModelError
            A name the card does not have or lacks, an array that does not fit it, a run that fails, or too little
            memory for a single sample.
        """
        if set(inputs) != set(self.card.inputs):
            raise ModelError(
                f"it is given {', '.join(sorted(inputs)) or 'nothing'}; it takes {', '.join(self.card.inputs)}",
                where=self._where,
            )
        try:
            parts = self._parts(inputs, self._count(inputs))
        except ModelError as error:
            raise ModelError(error.what, where=self._where, fix=error.fix) from error
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.card.outputs}

    def constant(self, name: str | None, shape: tuple[int, ...]) -> Floats:
        """A constant of the graph: the initializer of that name, else the last one of that shape, as float32.

        Raises
        ------
        ModelError
            There is neither, or the one of that name has another shape.
        """
        return graphs.constant(graphs.load(self._path, self._where), name, shape, self._where)

    def check(self) -> None:
        """Run it on generated samples and look at what comes out.

        Raises
        ------
        ModelError
            A shape that is not the card's, a number that is not finite, or a picture far outside 0..1.
        """
        self._judge(self(**self._samples()))

    @property
    def _filled(self) -> bool:
        """Whether a partial run is filled up to a whole one."""
        return self._device.provider in GRAPHICS

    def _open(self, model: ModelProto, *, together: bool, half: bool) -> None:
        """Open the file for one sample at a time or for several, whole or in half precision; `model` is changed."""
        source: Path | bytes = self._path
        still = graphs.stilled(model)
        if together:
            batching.free(model, *self._freed(model))
        if half:
            model = graphs.halved(model)
        if together or half or still:
            source = model.SerializeToString()
        # Half a gigabyte that need not lie beside the session's own.
        del model
        opened = session(source, self._device, self._where, self._engines)
        self._inputs = self._matched("input", self.card.inputs, opened.get_inputs())
        self._outputs = self._matched("output", self.card.outputs, opened.get_outputs())
        bound = self._device.provider in ("cuda", "tensorrt")
        self._run: Run = Bound(opened, "cuda", self._device.device_id).run if bound else opened.run

    def _freed(self, model: ModelProto) -> tuple[list[str], list[str]]:
        """The file's names of the inputs and outputs that have an axis of samples."""
        sides = zip((self.card.inputs, self.card.outputs), graphs.ends(model), strict=True)
        inputs, outputs = (
            [
                has[one.index] if one.index is not None else str(one.name)
                for one in wanted.values()
                if one.batched
            ]
            for wanted, has in sides
        )
        return inputs, outputs

    def _try(self) -> Trial:
        """Test the file as it is, then see whether it does the same to samples that are run together.

        Leaves open what is to be used.
        """
        half, samples = self._device.fp16, self._samples()
        model = graphs.load(self._path, self._where)
        self._open(model, together=False, half=False)
        alone = self(**samples)
        self._judge(alone)
        if half:
            self._open(graphs.load(self._path, self._where), together=False, half=True)
            whole, alone = alone, self(**samples)
            off = batching.difference(whole, alone)
            if off > _HALF:
                raise ModelError(
                    f"in half precision its outputs are off by {100 * off:.2g} % of their spread",
                    where=self._where,
                    fix="leave fp16 off for it",
                )
        if self._device.batch <= 1:
            return Trial(False, "one at a time is what was asked for")
        single = [ours for ours, tensor in self.card.outputs.items() if not tensor.batched]
        reason = (
            f"output {single[0]!r} has no axis of samples"
            if single
            else batching.objection(model, *self._freed(model))
        )
        if not reason:
            self._open(model, together=True, half=half)
            reason = self._compared(alone, samples)
            if reason:
                self._open(graphs.load(self._path, self._where), together=False, half=half)
        return Trial(not reason, reason)

    def _compared(self, before: Mapping[str, Floats], samples: Mapping[str, Any]) -> str:
        """Why the changed graph, open now, must not be used for several samples; empty if it may.

        `before` is what the file gave as it is. Rewriting may change the last bits, since other kernels fit; running
        together may not on the CPU, whose kernels do the same to a sample wherever it lies.
        """
        try:
            alone = self(**samples)
            feed = self._feed(samples, 0, _TRIED)
            together = self._read(self._run(list(self._outputs.values()), feed), _TRIED)
        except Exception as error:
            # Whatever goes wrong here, the file as it is went right.
            return _NO_ROOM if out_of_memory(error) else f"run together they fail: {_line(error)}"
        exact = self._device.provider not in GRAPHICS
        for one, other, most in ((before, alone, _LOOSE), (alone, together, 0.0 if exact else _LOOSE)):
            off = batching.difference(one, other)
            if off > most:
                return f"run together they are off by {100 * off:.2g} % of their spread"
        return ""

    def _judge(self, outputs: Mapping[str, Floats]) -> None:
        """Refuse outputs of the self-test that cannot be right."""
        for name, value in outputs.items():
            if not np.isfinite(value).all():
                raise ModelError(
                    f"output {name!r} of a generated input is not finite", where=self._where, fix=_CORRECT
                )
            if self.card.outputs[name].kind not in ("image", "mask"):
                continue
            low, high = (float(one) for one in np.quantile(value, (0.01, 0.99)))
            if low < _PLAUSIBLE[0] or high > _PLAUSIBLE[1]:
                raise ModelError(
                    f"output {name!r} of a generated input reaches from {low:.3g} to {high:.3g};"
                    " 0 is black and 1 is white",
                    where=self._where,
                    fix="correct `mean`, `std` or `scale` of that output in the card",
                )

    def _matched(self, side: str, wanted: Mapping[str, Tensor], has: list[Any]) -> dict[str, str]:
        """Our names to the file's, every tensor checked against the card."""
        found = {}
        for ours, tensor in wanted.items():
            one = self._find(side, ours, tensor, has)
            found[ours] = one.name
            dtype = _DTYPES.get(one.type, one.type)
            what = f"{side} {ours!r} ({one.name!r}) is"
            if dtype != tensor.dtype:
                raise ModelError(
                    f"{what} {dtype} in the file, {tensor.dtype} on its card", where=self._where, fix=_CORRECT
                )
            shape = tuple(one.shape or ())
            # A file that does not say its shape is looked at when it runs.
            many = tensor.batched and bool(shape) and isinstance(shape[0], int) and shape[0] != 1
            if shape and (many or not fits(tensor, shape)):
                raise ModelError(
                    f"{what} {in_words(shape)} in the file, {in_words(tensor.shape)} on its card",
                    where=self._where,
                    fix=_CORRECT,
                )
        unfed = [one.name for one in has if one.name not in found.values()]
        if side == "input" and unfed:
            raise ModelError(
                f"the file also wants {', '.join(map(repr, unfed))}, which its card does not name",
                where=self._where,
                fix=_CORRECT,
            )
        return found

    def _find(self, side: str, ours: str, tensor: Tensor, has: list[Any]) -> Any:
        if tensor.index is not None and tensor.index < len(has):
            return has[tensor.index]
        named = [one for one in has if one.name == tensor.name]
        if tensor.index is None and named:
            return named[0]
        listed = ", ".join(repr(one.name) for one in has)
        raise ModelError(
            f"{side} {ours!r} is {tensor.label} on its card; the file's {len(has)} {side}s are {listed}",
            where=self._where,
            fix=_CORRECT,
        )

    def _count(self, inputs: Mapping[str, Any]) -> int:
        """Samples in the inputs, which agree on it."""
        counts = {name: len(inputs[name]) for name, tensor in self.card.inputs.items() if tensor.batched}
        most = max(counts.values(), default=1)
        if any(count not in (1, most) for count in counts.values()):
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ModelError(f"its inputs disagree on the number of samples: {told}")
        if most == 0:
            raise ModelError("it is given no samples")
        return most

    def _parts(self, inputs: Mapping[str, Any], count: int) -> list[dict[str, Floats]]:
        """Outputs of all samples, run by run."""
        parts: list[Future[dict[str, Floats]]] = []
        start, ahead = 0, None
        with ThreadPoolExecutor(2) if self._filled and count > self.batch else _Now() as helpers:
            while start < count:
                stop = min(start + self.batch, count)
                then = min(stop + self.batch, count)
                try:
                    feed = (ahead or helpers.submit(self._feed, inputs, start, stop)).result()
                    more = self._filled and stop < count
                    ahead = helpers.submit(self._feed, inputs, stop, then) if more else None
                    values = self._run(list(self._outputs.values()), feed)
                    parts.append(helpers.submit(self._read, values, stop - start))
                except ModelError:
                    raise
                except Exception as error:
                    # ONNX Runtime's errors share no base but this one.
                    self._smaller(error, self.batch if self._filled else stop - start)
                    ahead = None
                else:
                    start = stop
            return [part.result() for part in parts]

    def _feed(self, inputs: Mapping[str, Any], start: int, stop: int) -> dict[str, Array]:
        """What the file is fed for the samples from `start` up to `stop`."""
        rows = max(self.batch, stop - start) if self._filled else stop - start
        return {
            self._inputs[ours]: encode(
                tensor, _rows(inputs[ours], start, stop, rows) if tensor.batched else inputs[ours]
            )
            for ours, tensor in self.card.inputs.items()
        }

    def _read(self, values: Sequence[Array], rows: int) -> dict[str, Floats]:
        """What the file gave for so many samples."""
        return {
            ours: decode(tensor, value[:rows]) if tensor.batched else decode(tensor, value)[None]
            for (ours, tensor), value in zip(self.card.outputs.items(), values, strict=True)
        }

    def _smaller(self, error: Exception, rows: int) -> None:
        """After a run of so many samples failed: fewer at a time if that may help, else a refusal in words."""
        if not out_of_memory(error):
            raise ModelError(f"it fails: {_line(error)}", fix=_CORRECT) from error
        if rows == 1:
            raise ModelError(
                f"memory runs out on a single sample: {_line(error)}",
                fix="set fp16, choose a smaller boost or model, or end what else uses the card",
            ) from error
        self.batch = rows // 2

    def _samples(self) -> dict[str, Any]:
        """Inputs made up for a self-test, every sample of its own mean and contrast."""
        random = np.random.default_rng(1)
        side = self.card.size or min(self.card.settings.get("sizes", (256,)))
        made: dict[str, Any] = {}
        for name, tensor in self.card.inputs.items():
            shape = [length or side for length in tensor.shape]
            if tensor.kind == "scalar":
                made[name] = 0.5
            elif not tensor.batched:
                made[name] = random.uniform(size=shape)
            else:
                height, width = (shape[tensor.layout.index(axis)] if tensor.layout else 0 for axis in "hw")
                rows = []
                for level in np.linspace(1 / _TRIED, 1, _TRIED):
                    if tensor.kind == "image":
                        one = _picture(random, height, width)
                    elif tensor.kind == "mask":
                        one = _picture(random, height, width)[..., 0]
                    elif tensor.kind == "vector":
                        one = random.normal(0, shape[1] ** -0.5, shape[1])
                    else:
                        one = random.uniform(size=shape[1:])
                    rows.append(level * one)
                made[name] = np.stack(rows)
        return made


def _picture(random: np.random.Generator, height: int, width: int) -> Array:
    """Soft colours with a little grain, [height, width, 3] in 0..1: nearer to a face than noise is."""
    coarse = random.uniform(0.1, 0.9, (4, 4, 3))
    down, across = (
        np.clip(1 - np.abs(np.linspace(0, 3, length)[:, None] - np.arange(4)), 0, 1)
        for length in (height, width)
    )
    smooth = np.einsum("hi,wj,ijc->hwc", down, across, coarse, optimize=True)
    return np.clip(smooth + random.normal(0, 0.02, smooth.shape), 0, 1)


class _Now(Executor):
    """Does at once what it is given: on the CPU nothing runs beside the network."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _rows(value: Any, start: int, stop: int, rows: int) -> Array:
    """So many rows of an array: those from `start` up to `stop`, the last one repeated; the only one if it has one."""
    given = np.asarray(value)
    taken = given if len(given) == 1 else given[start:stop]
    missing = rows - len(taken)
    return np.concatenate([taken, np.repeat(taken[-1:], missing, axis=0)]) if missing else taken


def _line(error: BaseException) -> str:
    """An error of ONNX Runtime as one line."""
    return " ".join(str(error).split())[:300]


def _digest(card: ModelCard) -> str:
    """What of a card changes what its file is tried for."""
    return hashlib.sha256(repr((card.inputs, card.outputs, card.size, card.settings)).encode()).hexdigest()[
        :16
    ]
