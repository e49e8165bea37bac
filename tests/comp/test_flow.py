"""The flow-guided blend: known motion, occlusion, identity, ends, and how much steadier it makes what is invented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

import plates
from comp.helpers import noise
from understudy.comp.flow import View, alike, along, blended, grid, seen, steadied, way
from understudy.comp.resample import gaussian, warp
from understudy.comp.skin.texture import luma

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = np.eye(2, 3)
SIDE = 160
GRAIN = 0.006


def skin(shift: tuple[float, float] = (0.0, 0.0), grain: int | None = None) -> np.ndarray:
    """The astronaut's face, moved by pixels, with grain of a seed."""
    face = plates.portrait("astronaut")[20:220, 120:320]
    moved = warp(face, np.array([[1, 0, shift[0] - 20], [0, 1, shift[1] - 20]]), (SIDE, SIDE))
    return moved if grain is None else moved + noise(moved.shape, GRAIN, grain)


def view(plate: np.ndarray, new: np.ndarray, place: np.ndarray = STILL) -> View:
    return View(plate, new, place, 120.0)


def inner(image: np.ndarray, rim: int = 16) -> np.ndarray:
    return image[rim:-rim, rim:-rim]


def test_the_flow_finds_a_known_shift():
    here, there = luma(skin()), luma(skin((1.6, -0.9)))
    found = way(here, there, STILL) - grid(here.shape)
    np.testing.assert_allclose(np.median(inner(found), axis=(0, 1)), [1.6, -0.9], atol=0.05)
    assert np.abs(inner(found) - [1.6, -0.9]).max() < 0.5


def test_the_track_takes_the_large_motion_off_the_flow():
    """A quarter turn, half the size and a shift, which no flow would find, and half a pixel that it must."""
    turn = np.array([[0.0, -0.5, 90.0], [0.5, 0.0, 7.0]])
    here = skin()
    there = warp(here, turn, (100, 90))
    off = turn.copy()
    off[0, 2] += 0.25
    found = way(luma(here), luma(there), off)
    middle = np.array([80.5, 70.5])
    np.testing.assert_allclose(found[70, 80] + 0.5, turn[:, :2] @ middle + turn[:, 2], atol=0.15)
    # Seen from here, what lies there is here again.
    assert np.abs(inner(along(there, found) - gaussian(here, 0.9), 30)).mean() < 0.02


def test_what_is_hidden_is_not_seen():
    """A way back that misses its start by d pixels: in full to the slack, nothing from twice that."""
    start = grid((20, 30))
    for miss, share in ((0.0, 1.0), (1.0, 1.0), (1.5, 0.5), (2.0, 0.0)):
        found = seen(start, start + np.float32([miss, 0]), 1.0)
        np.testing.assert_allclose(found[:, :-3], share, atol=1e-5)
    beyond = seen(start + np.float32([0, 5]), start - np.float32([0, 5]), 1.0)
    assert beyond[:15].min() == 1
    assert beyond[15:].max() == 0


def test_likeness_is_measured_in_the_plates_own_noise():
    """With noise of sigma s, d^2 is 2 s^2 and the limit 3 s: exp(-2 / 18) of the weight stays."""
    first, second = (np.full((200, 200, 3), 0.5, np.float32) + noise((200, 200, 3), 0.01, seed) for seed in (1, 2))
    assert float(alike(first, second, 4.0).mean()) == pytest.approx(np.exp(-2 / 18), abs=0.02)
    second[:60, :60] += 0.15
    assert alike(first, second, 4.0)[20:40, 20:40].max() < 0.01


@pytest.mark.parametrize("window", [1, 2])
def test_a_face_that_changes_nothing_comes_out_as_it_was(window: int):
    plain = [skin((0.7 * k, -0.4 * k), grain=k) for k in range(5)]
    made = list(steadied([view(plate, plate) for plate in plain], window, 0.7))
    assert max(float(np.abs(new - plate).max()) for new, plate in zip(made, plain, strict=True)) < 1 / 1024


def test_a_change_that_sticks_to_the_skin_stays_and_what_is_new_every_frame_is_averaged():
    """On a plate that moves as the track says, weights are decay^|k|: what is new keeps sqrt(sum w^2) / sum w."""
    moves = [np.array([[1, 0, 0.5 * k], [0, 1, 0.25 * k]]) for k in range(5)]
    plain = [skin((0.5 * k, 0.25 * k)) for k in range(5)]
    mark = gaussian(noise((SIDE, SIDE, 3), 1.0, 9), 2.0)
    fresh = [gaussian(noise((SIDE, SIDE, 3), 0.2, 20 + k), 2.0) for k in range(5)]
    stuck = [warp(mark, move, (SIDE, SIDE)) for move in moves]
    views = [view(plate, plate + a + b, move) for plate, a, b, move in zip(plain, stuck, fresh, moves, strict=True)]
    for window, weights in ((1, [0.5, 1, 0.5]), (2, [0.25, 0.5, 1, 0.5, 0.25])):
        middle = list(steadied(views, window, 0.5))[2] - plain[2] - stuck[2]
        left = np.sqrt(np.square(weights).sum()) / np.sum(weights)
        assert float(inner(middle).std() / inner(fresh[2]).std()) == pytest.approx(left, rel=0.12), window
        kept = list(steadied([replace(v, new=v.plate + s) for v, s in zip(views, stuck, strict=True)], window, 0.5))[2]
        assert np.abs(inner(kept - plain[2] - stuck[2])).mean() < 0.06 * np.abs(stuck[2]).mean()


