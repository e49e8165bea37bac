"""Between a plate's own encoding, display-referred values and linear light.

The display encoding is sRGB (IEC 61966-2-1) with OpenColorIO's constants, which make the two pieces of the curve meet
in value and slope (12.9232 instead of 12.92). It is extended: above 1 the curve goes on, below 0 it is mirrored, so
that every finite value comes back.
"""

from __future__ import annotations

import numpy as np

from understudy.media.plate import Plate

_BREAK = 0.055 / 1.4
_SLOPE = 1.4 / 0.055 * (0.055 * 2.4 / (1.4 * 1.055)) ** 2.4
_FLOAT_MAX = 65504.0
"""Largest half float: where infinities go on the way to display values."""


def to_linear(display: np.ndarray) -> np.ndarray:
    """Return the linear light of sRGB-encoded values; float32, any shape."""
    size = np.abs(display, dtype=np.float32)
    curve = np.power((size + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    light = np.where(size <= np.float32(_BREAK), size * np.float32(_SLOPE), curve)
    return np.copysign(light, display, dtype=np.float32)


def from_linear(light: np.ndarray) -> np.ndarray:
    """Return the sRGB encoding of linear light; float32, any shape. The inverse of `to_linear`."""
    size = np.abs(light, dtype=np.float32)
    curve = np.float32(1.055) * np.power(size, np.float32(1 / 2.4)) - np.float32(0.055)
    code = np.where(size <= np.float32(_BREAK * _SLOPE), size / np.float32(_SLOPE), curve)
    return np.copysign(code, light, dtype=np.float32)


def to_display(array: np.ndarray, plate: Plate) -> np.ndarray:
    """Return display-encoded float32 of pixels in the plate's encoding.

    Integers are divided by their largest code. Floats of a scene-linear plate go through the sRGB curve;
    values over 1 and below 0 are kept. NaN becomes 0 and infinities the largest half float: filters need
    finite numbers.
    """
    if np.issubdtype(array.dtype, np.integer):
        return np.multiply(array, np.float32(1 / np.iinfo(array.dtype).max), dtype=np.float32)
    values = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=_FLOAT_MAX, neginf=-_FLOAT_MAX)
    return from_linear(values) if plate.space == "scene_linear" else values


def quantise(array: np.ndarray, dtype: str | np.dtype) -> np.ndarray:
    """Return float values as `dtype`: for integers scaled by the largest code, clipped and rounded, once."""
    kind = np.dtype(dtype)
    if kind.kind == "u":
        top = np.iinfo(kind).max
        return np.rint(np.clip(array.astype(np.float32, copy=False), 0, 1) * np.float32(top)).astype(kind)
    with np.errstate(over="ignore"):
        return array.astype(kind)


def unit(page: np.ndarray) -> np.ndarray:
    """Any stored picture as float32: whole numbers are fractions of their largest value."""
    if np.issubdtype(page.dtype, np.integer):
        return np.divide(page, np.float32(np.iinfo(page.dtype).max), dtype=np.float32)
    return page.astype(np.float32)
