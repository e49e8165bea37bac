"""Crops that networks were trained on: five points of a face laid onto a template's five.

The five points are, in this order, the eye on the picture's left, the eye on its right, the tip of the nose, the
mouth's corner on the left, the mouth's corner on the right; (x, y) in pixels, pixel centres at .5.

**Whose pixels.** The templates come from tools that warp with pixel centres at whole numbers: the left eye of
``arcface_112_v2`` at (38.2946, 51.6963) lies that far right and down of the *centre* of the first pixel. Here that is
(38.7946, 52.1963). So a crop of ``size`` puts a template's point at ``point * size + .5``, and a face whose points are
given with centres at .5 lands on the same pixels of the crop as with the tool that the network was trained by.

That half pixel is one of the network's own size. A crop ``n`` times as fine for the same network (pixel boost) is
therefore ``n * similarity(five, template, size)``, the matrix multiplied as a whole, not `similarity` at ``n * size``:
only then do the network's pixels stay where they were, and the phases of the finer grid lie evenly around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.comp.resample import warp
from understudy.errors import ConfigError
from understudy.faces import geometry
from understudy.faces.boxes import Image, unit_float
from understudy.faces.geometry import LEFT_EYE, NOSE_TIP, RIGHT_EYE
from understudy.tables import nearest

Points = NDArray[np.floating]
Matrix = NDArray[np.float64]

MOUTH_LEFT, MOUTH_RIGHT = 61, 291
SOFT = 0.02
"""Miss, as a part of the crop's side, by which a pose that fits worse than the best counts a third of it."""


def _table(points: ArrayLike, side: float) -> NDArray[np.float64]:
    table = np.array(points, np.float64) / side
    table.setflags(write=False)
    return table


_ARCFACE = [
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
]
_POSES = [
    [(51.642, 50.115), (57.617, 49.990), (35.740, 69.007), (51.157, 89.050), (57.025, 89.702)],
    [(45.031, 50.118), (65.568, 50.872), (39.677, 68.111), (45.177, 86.190), (64.246, 86.758)],
    [(39.730, 51.138), (72.270, 51.138), (56.000, 68.493), (42.463, 87.010), (69.537, 87.010)],
    [(46.845, 50.872), (67.382, 50.118), (72.737, 68.111), (48.167, 86.758), (67.236, 86.190)],
    [(54.796, 49.990), (60.771, 50.115), (76.673, 69.007), (55.388, 89.702), (61.257, 89.050)],
]

# Name to five points in units of the crop's side, float64 [5, 2]; `arcface_map` is five sets of them, [5, 5, 2]:
# strong left, left, frontal, right and strong right, of which a face is laid onto those that it fits best: a blend, so
# that a head that turns does not jump from one to the next.
TEMPLATES: Mapping[str, NDArray[np.float64]] = MappingProxyType(
    {
        "arcface_112_v1": _table(_POSES[2], 112),
        "arcface_112_v2": _table(_ARCFACE, 112),
        # ArcFace's five, eight pixels further to the right, in a crop of 128.
        "arcface_128": _table([(x + 8, y) for x, y in _ARCFACE], 128),
        "arcface_map": _table(_POSES, 112),
        "dfl_whole_face": _table(
            [
                (0.35342266, 0.39285716),
                (0.62797622, 0.39285716),
                (0.48660713, 0.54017860),
                (0.38839287, 0.68750011),
                (0.59821427, 0.68750011),
            ],
            1,
        ),
        "ffhq_512": _table(
            [
                (0.37691676, 0.46864664),
                (0.62285697, 0.46912813),
                (0.50123859, 0.61331904),
                (0.39308822, 0.72541100),
                (0.61150205, 0.72490465),
            ],
            1,
        ),
        "mtcnn_512": _table(
            [
                (0.36562865, 0.46733799),
                (0.63305391, 0.46585885),
                (0.50019127, 0.61942959),
                (0.39032951, 0.77598822),
                (0.61178945, 0.77476328),
            ],
            1,
        ),
        "styleganex_384": _table(
            [
                (0.42353745, 0.52289879),
                (0.57725008, 0.52319972),
                (0.50123859, 0.61331904),
                (0.43364461, 0.68337652),
                (0.57015325, 0.68306005),
            ],
            1,
        ),
    }
)