def test_a_hand_that_passes_leaves_no_ghost():
    """Under and beside the hand a frame is its own: neither drags its change into the other."""
    plain = [skin((0.3 * k, 0), grain=k) for k in range(5)]
    news = [plate + np.float32([0.06, 0, -0.06]) for plate in plain]
    hand = np.zeros((SIDE, SIDE), bool)
    hand[40:120, 60:100] = True
    plain[2][hand] = news[2][hand] = np.float32([0.85, 0.25, 0.2]) + noise((int(hand.sum()), 3), GRAIN, 7)
    made = list(steadied([view(plate, new) for plate, new in zip(plain, news, strict=True)], 2, 0.7))
    rim = cv2.dilate(hand.astype(np.uint8), np.ones((9, 9))) > cv2.erode(hand.astype(np.uint8), np.ones((9, 9)))
    for k, (new, old) in enumerate(zip(made, news, strict=True)):
        assert np.abs(new - old)[~rim].max() < 0.004, k
        assert np.abs(new - old)[rim].mean() < 0.004, k


def test_a_flash_is_a_frame_of_its_own():
    """Light that one frame alone has is that frame's, and not its neighbours'."""
    plain = [skin(grain=k) * np.float32(1.3 if k == 1 else 1) for k in range(3)]
    made = list(steadied([view(plate, plate * np.float32(0.9)) for plate in plain], 1, 0.7))
    for new, plate in zip(made, plain, strict=True):
        assert abs(float(np.mean(inner(new)) / np.mean(inner(plate))) - 0.9) < 0.004


@pytest.mark.parametrize("window", [1, 2])
def test_ends_have_fewer_neighbours_and_one_frame_none(window: int):
    plain = [skin(grain=k) for k in range(4)]
    views = [view(plate, plate + noise(plate.shape, 0.02, 30 + k)) for k, plate in enumerate(plain)]
    whole = list(steadied(views, window, 0.7))
    assert len(whole) == 4
    np.testing.assert_array_equal(next(steadied(views[:1], window, 0.7)), views[0].new)
    np.testing.assert_array_equal(next(steadied(views[: window + 1], window, 0.7)), whole[0])
    np.testing.assert_array_equal(list(steadied(views[-window - 1 :], window, 0.7))[-1], whole[-1])
    assert list(steadied([], window, 0.7)) == []


def test_a_part_with_its_neighbours_is_the_part_of_the_whole():
    """What chunks rest on: nothing further away than the window has a say."""
    plain = [skin((0.6 * k, 0.2 * k), grain=k) for k in range(9)]
    views = [view(plate, plate + noise(plate.shape, 0.02, 30 + k)) for k, plate in enumerate(plain)]
    whole = list(steadied(views, 2, 0.7))
    part = list(steadied(views[1:8], 2, 0.7))
    for k in (3, 4, 5):
        np.testing.assert_array_equal(part[k - 1], whole[k])


def test_no_more_is_held_than_the_window_needs():
    taken: list[int] = []

    def views() -> Iterator[View]:
        for k in range(6):
            taken.append(k)
            yield view(skin(grain=k), skin(grain=k))

    made = steadied(views(), 1, 0.7)
    for k in range(4):
        next(made)
        assert max(taken) == k + 1


def test_pages_of_two_sizes_are_blended_in_the_size_of_each():
    small, large = skin(), cv2.resize(skin(), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC)
    change = np.float32([0.05, -0.02, 0.01])
    views = [
        view(small, small + change),
        View(large, large + 3 * change, np.array([[2.0, 0, 0], [0, 2, 0]]), 240.0),
    ]
    first, second = steadied(views, 1, 1.0)
    assert first.shape == small.shape
    assert second.shape == large.shape
    np.testing.assert_allclose(np.median(inner(first - small), axis=(0, 1)), 2 * change, atol=0.01)


def test_weights_are_those_of_the_formula():
    plate = np.full((8, 8, 3), 0.5, np.float32)
    now, other = view(plate, plate + 0.1), view(plate, plate + 0.3)
    others: Sequence = [(other, grid((8, 8)), np.full((8, 8), 0.5, np.float32), 2)]
    # alike is 1 on equal plates: w = .6^2 / 2.
    expected = (0.1 + 0.18 * 0.3) / 1.18
    np.testing.assert_allclose(blended(now, others, 0.6) - plate, expected, atol=1e-6)
