"""Parts of a face by its landmarks, and edges that are drawn in differently on each side of it.

Points are [468, 3] in pixels of the crop, pixel centres at .5. Up, down, left and right are the face's own and turn
with the head; left and right are the performer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.arrays import rise
from understudy.comp.resample import Image
from understudy.faces.geometry import (
    LEFT_EYE,
    LIPS_OUTER,
    NOSE_BASE,
    RIGHT_EYE,
    face_space,
    placement,
    to_face,
    to_frame,
)

F64 = NDArray[np.float64]

SIDES: Final = ("erode_top", "erode_bottom", "erode_left", "erode_right")
"""Settings, in IOD."""
SOFT: Final = 0.12
"""Width of an area's soft edge in IOD."""
OUTLINES: Final[Mapping[str, tuple[NDArray[np.intp], ...]]] = {
    "mouth": (LIPS_OUTER,),
    "eyes": (RIGHT_EYE, LEFT_EYE),
}
"""Areas that have an outline of landmarks; they are whole inside it and end `SOFT` outside."""
HALVES: Final = ("upper_face", "lower_face")


def box(points: NDArray[np.floating], settings: Mapping[str, Any]) -> F64:
    """The corners [4, 2] of the box of a face in face space, drawn in (or out, where negative) on each side.

    ``settings`` has ``erode`` for all sides, to which those of `SIDES` are added.
    """
    params = placement(points).params
    flat = face_space(points, to_face(params))[:, :2]
    top, bottom, left, right = (settings["erode"] + settings[side] for side in SIDES)
    # The performer's right is on the left of the picture.
    x0, y0 = flat.min(axis=0) + np.array([right, top])
    x1, y1 = flat.max(axis=0) - np.array([left, bottom])
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return face_space(corners, to_frame(params))[:, :2]


def inwards(points: NDArray[np.floating], shape: tuple[int, int], centre: F64, settings: Mapping[str, Any]) -> Image:
    """How far the edge is drawn in on the way from ``centre`` [2] to each pixel, float32 [h, w] in IOD.

    Each side counts by the squared cosine of the angle to it: these add up to one, so the same on all sides is the same
    everywhere, and nothing jumps between two of them.
    """
    angle = placement(points).params[3]
    x = np.arange(shape[1], dtype=np.float32) + np.float32(0.5 - centre[0])
    y = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5 - centre[1])
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    across, down = x * c + y * s, y * c - x * s
    top, bottom, left, right = (np.float32(settings[side]) for side in SIDES)
    square = np.where(across > 0, left, right) * across**2 + np.where(down > 0, bottom, top) * down**2
    return np.float32(settings["erode"]) + square / np.maximum(across**2 + down**2, np.float32(1e-6))


def lower(points: NDArray[np.floating], shape: tuple[int, int]) -> Image:
    """1 below the nose's base, 0 above it, over a width of `SOFT`, float32 [h, w]; the two halves add up to one."""
    face = to_face(placement(points).params)
    base = face[1, :2] @ np.asarray(points[NOSE_BASE, :2], np.float64)
    x = np.arange(shape[1], dtype=np.float32) + np.float32(0.5)
    y = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5)
    below = np.float32(face[1, 0]) * x + np.float32(face[1, 1]) * y - np.float32(base)
    return rise(below / np.float32(SOFT) + np.float32(0.5))
