"""What the runner costs beside the networks that it runs, and what running several faces at a time gains.

    python tests/bench/runner.py
    python tests/bench/runner.py --gpu

The first measures on one core: a face's way into and out of a network (everything but the network: the difference to a
bare run of ONNX Runtime on an array made ready before), eight faces at a time against one, and the start of a session,
the first of a file and every later one. Budget: 3 ms of the processor per face at 128 pixels, 8 ms at 512. The exit
code says whether it holds.

With ``--gpu``, random networks of inswapper's and GFPGAN's true widths run a chunk of 96 frames on CUDA: faces per
second, and the share of that time that the same runs take with everything on the card already. Goal: 90 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from networks import network, node, save  # noqa: E402
from understudy.runtime import batching, graphs  # noqa: E402
from understudy.runtime.cards import ModelCard, model_card  # noqa: E402
from understudy.runtime.network import Network  # noqa: E402
from understudy.runtime.sessions import Device, session  # noqa: E402

BUDGET_MS = {128: 3.0, 512: 8.0}
GOAL = 0.9
FRAMES = 96
BATCH = 8


def card(size: int, source: bool = False, vector: bool = False) -> ModelCard:
    """A swapper's card, pictures of -1..1; with ``source`` a latent beside, with ``vector`` a recogniser's output."""
    shape = [1, 3, size, size]
    image = {"kind": "image", "shape": shape, "layout": "nchw", "mean": 0.5, "std": 0.5}
    inputs: dict[str, Any] = {"target": image | {"name": "target"}}
    outputs: dict[str, Any] = {"image": image | {"index": 0}}
    if source:
        inputs["source"] = {"name": "source", "kind": "vector", "shape": [1, 512]}
    if vector:
        inputs = {"image": inputs["target"]}
        outputs = {"embedding": {"index": 0, "kind": "vector", "shape": [1, 512]}}
    return model_card(
        f"bench_{size}",
        {
            "role": "recogniser" if vector else "swapper",
            "family": "inswapper",
            "file": "bench.onnx",
            "sources": [],
            "licence": "none",
            "evidence": "made by a bench",
            "uses": ["test"],
            "size": size,
            "inputs": inputs,
            "outputs": outputs,
        },
    )


def faces(count: int, size: int) -> np.ndarray:
    """Random faces [count, size, size, 3] float32 0..1."""
    return np.random.default_rng(0).uniform(size=(count, size, size, 3)).astype(np.float32)


Clock = Callable[[], float]


def milliseconds(work: Callable[[], object], repeats: int = 9, clock: Clock = time.process_time) -> float:
    """Median time of a piece of work, of the processor unless told: that does not count what else the machine does."""
    times = []
    for _ in range(repeats):
        begin = clock()
        work()
        times.append(clock() - begin)
    return 1000 * statistics.median(times)


class Stack:
    """Layers with random weights, one on top of the other, that keep their output at about unit deviation."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.macs = 0
        self._random = np.random.default_rng(seed)

    @property
    def parameters(self) -> int:
        return sum(value.size for value in self.constants.values() if value.dtype == np.float32)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node; the name of its output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def conv(
        self, x: str, wide: int, out: int, side: int, kernel: int = 3, stride: int = 1, bend: bool = True
    ) -> str:
        """A convolution from ``wide`` to ``out`` channels that gives ``side`` pixels, and a leaky bend."""
        gain = np.sqrt((1.9 if bend else 1.0) / (wide * kernel**2))
        weights = self._random.standard_normal((out, wide, kernel, kernel), np.float32) * np.float32(gain)
        self.macs += weights.size * side * side
        names = [x, self.constant(weights), self.constant(np.zeros(out, np.float32))]
        x = self.op("Conv", *names, pads=[kernel // 2] * 4, strides=[stride] * 2)
        return self.op("LeakyRelu", x, alpha=0.2) if bend else x

    def add(self, x: str, y: str) -> str:
        """The sum of two, at one's deviation."""
        return self.op("Mul", self.op("Add", x, y), self.constant(np.float32(np.sqrt(0.5))))

    def linear(self, x: str, wide: int, out: int) -> str:
        weights = self._random.standard_normal((wide, out), np.float32) / np.float32(np.sqrt(wide))
        self.macs += weights.size
        return self.op("Gemm", x, self.constant(weights))

    def larger(self, x: str) -> str:
        """Twice the side."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.op("Resize", x, "", scales, mode="linear")

    def model(self, x: str, size: int, source: bool = False) -> onnx.ModelProto:
        """The whole, with an output of -1..1, fixed at one sample as published files are."""
        self.nodes.append(node("Tanh", [x], ["output"]))
        shape = ([1, 3, size, size], "float32")
        inputs = {"target": shape} | ({"source": ([1, 512], "float32")} if source else {})
        return network(inputs, {"output": shape}, self.nodes, self.constants)


def inswapper() -> tuple[onnx.ModelProto, Stack]:
    """inswapper's graph: 7x7-128, 256, 512 and 1024 with strides, six blocks of two AdaIN layers, and back."""
    s = Stack()
    x = s.conv("target", 3, 128, 128, kernel=7)
    x = s.conv(x, 128, 256, 128)
    x = s.conv(x, 256, 512, 64, stride=2)
    x = s.conv(x, 512, 1024, 32, stride=2)
    ends = s.constant(np.array([2, 3]))
    for _ in range(6):
        kept = x
        for layer in range(2):
            x = s.conv(x, 1024, 1024, 32, bend=False)
            centred = s.op("Sub", x, s.op("ReduceMean", x, axes=[2, 3], keepdims=1))
            power = s.op("ReduceMean", s.op("Mul", centred, centred), axes=[2, 3], keepdims=1)
            spread = s.op("Sqrt", s.op("Add", power, s.constant(np.float32(1e-6))))
            scale = s.op("Unsqueeze", s.linear("source", 512, 1024), ends)
            move = s.op("Unsqueeze", s.linear("source", 512, 1024), ends)
            x = s.op("Add", s.op("Mul", s.op("Div", centred, spread), scale), move)
            x = s.op("Relu", x) if layer == 0 else x
        x = s.add(kept, x)
    x = s.conv(s.larger(x), 1024, 512, 64)
    x = s.conv(s.larger(x), 512, 256, 128)
    x = s.conv(x, 256, 128, 128)
    x = s.conv(x, 128, 3, 128, kernel=7, bend=False)
    return s.model(x, 128, source=True), s


def gfpgan() -> tuple[onnx.ModelProto, Stack]:
    """GFPGAN's graph (clean, multiplier 2): a half-wide U-Net whose features steer half of a StyleGAN2 decoder.

    Kernels are constant, as they are once modulation is taken to the input; the layer that makes styles is left out.
    """
    s = Stack()
    wide = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64}
    thin = {side: channels // 2 for side, channels in wide.items()}
    sides = sorted(wide)
    x = s.conv("target", 3, thin[512], 512, kernel=1)
    features = {}
    for side in reversed(sides[1:]):
        half = side // 2
        skip = s.conv(
            s.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]),
            thin[side],
            thin[half],
            half,
            1,
            bend=False,
        )
        x = s.conv(x, thin[side], thin[side], side)
        x = s.add(s.conv(x, thin[side], thin[half], half, stride=2), skip)
        features[half] = x
    x = s.conv(x, thin[4], thin[4], 4)
    steer = {}
    for side in sides[1:]:
        half = side // 2
        x = s.add(x, features[half])
        skip = s.conv(s.larger(x), thin[half], thin[side], side, 1, bend=False)
        x = s.conv(x, thin[half], thin[half], half)
        x = s.add(s.conv(s.larger(x), thin[half], thin[side], side), skip)
        steer[side] = [
            s.conv(s.conv(x, thin[side], thin[side], side), thin[side], thin[side], side, bend=False)
            for _ in range(2)
        ]
    y = s.conv(features[4], thin[4], wide[4], 4)
    picture = s.conv(y, wide[4], 3, 4, 1, bend=False)
    for side in sides[1:]:
        y = s.conv(s.larger(y), wide[side // 2], wide[side], side)
        same, steered = (
            s.op("Slice", y, *(s.constant(np.array(n)) for n in ([begin], [begin + thin[side]], [1])))
            for begin in (0, thin[side])
        )
        scale, move = steer[side]
        steered = s.add(s.op("Mul", steered, s.op("Sigmoid", scale)), move)
        y = s.conv(s.op("Concat", same, steered, axis=1), wide[side], wide[side], side)
        picture = s.add(s.larger(picture), s.conv(y, wide[side], 3, side, 1, bend=False))
    return s.model(picture, 512), s


def overhead(folder: Path, size: int) -> tuple[float, float]:
    """Milliseconds per face of a call and of a bare run, for a network that does next to nothing."""
    shape = ([1, 3, size, size], "float32")
    model = network({"target": shape}, {"output": shape}, [node("Identity", ["target"], ["output"])])
    run = Network(card(size), save(model, folder / f"identity_{size}.onnx"), Device(batch=BATCH))
    assert run.batch == BATCH
    given = faces(BATCH, size)
    ready = np.ascontiguousarray(given.transpose(0, 3, 1, 2)) * 2 - 1
    batching.free(model, ["target"], ["output"])
    bare = session(model.SerializeToString(), Device(), "bench")
    whole = milliseconds(lambda: run(target=given), 25)
    alone = milliseconds(lambda: bare.run(["output"], {"target": ready}), 25)
    return whole / BATCH, alone / BATCH


def recogniser() -> tuple[onnx.ModelProto, Stack]:
    """ArcFace's IResNet-50: 3, 4, 14 and 3 units of two convolutions, and a vector of 512."""
    s = Stack()
    x, wide, side = s.conv("target", 3, 64, 112), 64, 112
    for units, out in ((3, 64), (4, 128), (14, 256), (3, 512)):
        for unit in range(units):
            half = side // 2 if unit == 0 else side
            stride = side // half
            skip = s.conv(x, wide, out, half, 1, stride, bend=False) if unit == 0 else x
            x = s.conv(s.conv(x, wide, out, side), out, out, half, stride=stride, bend=False)
            x, wide, side = s.add(x, skip), out, half
    x = s.linear(s.op("Flatten", x), 512 * 7 * 7, 512)
    s.nodes.append(node("Identity", [x], ["output"]))
    inputs = {"target": ([1, 3, 112, 112], "float32")}
    return network(inputs, {"output": ([1, 512], "float32")}, s.nodes, s.constants), s


def batches(folder: Path) -> tuple[float, float, Stack]:
    """Milliseconds per face of the recogniser, one at a time and eight at a time."""
    model, stack = recogniser()
    path = save(model, folder / "recogniser.onnx")
    given = faces(2 * BATCH, 112)
    networks = [Network(card(112, vector=True), path, Device(batch=n)) for n in (1, BATCH)]
    assert [one.batch for one in networks] == [1, BATCH]
    times: list[list[float]] = [[], []]
    for _ in range(5):
        for one, spent in zip(networks, times, strict=True):
            spent.append(milliseconds(lambda one=one: one(image=given), 1) / len(given))  # type: ignore[misc]
    return statistics.median(times[0]), statistics.median(times[1]), stack


def start(folder: Path) -> tuple[float, float, float]:
    """Seconds to the first session of a file and to the next one, and the file's megabytes."""
    s = Stack()
    x = s.conv("target", 3, 512, 32, stride=4)
    for _ in range(6):
        x = s.conv(x, 512, 512, 32)
    x = s.conv(s.larger(s.larger(x)), 512, 3, 128, bend=False)
    path = save(s.model(x, 128), folder / "large.onnx")
    first = milliseconds(lambda: Network(card(128), path), 1) / 1000
    return first, milliseconds(lambda: Network(card(128), path), 3) / 1000, path.stat().st_size / 1e6


def on_one_core(folder: Path) -> bool:
    met = True
    print(f"{'per face':<24}{'call':>9}{'bare run':>10}{'runner':>9}{'budget':>9}")
    for size, budget in BUDGET_MS.items():
        whole, alone = overhead(folder, size)
        met &= whole - alone <= budget
        name = f"{size} pixels, {BATCH} at a time"
        print(f"{name:<24}{whole:>6.2f} ms{alone:>7.2f} ms{whole - alone:>6.2f} ms{budget:>6.0f} ms")
    one, eight, stack = batches(folder)
    print(
        f"\nrecogniser of {stack.macs / 1e9:.1f} GMAC, {stack.parameters / 1e6:.1f} M parameters: {one:.0f} ms a face"
        f" one at a time, {eight:.0f} ms {BATCH} at a time ({one / eight:.2f} x)"
    )
    first, later, size_mb = start(folder)
    print(f"session of {size_mb:.0f} MB: {first:.2f} s the first time (with its trial), {later:.2f} s later")
    print(f"budget {'met' if met else 'MISSED'}")
    return met


def on_the_card(folder: Path, device: Device) -> bool:
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        print("no CUDA provider is at hand: nothing measured")
        return True
    met = True
    for name, build, size in (("inswapper", inswapper, 128), ("gfpgan", gfpgan, 512)):
        model, stack = build()
        path = save(model, folder / f"{name}.onnx")
        latent = {"source": np.random.default_rng(1).normal(size=(1, 512)).astype(np.float32) / 22.6}
        given = {"target": faces(FRAMES, size)} | (latent if name == "inswapper" else {})
        run = Network(card(size, source=name == "inswapper"), path, device)
        run(**given)
        whole = milliseconds(lambda run=run, given=given: run(**given), 5, time.perf_counter)  # type: ignore[misc]
        share = computing(path, device, run.batch, given) * (FRAMES / run.batch) / whole
        met &= share >= GOAL
        print(
            f"{name}: {stack.parameters / 1e6:.1f} M parameters, {stack.macs / 1e9:.1f} GMAC, {run.batch} at a time:"
            f" {1000 * FRAMES / whole:.0f} faces/s, the card computes {100 * share:.0f} % of the time"
        )
    print(f"goal {'met' if met else 'MISSED'}: {100 * GOAL:.0f} %")
    return met


def computing(path: Path, device: Device, batch: int, given: dict[str, np.ndarray]) -> float:
    """Milliseconds of one run with all that goes in and out on the card already."""
    from onnxruntime import OrtValue

    model = graphs.load(path, "bench")
    batching.free(model, list(given), ["output"])
    opened = session(model.SerializeToString(), device, "bench")
    binding = opened.io_binding()
    kind = "cpu" if device.provider == "cpu" else "cuda"
    for name, value in given.items():
        rows = np.ascontiguousarray(np.broadcast_to(value[:batch], (batch, *value.shape[1:])))
        rows = np.ascontiguousarray(rows.transpose(0, 3, 1, 2)) if rows.ndim == 4 else rows
        binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(rows, kind, device.device_id))
    binding.bind_output("output", kind, device.device_id)

    def once() -> None:
        opened.run_with_iobinding(binding)
        binding.synchronize_outputs()

    once()
    return milliseconds(once, clock=time.perf_counter)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpu", action="store_true", help="networks of true size on CUDA")
    parser.add_argument("--fp16", action="store_true", help="in half precision, with --gpu")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        met = (
            on_the_card(Path(folder), Device("cuda", fp16=asked.fp16))
            if asked.gpu
            else on_one_core(Path(folder))
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
