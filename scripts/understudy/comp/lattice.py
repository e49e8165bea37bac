"""A map of colours as a lattice over the RGB cube: how a fit that is no matrix is kept, laid over a picture, exported.

Colours are display-encoded RGB. A lattice is float32 [SIZE, SIZE, SIZE, 3], by red, green and blue.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any, Final

import numpy as np
import PyOpenColorIO as ocio
from numpy.typing import NDArray

Image = NDArray[np.float32]

SIZE: Final = 33


def nodes() -> Image:
    """The colours of the lattice's nodes: the map that changes nothing."""
    axis = np.linspace(0, 1, SIZE, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def pack(lattice: Image) -> str:
    """A lattice as text for JSON: what it changes, as half floats (steps of 1/8192 or less up to a change of .25)."""
    return base64.b64encode((lattice - nodes()).astype("<f2").tobytes()).decode("ascii")


def unpack(text: str) -> Image:
    """The lattice of `pack`."""
    change = np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
    return nodes() + change.reshape(SIZE, SIZE, SIZE, 3)


@lru_cache(maxsize=8)
def _processor(text: str) -> Any:
    """OpenColorIO's way through a packed lattice: built once, it is asked for on every frame."""
    table = ocio.Lut3DTransform(SIZE)
    table.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    table.setData(unpack(text).ravel())
    return ocio.Config.CreateRaw().getProcessor(table).getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)


def through(image: Image, text: str) -> Image:
    """An image [h, w, 3] through a packed lattice, tetrahedral; beyond 0..1 the change at the cube's face goes on."""
    inside = np.clip(image, 0, 1)
    beyond = image - inside
    _processor(text).apply(ocio.PackedImageDesc(inside, image.shape[1], image.shape[0], 3))
    inside += beyond
    return inside
