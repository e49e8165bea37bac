"""Warping error and tOF on pairs whose difference is known, and which pairs are looked at."""

from __future__ import annotations

import numpy as np
import pytest

import plates
from understudy.comp.resample import warp
from understudy.qc import motion
from understudy.qc.motion import EVERY, Sight, Watch, pair, warping, watched

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = np.eye(2, 3)
POINTS = np.array([[10, 10], [110, 130]], np.float32)
SHAPE = (150, 130)
MATTE = np.zeros(SHAPE, np.float32)
MATTE[20:130, 15:115] = 1


def face(shift: float = 0.0) -> np.ndarray:
    image = plates.portrait("astronaut")[20:200, 130:320]
    return warp(image, np.array([[1, 0, shift - 20], [0, 1, -10]]), SHAPE[::-1])


def grain(sigma: float, seed: int) -> np.ndarray:
    """The same on all channels, so that it is luma's."""
    return np.random.default_rng(seed).normal(0, sigma, (*SHAPE, 1)).astype(np.float32)


def sight(plate: np.ndarray, result: np.ndarray) -> Sight:
    found = Sight.of(plate, result, MATTE, STILL, POINTS)
    assert found is not None
    return found


def test_a_face_left_alone_is_as_steady_as_its_plate():
    plain = [face(0.0) + grain(0.008, 1), face(1.3) + grain(0.008, 2)]
    found = pair(*(sight(plate, plate) for plate in plain))
    assert found["warping_error"] == found["warping_plate"]
    assert found["tof"] == 0
    assert warping([found]) == 1


def test_what_is_new_on_every_frame_adds_twice_its_variance():
    """On two still frames the flow is 0, so |O_t - O_t+1|^2 is 2 s^2, by both kinds of noise."""
    plain = [face() + grain(0.004, seed) for seed in (1, 2)]
    news = [plate + grain(0.012, 10 + seed) for seed, plate in enumerate(plain)]
    found = pair(*(sight(plate, new) for plate, new in zip(plain, news, strict=True)))
    assert found["warping_plate"] == pytest.approx(2 * 0.004**2, rel=0.15)
    assert found["warping_error"] == pytest.approx(2 * (0.004**2 + 0.012**2), rel=0.15)
    assert warping([found]) == pytest.approx(
        (2 * 0.016e-3 + 2 * 0.144e-3 + motion.ROUNDING) / (2 * 0.016e-3 + motion.ROUNDING), rel=0.15
    )


def test_a_face_that_lags_behind_its_plate_shows_in_both():
    """The plate moves by 1.5 pixels and the new face by none: tOF is 1.5."""
    found = pair(sight(face(), face()), sight(face(1.5), face()))
    assert found["tof"] == pytest.approx(1.5, abs=0.2)
    ratio = warping([found])
    assert ratio is not None and ratio > 5


def test_only_what_shows_on_both_frames_counts():
    """A bar that passes in front of plate and face alike says nothing of the face."""
    plain = [face(), face()]
    for image, x in zip(plain, (40, 52), strict=True):
        image[40:90, x : x + 30] = (0.2, 0.9, 0.3)
    found = pair(*(sight(image, image + grain(0.01, k)) for k, image in enumerate(plain)))
    assert found["warping_plate"] < 5e-5  # by flow alone it would be .0013
    assert found["warping_error"] == pytest.approx(2 * 0.01**2, rel=0.15)


def test_nothing_is_said_of_an_empty_matte():
    assert Sight.of(face(), face(), np.zeros(SHAPE, np.float32), STILL, POINTS) is None
    assert warping([{"frame": 1}, {"frame": 2, "warping_error": None, "warping_plate": None}]) is None


def test_one_pair_in_every_so_many_frames_is_looked_at():
    assert watched(range(1, 4 * EVERY + 1)) == {EVERY // 2 + 1 + k * EVERY for k in range(4)}
    assert watched(range(100, 109)) == {104}
    assert watched([5]) == set()
    # 6 is left alone on purpose, so 5 has no partner.
    assert watched([4, 5, 7, 8]) <= {4, 7}


def test_the_rows_of_first_frames_get_the_numbers():
    watch = Watch({"t01": [1, 2, 3], "t02": []})
    rows = [{"frame": frame, "track": track} for frame in (1, 2, 3) for track in ("t01", "t02")]
    for row in rows:
        watch.look(row, face(), face(), MATTE, POINTS, STILL)
    assert [(row["frame"], row["track"]) for row in rows if "warping_error" in row] == [(2, "t01")]
