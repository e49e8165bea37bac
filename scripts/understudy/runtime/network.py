"""One runner for every ONNX network: in by a card's names, out by a card's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from understudy.errors import ModelError
from understudy.runtime.cards import ModelCard, Tensor
from understudy.runtime.sessions import Device as Device
from understudy.runtime.sessions import session
from understudy.runtime.tensors import Array, Floats, decode, encode, fits, in_words

_DTYPES: Final[Mapping[str, str]] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}
_CORRECT: Final = "correct the card, or bring the file that the card is for"
_PLAUSIBLE: Final = (-0.5, 1.5)
"""Range of pictures and masks out of a self-test; a wrong `mean`, `std` or `scale` leaves it."""


class Network:
    """A file, run by its card.

    Attributes
    ----------
    card:
        The card.
    batch:
        Samples that are run at a time.
    """

    def __init__(self, card: ModelCard, path: Path, device: Device = Device()) -> None:  # noqa: B008 - frozen
        """Load a file and check it against its card.

        Raises
        ------
        ModelError
            The provider is not to be had, the file is no network, or it is not the one that the card describes.
        """
        if not card.inputs:
            raise ModelError(
                f"its card describes no tensors; family {card.family} is not run by ONNX Runtime",
                where=f"model {card.name}",
                fix="give it `inputs` and `outputs`",
            )
        self.card = card
        self.batch = 1
        self._path = path
        self._where = f"model {card.name} ({path})"
        self._session = session(path, device, self._where)
        self._inputs = self._names("input", card.inputs, self._session.get_inputs())
        self._outputs = self._names("output", card.outputs, self._session.get_outputs())

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
            A name the card does not have or lacks, or an array that does not fit it.
        """
        if set(inputs) != set(self.card.inputs):
            raise ModelError(
                f"it is given {', '.join(sorted(inputs)) or 'nothing'}; it takes {', '.join(self.card.inputs)}",
                where=self._where,
            )
        try:
            count = self._count(inputs)
            parts = [self._run(inputs, slice(i, i + 1)) for i in range(count)]
        except ModelError as error:
            raise ModelError(error.what, where=self._where, fix=error.fix) from error
        return {name: np.concatenate([part[name] for part in parts]) for name in self.card.outputs}

    def constant(self, name: str | None, shape: tuple[int, ...]) -> Floats:
        """A constant of the graph: the initializer of that name, else the last one of that shape, as float32.

        Raises
        ------
        ModelError
            There is neither, or the one of that name has another shape.
        """
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(self._path, load_external_data=False).graph
        named = [one for one in graph.initializer if one.name == name]
        found = named or [one for one in graph.initializer if tuple(one.dims) == tuple(shape)]
        if not found or tuple(found[-1].dims) != tuple(shape):
            known = (
                f"named {name!r}, it has shape {in_words(tuple(named[-1].dims))}"
                if named
                else "of that shape"
            )
            raise ModelError(
                f"it needs a constant {in_words(shape)}; there is {'one' if named else 'none'} {known}",
                where=self._where,
                fix=_CORRECT,
            )
        return numpy_helper.to_array(found[-1]).astype(np.float32)

    def check(self) -> None:
        """Run it on a generated input and look at what comes out.

        Raises
        ------
        ModelError
            A shape that is not the card's, a number that is not finite, or a picture far outside 0..1.
        """
        for name, value in self(**self._sample()).items():
            if not np.isfinite(value).all():
                raise ModelError(
                    f"output {name!r} of a generated input is not finite", where=self._where, fix=_CORRECT
                )
            low, high = float(value.min()), float(value.max())
            if self.card.outputs[name].kind in ("image", "mask") and not (
                low >= _PLAUSIBLE[0] and high <= _PLAUSIBLE[1]
            ):
                raise ModelError(
                    f"output {name!r} of a generated input reaches from {low:.3g} to {high:.3g};"
                    " 0 to 1 is meant to be black to white",
                    where=self._where,
                    fix="correct `mean`, `std` or `scale` of that output in the card",
                )

    def _names(self, side: str, wanted: Mapping[str, Tensor], has: list[Any]) -> dict[str, str]:
        """Our names to the file's, every tensor checked against the card."""
        found = {}
        for ours, tensor in wanted.items():
            one = self._find(side, ours, tensor, has)
            found[ours] = one.name
            shape = tuple(one.shape or ())
            dtype = _DTYPES.get(one.type, one.type)
            if dtype != tensor.dtype:
                raise ModelError(
                    f"{side} {ours!r} ({one.name!r}) is {dtype} in the file, {tensor.dtype} on its card",
                    where=self._where,
                    fix=_CORRECT,
                )
            if shape and not fits(tensor, shape):
                raise ModelError(
                    f"{side} {ours!r} ({one.name!r}) is {in_words(shape)} in the file,"
                    f" {in_words(tensor.shape)} on its card",
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
        return most

    def _run(self, inputs: Mapping[str, Any], part: slice) -> dict[str, Floats]:
        feed: dict[str, Array] = {}
        for ours, tensor in self.card.inputs.items():
            value = inputs[ours]
            if tensor.batched:
                value = value[part] if len(value) > 1 else value
            feed[self._inputs[ours]] = encode(tensor, value)
        values = self._session.run(list(self._outputs.values()), feed)
        return {
            ours: self._samples(tensor, value)
            for (ours, tensor), value in zip(self.card.outputs.items(), values, strict=True)
        }

    @staticmethod
    def _samples(tensor: Tensor, value: Array) -> Floats:
        """An output with the samples first."""
        result = decode(tensor, value)
        return result if tensor.batched else result[None]

    def _sample(self, count: int = 1) -> dict[str, Any]:
        """Inputs made up for a self-test, every sample of its own mean and contrast."""
        random = np.random.default_rng(1)
        made: dict[str, Any] = {}
        for name, tensor in self.card.inputs.items():
            side = self.card.size or min(self.card.settings.get("sizes", (256,)))
            shape = [length or side for length in tensor.shape]
            if tensor.kind == "scalar":
                made[name] = 0.5
                continue
            if tensor.kind == "image":
                at = tensor.layout.index
                shape = [1, shape[at("h")], shape[at("w")], 3]
            elif tensor.kind == "mask":
                at = tensor.layout.index
                shape = [1, shape[at("h")], shape[at("w")]]
            spread = random.normal if tensor.kind == "vector" else random.uniform
            rows = [spread(size=shape[1:]) * (i + 1) / count for i in range(count)]
            made[name] = np.stack(rows).astype(np.float32)
        return made
