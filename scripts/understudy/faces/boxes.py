"""What detectors say, whichever they are: boxes with key points, merged where several of them are one face.

Boxes are (x0, y0, x1, y1), points (x, y), in pixels of one picture, pixel centres at .5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8] | NDArray[np.float32]


class Unseen(Protocol):
    """A picture that is made where it is looked at."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and 3."""
        ...

    def __getitem__(self, place: tuple[slice, slice]) -> NDArray[np.uint8]:
        """Some of its rows and columns."""
        ...

    def sized(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """All of it, averaged down to a width and a height."""
        ...


Picture = Image | Unseen


def whole(picture: Picture) -> Image:
    """All of a picture."""
    return picture if isinstance(picture, np.ndarray) else picture[:, :]


@dataclass(frozen=True)
class Detection:
    """One face as a detector sees it.

    Attributes
    ----------
    score:
        The detector's belief, 0..1.
    box:
        float64 [4].
    keys:
        float64 [k, 2]; the first two are the eyes, the one on the picture's left of an upright face first. Five of
        them are those of `align`; other detectors give others.
    """

    score: float
    box: NDArray[np.float64]
    keys: NDArray[np.float64]


class Detector(Protocol):
    """Finds the faces of a picture."""

    def __call__(self, picture: Picture, min_score: float) -> list[Detection]:
        """Faces in an RGB picture ([h, w, 3] uint8, or float32 display values 0..1), best first."""
        ...


def unit_float(image: Image) -> NDArray[np.float32]:
    """uint8 0..255 or float32 0..1 to float32, limited to 0..1."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255)
    return np.clip(image, 0, 1, dtype=np.float32)


def sized(picture: Picture, size: tuple[int, int]) -> Image:
    """A picture averaged down, or enlarged linearly, to a width and a height."""
    if not isinstance(picture, np.ndarray):
        return picture.sized(size)
    smaller = size[0] < picture.shape[1] or size[1] < picture.shape[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def moved(found: Detection, offset: NDArray[np.float64]) -> Detection:
    """A detection in a part of a picture whose upper left corner is at ``offset`` [2] of the whole, in the whole."""
    return replace(found, box=found.box + np.tile(offset, 2), keys=found.keys + offset)


def turned_back(found: Detection, quarters: int, width: int, height: int) -> Detection:
    """A detection in a picture turned by ``np.rot90(picture, quarters)``, in the picture as it was.

    ``width`` and ``height`` are the unturned picture's.
    """
    points = points_back(np.vstack([found.box.reshape(2, 2), found.keys]), quarters, width, height)
    box = np.concatenate([points[:2].min(axis=0), points[:2].max(axis=0)])
    return replace(found, box=box, keys=points[2:])


def points_back(points: NDArray[np.float64], quarters: int, width: int, height: int) -> NDArray[np.float64]:
    """The same for points [n, 2]."""
    x, y = points.T
    # np.rot90 turns counter-clockwise.
    back = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.column_stack(back[quarters % 4])


def overlaps(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box (x0, y0, x1, y1) with each of [n, 4]."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - shared
    return shared / np.maximum(union, 1e-9)


def best(found: Sequence[Detection], overlap: float) -> list[Detection]:
    """The detections, best score first, without those that share more than ``overlap`` with a better one.

    The share is intersection over union. Of equal scores the first one stays.
    """
    kept: list[Detection] = []
    boxes = np.empty((0, 4))
    for each in sorted(found, key=lambda one: -one.score):
        if np.all(overlaps(each.box, boxes) <= overlap):
            kept.append(each)
            boxes = np.vstack([boxes, each.box])
    return kept


def weighted_nms(
    rows: NDArray[np.float64], scores: NDArray[np.float64], overlap: float
) -> list[tuple[float, NDArray[np.float64]]]:
    """Detections merged where they overlap: each becomes the score-weighted mean of its cluster, best score first.

    ``rows`` is [n, k], its first four columns the box. Averaging a cluster, where plain suppression would take its
    best member, is what keeps boxes from jumping between frames (BlazeFace, section 3.3).
    """
    order = np.argsort(-scores, kind="stable")
    rows, scores = rows[order], scores[order]
    merged = []
    while len(rows):
        same = overlaps(rows[0, :4], rows[:, :4]) > overlap
        same[0] = True
        merged.append((float(scores[0]), np.average(rows[same], axis=0, weights=scores[same])))
        rows, scores = rows[~same], scores[~same]
    return merged
