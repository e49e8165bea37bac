"""Networks with the exact contracts of the families that studios use, made on the spot, that do something measurable.

None of them has learned anything. Each one carries its numbers openly (a matrix, a pattern), so that a test can say
from the contract alone what has to come out, without running the code that it tests. Names, shapes, layouts, ranges
and dtypes are written down here once more, independently of the cards: a wrong card does not fit its network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

F32 = NDArray[np.float32]

IMAGENET = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
DIM = 512
SHIFT = 0.15
"""How far a generated swapper moves a channel, for a latent of length one: about this much."""
MOST = 0.45
"""How far it moves a channel at most."""
TEXTURE = 0.08
"""Amplitude of the texture that a generated restorer adds, in display values."""


class Graph:
    """An ONNX graph as it is being written: operations return the name of what they make."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence[int | str]) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, value: ArrayLike, name: str = "", dtype: type = np.float32) -> str:
        name = name or f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(np.array(value, dtype)), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def save(self, path: Path) -> Path:
        graph = helper.make_graph(self._nodes, "generated", self._inputs, self._outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        return path


def colours(seed: int = 1) -> F32:
    """[512, 3]: what a generated swapper adds to a channel is its latent times this."""
    return np.random.default_rng(seed).normal(0, SHIFT, (DIM, 3)).astype(np.float32)


def emap(seed: int = 2) -> F32:
    """[512, 512], far from orthogonal: a vector of length one comes out about twice as long."""
    return np.random.default_rng(seed).normal(0, 2 / np.sqrt(DIM), (DIM, DIM)).astype(np.float32)


def conversion(seed: int = 3) -> F32:
    """[512, 512] of a generated converter; a vector of length one comes out about three times as long."""
    return np.random.default_rng(seed).normal(0, 3 / np.sqrt(DIM), (DIM, DIM)).astype(np.float32)


def _shift(graph: Graph, latent: str, table: F32) -> str:
    """[n, 3, 1, 1] of a latent [n, 512], kept to `MOST` whatever a self-test feeds."""
    moved = graph.op("MatMul", latent, graph.constant(table))
    moved = graph.op("Clip", moved, graph.constant(-MOST), graph.constant(MOST))
    return graph.op("Unsqueeze", moved, graph.constant([2, 3], dtype=np.int64))


def _display(graph: Graph, image: str, low: float = 0.0) -> str:
    """What a network's last sigmoid or tanh sees to: a picture from ``low`` to 1."""
    return graph.op("Clip", image, graph.constant(low), graph.constant(1.0))


def inswapper(
    path: Path, size: int = 128, name: str = "emap", image: str = "output", decoy: bool = False
) -> Path:
    """inswapper, ReSwapper, InStyleSwapper: RGB 0..1, ``output = target + latent @ colours()``.

    ``name`` is what the emap is called; it is the graph's last constant. ``decoy`` puts another constant of the same
    shape before it.
    """
    graph = Graph()
    target, source = graph.input("target", [1, 3, size, size]), graph.input("source", [1, DIM])
    shifted = _display(graph, graph.op("Add", target, _shift(graph, source, colours())))
    if decoy:
        graph.constant(np.eye(DIM), "other")
    graph.constant(emap(), name)
    graph.output(shifted, image, [1, 3, size, size])
    return graph.save(path)


def oval(size: int) -> F32:
    """The matte of a generated HyperSwap, [size, size]: 1 in the middle, 0 from the rim's inner eighth outwards."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1
    return np.clip((0.75 - np.hypot(x, y)) * 4, 0, 1).astype(np.float32)


def hyperswap(path: Path, size: int = 256) -> Path:
    """HyperSwap: RGB -1..1, ``output = target + mask (latent @ colours())`` in display values, and the mask."""
    graph = Graph()
    source, target = graph.input("source", [1, DIM]), graph.input("target", [1, 3, size, size])
    mask = graph.constant(oval(size)[None, None])
    move = graph.op("Mul", graph.op("Mul", _shift(graph, source, colours()), graph.constant(2.0)), mask)
    # The mask comes out of the image, as a network's does: a batch of images has a batch of masks.
    nought = graph.op("ReduceMean", graph.op("Mul", target, graph.constant(0.0)), axes=[1], keepdims=1)
    graph.output(_display(graph, graph.op("Add", target, move), -1.0), "output", [1, 3, size, size])
    graph.output(graph.op("Add", nought, mask), "mask", [1, 1, size, size])
    return graph.save(path)


def normalised(
    path: Path,
    size: int,
    mean: ArrayLike = 0.5,
    std: ArrayLike = 0.5,
    decoded: bool = True,
    image: str = "output",
) -> Path:
    """SimSwap, GHOST, HiFiFace: target normalised by mean and std; ``target + latent @ colours()`` in display values.

    ``decoded``: whether the output is normalised as the target is; otherwise it is in display values.
    """
    graph = Graph()
    mean, std = (np.broadcast_to(np.asarray(v, np.float32), 3).reshape(1, 3, 1, 1) for v in (mean, std))
    target, source = graph.input("target", [1, 3, size, size]), graph.input("source", [1, DIM])
    display = graph.op("Add", graph.op("Mul", target, graph.constant(std)), graph.constant(mean))
    moved = _display(graph, graph.op("Add", display, _shift(graph, source, colours())))
    if decoded:
        moved = graph.op("Div", graph.op("Sub", moved, graph.constant(mean)), graph.constant(std))
    graph.output(moved, image, [1, 3, size, size])
    return graph.save(path)


def by_image(path: Path, source_size: int, size: int = 256, signed: bool = False) -> Path:
    """UniFace (``signed``), BlendSwap: adds half of what the source picture's mean is above .5, in display values."""
    graph = Graph()
    source = graph.input("source", [1, 3, source_size, source_size])
    target = graph.input("target", [1, 3, size, size])
    mean = graph.op("ReduceMean", source, axes=[2, 3], keepdims=1)
    scale = 1.0 if signed else 0.5
    move = graph.op("Mul", graph.op("Sub", mean, graph.constant(0.5)), graph.constant(scale))
    graph.output(graph.op("Add", target, move), "output", [1, 3, size, size])
    return graph.save(path)


def converter(path: Path) -> Path:
    """A crossface converter: normalises inside, ``output = input / |input| @ conversion()``, of any length."""
    graph = Graph()
    raw = graph.input("input", [1, DIM])
    unit = graph.op("Div", raw, graph.op("ReduceL2", raw, axes=[1], keepdims=1))
    graph.output(graph.op("MatMul", unit, graph.constant(conversion())), "output", [1, DIM])
    return graph.save(path)


def impressions(seed: int = 4) -> F32:
    """[48, 512]: what a generated recogniser makes of a 4 x 4 grid of mean colours (channel by channel, row by row)."""
    return np.random.default_rng(seed).normal(0, 1, (48, DIM)).astype(np.float32)


def recogniser(
    path: Path, size: int = 112, name: str = "input", image: str = "output", centre: float = 0.0
) -> Path:
    """ArcFace: RGB -1..1, 512 numbers that are the grid's mean colours (less ``centre``) times `impressions`."""
    graph = Graph()
    picture = graph.input(name, [1, 3, size, size])
    grid = graph.op("AveragePool", picture, kernel_shape=[size // 4] * 2, strides=[size // 4] * 2)
    flat = graph.op("Sub", graph.op("Flatten", grid, axis=1), graph.constant(centre))
    graph.output(graph.op("MatMul", flat, graph.constant(impressions())), image, [1, DIM])
    return graph.save(path)


def weave() -> F32:
    """Eight by eight pixels of texture, -1 or 1, of mean 0."""
    return np.where(np.add.outer(np.arange(8) // 2, np.arange(8) // 2) % 2, 1.0, -1.0).astype(np.float32)


def restorer(
    path: Path,
    size: int = 512,
    out: int = 0,
    weight: bool = False,
    name: str = "input",
    image: str = "output",
) -> Path:
    """GFPGAN, GPEN, RestoreFormer++ and, with ``weight``, CodeFormer: RGB -1..1, adds `TEXTURE` times the tiled weave.

    CodeFormer's weight is a float64 of shape [1]: 0 adds all of the texture, 1 none. ``out`` is the output's side.
    """
    graph, out = Graph(), out or size
    picture = graph.input(name, [1, 3, size, size])
    if out != size:
        factor = graph.constant([1, 1, out / size, out / size])
        picture = graph.op("Resize", picture, "", factor, mode="nearest", nearest_mode="floor",
                           coordinate_transformation_mode="asymmetric")  # fmt: skip
    repeats = graph.constant([1, 1, out // 8, out // 8], dtype=np.int64)
    texture = graph.op("Tile", graph.constant(2 * TEXTURE * weave()[None, None]), repeats)
    if weight:
        given = graph.op("Cast", graph.input("weight", [1], TensorProto.DOUBLE), to=TensorProto.FLOAT)
        texture = graph.op("Mul", texture, graph.op("Sub", graph.constant([1.0]), given))
    graph.output(graph.op("Add", picture, texture), image, [1, 3, out, out])
    return graph.save(path)


def xseg(path: Path, channel: int = 0, size: int = 256) -> Path:
    """XSeg: NHWC BGR 0..1, its mask is one channel of the picture: 0 is blue."""
    graph = Graph()
    picture = graph.input("input", ["batch", size, size, 3])
    ends = [graph.constant([n], dtype=np.int64) for n in (channel, channel + 1, 3)]
    graph.output(graph.op("Slice", picture, *ends), "output", ["batch", size, size, 1])
    return graph.save(path)


def shaky(path: Path, middle: float, gain: float, size: int = 256) -> Path:
    """XSeg's contract, a face up to an edge at .62 of the picture's width and ``gain`` times what its mean is over
    ``middle``: light that changes by a trifle, as grain does it, shakes the edge."""
    graph = Graph()
    picture = graph.input("input", ["batch", size, size, 3])
    mean = graph.op("ReduceMean", picture, axes=[1, 2, 3], keepdims=1)
    place = graph.op("Mul", graph.op("Sub", mean, graph.constant(middle)), graph.constant(gain))
    across = (0.62 - (np.arange(size) + 0.5) / size)[None, None, :, None]
    nought = graph.op("ReduceMean", graph.op("Mul", picture, graph.constant(0.0)), axes=[3], keepdims=1)
    away = graph.op("Add", nought, graph.op("Add", place, graph.constant(across)))
    soft = graph.op("Add", graph.op("Mul", away, graph.constant(30.0)), graph.constant(0.5))
    graph.output(graph.op("Clip", soft, graph.constant(0.0), graph.constant(1.0)), "output", ["batch", size, size, 1])
    return graph.save(path)


def bisenet(path: Path, size: int = 512) -> Path:
    """BiSeNet: RGB as ImageNet's, 19 logits; the class of a pixel is its red times 18, rounded."""
    graph = Graph()
    picture = graph.input("input", [1, 3, size, size])
    first = [graph.constant([n], dtype=np.int64) for n in (0, 1, 1)]
    red = graph.op("Slice", picture, *first)
    red = graph.op(
        "Add", graph.op("Mul", red, graph.constant(IMAGENET[1][0])), graph.constant(IMAGENET[0][0])
    )
    classes = graph.constant(np.arange(19).reshape(1, 19, 1, 1) / 18)
    away = graph.op("Abs", graph.op("Sub", red, classes))
    graph.output(graph.op("Mul", away, graph.constant(-400.0)), "output", [1, 19, size, size])
    return graph.save(path)


def dfm(path: Path, size: int = 64, morph: bool = False) -> Path:
    """A DeepFaceLab file: NHWC BGR; the face is the picture with .2 more blue and, with ``morph``, as much less red.

    The target's mask is 1 but for the first eighth of the rows, the face's own but for the first eighth of the
    columns.
    """
    graph = Graph()
    picture = graph.input("in_face:0", ["batch", size, size, 3])
    if morph:
        value = graph.input("morph_value:0", [1])
        more = graph.op("Mul", value, graph.constant([0.2, 0, -0.2]))
    else:
        more = graph.constant([0.2, 0, 0])
    nought = graph.op("ReduceMean", graph.op("Mul", picture, graph.constant(0.0)), axes=[3], keepdims=1)
    far = (np.arange(size) >= size // 8).astype(np.float32)
    rows = graph.op("Add", nought, graph.constant(far[None, :, None, None]))
    columns = graph.op("Add", nought, graph.constant(far[None, None, :, None]))
    graph.output(rows, "out_face_mask:0", ["batch", size, size, 1])
    graph.output(graph.op("Add", picture, more), "out_celeb_face:0", ["batch", size, size, 3])
    graph.output(columns, "out_celeb_face_mask:0", ["batch", size, size, 1])
    return graph.save(path)


def marks() -> F32:
    """[68, 2], on a grid of 64: where a generated 2DFAN4 says that the landmarks are."""
    return np.random.default_rng(5).uniform(8, 56, (68, 2)).astype(np.float32)


def fan(path: Path) -> Path:
    """2DFAN4: 0..1; `marks` on every picture, heat-maps whose greatest value is the mean of its first colour."""
    graph = Graph()
    picture = graph.input("input", [1, 3, 256, 256])
    first = [graph.constant([n], dtype=np.int64) for n in (0, 1, 1)]
    mean = graph.op("ReduceMean", graph.op("Slice", picture, *first), axes=[2, 3], keepdims=1)
    flat = graph.op(
        "Mul", graph.op("Squeeze", mean, graph.constant([3], dtype=np.int64)), graph.constant(0.0)
    )
    points = np.concatenate([marks(), np.ones((68, 1), np.float32)], axis=1)
    maps = np.zeros((1, 68, 64, 64), np.float32)
    for row, (x, y) in enumerate(np.floor(marks()).astype(int)):
        maps[0, row, y, x] = 1
    graph.output(graph.op("Add", flat, graph.constant(points[None])), "landmarks_xyscore", [1, 68, 3])
    graph.output(graph.op("Mul", mean, graph.constant(maps)), "heatmaps", [1, 68, 64, 64])
    return graph.save(path)


REACH = 2.0, 2.5, 2.0, 3.0
"""Left, top, right and bottom of a generated detector's boxes, in strides from its anchors."""
KEYS = (-1.0, -0.8), (1.0, -0.8), (0.0, 0.1), (-0.7, 1.2), (0.7, 1.2)
"""The five points of its faces, in strides from its anchors."""


def detector(path: Path, name: str = "input") -> Path:
    """RetinaFace 10g, SCRFD: RGB (x - 127.5) / 128; nine outputs, scores, boxes, points at strides of 8, 16 and 32.

    A cell's score is its mean red, 0..1, and its second anchor's half of that. Any size of picture.
    """
    graph = Graph()
    picture = graph.input(name, [1, 3, "height", "width"])
    first = [graph.constant([n], dtype=np.int64) for n in (0, 1, 1)]
    red = graph.op("Mul", graph.op("Slice", picture, *first), graph.constant(128 / 255))
    red = graph.op("Add", red, graph.constant(127.5 / 255))
    outputs: list[list[tuple[str, int]]] = [[], [], []]
    for stride in (8, 16, 32):
        cells = graph.op("AveragePool", red, kernel_shape=[stride] * 2, strides=[stride] * 2)
        column = graph.op("Reshape", cells, graph.constant([-1, 1], dtype=np.int64))
        pair = graph.op("Mul", column, graph.constant([[1.0, 0.5]]))
        score = graph.op("Reshape", pair, graph.constant([-1, 1], dtype=np.int64))
        nought = graph.op("Mul", score, graph.constant(0.0))
        outputs[0].append((score, 1))
        for row, values in ((1, REACH), (2, np.ravel(KEYS))):
            outputs[row].append(
                (graph.op("Add", nought, graph.constant(np.array(values)[None])), len(values))
            )
    for kind, group in enumerate(outputs):
        for level, (value, width) in enumerate(group):
            graph.output(value, str(443 + 3 * kind + level), [f"anchors{level}", width])
    return graph.save(path)


def finder(path: Path, places: ArrayLike, name: str = "input") -> Path:
    """The same contract, over a picture's pure green mark: one face beside it, which moves and grows with it.

    ``places`` [7, 2], upper left and lower right corner of the box, then the five points: from the middle of the mark,
    in its sides. Where there is no mark, there is no face. The sides of a picture are multiples of 32.
    """
    graph = Graph()
    picture = graph.input(name, [1, 3, "height", "width"])
    ends = [[graph.constant([n], dtype=np.int64) for n in (k, k + 1, 1)] for k in range(3)]
    red, green, blue = (graph.op("Slice", picture, *end) for end in ends)
    # In display values; half covered pixels count half.
    more = graph.op("Mul", graph.op("Sub", green, graph.op("Max", red, blue)), graph.constant(128 / 255))
    weight = graph.op("Mul", graph.op("Sub", more, graph.constant(0.25)), graph.constant(2.0))
    weight = graph.op("Clip", weight, graph.constant(0.0), graph.constant(1.0))
    one = graph.op("Add", graph.op("Mul", weight, graph.constant(0.0)), graph.constant(1.0))
    area = graph.op("ReduceSum", weight, keepdims=0)
    middle = []
    for axis in (3, 2):
        index = graph.op("CumSum", one, graph.constant(axis, dtype=np.int64))
        moment = graph.op("ReduceSum", graph.op("Mul", weight, index), keepdims=0)
        middle.append(graph.op("Div", moment, graph.op("Max", area, graph.constant(1.0))))
    flat = [graph.op("Reshape", value, graph.constant([1, 1], dtype=np.int64)) for value in middle]
    # Counting began with one.
    centre = graph.op("Sub", graph.op("Concat", *flat, axis=1), graph.constant(1.0))
    beside = graph.op("Mul", graph.op("Sqrt", area), graph.constant(np.asarray(places)))
    found = graph.op("Div", graph.op("Add", centre, beside), graph.constant(8.0))
    found = graph.op("Reshape", found, graph.constant([1, 14], dtype=np.int64))
    cut = [[graph.constant([n], dtype=np.int64) for n in span] for span in ((0, 4, 1), (4, 14, 1))]
    box, keys = (graph.op("Slice", found, *span) for span in cut)
    sure = graph.op("Clip", graph.op("Div", area, graph.constant(40.0)), graph.constant(0.0), graph.constant(0.9))
    values = sure, graph.op("Mul", box, graph.constant([-1.0, -1.0, 1.0, 1.0])), keys
    for kind, (value, width) in enumerate(zip(values, (1, 4, 10), strict=True)):
        for level, stride in enumerate((8, 16, 32)):
            cells = graph.op("AveragePool", one, kernel_shape=[stride] * 2, strides=[stride] * 2)
            column = graph.op("Reshape", cells, graph.constant([-1, 1], dtype=np.int64))
            column = graph.op("Concat", column, column, axis=0)
            place = graph.op("CumSum", column, graph.constant(0, dtype=np.int64))
            # The first anchor of the finest level, at the picture's corner.
            first = graph.op("Sub", graph.constant(2.0 if level == 0 else 0.0), place)
            first = graph.op("Clip", first, graph.constant(0.0), graph.constant(1.0))
            graph.output(graph.op("Mul", first, value), f"{kind}.{stride}", [f"anchors{level}", width])
    return graph.save(path)


def card_for(card: Mapping[str, Any], path: Path, **changes: Any) -> dict[str, Any]:
    """A real card made to describe a generated file: its file, sha256 and licence changed, all else as it is."""
    return {
        **card,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "sources": [{"path": str(path)}],
        "licence": "Apache-2.0",
        "evidence": "made by the tests",
        "uses": ["commercial", "research", "test"],
        **changes,
    }
