"""Maths of the 468-point face: its parts, its place in the frame, its own space, its pose. Pure functions on arrays.

Points are [468, 3] (or [468, 2] where z is not needed): x to the right, y down, z away from the camera, all in pixels
of one picture, pixel centres at .5. *Right* and *left* are the performer's own: the right eye of a performer who
looks into the camera is on the left of the picture.

**Face space** is where `canonical.POINTS` lies: origin in the middle of the stable upper face, x to the picture's
right of an upright face that looks into the camera, y down, z away; the unit is the inter-ocular distance (IOD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.faces import canonical

Points = NDArray[np.floating]
Matrix = NDArray[np.float64]


def _fixed(values: ArrayLike, dtype: type = np.intp) -> NDArray:
    array: NDArray = np.array(values, dtype)
    array.setflags(write=False)
    return array


# Closed outlines, in the order of going round (clockwise on screen for a face that looks into the camera).
OVAL = _fixed(
    [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
     150, 136,     172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
)  # fmt: skip
LIPS_OUTER = _fixed(
    [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
)
LIPS_INNER = _fixed(
    [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
)
RIGHT_EYE = _fixed([33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7])
LEFT_EYE = _fixed([362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382])
RIGHT_BROW = _fixed([70, 63, 105, 66, 107, 55, 65, 52, 53, 46])
LEFT_BROW = _fixed([336, 296, 334, 293, 300, 276, 283, 282, 295, 285])
NOSE_TIP, NOSE_BASE, CHIN, FOREHEAD = 1, 2, 152, 10

# The mean face in face space [468, 3], its triangles [n, 3] (clockwise on screen; mouth and eye openings filled) and
# each landmark's partner on the other side of the face [468].
CANONICAL = _fixed(canonical.POINTS, np.float64) / 1000
CANONICAL.setflags(write=False)
TRIANGLES = _fixed(canonical.TRIANGLES)
MIRROR = _fixed(canonical.MIRROR)

_FEATURES = np.concatenate([LIPS_OUTER, LIPS_INNER, RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW])
# Open skin: what light is judged by.
# (numpy's setdiff1d would load its masked arrays, in every job that knows a face.)
SKIN = _fixed(sorted(set(range(468)) - set(_FEATURES.tolist())))
# What moves with the skull alone: above the nose's base, no brows, no lids, no edge of the face.
STABLE = _fixed(
    np.setdiff1d(np.flatnonzero(CANONICAL[:, 1] < CANONICAL[NOSE_BASE, 1]), np.concatenate([_FEATURES, OVAL]))
)


@dataclass(frozen=True)
class Placement:
    """Where a face is: face space times ``scale`` pixels, turned by ``rotation`` [3, 3], moved to ``origin`` [2]."""

    origin: NDArray[np.float64]
    scale: float
    rotation: NDArray[np.float64]

    @property
    def params(self) -> NDArray[np.float64]:
        """The four numbers of the picture plane: (cx, cy, log scale, angle in radians, clockwise on screen)."""
        angle = np.arctan2(self.rotation[1, 0], self.rotation[0, 0])
        return np.array([*self.origin, np.log(self.scale), angle])


def iod(points: Points) -> float:
    """Distance between the two eyes' centres, in the points' unit.

    With z ([n, 3]) it is the distance in space, which a turn of the head does not shorten; with [n, 2] it is the
    distance on the picture.
    """
    return float(np.linalg.norm(points[LEFT_EYE].mean(axis=0) - points[RIGHT_EYE].mean(axis=0)))


def similarity(source: Points, target: Points, weights: NDArray[np.floating] | None = None) -> Matrix:
    """The turn, scale and shift [2, 3] that bring ``source`` [n, 2] nearest to ``target`` [n, 2].

    Weighted least squares, no reflection (Umeyama 1991; in the plane it is one complex division). ``weights`` [n] are
    not negative.
    """
    weights = np.ones(len(source)) if weights is None else np.asarray(weights, np.float64)
    a, b = (np.asarray(points, np.float64)[:, :2] @ [1, 1j] for points in (source, target))
    centre_a, centre_b = np.average(a, weights=weights), np.average(b, weights=weights)
    a, b = a - centre_a, b - centre_b
    factor = np.sum(weights * b * a.conj()) / np.sum(weights * np.abs(a) ** 2)
    shift = centre_b - factor * centre_a
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def placement(points: Points) -> Placement:
    """Where the face of landmarks [468, 3] is: the mean face fitted to its stable part in space, then projected.

    Scaled orthographic Procrustes (Umeyama 1991). Fitted in space and not on the picture, so that a turn of the head
    changes neither scale nor origin.
    """
    source, target = CANONICAL[STABLE], np.asarray(points, np.float64)[STABLE]
    middle_source, middle_target = source.mean(axis=0), target.mean(axis=0)
    source, target = source - middle_source, target - middle_target
    u, stretch, vt = np.linalg.svd(target.T @ source)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float(stretch @ sign / np.sum(source**2))
    origin = middle_target - scale * rotation @ middle_source
    return Placement(origin[:2], scale, rotation)


def pose(points: Points) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of landmarks [468, 3]; 0, 0, 0 looks straight into the camera.

    Yaw is positive when the face looks to the picture's right, pitch when it looks up, roll when it leans clockwise
    on screen. The rotation is roll after yaw after pitch.
    """
    r = placement(points).rotation
    yaw = np.arcsin(np.clip(r[2, 0], -1, 1))
    pitch = np.arctan2(-r[2, 1], r[2, 2])
    roll = np.arctan2(r[1, 0], r[0, 0])
    yaw, pitch, roll = np.degrees([yaw, pitch, roll])
    return float(yaw), float(pitch), float(roll)


