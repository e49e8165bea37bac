"""Graphs made for one sample at a time, turned into graphs for any number, where that is safe.

Most published files fix the axis of samples at 1. Freeing it is a matter of names as long as no node mixes, moves or
counts that axis; `objection` looks for the nodes that do. It cannot know every graph, so that whoever rewrites one
compares samples run together with samples run alone (`difference`) before trusting it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.runtime.tensors import Floats

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Ints = NDArray[np.int64]

AXIS: Final = "samples"
"""Name of the freed axis."""
_OLDEST: Final = 7
"""Opset from which operators broadcast as NumPy does and Reshape takes its shape as an input."""
_LARGE: Final = 512
"""Numbers from which a constant is a weight, not a shape."""
_REDUCTIONS: Final = (
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip
_ALONG: Final[Mapping[str, int | None]] = {
    "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "ArgMax": 0, "ArgMin": 0, "TopK": -1, "LpNormalization": -1,
    "LayerNormalization": -1, "Concat": None, "Split": 0, "Gather": 0, "GatherElements": 0, "ScatterElements": 0,
}  # fmt: skip
"""Operators that work along one axis, with the axis they take where none is given."""
_WEIGHED: Final = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "Gemm")
"""Operators whose second input is one set of weights for all samples."""
_BROADCAST: Final = (
    "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Mean", "Sum", "Where", "PRelu", "Mod", "Equal", "Greater", "Less",
    "GreaterOrEqual", "LessOrEqual", "And", "Or", "Xor",
)  # fmt: skip
_REFUSED: Final = (
    "NonMaxSuppression", "NonZero", "Compress", "Unique", "ScatterND", "GatherND", "LSTM", "GRU", "RNN", "If", "Loop",
    "Scan", "Einsum", "Det", "Trilu", "CumSum", "ReverseSequence", "RoiAlign",
)  # fmt: skip
"""Operators that count or move samples in ways not worth following."""


@dataclass(frozen=True)
class _Graph:
    """What the rules look at: shapes at one sample, small constants, ranks of all of them, what depends on samples."""

    shapes: Mapping[str, tuple[int | None, ...]]
    constants: Mapping[str, Ints]
    ranks: Mapping[str, int]
    carries: frozenset[str]

    def rank(self, name: str) -> int | None:
        if name in self.ranks:
            return self.ranks[name]
        return len(self.shapes[name]) if name in self.shapes else None


def objection(model: ModelProto, inputs: Collection[str], outputs: Collection[str]) -> str:
    """Why a graph for one sample must not be run with several; empty where nothing speaks against it.

    Parameters
    ----------
    inputs, outputs:
        Names of the tensors whose first axis, of length 1 or free, counts samples.
    """
    version = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
    if version < _OLDEST:
        return f"opset {version} is older than {_OLDEST}"
    graph = _looked_at(model, inputs)
    for node in model.graph.node:
        if not graph.carries.isdisjoint(node.input):
            reason = _rule(node, graph) or _leads(node, graph)
            if reason:
                return f"{node.op_type} {node.name or node.output[0]!r} {reason}"
    for name in outputs:
        if name not in graph.carries:
            return f"output {name!r} does not depend on the samples"
    return ""


def free(model: ModelProto, inputs: Collection[str], outputs: Collection[str]) -> None:
    """Free the first axis of the named inputs and outputs, in place; other outputs are dropped.

    A constant shape given to Reshape that begins with the one sample gets the number of samples instead.
    """
    from onnx import numpy_helper

    carries, constants = _carriers(model, inputs), _constants(model)
    for one in [one for one in model.graph.output if one.name not in outputs]:
        model.graph.output.remove(one)
    for value in (*model.graph.input, *model.graph.output):
        if value.name in inputs or value.name in outputs:
            value.type.tensor_type.shape.dim[0].dim_param = AXIS
    del model.graph.value_info[:]
    for index, node in enumerate(model.graph.node):
        if node.op_type != "Reshape" or node.input[0] not in carries:
            continue
        shape = constants.get(node.input[1])
        if shape is None or not len(shape) or shape[0] != 1:
            continue
        # 0 keeps the length of the axis; -1, which may stand once, is what is left over.
        changed = np.array([0 if -1 in shape else -1, *shape[1:]], np.int64)
        name = f"{AXIS}_{index}"
        model.graph.initializer.append(numpy_helper.from_array(changed, name))
        node.input[1] = name


def difference(alone: Mapping[str, Floats], together: Mapping[str, Floats]) -> float:
    """How far samples run together are from the same samples run alone.

    Root mean square of the difference of one sample's output over the standard deviation of that output over all
    samples; the worst over samples and outputs. Infinite where the shapes differ or a number is not finite.
    """
    worst = 0.0
    for name, one in alone.items():
        other = together[name]
        if one.shape != other.shape or not np.isfinite(other).all():
            return float("inf")
        spread = max(float(one.std()), 1e-12)
        off = np.sqrt(np.mean((other - one) ** 2, axis=tuple(range(1, one.ndim)), dtype=np.float64))
        worst = max(worst, float(off.max()) / spread)
    return worst


def _looked_at(model: ModelProto, inputs: Collection[str]) -> _Graph:
    ranks = {one.name: len(one.dims) for one in model.graph.initializer}
    ranks |= {name: len(value.dims) for name, value in _constant_nodes(model)}
    return _Graph(_shapes(model), _constants(model), ranks, _carriers(model, inputs))


def _carriers(model: ModelProto, inputs: Collection[str]) -> frozenset[str]:
    """Names of all that depends on the samples."""
    found = set(inputs)
    for node in model.graph.node:
        # A shape is the same for all samples; what is computed from it is checked by running the graph.
        if node.op_type not in ("Shape", "Size") and not found.isdisjoint(node.input):
            found.update(node.output)
    return frozenset(found)


def _constants(model: ModelProto) -> dict[str, Ints]:
    """Small constants by name, flat."""
    from onnx import numpy_helper

    held = [(one.name, one) for one in model.graph.initializer]
    return {
        name: numpy_helper.to_array(value).reshape(-1)
        for name, value in (*held, *_constant_nodes(model))
        if math.prod(value.dims) < _LARGE
    }


def _constant_nodes(model: ModelProto) -> list[tuple[str, TensorProto]]:
    return [
        (node.output[0], attribute.t)
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    ]


def _shapes(model: ModelProto) -> dict[str, tuple[int | None, ...]]:
    """Shapes of the graph's tensors at one sample, as far as they can be told without running it."""
    import onnx
    from onnx import helper

    # Weights are declared, not carried along: inference copies the whole model.
    weights = [one for one in model.graph.initializer if math.prod(one.dims) >= _LARGE]
    light = onnx.ModelProto()
    light.ir_version = model.ir_version
    light.opset_import.extend(model.opset_import)
    light.graph.name = model.graph.name
    light.graph.node.extend(model.graph.node)
    light.graph.output.extend(model.graph.output)
    light.graph.input.extend(model.graph.input)
    given = {one.name for one in model.graph.input}
    light.graph.input.extend(
        helper.make_tensor_value_info(one.name, one.data_type, one.dims)
        for one in weights
        if one.name not in given
    )
    light.graph.initializer.extend(one for one in model.graph.initializer if math.prod(one.dims) < _LARGE)
    for value in light.graph.input:
        dims = value.type.tensor_type.shape.dim
        if len(dims) and not dims[0].HasField("dim_value"):
            dims[0].dim_value = 1
    known = onnx.shape_inference.infer_shapes(light).graph
    return {
        value.name: tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in shape.dim)
        for value in (*known.input, *known.value_info, *known.output)
        if value.type.tensor_type.HasField("shape")
        for shape in [value.type.tensor_type.shape]
    }


