"""ONNX files as graphs: read without following any reference out of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from understudy.errors import ModelError
from understudy.runtime.tensors import Floats, in_words

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

NO_SCALE: Final = 1e-30
"""A deviation that adds nothing to any number; at 0 ONNX Runtime ends the process."""


def load(path: Path, where: str) -> ModelProto:
    """The graph of a file.

    Raises
    ------
    ModelError
        The file is no ONNX model, or keeps weights in other files: those would be read unchecked, from wherever the
        file says.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ModelError(
            f"it is no ONNX model: {error}", where=where, fix="delete the file, then run: snakemake models"
        ) from error
    outside = [tensor.name for tensor in _tensors(model.graph) if tensor.data_location == tensor.EXTERNAL]
    if outside:
        raise ModelError(
            f"it keeps the weights {outside[0]!r} in another file, which no hash covers",
            where=where,
            fix="save it as one file: onnx.save(onnx.load(old), new)",
        )
    return model


def ends(model: ModelProto) -> tuple[list[str], list[str]]:
    """Names of what a graph takes and gives, in the file's order."""
    constants = {one.name for one in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in constants]
    return inputs, [one.name for one in model.graph.output]


def constant(model: ModelProto, name: str | None, shape: tuple[int, ...], where: str) -> Floats:
    """The initializer of that name, else the last one of that shape, as float32.

    Raises
    ------
    ModelError
        There is neither, or the one of that name has another shape.
    """
    from onnx import numpy_helper

    named = [one for one in model.graph.initializer if one.name == name]
    found = named or [one for one in model.graph.initializer if tuple(one.dims) == shape]
    if named and tuple(named[-1].dims) != shape:
        raise ModelError(
            f"its constant {name!r} is {in_words(tuple(named[-1].dims))}, not {in_words(shape)}",
            where=where,
            fix="bring the file that the card is for",
        )
    if not found:
        raise ModelError(
            f"it has no constant {name!r} and none of shape {in_words(shape)}",
            where=where,
            fix="bring the file that the card is for",
        )
    return numpy_helper.to_array(found[-1]).astype(np.float32)


def halved(model: ModelProto) -> ModelProto:
    """The model with half precision inside; what goes in and out keeps its type. One whose weights are halved already
    is left as it is.
    """
    if any(one.data_type == one.FLOAT16 for one in model.graph.initializer):
        return model
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(model, keep_io_types=True)


def stilled(model: ModelProto) -> bool:
    """Put the middle of its distribution in place of every number that a graph draws at random; whether there was any.

    Some networks add noise of their own (StyleGAN's in restorers). Drawn anew at every run it would flicker, and differ
    with the order in which frames are worked on. `model` is changed.
    """
    drawing = [node for node in _nodes(model.graph) if node.op_type.startswith(("RandomNormal", "RandomUniform"))]
    for node in drawing:
        spread = {one.name: one for one in node.attribute if one.name in ("scale", "low", "high")}
        for one in spread.values():
            node.attribute.remove(one)
        if node.op_type.startswith("RandomNormal"):
            _set(node, scale=NO_SCALE)
        else:
            low, high = (spread[name].f if name in spread else usual for name, usual in (("low", 0.0), ("high", 1.0)))
            _set(node, low=(low + high) / 2, high=(low + high) / 2)
    return bool(drawing)


def _set(node: NodeProto, **values: float) -> None:
    """Give a node attributes."""
    from onnx import helper

    node.attribute.extend(helper.make_attribute(name, value) for name, value in values.items())


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Every node of a graph, at any depth."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Every tensor stored in a graph, at any depth."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            for sparse in attribute.sparse_tensors:
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
