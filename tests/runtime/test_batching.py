"""Constructs that can and cannot be run with several samples, each as a small graph fixed at one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from networks import network, node
from understudy.runtime.batching import difference, free, objection
from understudy.runtime.sessions import Device, session

RANDOM = np.random.default_rng(3)
KERNEL = (RANDOM.normal(size=(8, 8, 3, 3)) * 0.1).astype(np.float32)
MATRIX = (RANDOM.normal(size=(8, 8)) * 0.3).astype(np.float32)
SQUARE = [1, 8, 6, 6]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def built(nodes, constants=None, x=SQUARE, y=SQUARE, z=None) -> onnx.ModelProto:
    """A graph from "x" (and "z") to "y"."""
    inputs = {"x": (x, "float32")} | ({"z": (z, "float32")} if z else {})
    return network(inputs, {"y": (y, "float32")}, nodes, constants)


CONV = node("Conv", ["x", "k"], ["c"], pads=[1] * 4)
SAFE = {
    "convolution and a flat vector": built(
        [
            CONV,
            node("Relu", ["c"], ["r"]),
            node("Reshape", ["r", "flat"], ["f"]),
            node("Gemm", ["f", "w"], ["y"]),
        ],
        {"k": KERNEL, "flat": ints(1, -1), "w": RANDOM.normal(size=(288, 8)).astype(np.float32)},
        y=[1, 8],
    ),
    "adaptive instance normalisation": built(
        [
            CONV,
            node("ReduceMean", ["c"], ["m"], axes=[2, 3], keepdims=1),
            node("Sub", ["c", "m"], ["d"]),
            node("Mul", ["d", "d"], ["q"]),
            node("ReduceMean", ["q"], ["v"], axes=[-2, -1], keepdims=1),
            node("Sqrt", ["v"], ["s"]),
            node("Div", ["d", "s"], ["n"]),
            node("Gemm", ["z", "w"], ["g"]),
            node("Unsqueeze", ["g", "ends"], ["style"]),
            node("Mul", ["n", "style"], ["y"]),
        ],
        {"k": KERNEL, "w": MATRIX, "ends": ints(2, 3)},
        z=[1, 8],
    ),
    "reshape by hand": built(
        [
            node("Reshape", ["x", "split"], ["p"]),
            node("Relu", ["p"], ["r"]),
            node("Reshape", ["r", "join"], ["y"]),
        ],
        {"split": ints(1, 2, 4, 6, 6), "join": ints(1, 8, 6, 6)},
    ),
    "attention within a sample": built(
        [
            node("Reshape", ["x", "tokens"], ["t"]),
            node("Transpose", ["t"], ["q"], perm=[0, 2, 1]),
            node("MatMul", ["q", "t"], ["a"]),
            node("Softmax", ["a"], ["p"], axis=-1),
            node("MatMul", ["p", "q"], ["o"]),
            node("Transpose", ["o"], ["b"], perm=[0, 2, 1]),
            node("Reshape", ["b", "back"], ["y"]),
        ],
        {"tokens": ints(1, 8, -1), "back": ints(1, 8, 6, 6)},
    ),
    "a shape shared with weights": built(
        [
            node("Reshape", ["bias", "shape"], ["b"]),
            node("Add", ["x", "b"], ["s"]),
            node("ReduceMean", ["s"], ["m"], axes=[2, 3], keepdims=0),
            node("Reshape", ["m", "shape"], ["r"]),
            node("Add", ["s", "r"], ["y"]),
        ],
        {"bias": RANDOM.normal(size=8).astype(np.float32), "shape": ints(1, 8, 1, 1)},
    ),
    "resize by scales": built(
        [node("Resize", ["x", "", "scales"], ["y"], mode="nearest")],
        {"scales": np.array([1, 1, 2, 2], np.float32)},
        y=[1, 8, 12, 12],
    ),
    "latents spread by their own sample": built(
        [node("Unsqueeze", ["z", "one"], ["u"]), node("Expand", ["u", "many"], ["y"])],
        {"one": ints(1), "many": ints(1, 5, 8)},
        x=SQUARE,
        z=[1, 8],
        y=[1, 5, 8],
    ),
}
# Each with what is wrong about it, and how it shows when it is run with three samples after all.
UNSAFE = {
    "a mean over everything": (
        built([node("ReduceMean", ["x"], ["m"], keepdims=1), node("Sub", ["x", "m"], ["y"])]),
        "reduces over all axes",
        "wrong",
    ),
    "a mean over samples": (
        built([node("ReduceMean", ["x"], ["m"], axes=[-4, 2], keepdims=1), node("Sub", ["x", "m"], ["y"])]),
        "reduces over samples",
        "wrong",
    ),
    "attention over tokens of all samples": (
        built(
            [
                node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
                node("Reshape", ["t", "tokens"], ["q"]),
                node("Transpose", ["q"], ["k"], perm=[1, 0]),
                node("MatMul", ["q", "k"], ["a"]),
                node("Softmax", ["a"], ["p"], axis=-1),
                node("MatMul", ["p", "q"], ["o"]),
                node("Reshape", ["o", "grid"], ["g"]),
                node("Transpose", ["g"], ["y"], perm=[0, 3, 1, 2]),
            ],
            {"tokens": ints(-1, 8), "grid": ints(1, 6, 6, 8)},
        ),
        "folds samples into another axis",
        "wrong",
    ),
    "a detector's head": (
        built(
            [node("Transpose", ["x"], ["t"], perm=[2, 3, 0, 1]), node("Reshape", ["t", "rows"], ["y"])],
            {"rows": ints(1, -1, 8)},
            y=[1, 36, 8],
        ),
        "moves the axis of samples",
        "wrong",
    ),
    "resize by sizes": (
        built(
            [node("Resize", ["x", "", "", "sizes"], ["y"], mode="nearest")],
            {"sizes": ints(1, 8, 12, 12)},
            y=[1, 8, 12, 12],
        ),
        "gives one sample whatever comes in",
        "wrong",
    ),
    "the axis of samples dropped": (
        built(
            [
                node("Reshape", ["x", "drop"], ["d"]),
                node("MatMul", ["w", "d"], ["m"]),
                node("Reshape", ["m", "back"], ["y"]),
            ],
            {"drop": ints(8, 36), "w": MATRIX, "back": ints(1, 8, 6, 6)},
        ),
        "folds samples into another axis",
        "fails",
    ),
    "modulated convolution": (
        built(
            [
                node("Gemm", ["z", "w"], ["g"]),
                node("Reshape", ["g", "shape"], ["style"]),
                node("Mul", ["kernel", "style"], ["k"]),
                node("Conv", ["x", "k"], ["y"], pads=[1] * 4),
            ],
            {"kernel": KERNEL[:1], "w": MATRIX, "shape": ints(1, 8, 1, 1)},
            z=[1, 8],
            y=[1, 1, 6, 6],
        ),
        "has weights that are computed from a sample",
        "wrong",
    ),
    "the first sample only": (
        built(
            [node("Gather", ["x", "first"], ["g"], axis=0), node("Add", ["x", "g"], ["y"])],
            {"first": np.array([0], np.int64)},
        ),
        "works along the axis of samples",
        "wrong",
    ),
    "a slice of the samples": (
        built(
            [node("Slice", ["x", "s", "e", "a"], ["g"]), node("Add", ["x", "g"], ["y"])],
            {"s": ints(0), "e": ints(1), "a": ints(0)},
        ),
        "takes some of the samples",
        "wrong",
    ),
    "softmax over samples": (
        built([node("Softmax", ["x"], ["y"], axis=0)]),
        "works along the axis of samples",
        "wrong",
    ),
    "samples joined": (
        built(
            [
                node("Concat", ["x", "x"], ["c"], axis=0),
                node("ReduceMean", ["c"], ["y"], axes=[0], keepdims=1),
            ]
        ),
        "works along the axis of samples",
        "wrong",
    ),
    "vectors over maps": (
        built(
            [node("Reshape", ["x", "tokens"], ["t"]), node("Add", ["t", "z"], ["y"])],
            {"tokens": ints(1, 36, 8)},
            z=[1, 8],
            y=[1, 36, 8],
        ),
        "combines samples of different numbers of axes",
        "fails",
    ),
    "all axes of length one dropped": (
        built(
            [
                node("Squeeze", ["z"], ["s"]),
                node("Reshape", ["s", "shape"], ["r"]),
                node("Add", ["x", "r"], ["y"]),
            ],
            {"shape": ints(1, 8, 1, 1)},
            z=[1, 8],
        ),
        "drops every axis of length 1",
        "fine",
    ),
    "what does not depend on the samples": (
        built(
            [node("Mul", ["x", "none"], ["n"]), node("Identity", ["k"], ["y"])],
            {"none": np.float32(0), "k": KERNEL[:1]},
            y=[1, 8, 3, 3],
        ),
        "output 'y' does not depend on the samples",
        "wrong",
    ),
}


def samples(model: onnx.ModelProto, count: int = 3) -> dict[str, np.ndarray]:
    """Inputs whose samples differ in mean and contrast."""
    random = np.random.default_rng(5)
    return {
        one.name: np.stack(
            [
                (i - 1) * 0.7
                + (0.2 + i) * random.normal(size=[d.dim_value for d in one.type.tensor_type.shape.dim][1:])
                for i in range(count)
            ]
        ).astype(np.float32)
        for one in model.graph.input
    }


def runs(model: onnx.ModelProto, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"y": session(model.SerializeToString(), Device(), "test").run(["y"], given)[0]}


def alone(model: onnx.ModelProto, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    count = len(next(iter(given.values())))
    rows = [runs(model, {name: one[i : i + 1] for name, one in given.items()})["y"] for i in range(count)]
    return {"y": np.concatenate(rows)}


@pytest.mark.parametrize("case", SAFE)
def test_safe_graphs_give_the_same_to_the_last_bit(case):
    model = SAFE[case]
    names = [one.name for one in model.graph.input]
    given = samples(model)
    single = alone(model, given)
    assert objection(model, names, ["y"]) == ""
    freed = onnx.ModelProto.FromString(model.SerializeToString())
    free(freed, names, ["y"])
    onnx.checker.check_model(freed, full_check=True)
    assert difference(single, runs(freed, given)) == 0.0


@pytest.mark.parametrize("case", UNSAFE)
def test_unsafe_graphs_are_refused_and_would_be_caught(case):
    model, reason, shows = UNSAFE[case]
    names = [one.name for one in model.graph.input]
    assert reason in objection(model, names, ["y"])
    given = samples(model)
    single = alone(model, given)
    free(model, names, ["y"])
    if shows == "fails":
        with pytest.raises(Exception, match=r"Non-zero status code|INVALID"):
            runs(model, given)
    elif shows == "wrong":
        assert difference(single, runs(model, given)) > 0.02


def test_a_batch_that_is_free_already_is_looked_at_all_the_same():
    model = built(
        [CONV, node("Reshape", ["c", "s"], ["y"])],
        {"k": KERNEL, "s": ints(-1, 288)},
        x=["n", 8, 6, 6],
        y=["n", 288],
    )
    assert objection(model, ["x"], ["y"]) == ""
    mixed = built(
        [node("ReduceMean", ["x"], ["m"]), node("Sub", ["x", "m"], ["y"])], x=["n", 8, 6, 6], y=["n", 8, 6, 6]
    )
    assert "reduces over all axes" in objection(mixed, ["x"], ["y"])


def test_outputs_that_nobody_asks_for_do_not_stand_in_the_way():
    model = network(
        {"x": (SQUARE, "float32")},
        {"y": (SQUARE, "float32"), "mean": ([1, 1, 1, 1], "float32")},
        [node("Relu", ["x"], ["y"]), node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=1)],
    )
    free(model, ["x"], ["y"])
    assert [one.name for one in model.graph.output] == ["y"]


def test_difference_is_in_units_of_the_spread():
    one = {"y": np.array([[0.0, 2.0], [0.0, 2.0]], np.float32)}
    other = {"y": np.array([[0.0, 2.0], [0.5, 2.5]], np.float32)}
    assert difference(one, one) == 0.0
    assert difference(one, other) == pytest.approx(0.5)
    assert difference(one, {"y": other["y"][:1]}) == np.inf
    assert difference(one, {"y": np.full((2, 2), np.nan, np.float32)}) == np.inf
