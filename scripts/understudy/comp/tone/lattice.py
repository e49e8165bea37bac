"""A map of colours as a lattice over the RGB cube: how a fit that is no matrix is kept, laid over a picture, exported.

Colours are display-encoded RGB. A lattice is float32 [SIZE, SIZE, SIZE, 3], by red, green and blue.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
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
def _way(text: str) -> Callable[[Image], None]:
    """OpenColorIO's way through a packed lattice, in place: built once, it is gone on every frame."""
    import PyOpenColorIO as ocio  # not every look has a lattice, and every job would load it

    table = ocio.Lut3DTransform(SIZE)
    table.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    table.setData(unpack(text).ravel())
    processor = ocio.Config.CreateRaw().getProcessor(table).getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)

    def go(image: Image) -> None:
        processor.apply(ocio.PackedImageDesc(image, image.shape[1], image.shape[0], 3))

    return go


def through(image: Image, text: str) -> Image:
    """An image [h, w, 3] through a packed lattice, tetrahedral; beyond 0..1 the change at the cube's face goes on."""
    inside = np.clip(image, 0, 1)
    beyond = image - inside
    _way(text)(inside)
    inside += beyond
    return inside