def _rule(node: NodeProto, graph: _Graph) -> str:
    """What a node does to the axis of samples that it must not; empty if nothing is known."""
    kind = node.op_type
    if kind in _REFUSED:
        return "may mix samples"
    if kind in _REDUCTIONS:
        return _reduction(node, graph)
    if kind in _ALONG:
        return _along(node, graph)
    if kind in _WEIGHED:
        return _weighed(node, graph)
    if kind in _BROADCAST:
        return _broadcast(node, graph)
    special: Mapping[str, Callable[[NodeProto, _Graph], str]] = {
        "Transpose": _transpose, "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
        "Expand": _expand, "Tile": _tile, "Resize": _resize, "Upsample": _resize, "Slice": _slice, "MatMul": _matmul,
    }  # fmt: skip
    return special[kind](node, graph) if kind in special else ""


def _leads(node: NodeProto, graph: _Graph) -> str:
    """At one sample, the first axis of all that depends on the samples has length 1."""
    for name in node.output:
        shape = graph.shapes.get(name) if name in graph.carries else None
        if shape is not None and (not shape or shape[0] not in (1, None)):
            return f"gives {list(shape)}, whose first axis is not that of samples"
    return ""


def _attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    from onnx import helper

    found = [one for one in node.attribute if one.name == name]
    return helper.get_attribute_value(found[0]) if found else default


def _axes(node: NodeProto, graph: _Graph, place: int) -> list[int] | None:
    """Axes by attribute or by a constant input; None if neither, which means all of them."""
    given = _attribute(node, "axes")
    if given is not None:
        return [int(axis) for axis in given]
    if len(node.input) > place and node.input[place]:
        constant = graph.constants.get(node.input[place])
        return [0] if constant is None else [int(axis) for axis in constant]
    return None


def _first(axis: int, rank: int | None) -> bool:
    """Whether an axis, counted from either end, is the first."""
    return axis == 0 or (rank is not None and axis == -rank)


