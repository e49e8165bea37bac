"""Edges of mattes that are no polygons: distances by closed forms, the guided filter by its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from understudy.comp.mattes.edges import EPSILON, guided, signed_distance
from understudy.comp.mattes.matte import edge


def disc(radius: float, x: float, y: float, soft: float, side: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """A soft disc and the distance to its edge."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    away = radius - np.hypot(columns - x, rows - y)
    return np.clip(away / soft + 0.5, 0, 1).astype(np.float32), away


@pytest.mark.parametrize("soft", [1, 4, 15])
def test_distances_of_a_disc(soft: float) -> None:
    matte, truth = disc(30.3, 50.2, 48.9, soft)
    error = signed_distance(matte) - truth
    assert np.abs(error[np.abs(truth) < 2]).max() < 0.1
    assert np.sqrt(np.mean(error[np.abs(truth) < 15] ** 2)) < 0.08


def test_beyond_its_reach_it_is_all_but_the_same() -> None:
    matte, truth = disc(30.3, 50.2, 48.9, 2)
    near, all_ = signed_distance(matte, 5), signed_distance(matte)
    within = np.abs(truth) < 5
    assert np.array_equal(near[within], all_[within])
    assert np.abs(near - all_).max() < 1.5 and np.array_equal(near > 0, all_ > 0)


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90])
def test_an_edge_that_moves_by_tenths_of_a_pixel_is_followed(angle: float) -> None:
    a = np.radians(angle)
    rows, columns = np.mgrid[:60, :60] + 0.5
    across = (columns - 30) * np.cos(a) + (rows - 30) * np.sin(a)
    places = [
        float(
            np.mean(
                signed_distance(np.clip(across - shift + 0.5, 0, 1).astype(np.float32))[20:40, 20:40]
                - across[20:40, 20:40]
            )
        )
        for shift in np.arange(0, 1.01, 0.1)
    ]
    assert np.diff(places) == pytest.approx(-0.1, abs=0.045)


def test_corners_are_round_outside_and_sharp_inside() -> None:
    square = np.zeros((80, 80), np.float32)
    square[20:60, 20:60] = 1
    got = signed_distance(square)
    exact = ndimage.distance_transform_edt(square) - 0.5
    assert got[square > 0] == pytest.approx(exact[square > 0], abs=0.5)
    assert got[10, 10] == pytest.approx(-np.hypot(9.5, 9.5), abs=0.5)
    assert got[40, 10] == pytest.approx(-9.5, abs=0.05)


def test_erosion_and_feather_of_a_drawn_matte_are_sub_pixel() -> None:
    """An area within .4 % of the closed form, for erosions a fifth of a pixel apart and dilations alike."""
    matte, _ = disc(30.0, 50.0, 50.0, 1)
    for erode in (-6.2, -6.0, 0.0, 4.0, 4.2, 4.4):
        assert edge(signed_distance(matte), erode - 1, 2).sum() == pytest.approx(
            np.pi * (30 - erode) ** 2, rel=0.004
        )


def test_a_matte_without_an_edge() -> None:
    assert signed_distance(np.ones((30, 40), np.float32)).min() == 50
    assert signed_distance(np.zeros((30, 40), np.float32)).max() == -50


def test_the_guided_filter_is_a_regression_in_every_window() -> None:
    """He, Sun and Tang 2010, equations 5, 6 and 8, window by window."""
    random = np.random.default_rng(3)
    guide, matte = random.random((2, 14, 17)).astype(np.float32)
    radius = 2
    shape = guide.shape
    total, count = np.zeros((2, *shape)), np.zeros(shape)
    for y in range(shape[0]):
        for x in range(shape[1]):
            window = np.s_[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            i, p = guide[window].astype(float).ravel(), matte[window].astype(float).ravel()
            a = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + EPSILON)
            total[0][window] += a
            total[1][window] += p.mean() - a * i.mean()
            count[window] += 1
    wanted = np.clip((total[0] * guide + total[1]) / count, 0, 1)
    assert np.abs(guided(matte, guide, radius) - wanted).max() < 1e-4


def test_a_matte_without_an_edge_in_the_guide_is_smoothed_alone() -> None:
    matte = np.zeros((40, 40), np.float32)
    matte[:, 20:] = 1
    flat = guided(matte, np.full((40, 40), 0.5, np.float32), 3)
    once = ndimage.uniform_filter(matte, 7, mode="reflect")
    assert flat[10:30, 8:32] == pytest.approx(
        ndimage.uniform_filter(once, 7, mode="reflect")[10:30, 8:32], abs=1e-5
    )
