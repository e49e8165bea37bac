"""8-bit looks at a plate: what detectors and people see. Nothing that is delivered is made from them."""

from __future__ import annotations

from functools import cache

import numpy as np

from understudy.media.colour import to_display
from understudy.media.plate import Plate


def proxy(array: np.ndarray, plate: Plate) -> np.ndarray:
    """A frame or crop in the plate's type as uint8 display RGB of the same size (alpha dropped).

    Float plates go through a table over all 65,536 half floats: exact for half plates, and for float ones the error of
    rounding to half is far below an 8-bit step.
    """
    rgb = array[..., :3]
    if rgb.dtype == np.uint8:
        return rgb
    if rgb.dtype == np.uint16:
        return ((rgb.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)
    halves = np.clip(np.nan_to_num(rgb), -65504, 65504).astype(np.float16)
    return _table(plate)[halves.view(np.uint16)]


@cache
def _table(plate: Plate) -> np.ndarray:
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    display = to_display(np.nan_to_num(every, posinf=65504, neginf=-65504).reshape(1, -1, 1), plate)
    return np.rint(np.clip(display, 0, 1) * 255).astype(np.uint8).ravel()