def _reduction(node: NodeProto, graph: _Graph) -> str:
    axes = _axes(node, graph, 1)
    if not axes:
        return (
            "" if _attribute(node, "noop_with_empty_axes", 0) else "reduces over all axes, samples among them"
        )
    return "reduces over samples" if any(_first(axis, graph.rank(node.input[0])) for axis in axes) else ""


def _along(node: NodeProto, graph: _Graph) -> str:
    default = _ALONG[node.op_type]
    axis = int(_attribute(node, "axis", default if default is not None else 0))
    if node.op_type in ("Gather", "GatherElements") and node.input[0] not in graph.carries:
        return ""
    carrier = next(name for name in node.input if name in graph.carries)
    return "works along the axis of samples" if _first(axis, graph.rank(carrier)) else ""


def _weighed(node: NodeProto, graph: _Graph) -> str:
    if node.input[1] in graph.carries:
        return "has weights that are computed from a sample"
    return "turns its input" if _attribute(node, "transA", 0) else ""


def _broadcast(node: NodeProto, graph: _Graph) -> str:
    ranks = {name: graph.rank(name) for name in node.input}
    carried = {rank for name, rank in ranks.items() if name in graph.carries and rank is not None}
    if len(carried) > 1:
        return "combines samples of different numbers of axes"
    for name, rank in ranks.items():
        if name not in graph.carries and carried and rank is not None and rank > min(carried):
            return "adds an axis before that of samples"
    return ""


def _transpose(node: NodeProto, graph: _Graph) -> str:
    order = _attribute(node, "perm")
    return "" if order and order[0] == 0 else "moves the axis of samples"


def _reshape(node: NodeProto, graph: _Graph) -> str:
    if node.input[0] not in graph.carries:
        return "takes its shape from a sample"
    shape = graph.constants.get(node.input[1])
    if shape is None:
        return ""
    before, after = graph.shapes.get(node.input[0]), graph.shapes.get(node.output[0])
    first = int(shape[0]) if len(shape) else 0
    if first == 0 and len(shape) and not _attribute(node, "allowzero", 0):
        return ""
    if first == 1 and not _attribute(node, "allowzero", 0) and not (before and before[0] != 1):
        return ""
    # At one sample, -1 stands for that sample only if it comes out as 1.
    if first == -1 and after and after[0] == 1:
        return ""
    return f"gives {shape.tolist()}, which folds samples into another axis"


def _flatten(node: NodeProto, graph: _Graph) -> str:
    axis, rank = int(_attribute(node, "axis", 1)), graph.rank(node.input[0])
    return "" if axis == 1 or (rank is not None and axis == 1 - rank) else "folds samples into another axis"


def _squeeze(node: NodeProto, graph: _Graph) -> str:
    axes = _axes(node, graph, 1)
    if axes is None:
        return "drops every axis of length 1, samples among them"
    return (
        "drops the axis of samples" if any(_first(axis, graph.rank(node.input[0])) for axis in axes) else ""
    )


def _unsqueeze(node: NodeProto, graph: _Graph) -> str:
    axes = _axes(node, graph, 1) or [0]
    rank = graph.rank(node.output[0])
    return "adds an axis before that of samples" if any(_first(axis, rank) for axis in axes) else ""


def _expand(node: NodeProto, graph: _Graph) -> str:
    shape, rank = graph.constants.get(node.input[1]), graph.rank(node.input[0])
    if shape is None or rank is None:
        return ""
    if len(shape) > rank:
        return "adds an axis before that of samples"
    return "repeats samples" if len(shape) == rank and shape[0] != 1 else ""


def _tile(node: NodeProto, graph: _Graph) -> str:
    repeats = graph.constants.get(node.input[1])
    return "repeats samples" if repeats is not None and repeats[0] != 1 else ""


def _resize(node: NodeProto, graph: _Graph) -> str:
    sizes = node.input[3] if len(node.input) > 3 else ""
    if sizes in graph.constants and _attribute(node, "axes") is None:
        return "gives one sample whatever comes in"
    return ""


def _slice(node: NodeProto, graph: _Graph) -> str:
    starts = _attribute(node, "starts")
    if starts is not None:
        axes = _attribute(node, "axes") or range(len(starts))
        return "takes some of the samples" if 0 in axes else ""
    start = graph.constants.get(node.input[1])
    given = len(node.input) > 3 and node.input[3]
    axes = graph.constants.get(node.input[3]) if given else (None if start is None else range(len(start)))
    if axes is None:
        return ""
    rank = graph.rank(node.input[0])
    return "takes some of the samples" if any(_first(int(axis), rank) for axis in axes) else ""


def _matmul(node: NodeProto, graph: _Graph) -> str:
    first, second = node.input
    if second not in graph.carries:
        return ""
    ranks = graph.rank(first), graph.rank(second)
    if ranks[1] is not None and ranks[1] < 3:
        return "has weights that are computed from a sample"
    if first in graph.carries and None not in ranks and ranks[0] != ranks[1]:
        return "combines samples of different numbers of axes"
    return ""
