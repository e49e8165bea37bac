"""Mattes: distances by hand, smooth motion, roto algebra."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.comp import matte
from understudy.errors import ConfigError
from understudy.faces.geometry import CANONICAL, LEFT_EYE, LIPS_OUTER, iod
from understudy.show.schema import defaults, schema

MATTE = defaults(schema("settings"))["matte"] | {"erode": 0.04, "feather": 0.09}
SQUARE = np.array([[10.0, 10.0], [50.0, 10.0], [50.0, 50.0], [10.0, 50.0]])


def face(unit: float = 60.0, x: float = 100.0, y: float = 95.0) -> np.ndarray:
    """The mean face, its eyes ``unit`` pixels apart, its origin at (x, y)."""
    return (CANONICAL * unit + [x, y, 0]).astype(np.float32)


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def test_distance_of_a_square_by_hand() -> None:
    at = np.array([[30.0, 30.0], [12.0, 30.0], [30.0, 5.0], [7.0, 6.0], [60.0, 30.0]])
    assert matte.distance(SQUARE, at) == pytest.approx([20, 2, -5, -5, -10])


def test_distance_does_not_depend_on_the_direction_of_the_outline() -> None:
    at = np.random.default_rng(1).uniform(0, 60, (50, 2))
    assert matte.distance(SQUARE, at) == pytest.approx(matte.distance(SQUARE[::-1], at))


@pytest.mark.parametrize("step", [1, 3, 5])
def test_depth_has_its_pixel_centres_at_a_half(step: int) -> None:
    field = matte.depth(SQUARE, (60, 61), step, 8)
    assert field.shape == (60, 61)
    assert field[30, 14] == pytest.approx(4.5, abs=0.02)
    assert field[5, 30] == pytest.approx(-4.5, abs=0.02)


def test_coarse_nodes_keep_a_round_outline_in_place() -> None:
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([60 + 40 * np.cos(angle), 60 + 40 * np.sin(angle)], axis=1)
    y, x = np.mgrid[:120, :120] + 0.5
    truth = 40 - np.hypot(x - 60, y - 60)
    near = np.abs(truth) < 12
    assert np.abs(matte.depth(circle, (120, 120), 4, 12) - truth)[near].max() < 0.08


def test_what_is_far_from_the_outline_is_told_apart_by_its_sign() -> None:
    far = matte.depth(SQUARE * 10, (600, 610), 3, 12)
    exact = matte.depth(SQUARE * 10, (600, 610), 3, 1000)
    near = np.abs(exact) <= 12
    assert np.array_equal(far[near], exact[near])
    assert np.array_equal(far > 0, exact > 0)
    assert np.abs(far[~near]).min() > 11


def test_erosion_and_feather_are_distances() -> None:
    field = np.array([[3.9, 4.0, 6.0, 8.0, 9.0]], np.float32)
    assert matte.edge(field, 4, 4)[0] == pytest.approx([0, 0, 0.5, 1, 1])


def test_edge_has_no_kink_at_its_ends() -> None:
    t = np.linspace(-1, 11, 1201, dtype=np.float32)[None]
    slope = np.gradient(matte.edge(t, 0, 10)[0].astype(np.float64), 0.01)
    assert np.abs(slope[[100, 1100]]).max() < 0.002
    assert np.abs(np.diff(slope)).max() < 0.002


def test_matte_follows_tenths_of_a_pixel_evenly() -> None:
    shape, sums, last = (190, 200), [], None
    for k in range(11):
        points = face(x=100 + 0.1 * k)
        inside = matte.depth(matte.outline(points, brow_limit=True), shape, 3, 8)
        now = matte.edge(inside, 2.4, 5.4)
        if last is not None:
            step = now - last
            # Right of the middle it can only grow, left only fall: nothing pops.
            assert step[:, 130:].min() > -4e-3 and step[:, :70].max() < 4e-3
            sums.append(float(step[:, 100:].sum()))
        last = now
    assert max(sums) < 1.05 * min(sums)


def test_brow_limit_takes_the_forehead_away_and_nothing_else() -> None:
    points = face()
    free, limited = (
        matte.edge(matte.depth(matte.outline(points, brow_limit=flag), (190, 200), 3, 8), 2.4, 5.4)
        for flag in (False, True)
    )
    eyes = points[LEFT_EYE, 1].mean()
    assert np.all(limited <= free + 1e-3)
    assert np.array_equal(limited[int(eyes) :], free[int(eyes) :])
    assert limited[: int(points[10, 1] + 6)].max() == 0 and free[: int(points[10, 1] + 6)].max() > 0.5


def test_skin_leaves_eyes_and_mouth_out() -> None:
    points = face()
    area = matte.skin(points, (190, 200), 4)
    assert area.shape == (48, 50)

    def at(index: list[int]) -> float:
        x, y = points[index, :2].mean(axis=0) / 4
        return float(area[int(y), int(x)])

    assert at(list(LEFT_EYE)) == 0 and at(list(LIPS_OUTER)) == 0
    assert at([50]) == pytest.approx(1)


def test_layers_are_combined_as_named() -> None:
    points, shape = face(), (190, 200)
    plate = np.full((*shape, 3), 0.5, np.float32)
    engine = np.full(shape, 0.5, np.float32)
    hold = np.zeros(shape, np.float32)
    hold[:, :100] = 1
    found = matte.layers(points, shape, engine, lambda: plate, {}, [("hold", hold)], MATTE)
    assert set(found) == {"face", "engine", "roto", "matte"}
    assert all(layer.dtype == np.float32 and layer.shape == shape for layer in found.values())
    assert found["matte"][:, :100].max() == 0
    assert found["matte"][:, 100:] == pytest.approx(0.5 * found["face"][:, 100:])


def test_roto_algebra() -> None:
    base, roto = np.array([[0.8]], np.float32), np.array([[0.25]], np.float32)
    assert matte.roto_over(base, "hold", roto) == pytest.approx(0.6)
    assert matte.roto_over(base, "add", roto) == pytest.approx(0.8)
    assert matte.roto_over(base, "replace", roto) == pytest.approx(0.25)
    with pytest.raises(
        ConfigError, match=r"roto mode 'keep' is not known\n  -> use one of: hold, add, replace"
    ):
        matte.roto_over(base, "keep", roto)


def test_a_foreign_colour_is_suspected_and_held_back() -> None:
    points, shape = face(), (190, 200)
    plate = np.full((*shape, 3), (0.7, 0.5, 0.4), np.float32) + noise((*shape, 3), 0.01)
    x, y = points[50, :2].astype(int)
    plate[y - 8 : y + 8, x - 8 : x + 8] = (0.1, 0.2, 0.8)
    found = matte.layers(points, shape, None, lambda: plate, {}, [], {**MATTE, "hold_back": 1.0})
    assert found["occlusion"][y, x] > 0.6
    assert found["matte"][y, x] < 0.4 < 0.9 < found["face"][y, x]
    far = int(points[280, 0])
    assert found["occlusion"][y, far] == 0


def test_sizes_are_relative_to_the_eyes_distance() -> None:
    small = matte.edge(
        matte.depth(matte.outline(face(60, 100, 95), brow_limit=True), (190, 200), 3, 8), 2.4, 5.4
    )
    big = matte.edge(
        matte.depth(matte.outline(face(120, 200, 190), brow_limit=True), (380, 400), 6, 16), 4.8, 10.8
    )
    assert iod(face(120)) == pytest.approx(2 * iod(face(60)))
    assert np.abs(big.reshape(190, 2, 200, 2).mean(axis=(1, 3)) - small).max() < 0.03
