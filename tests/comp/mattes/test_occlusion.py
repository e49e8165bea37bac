"""Suspicion against the track's usual look: foreign colours, fingers of the same colour, and what is no occluder."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.comp.mattes.occlusion import (
    face_thumb,
    over_crop,
    suspicion,
    suspicion_reference,
    suspicion_score,
)
from understudy.faces.geometry import CANONICAL

SHAPE = 190, 200
SKIN = np.array((0.7, 0.5, 0.4), np.float32)


def face(unit: float = 60.0, x: float = 100.0, y: float = 95.0) -> np.ndarray:
    """The mean face, its eyes ``unit`` pixels apart, its origin at (x, y)."""
    return (CANONICAL * unit + [x, y, 0]).astype(np.float32)


def noise(shape: tuple[int, ...], sigma: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def plate(seed: int, light: float = 1.0) -> np.ndarray:
    """Skin with dark eyes and red lips, some grain."""
    points = face()
    image = np.full((*SHAPE, 3), SKIN * light, np.float32)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    for index, colour in ((33, (0.2, 0.15, 0.15)), (263, (0.2, 0.15, 0.15)), (13, (0.6, 0.25, 0.25))):
        near = np.hypot((x - points[index, 0]) / 2, y - points[index, 1]) < 6
        image[near] = np.float32(colour) * light
    return image + noise((*SHAPE, 3), 0.01, seed)


@pytest.fixture(scope="module")
def usual() -> np.ndarray:
    """Of twelve frames, in light that changes by a third; a hand is over the cheek on four of them."""
    frames = [plate(k, 1 + 0.03 * k) for k in range(12)]
    for frame in frames[:4]:
        frame[100:130, 120:150] = (0.2, 0.3, 0.6)
    return suspicion_reference(np.stack([face_thumb(frame, face()) for frame in frames]))


def at(image: np.ndarray, usual: np.ndarray) -> np.ndarray:
    small = suspicion(face_thumb(image, face()), usual)
    return over_crop(small, face(), SHAPE)


def test_a_face_as_usual_is_not_suspected_whatever_the_light(usual: np.ndarray) -> None:
    for light in (0.6, 1.0, 1.4):
        found = suspicion(face_thumb(plate(40, light), face()), usual)
        assert found.max() < 0.2 and suspicion_score(found) < 0.1


def test_a_foreign_colour_is_suspected_where_it_is(usual: np.ndarray) -> None:
    image = plate(41)
    image[100:130, 120:150] = (0.2, 0.3, 0.6)
    found = at(image, usual)
    assert found[108:122, 128:142].min() > 0.8
    assert found[:, :95].max() < 0.3
    assert suspicion_score(suspicion(face_thumb(image, face()), usual)) > 0.6


def test_fingers_of_the_skins_own_colour_are_suspected_by_their_outlines(usual: np.ndarray) -> None:
    image = plate(42)
    # Three fingers, parted by shadows.
    for k in range(4):
        image[95:130, 114 + 11 * k : 117 + 11 * k] *= 0.55
    found = suspicion(face_thumb(image, face()), usual)
    assert suspicion_score(found) > 0.6
    assert over_crop(found, face(), SHAPE)[105:120, 118:144].mean() > 0.4


def test_it_lies_where_the_points_are(usual: np.ndarray) -> None:
    image = plate(43)
    image[100:130, 120:150] = (0.2, 0.3, 0.6)
    moved = np.roll(image, (4, 6), (0, 1))
    points = face(x=106.0, y=99.0)
    small = suspicion(face_thumb(moved, points), usual)
    assert over_crop(small, points, SHAPE)[20:180, 20:180] == pytest.approx(at(image, usual)[16:176, 14:174], abs=0.02)
