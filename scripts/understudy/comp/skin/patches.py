"""Where a face's skin is compared with the plate's: patches of the 468 mesh, and what lies just outside the matte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.mattes.matte import distance, edge
from understudy.comp.resample import Image
from understudy.faces.geometry import LEFT_EYE, RIGHT_EYE, iod

Points = NDArray[np.floating]
Area = NDArray[np.bool_]

# Patches that are skin on every face: no brow, lid, nostril or lip, and seldom a beard.
FOREHEAD: Final = (67, 109, 10, 338, 297, 333, 299, 337, 151, 108, 69, 104)
CHEEK_RIGHT: Final = (117, 118, 101, 36, 205, 187, 123)
CHEEK_LEFT: Final = (346, 347, 330, 266, 425, 411, 352)
LAID: Final = 0.9
"""Matte from which a pixel is the new face's."""


def polygon(points: Points, indices: Sequence[int] | NDArray[np.integer], shape: tuple[int, int]) -> Area:
    """Pixels of a crop of ``shape`` (h, w) inside the polygon through some of the mesh's points."""
    area = np.zeros(shape, np.uint8)
    corners = (np.asarray(points, np.float64)[np.asarray(indices), :2] - 0.5) * 16
    cv2.fillPoly(area, [np.round(corners).astype(np.int32)], 1, lineType=cv2.LINE_8, shift=4)
    return area.view(bool)


def patches(points: Points, shape: tuple[int, int]) -> Area:
    """Forehead and cheeks [h, w]: the skin on which texture is compared."""
    parts = [polygon(points, patch, shape) for patch in (FOREHEAD, CHEEK_RIGHT, CHEEK_LEFT)]
    return np.logical_or.reduce(parts)


def eyes(points: Points, shape: tuple[int, int]) -> Area:
    """Both eyes within their lids [h, w]."""
    return polygon(points, RIGHT_EYE, shape) | polygon(points, LEFT_EYE, shape)


def forehead(points: Points, shape: tuple[int, int], step: int) -> Image:
    """Matte of the forehead up to the hairline, a value per block of ``step`` pixels of a crop [h, w].

    1 inside its patch, 0 from .1 IOD outside.
    """
    rows, columns = -(-shape[0] // step), -(-shape[1] // step)
    x, y = (np.arange(columns) + 0.5) * step, (np.arange(rows) + 0.5) * step
    corners, width = np.asarray(points, np.float64)[list(FOREHEAD), :2], 0.1 * iod(points)
    area = np.zeros((rows, columns), np.float32)
    low, high = corners.min(axis=0) - width, corners.max(axis=0) + width
    near = (
        slice(np.searchsorted(y, low[1]), np.searchsorted(y, high[1], "right")),
        slice(np.searchsorted(x, low[0]), np.searchsorted(x, high[0], "right")),
    )
    at = np.stack(np.meshgrid(x[near[1]], y[near[0]]), axis=-1)
    inside = distance(corners, at.reshape(-1, 2)).reshape(at.shape[:2])
    area[near] = edge(inside, -width, width)
    return area
