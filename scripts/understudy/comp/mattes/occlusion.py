"""Suspicion that something is in front of a face. It flags, and holds back only where a look says so: hands have the
colour of faces.

Small pictures of the face, aligned in face space, are compared with the track's usual look over the shot: by their
colours for `occlusion_scores`, by colours and edges for `suspicion`.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, warp
from understudy.faces.geometry import CANONICAL, OVAL, STABLE, inverse, similarity

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
EDGE_NOISE: Final = 0.05
"""Least spread of the edges' strength (log luma from pixel to pixel of the small picture)."""
FINGER: Final = 4
"""Side, in pixels of the small picture, of the least thing that a matte is held back for: about a finger's width."""


def face_thumb(plate: Image, points: NDArray[np.floating]) -> Image:
    """A small picture [32, 32, 3] of a face in face space (display RGB), from a crop [h, w, 3] and its
    points [468, 3]."""
    return warp(plate, _place(points), (THUMB, THUMB))


def _place(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pixels of a crop, by its points, to those of the small picture [2, 3]."""
    left, top, side = WINDOW
    return similarity(points[STABLE], (CANONICAL[STABLE, :2] - (left, top)) * (THUMB / side))


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
    return _usual(_features(thumbs), NOISE)


def _usual(features: NDArray[np.float32], noise: tuple[float, ...]) -> NDArray[np.float32]:
    """Median and spread [2, 32, 32, c] of features [n, 32, 32, c], ``noise`` [c] being the least spread."""
    usual = np.median(features, axis=0)
    spread = np.quantile(np.abs(features - usual), 0.25, axis=0) / 0.3186
    spread = cv2.GaussianBlur(spread.astype(np.float32), (0, 0), 2.0).reshape(usual.shape)
    return np.stack([usual.astype(np.float32), np.hypot(spread, np.array(noise, np.float32))])


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


def suspicion_reference(thumbs: Image) -> NDArray[np.float32]:
    """Usual look of a track for `suspicion`, [2, 32, 32, 4]: as `occlusion_reference`, and of the edges' strength."""
    features = _features(thumbs)
    edges = _edges(features)
    return np.concatenate([_usual(features, NOISE), _usual(edges, (EDGE_NOISE,))], axis=3)


def suspicion(thumb: Image, reference: NDArray[np.float32]) -> Image:
    """Where a face looks as if something were in front of it, 0..1, [32, 32] of its small picture.

    By colour (as in `occlusion_scores`) or by edges where the track has none: a hand has the colour of a face, but
    fingers have outlines.
    """
    usual, spread = reference
    features = _features(thumb[None])
    colour = (features[0] - usual[..., :3]) / spread[..., :3]
    edges = (_edges(features)[0] - usual[..., 3:]) / spread[..., 3:]
    away = np.maximum(np.sqrt(np.mean(colour**2, axis=2)), edges[..., 0]).astype(np.float32)
    return np.clip(cv2.GaussianBlur(away, (0, 0), 1.0) / np.float32(UNLIKE) - 1, 0, 1) * _face()


def suspicion_score(suspected: Image) -> float:
    """How sure `suspicion` is at the place that it is surest of, over the width of a finger."""
    parts = cv2.boxFilter(suspected, -1, (FINGER, FINGER), borderType=cv2.BORDER_CONSTANT)
    return float(parts.max())


def over_crop(suspected: Image, points: NDArray[np.floating], shape: tuple[int, int]) -> Image:
    """`suspicion` [32, 32] at the pixels of a crop [h, w], by the points that the small picture was taken by.

    The face's rim is not judged, since the background looks in there; it goes with what lies next to it.
    """
    face = _face()
    _, labels = cv2.distanceTransformWithLabels(
        (~face).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value = np.zeros(labels.max() + 1, np.float32)
    value[labels[face]] = suspected[face]
    return warp(value[labels], inverse(_place(points)), shape[::-1], cv2.INTER_LINEAR)


def _edges(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strength of the edges of log luma [n, 32, 32, 1], of `_features`."""
    luma = features[..., 0]
    return np.hypot(np.gradient(luma, axis=1), np.gradient(luma, axis=2))[..., None]