def to_frame(params: ArrayLike) -> Matrix:
    """2x3 matrix from face space to the frame, of (cx, cy, log scale, angle)."""
    cx, cy, log_scale, angle = np.asarray(params, np.float64)
    c, s = np.exp(log_scale) * np.cos(angle), np.exp(log_scale) * np.sin(angle)
    return np.array([[c, -s, cx], [s, c, cy]])


def to_face(params: ArrayLike) -> Matrix:
    """2x3 matrix from the frame to face space: the inverse of `to_frame`."""
    return inverse(to_frame(params))


def inverse(matrix: ArrayLike) -> Matrix:
    """Inverse of a 2x3 matrix."""
    m = np.asarray(matrix, np.float64)
    turn = np.linalg.inv(m[:, :2])
    return np.column_stack([turn, -turn @ m[:, 2]])


def face_space(points: Points, matrix: ArrayLike) -> NDArray[np.float64]:
    """Landmarks [n, 2 or 3] through a 2x3 similarity: x and y by the matrix, z by its scale alone.

    With `to_face` it brings landmarks of the frame into face space, with `to_frame` back.
    """
    m = np.asarray(matrix, np.float64)
    points = np.asarray(points, np.float64)
    flat = points[:, :2] @ m[:, :2].T + m[:, 2]
    return np.column_stack([flat, points[:, 2:] * np.hypot(m[0, 0], m[1, 0])])


def mouth_open(points: Points) -> float:
    """Gap between the inner lips over the inter-ocular distance: about 0 when closed, .5 in a wide yawn."""
    return float(np.linalg.norm(points[13] - points[14])) / iod(points)


def eye_open(points: Points) -> float:
    """Gap between the lids over the eye's width, mean of both eyes: about .3 when open, below .12 in a blink."""
    gaps = [
        np.linalg.norm(points[upper] - points[lower], axis=1).mean()
        / np.linalg.norm(points[outer] - points[inner])
        for upper, lower, outer, inner in (
            ([160, 159, 158], [144, 145, 153], 33, 133),
            ([387, 386, 385], [373, 374, 380], 263, 362),
        )
    ]
    return float(np.mean(gaps))
