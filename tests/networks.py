"""Small ONNX files for tests, built node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]
Declared = Mapping[str, tuple[Shape, str]]
"""Name of an input or output to its shape and NumPy's name of its type."""

OPSET = 17
IR = 9


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    """One node."""
    return helper.make_node(operator, list(inputs), list(outputs), **attributes)


def network(
    inputs: Declared,
    outputs: Declared,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray] | None = None,
) -> onnx.ModelProto:
    """A checked model; ``constants`` become initializers in their order."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [_value(name, *one) for name, one in inputs.items()],
        [_value(name, *one) for name, one in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(model)
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def _value(name: str, shape: Shape, dtype: str) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    assert kind != TensorProto.UNDEFINED
    return helper.make_tensor_value_info(name, kind, list(shape))
