"""8-bit looks at a plate: what detectors and people see. Nothing that is delivered is made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import gcd

import cv2
import numpy as np

from understudy.media.colour import to_display
from understudy.media.patches import Patch, lay
from understudy.media.plate import Plate
from understudy.media.yuv import Codes


def proxy(stored: np.ndarray | Codes, plate: Plate, longest: int | None = None) -> np.ndarray:
    """A frame or crop as uint8 display RGB (alpha dropped), of the same size or with its longest side limited.

    Float plates go through a table over all 65,536 half floats: exact for half plates, and for float ones the error of
    rounding to half is far below an 8-bit step.
    """
    if isinstance(stored, Codes):
        return stored.look(_within(stored.shape, longest))
    return shrunk(_eight_bit(stored, plate), longest)


@dataclass(frozen=True)
class Look:
    """What `proxy` makes of Y'CbCr codes at their own size, made only where it is looked at."""

    codes: Codes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3."""
        return (*self.codes.shape, 3)

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        """Some rows and columns, uint8 [h, w, 3]."""
        return self.codes.sampled(*place).look()

    def sized(self, size: tuple[int, int]) -> np.ndarray:
        """All of it at a smaller width and height, by way of half its own: what is rounded there averages out.

        Within a code of the whole look's average, for a quarter of its cost.
        """
        height, width = self.codes.shape
        half = self.codes.look((-(-width // 2), -(-height // 2)))
        return cv2.resize(half, size, interpolation=cv2.INTER_AREA)


def look_at(stored: np.ndarray | Codes, plate: Plate) -> np.ndarray | Look:
    """A frame for those who find faces, who see all of it only from afar."""
    return Look(stored) if isinstance(stored, Codes) else proxy(stored, plate)


def renewed(small: np.ndarray, stored: np.ndarray | Codes, plate: Plate, patches: Sequence[Patch]) -> np.ndarray:
    """The `proxy` of a frame with patches over it, from the one without.

    Only what lies under them is looked at again, cut where pixels of the frame and of the proxy meet.
    """
    made = small.copy()
    height, width = stored.shape[:2]
    rows, columns = small.shape[:2]
    across, down = _meeting(width, columns), _meeting(height, rows)
    seen = [replace(patch, pixels=_eight_bit(patch.pixels, plate)) for patch in patches]
    for x0, y0, x1, y1 in (patch.box for patch in patches):
        left, right = x0 // across * across, -(-x1 // across) * across
        top, bottom = y0 // down * down, -(-y1 // down) * down
        part = look_at(stored, plate)[top:bottom, left:right].copy()
        lay(part, (left, top), seen)
        low, high = (left * columns // width, top * rows // height), (right * columns // width, bottom * rows // height)
        size = high[0] - low[0], high[1] - low[1]
        made[low[1] : high[1], low[0] : high[0]] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return made


def _meeting(length: int, small: int) -> int:
    """Pixels of a side after which its pixels and those of its proxy meet."""
    return length // gcd(length, small)


def shrunk(image: np.ndarray, longest: int | None) -> np.ndarray:
    """A picture or matte whose longest side is limited."""
    size = _within(image.shape, longest)
    return image if size == image.shape[1::-1] else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _within(shape: tuple[int, ...], longest: int | None) -> tuple[int, int]:
    """Width and height of a picture [h, w, ...] whose longest side is limited."""
    scale = min(1.0, longest / max(shape[:2])) if longest else 1.0
    return round(shape[1] * scale), round(shape[0] * scale)


def _eight_bit(array: np.ndarray, plate: Plate) -> np.ndarray:
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