def five_of_mesh(points: Points) -> NDArray[np.float64]:
    """The five points [5, 2] of a mesh [468, 2 or 3]: middles of the eyes' outlines, nose tip, corners of the mouth."""
    flat = np.asarray(points, np.float64)[:, :2]
    return np.array(
        [
            flat[RIGHT_EYE].mean(axis=0),
            flat[LEFT_EYE].mean(axis=0),
            flat[NOSE_TIP],
            flat[MOUTH_LEFT],
            flat[MOUTH_RIGHT],
        ]
    )


def carried(five: Points, before: Points, after: Points) -> NDArray[np.float64]:
    """Five points that belong to one mesh, on another of the same face: [5, 2].

    What they differ by from the mesh's own five is kept, in face space. ``before`` and ``after`` are [468, 3].
    """
    here = geometry.to_face(geometry.placement(before).params)[:, :2]
    there = geometry.to_frame(geometry.placement(after).params)[:, :2]
    return five_of_mesh(after) + (np.asarray(five, np.float64) - five_of_mesh(before)) @ (there @ here).T


def five_of_68(points: Points) -> NDArray[np.float64]:
    """The five points [5, 2] of iBUG 300-W's 68 ([68, 2 or 3]): means of the eyes' six, nose 30, mouth 48 and 54."""
    flat = np.asarray(points, np.float64)[:, :2]
    return np.array([flat[36:42].mean(axis=0), flat[42:48].mean(axis=0), flat[30], flat[48], flat[54]])


def similarity(five: Points, template: str, size: int, shift: float = 0.0) -> Matrix:
    """The turn, scale and shift that lay a face's five points onto a template: frame to crop, float64 [2, 3].

    Least squares without reflection (Umeyama 1991) on all five points: none of them is ever left out as an outlier.

    Parameters
    ----------
    five:
        [5, 2] in pixels of the frame, pixel centres at .5.
    size:
        Side in pixels of the crop that the network takes.
    shift:
        Pixels of the crop that its points lie further right and down than the template says, as some networks were
        trained (ReSwapper's crops of s pixels: s / 256 - .5).

    Raises
    ------
    ConfigError
        There is no such template.
    """
    if template not in TEMPLATES:
        raise ConfigError(f"there is no crop template {template!r}", fix=nearest(template, TEMPLATES))
    poses = TEMPLATES[template].reshape(-1, 5, 2) * size + 0.5 + shift
    if len(poses) > 1:
        misses = np.array([_miss(five, geometry.similarity(five, pose), pose) for pose in poses])
        weights = np.exp((misses.min() - misses) / (SOFT * size))
        poses = np.tensordot(weights / weights.sum(), poses, 1)[None]
    return geometry.similarity(five, poses[0])


def cut(image: Image, matrix: Matrix, size: int) -> NDArray[np.float32]:
    """A crop [size, size, 3] float32 0..1 through a 2x3 matrix, frame to crop, without aliasing.

    ``image`` is [h, w, 3] RGB, uint8 or float32 display values 0..1; beyond it its edge is repeated. Only the part that
    the crop needs is touched.
    """
    back = geometry.inverse(matrix)
    corners = back[:, :2] @ np.array([[0, size, 0, size], [0, 0, size, size]], np.float64) + back[:, 2:]
    # Four sigmas of the prefilter and the reach of the resampling.
    pad = 5 + 2 * np.linalg.norm(back[:, :2], axis=1)
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=1) - pad), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1) + pad), low + 1, limit).astype(int)
    part = unit_float(image[low[1] : high[1], low[0] : high[0]])
    moved = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ low])
    return np.clip(warp(part, moved, (size, size)), 0, 1, dtype=np.float32)


def whole(matrix: Matrix) -> Matrix:
    """A 2x3 matrix between pixels with centres at whole numbers, for pixels with centres at .5."""
    m = np.asarray(matrix, np.float64)
    return np.column_stack([m[:, :2], m[:, 2] + 0.5 - m[:, :2] @ (0.5, 0.5)])


def _miss(five: Points, fit: Matrix, pose: NDArray[np.float64]) -> float:
    """Sum of the distances between the points of a face, brought into the crop, and a template's."""
    return float(np.linalg.norm(five @ fit[:, :2].T + fit[:, 2] - pose, axis=1).sum())
