"""Real skin whose character is known: the demo's two portraits, clean, each with a mesh on its five points."""

from __future__ import annotations

import cv2
import numpy as np

import shipped
from plates import portrait
from trained import FIVES
from understudy.comp.match import Laid, Moment, Sample
from understudy.comp.mattes.matte import layers
from understudy.comp.resample import gaussian, warp
from understudy.comp.skin.texture import extent
from understudy.faces.align import five_of_mesh
from understudy.faces.geometry import CANONICAL, similarity

MATTE = shipped.MATTE
ROOM = 0.35
"""Room around the face, as a part of its extent: that of a crop."""


def person(name: str, size: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Crop of a portrait, float32 display RGB [h, w, 3], and its mesh [468, 3].

    ``size`` is the face's extent in pixels; as the portrait has it if None. A larger one holds no more detail.
    """
    flat = CANONICAL.astype(np.float32)
    place = similarity(five_of_mesh(flat), np.array(FIVES[name]))
    scale = 1.0 if size is None else size / (extent(flat) * float(np.hypot(*place[:, 0])))
    place = scale * place
    points = np.column_stack([flat[:, :2] @ place[:, :2].T + place[:, 2], np.hypot(*place[:, 0]) * flat[:, 2]])
    low = np.floor(points[:, :2].min(axis=0) - ROOM * extent(points))
    high = np.ceil(points[:, :2].max(axis=0) + ROOM * extent(points))
    shift = np.array([[scale, 0, -low[0]], [0, scale, -low[1]]])
    image = warp(portrait(name), shift, (int(high[0] - low[0]), int(high[1] - low[1])))
    points[:, :2] -= low
    return np.clip(image, 0, 1), points.astype(np.float32)


def onto(name: str, points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Another's portrait laid on the five points of a mesh, a picture of ``shape``."""
    place = similarity(np.array(FIVES[name]), five_of_mesh(points))
    return np.clip(warp(portrait(name), place, (shape[1], shape[0])), 0, 1)


def sample(plate: np.ndarray, face: np.ndarray, points: np.ndarray, **more: object) -> Sample:
    """A frame of a track to fit on, with the matte that a mesh has; ``more`` goes to its `Moment`."""
    laid = layers(points, plate.shape[:2], None, lambda: plate, {}, [], MATTE)["matte"]
    return Sample(plate, Laid(face), laid, Moment(**{"frame": 7, "points": points, "seed": 4} | more))


def film(shape: tuple[int, ...], sigma: float, seed: int, wide: float = 0.55) -> np.ndarray:
    """Grain [h, w, 3] of one deviation, a little coarser than a pixel, mostly common to the channels."""
    random = np.random.default_rng(seed)
    mixed = 0.8 * random.normal(size=(*shape[:2], 1)) + 0.6 * random.normal(size=(*shape[:2], 3))
    grain = gaussian(mixed.astype(np.float32), wide)
    return grain * np.float32(sigma / (grain @ np.array([0.2126, 0.7152, 0.0722])).std())


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """A picture through a JPEG file, 8 bit, its blocks on the picture's own corner."""
    code = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)[..., ::-1]
    stored = cv2.imencode(".jpg", code, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / np.float32(255)
