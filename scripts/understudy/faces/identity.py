"""Who somebody is, from several looks: embeddings averaged on the sphere, strangers among them left out.

Only the direction of an embedding says who it is. Directions are averaged by weight around their geometric median,
which, unlike a mean or a median of each number by itself, turns with the space and is not pulled by the odd one out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import FaceError
from understudy.faces.detect import LUMA, Face
from understudy.faces.geometry import iod, pose
from understudy.faces.tracks import Track

Vectors = NDArray[np.floating]

# Least cosine to the centre of the others for a look to count, and least mean cosine of looks that are one person.
ALIKE = 0.5
# Middles of the bins of yaw, in degrees.
YAWS = np.array([-60.0, -30.0, 0.0, 30.0, 60.0])
YAWS.setflags(write=False)
# How many average looks the overall direction counts for in each bin: what an empty bin is, and what one look cannot
# outweigh.
PRIOR = 0.5
# Variance of the Laplacian over that of the luma from which on a crop counts as sharp. Portraits have .3, faces of 70
# pixels on compressed plates .05, portraits blurred by two pixels .05.
SHARP = 0.1
# Inter-ocular distance over the side of ArcFace's crop.
EYES = 0.315


@dataclass(frozen=True)
class Identity:
    """What several looks at one person say together.

    Attributes
    ----------
    direction:
        Unit vector, float64 [d].
    weights:
        What each look counted, float64 [n]; 0 where it was left out as somebody else.
    cosines:
        Of each look to `direction`, float64 [n].
    mean_cosine, least_cosine:
        Of the pairs of looks that counted; 1 where there is one.
    """

    direction: NDArray[np.float64]
    weights: NDArray[np.float64]
    cosines: NDArray[np.float64]
    mean_cosine: float
    least_cosine: float


def unit(vectors: Vectors) -> NDArray[np.float64]:
    """Directions of embeddings [..., d]: the same at length 1."""
    v = np.asarray(vectors, np.float64)
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def identity(embeddings: Vectors, weights: Vectors, names: Sequence[str], where: str = "") -> Identity:
    """One person from the embeddings of several pictures.

    Parameters
    ----------
    embeddings:
        [n, d], raw or unit.
    weights:
        [n], not negative; see `quality`.
    names:
        What messages call the pictures, [n].

    Raises
    ------
    FaceError
        They are not one person: the mean cosine of those that agree most is below `ALIKE`. Or none of them is worth
        anything.
    """
    if not np.any(np.asarray(weights) > 0):
        raise FaceError(
            f"{', '.join(names)}: no picture shows enough of the face to know who it is",
            where=where,
            fix="add a sharp picture that looks into the camera",
        )
    one = average(embeddings, weights)
    if one.mean_cosine < ALIKE:
        e, kept = (
            unit(embeddings)[one.weights > 0],
            [n for n, w in zip(names, one.weights, strict=True) if w > 0],
        )
        i, j = divmod(int(np.argmin(e @ e.T)), len(kept))
        raise FaceError(
            f"{', '.join(kept)} do not show one person: mean cosine {one.mean_cosine:.2f}, and between {kept[i]} and"
            f" {kept[j]} {one.least_cosine:.2f}; one person's pictures have {ALIKE} and more",
            where=where,
            fix="take out the pictures that show somebody else, or whose face is turned away, blurred or covered",
        )
    return one


def average(embeddings: Vectors, weights: Vectors) -> Identity:
    """The same without the refusal, for looks that are one person's by other knowledge.

    A look counts when its cosine to the geometric median of those that count is at least `ALIKE`, found by turns.
    """
    e, w = unit(embeddings), np.asarray(weights, np.float64)
    kept = w > 0
    for _ in range(10):
        middle = unit(geometric_median(e[kept], w[kept]))
        near = (w > 0) & (e @ middle >= ALIKE)
        if not near.any() or np.array_equal(near, kept):
            break
        kept = near
    direction = unit(w[kept] @ e[kept])
    pairs = (e[kept] @ e[kept].T)[np.triu_indices(int(kept.sum()), 1)]
    return Identity(
        direction,
        np.where(kept, w, 0.0),
        e @ direction,
        float(pairs.mean()) if len(pairs) else 1.0,
        float(pairs.min()) if len(pairs) else 1.0,
    )


def geometric_median(points: Vectors, weights: Vectors) -> NDArray[np.float64]:
    """The point [d] of least weighted sum of distances to points [n, d] (Weiszfeld 1937)."""
    x, w = np.asarray(points, np.float64), np.asarray(weights, np.float64)
    middle: NDArray[np.float64] = np.average(x, axis=0, weights=w)
    for _ in range(200):
        # The floor keeps a point that the median has come to lie on from holding it there.
        pull = w / np.maximum(np.linalg.norm(x - middle, axis=1), 1e-9)
        moved = pull @ x / pull.sum()
        step = np.linalg.norm(moved - middle)
        middle = moved
        if step < 1e-9:
            break
    return middle


def quality(face: Face, crop: NDArray[np.float32]) -> float:
    """How much a look at a face says of who it is: score, frontalness, sharpness and size multiplied, each 0..1.

    Parameters
    ----------
    crop:
        The recogniser's crop of the face, [size, size, 3] float32 RGB 0..1.
    """
    # Without the rim, where hair and background are.
    rim = crop.shape[0] // 6
    luma = (crop @ LUMA)[rim:-rim, rim:-rim]
    edges = cv2.Laplacian(luma, cv2.CV_32F)
    sharpness = min(1.0, float(edges.var() / max(luma.var(), 1e-6)) / SHARP)
    size = min(1.0, iod(face.points) / (EYES * crop.shape[0]))
    return float(face.score * frontalness(pose(face.points)[0]) * sharpness * size)


def frontalness(yaw: float | NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine of a yaw in degrees, 0 beyond profile."""
    return np.maximum(np.cos(np.radians(yaw)), 0.0)


def of_track(track: Track) -> Identity | None:
    """Who a track is by its frames' embeddings, weighted by score and frontalness; None where it has none."""
    if not track.embeddings.shape[1]:
        return None
    known = np.isfinite(track.embeddings).all(axis=1)
    weights = (track.score * frontalness(track.pose[:, 0]))[known]
    return average(track.embeddings[known], weights) if np.any(weights > 0) else None


def by_yaw(embeddings: Vectors, weights: Vectors, yaws: Vectors, targets: Vectors) -> NDArray[np.float64]:
    """One person's direction as seen from each of some turns: unit vectors [m, d].

    Looks fall softly into five bins of yaw, each between its two nearest; each bin has its own direction, drawn to the
    overall one by the weight of `PRIOR` average looks; a target gets its two nearest bins' in the same measure.

    Parameters
    ----------
    embeddings, weights, yaws:
        [n, d], [n] (0 for those left out: `Identity.weights`) and [n] in degrees, of the looks.
    targets:
        [m] in degrees.
    """
    e, w = unit(embeddings), np.asarray(weights, np.float64)
    overall = unit(w @ e)
    held = PRIOR * w[w > 0].mean() * overall + (w[:, None] * _bins(yaws)).T @ e
    return unit(_bins(targets) @ unit(held))


def _bins(yaws: Vectors) -> NDArray[np.float64]:
    """How much each yaw [n] belongs to each bin, [n, 5], rows of sum 1: linear between neighbours."""
    place = np.interp(yaws, YAWS, np.arange(len(YAWS)))
    return np.maximum(1 - np.abs(np.atleast_1d(place)[:, None] - np.arange(len(YAWS))), 0.0)
