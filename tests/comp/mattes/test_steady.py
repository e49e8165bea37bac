"""Gates, the filter over neighbouring frames and the measure of an edge's motion, against numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.comp.mattes.steady import FADE, GATE_REACH, LINK, alike, edge_motion, gate, steadied


def test_a_gate_opens_over_some_frames_and_is_open_where_it_must() -> None:
    scores = np.zeros(21)
    scores[10] = 0.7
    assert FADE == 4
    assert gate(scores)[5:16] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2, 0])


def test_hysteresis_on_both_sides() -> None:
    """What hovers between the thresholds leans on what is sure, before as after it; alone it is nothing."""
    scores = np.array([0.5] * 4 + [0.7] + [0.45] * 5 + [0.3] * 12 + [0.55] * 6)
    opened = gate(scores)
    assert (opened[:10] == 1).all()
    assert opened[10:15] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0])
    assert not opened[15:].any()
    assert gate(scores[::-1]) == pytest.approx(opened[::-1])


def test_a_flickering_score_is_no_flickering_gate() -> None:
    scores = 0.5 + 0.12 * np.array([1, -0.5] * 20)  # crosses .6 on every second frame
    assert (gate(scores) == 1).all()
    assert np.abs(np.diff((scores >= 0.6).astype(float))).sum() == 39


def test_a_gate_knows_no_more_than_its_reach() -> None:
    scores = np.random.default_rng(0).choice([0.1, 0.42, 0.5, 0.65, np.nan], 200, p=[0.1, 0.3, 0.5, 0.05, 0.05])
    whole = gate(scores)
    assert GATE_REACH == LINK + FADE
    for first, last in ((60, 67), (100, 148)):
        part = gate(scores[first - GATE_REACH : last + GATE_REACH])
        assert np.array_equal(part[GATE_REACH:-GATE_REACH], whole[first:last])
    assert 0 < whole.mean() < 1


def test_frames_that_agree_are_left_alone() -> None:
    matte = np.random.default_rng(0).random((20, 30), np.float32)
    assert steadied([matte] * 5, [1.0] * 5) is matte


def test_what_agrees_but_for_noise_is_a_binomial_mean() -> None:
    values = [np.float32([[0.5 + e]]) for e in (0.004, -0.002, 0.003, 0.001, -0.005)]
    wanted = 0.5 + (0.004 - 4 * 0.002 + 6 * 0.003 + 4 * 0.001 - 0.005) / 16
    assert steadied(values, [1.0] * 5)[0, 0] == pytest.approx(wanted, abs=1e-5)


def test_a_frame_on_which_a_network_failed_does_not_blink() -> None:
    good, bad = np.float32([[0.95]]), np.float32([[0.0]])
    for place in range(5):
        row = [good] * 5
        row[place] = bad
        assert steadied(row, [1.0] * 5)[0, 0] == pytest.approx(0.95, abs=0.01)


def test_a_neighbour_that_shows_something_else_does_not_count() -> None:
    """A hand comes in: the frames before show a cheek there, and do not thin the hand."""
    row = [np.float32([[v]]) for v in (1, 1, 0, 0, 0)]
    assert steadied(row, [0.0, 0.0, 1.0, 1.0, 1.0])[0, 0] == pytest.approx(0, abs=1e-6)
    here = np.full((9, 9), -1.0, np.float32)
    there = here.copy()
    there[:, 5:] += 0.5
    seen = alike(here, there)
    assert seen[:, 0].min() > 0.99 and seen[:, 8].max() < 0.001


def test_the_filter_takes_most_of_an_edges_shake() -> None:
    random, x = np.random.default_rng(1), np.arange(60, dtype=np.float32)
    edges = [np.clip((x - 30 - shift) / 8 + 0.5, 0, 1)[None] for shift in random.normal(0, 1, 60)]
    place = np.array([edge.sum() for edge in edges])
    steady = np.array([steadied(edges[k - 2 : k + 3], [1.0] * 5).sum() for k in range(2, 58)])
    ratio = np.std(np.diff(steady, 2)) / np.std(np.diff(place, 2))
    # Binomial weights alone leave sqrt(28 / 256 / 6) = .135 of the second difference of white noise.
    assert ratio < 0.2
    assert abs(steady.mean() - place.mean()) < 0.15


def disc(radius: float, unit: float = 40.0, side: int = 160, x: float = 80.0) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] + 0.5
    return np.clip((radius * unit - np.hypot(columns - x, rows - side / 2)) / 3 + 0.5, 0, 1).astype(np.float32)


def to_face(unit: float = 40.0, x: float = 80.0) -> np.ndarray:
    return np.array([[1 / unit, 0, -x / unit], [0, 1 / unit, -80 / unit]])


def test_motion_of_an_edge_by_hand() -> None:
    """A radius that goes up and down by a has a second difference of 4 a all around, in IOD."""
    a = 0.01
    mattes = [disc(1 + (a if k % 2 else -a)) for k in range(6)]
    assert edge_motion(mattes, [to_face()] * 6) == pytest.approx(4 * a, rel=0.06)


def test_what_moves_with_the_face_or_grows_evenly_has_no_motion() -> None:
    shifts = [80 + 0.37 * k**1.5 for k in range(6)]
    fixed = edge_motion([disc(1, x=x) for x in shifts], [to_face(x=x) for x in shifts])
    grows = edge_motion([disc(1 + 0.01 * k) for k in range(6)], [to_face()] * 6)
    assert fixed < 0.002 and grows < 0.002
    # The same in twice the pixels is the same in IOD.
    large = [disc(1 + (0.01 if k % 2 else -0.01), 80, 320, 160) for k in range(4)]
    place = np.array([[1 / 80, 0, -2], [0, 1 / 80, -1]])
    assert edge_motion(large, [place] * 4) == pytest.approx(0.04, rel=0.06)


def test_an_edge_that_comes_and_goes_does_not_move() -> None:
    """A hole in the middle is there on every second frame."""
    mattes = [disc(1) * (1 - disc(0.3) * (k % 2)) for k in range(6)]
    assert edge_motion(mattes, [to_face()] * 6) < 0.002


def test_without_edge_or_frames_there_is_no_number() -> None:
    assert np.isnan(edge_motion([disc(1)] * 2, [to_face()] * 2))
    assert np.isnan(edge_motion([np.zeros((50, 50), np.float32)] * 3, [to_face()] * 3))
    assert np.isnan(edge_motion([], np.zeros((0, 2, 3))))
