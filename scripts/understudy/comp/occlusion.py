"""Suspicion that something is in front of a face. It flags and never decides: hands have the colour of faces.

Within one frame `suspicion` looks for colours that the face's own skin does not have. Over a shot, `occlusion_scores`
compares small pictures of the face, aligned in face space, with the track's usual look.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, enlarged, gaussian, reduced, warp
from understudy.faces.geometry import CANONICAL, OVAL, STABLE, similarity

THUMB: Final = 32
"""Pixels on a side of a face's small picture."""
WINDOW: Final = (-1.1, -0.8, 2.2)
"""Left and top edge and side, in face space (IOD), of what it shows."""

NOISE: Final = (0.05, 0.05, 0.05)
"""Least spread of log luma and of the two log colour differences."""
UNLIKE: Final = 1.2
"""Spreads from which on a pixel counts as unlike its usual look."""
PART: Final = 7
"""Side, in pixels of the small picture, of the parts of a face that are judged."""


def suspicion(plate: Image, skin: Image, step: int, unit: float) -> Image:
    """How unlike the face's own skin each pixel is, 0..1, [h, w].

    Mahalanobis distance of the low-frequency colour (sigma .08 IOD) to the mean and covariance of ``skin``
    (a matte with a
    value per block of ``step`` pixels): 0 up to 4, 1 from 7 standard deviations on. ``unit`` is the IOD in pixels.
    """
    small = gaussian(reduced(plate, step), 0.08 * unit / step)
    total = float(skin.sum())
    if total < 8:
        return np.zeros(plate.shape[:2], np.float32)
    flat, w = small.reshape(-1, 3).astype(np.float64), skin.reshape(-1).astype(np.float64) / total
    mean = w @ flat
    centred = flat - mean
    covariance = (centred * w[:, None]).T @ centred + 4e-4 * np.eye(3)
    square = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(covariance), centred)
    far = np.clip((np.sqrt(square) - 4) / 3, 0, 1).astype(np.float32).reshape(skin.shape)
    return enlarged(far, step, plate.shape[:2])


def face_thumb(plate: Image, points: NDArray[np.floating]) -> Image:
    """A small picture [32, 32, 3] of a face in face space (display RGB), from a crop [h, w, 3] and its
    points [468, 3]."""
    left, top, side = WINDOW
    target = (CANONICAL[STABLE, :2] - (left, top)) * (THUMB / side)
    return warp(plate, similarity(points[STABLE], target), (THUMB, THUMB))


def _features(thumbs: Image) -> NDArray[np.float32]:
    """Log luma and two colour differences [n, 32, 32, 3] of thumbs [n, 32, 32, 3], less each face's own
    median of them."""
    values = np.log(np.clip(thumbs, 0, 2) + np.float32(0.05))
    luma = values.mean(axis=3)
    found = np.stack([luma, values[..., 0] - values[..., 1], values[..., 2] - values[..., 1]], axis=3)
    return found - np.median(found[:, _face()], axis=1)[:, None, None]


def _face() -> NDArray[np.bool_]:
    """Pixels of a thumb that lie well within the mean face's outline [32, 32]."""
    left, top, side = WINDOW
    outline = (CANONICAL[OVAL, :2] - (left, top)) * (THUMB / side)
    centre = outline.mean(axis=0)
    corners = np.round((centre + 0.85 * (outline - centre) - 0.5) * 16).astype(np.int32)
    area = np.zeros((THUMB, THUMB), np.uint8)
    cv2.fillPoly(area, [corners], 1, lineType=cv2.LINE_8, shift=4)
    return area.astype(bool)


def occlusion_reference(thumbs: Image) -> NDArray[np.float32]:
    """Usual look of a track: median and spread of its thumbs' features, [2, 32, 32, 3].

    The spread is taken from the quarter of the frames nearest to the median (a normal's lower quartile of the absolute
    deviation is .3186), so that a hand on almost half of them does not count as usual; blurred, and not
    below what noise
    and small turns make.
    """
    features = _features(thumbs)
    usual = np.median(features, axis=0)
    spread = np.quantile(np.abs(features - usual), 0.25, axis=0) / 0.3186
    spread = cv2.GaussianBlur(spread.astype(np.float32), (0, 0), 2.0)
    return np.stack([usual.astype(np.float32), np.hypot(spread, np.array(NOISE, np.float32))])


def occlusion_scores(thumbs: Image, reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of the worst part of each face [n] looks unlike the track's usual look, 0..1.

    A part is a square of `PART` pixels (.5 IOD): a mouth behind a hand is covered, however free the
    forehead is. A pixel
    counts from `UNLIKE` spreads on (rms over luma and colour), fully from twice that.
    """
    usual, spread = reference
    away = np.sqrt(np.mean(((_features(thumbs) - usual) / spread) ** 2, axis=3)).astype(np.float32)
    face = _face()
    scores = []
    for one in away:
        unlike = np.clip(cv2.GaussianBlur(one, (0, 0), 1.0) / UNLIKE - 1, 0, 1) * face
        parts = cv2.boxFilter(unlike.astype(np.float32), -1, (PART, PART), borderType=cv2.BORDER_CONSTANT)
        scores.append(float(parts[face].max()))
    return np.array(scores)
