"""Landmarkers by their cards: 68 or 106 points beside the mesh's 468, for the five points that crops are laid by.

The mesh comes first: it places these networks' crops, and it stands in for them where they are unsure, for all their
points at once. So there are always landmarks, and never some of one network and some of another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import ModelError
from understudy.faces.align import TEMPLATES, cut, five_of_68, whole
from understudy.faces.boxes import Image, points_back
from understudy.faces.detect import Face
from understudy.faces.geometry import inverse, similarity
from understudy.runtime.network import Network

# Which of the mesh's landmarks lie where iBUG 300-W has its 68: jaw, brows, nose, eyes, lips outside and inside.
MESH_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 1, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
# The five of InsightFace's 106: pupils, nose tip, corners of the mouth.
FIVE_106 = (38, 88, 86, 52, 61)
# Below this mean lightness (0..255) a crop's contrast is raised first.
DARK = 30
# Long side of the box in the crop of 256 that FAN was trained on.
FAN_BOX = 195


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of one face.

    Attributes
    ----------
    points:
        float64 [68 or 106, 2 or 3] in pixels of the frame, pixel centres at .5; z, where there is one, in pixels too.
    five:
        The five points of `align`, float64 [5, 2].
    score:
        0..1; 1 where the network says nothing about it.
    """

    points: NDArray[np.float64]
    five: NDArray[np.float64]
    score: float


Landmarker = Callable[[Image, Face], Landmarks]


def landmarks_of(image: Image, face: Face, landmarker: Landmarker, least: float) -> Landmarks:
    """A network's landmarks of a face; those of the mesh, with score 0, where its score is below ``least``."""
    found = landmarker(image, face)
    return found if found.score >= least else of_mesh(face)


def with_five(image: Image, faces: Sequence[Face], landmarker: Landmarker, least: float) -> list[Face]:
    """The faces of a picture with a network's five points, or the mesh's where its score is below ``least``."""
    return [
        replace(face, five=landmarks_of(image, face, landmarker, least).five.astype(np.float32))
        for face in faces
    ]


def of_mesh(face: Face) -> Landmarks:
    """The 68 points that the mesh has already."""
    points = face.points[list(MESH_68), :2].astype(np.float64)
    return Landmarks(points, five_of_68(points), 0.0)


def landmarker(network: Network) -> Landmarker:
    """The landmarker of a card.

    Raises
    ------
    ModelError
        The card's family is none of a landmarker's.
    """
    family = network.card.family
    if family not in FAMILIES:
        raise ModelError(
            f"{network.card.name} is of family {family}, which is no landmarker's",
            fix=f"its card may say {', '.join(FAMILIES)}; or choose another landmarker",
        )
    return FAMILIES[family](network)


class Fan:
    """2DFAN (Bulat and Tzimiropoulos 2017): 68 points of heat maps, in a crop turned to the next quarter."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, image: Image, face: Face) -> Landmarks:
        size = 256
        # The tools that this network comes with count pixels from their centres.
        low, high = face.box.astype(np.float64).reshape(2, 2) - 0.5
        scale = FAN_BOX / max(1.0, float(np.max(high - low)))
        shift = (size - (low + high) * scale) / 2
        matrix = whole(np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]))
        across = face.five[1] - face.five[0]
        quarters = round(float(np.arctan2(across[1], across[0])) / (np.pi / 2)) % 4
        crop = lit(np.ascontiguousarray(np.rot90(cut(image, matrix, size), quarters)))
        found = self._network(image=crop[None])
        heat = found["heatmaps"][0].reshape(68, -1).max(axis=1)
        inside = found["landmarks"][0][:, :2].astype(np.float64) * 4 + 0.5
        points = _through(inverse(matrix), points_back(inside, quarters, size, size))
        return Landmarks(points, five_of_68(points), float(np.clip(heat.mean() / 0.9, 0, 1)))


class InsightFace:
    """InsightFace's 2d106 and 1k3d68: points of -1..1 across an upright crop of one and a half times the box."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, image: Image, face: Face) -> Landmarks:
        tensor = self._network.card.inputs["image"]
        size = int(tensor.shape[2] or 192)
        low, high = face.box.astype(np.float64).reshape(2, 2) - 0.5
        scale = size / (1.5 * max(1.0, float(np.max(high - low))))
        shift = size / 2 - (low + high) / 2 * scale
        matrix = whole(np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]))
        numbers = self._network(image=cut(image, matrix, size)[None])["landmarks"].astype(np.float64).ravel()
        # The file with depth gives a whole mesh, of which the last 68 are meant.
        deep = len(numbers) >= 3000
        inside = numbers.reshape(-1, 3)[-68:] if deep else numbers.reshape(-1, 2)
        points = _through(inverse(matrix), (inside[:, :2] + 1) * (size // 2) + 0.5)
        if deep:
            points = np.column_stack([points, inside[:, 2] * (size // 2) / scale])
        return Landmarks(points, five_of_68(points) if deep else points[list(FIVE_106)], 1.0)


class FiveTo68:
    """A network that guesses 68 points from five, seen in the unit square of FFHQ's template; needs no picture."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, image: Image, face: Face) -> Landmarks:
        matrix = similarity(face.five, TEMPLATES["ffhq_512"])
        inside = _through(matrix, face.five.astype(np.float64))
        found = self._network(points=inside[None].astype(np.float32))["landmarks"][0].astype(np.float64)
        points = _through(inverse(matrix), found.reshape(68, 2))
        return Landmarks(points, five_of_68(points), 1.0)


def lit(crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """A crop [h, w, 3] float32 RGB 0..1; a dark one with the contrast of its lightness raised tile by tile (CLAHE)."""
    lab = cv2.cvtColor((crop * 255).round().astype(np.uint8), cv2.COLOR_RGB2LAB)
    if lab[..., 0].mean() >= DARK:
        return crop
    lab[..., 0] = cv2.createCLAHE(clipLimit=2.0).apply(lab[..., 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.float32) / np.float32(255)


def _through(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


# Family to its landmarker. Output `landmarks` is raw: FAN's [1, 68, 3] in quarter pixels with `heatmaps` beside it,
# InsightFace's [1, 212] or [1, 3309], and [1, 68, 2] of input `points` [1, 5, 2].
FAMILIES: Mapping[str, Callable[[Network], Landmarker]] = MappingProxyType(
    {"fan": Fan, "insightface_landmarks": InsightFace, "five_to_68": FiveTo68}
)
