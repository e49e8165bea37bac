"""Our arrays to a file's tensors and back, as a card's `Tensor` says. Pure functions; colours are RGB on our side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ModelError
from understudy.runtime.cards import Tensor

Array = NDArray[Any]
Floats = NDArray[np.float32]

_AXES: Final = {"image": 4, "mask": 3, "vector": 2}
"""Kind to the number of axes on our side."""


def encode(tensor: Tensor, value: Any) -> Array:
    """A value of ours as the file takes it.

    Parameters
    ----------
    value:
        image [n, h, w, 3] float32 RGB 0..1; mask [n, h, w] 0..1; vector [n, d]; scalar a number; raw any array.

    Returns
    -------
    An array of the file's layout and type. An image becomes ``(x * scale - mean) / std``, in the file's order of
    colours; a file of whole numbers gets it rounded.

    Raises
    ------
    ModelError
        The value has another number of axes than its kind, or lengths that the file does not take.
    """
    dtype = np.dtype(tensor.dtype)
    if tensor.kind == "scalar":
        return np.full([n or 1 for n in tensor.shape], value, dtype)
    given = np.asarray(value)
    if given.ndim != _AXES.get(tensor.kind, given.ndim):
        raise ModelError(
            f"{tensor.kind} {tensor.label} is given {given.ndim} axes {given.shape}; it has {_AXES[tensor.kind]}"
        )
    if tensor.kind == "image":
        if given.shape[-1] != 3:
            raise ModelError(f"image {tensor.label} is given {given.shape[-1]} colours; it has 3")
        result = _paint(tensor, given)
    elif tensor.kind == "mask":
        result = np.expand_dims(given, tensor.layout.index("1")) if "1" in tensor.layout else given
    else:
        result = given
    check_shape(tensor, result.shape, "is given")
    if dtype.kind in "ui" and result.dtype.kind == "f":
        result = np.clip(np.rint(result), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.ascontiguousarray(result, dtype)


def decode(tensor: Tensor, value: Array) -> Floats:
    """What the file gave, as ours: the inverse of `encode`, float32, not limited to 0..1.

    Raises
    ------
    ModelError
        The tensor has another shape than the card's.
    """
    check_shape(tensor, value.shape, "came as")
    if tensor.kind == "image":
        return _unpaint(tensor, value)
    if tensor.kind == "mask" and "1" in tensor.layout:
        value = value.squeeze(tensor.layout.index("1"))
    return np.ascontiguousarray(value, np.float32)


def fits(tensor: Tensor, shape: tuple[Any, ...]) -> bool:
    """Whether a shape is one of the card's; the axis of samples may have any length, a name (text) is any length."""
    return len(shape) == len(tensor.shape) and all(
        wanted is None or not isinstance(length, int) or length == wanted or (axis == 0 and tensor.batched)
        for axis, (wanted, length) in enumerate(zip(tensor.shape, shape, strict=True))
    )


def check_shape(tensor: Tensor, shape: tuple[int, ...], verb: str) -> None:
    """Refuse a shape that is not the card's.

    Raises
    ------
    ModelError
        In words: what came and what the card says.
    """
    if not fits(tensor, shape):
        raise ModelError(
            f"{tensor.kind} {tensor.label} {verb} {in_words(shape)}, its card says {in_words(tensor.shape)}"
        )


def in_words(shape: tuple[Any, ...]) -> str:
    """A shape as a message says it: ``[1, 3, any, any]``."""
    return f"[{', '.join('any' if length is None else str(length) for length in shape)}]"


def _gains(tensor: Tensor) -> tuple[Floats, Floats]:
    """Per colour of the file, a and b of ``y = a x - b``."""
    mean, std = np.broadcast_to(tensor.mean, 3), np.broadcast_to(tensor.std, 3)
    return (tensor.scale / std).astype(np.float32), (mean / std).astype(np.float32)


def _colours(tensor: Tensor) -> tuple[int, int, int]:
    """Our colour of each of the file's."""
    return (0, 1, 2) if tensor.order == "rgb" else (2, 1, 0)


def _planes(tensor: Tensor, array: Array) -> Array:
    """View [3, n, h, w] of an image in the file's layout."""
    return np.moveaxis(array, tensor.layout.index("c"), 0)


def _paint(tensor: Tensor, image: Array) -> Floats:
    n, h, w, _ = image.shape
    result = np.empty((n, 3, h, w) if tensor.layout == "nchw" else (n, h, w, 3), np.float32)
    for plane, ours, a, b in zip(_planes(tensor, result), _colours(tensor), *_gains(tensor), strict=True):
        np.multiply(image[..., ours], a, out=plane, casting="same_kind")
        if b:
            plane -= b
    return result


def _unpaint(tensor: Tensor, array: Array) -> Floats:
    planes = _planes(tensor, array)
    result = np.empty((*planes.shape[1:], 3), np.float32)
    for plane, ours, a, b in zip(planes, _colours(tensor), *_gains(tensor), strict=True):
        inside = result[..., ours]
        np.multiply(plane, 1 / a, out=inside, casting="same_kind")
        if b:
            inside += b / a
    return result
