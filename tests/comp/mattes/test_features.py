from __future__ import annotations

import numpy as np
import pytest

from comp.helpers import face
from understudy.comp.blend import blend
from understudy.comp.mattes.features import (
    CLOSED,
    EYES_FADE,
    LIDS,
    LIPS,
    keep,
    lids_closed,
    lips_apart,
    transition,
)
from understudy.faces.geometry import LEFT_EYE, LIPS_INNER, RIGHT_EYE, eye_open, iod, mouth_open

SHAPE = (200, 200)


CENTRES = (LEFT_EYE, RIGHT_EYE, [13, 14])


def opened(gap: float, lids: float = 1.0) -> np.ndarray:
    """The mean face with its inner lips ``gap`` IOD apart and its lids at a share of their opening."""
    points = face().astype(np.float64)
    middle, now = points[[13, 14], 1].mean(), points[14, 1] - points[13, 1]
    points[LIPS_INNER, 1] = middle + (points[LIPS_INNER, 1] - middle) * gap * iod(points) / now
    points[LIPS_INNER, 2] = 0
    for eye in (LEFT_EYE, RIGHT_EYE):
        middle = points[eye, 1].mean()
        points[eye, 1] = middle + lids * (points[eye, 1] - middle)
    return points


def test_distances_of_expression_are_measured_in_openings() -> None:
    points = np.stack([opened(0.0), opened(0.2, 0.5), opened(0.2, 0.0), opened(0.1, 1.4), *[opened(0.1)] * 4])
    # Of a pair of lid points one lies a little beside the other, so that no gap is nothing.
    assert lids_closed(points)[:4] == pytest.approx([0, 0.42, 0.67, 0], abs=0.02)
    asleep = np.stack([opened(0.0, 0.0)] * 3)
    assert lids_closed(asleep) == pytest.approx(1 - eye_open(asleep[0]) / 0.15)
    assert lips_apart(points, 0.1)[:4] == pytest.approx([0.1, 0.1, 0.1, 0], abs=1e-3)
    assert mouth_open(points[1]) == pytest.approx(0.2, abs=1e-3)


def test_a_blink_is_a_dip_and_a_nod_is_none() -> None:
    """Lids that seem to narrow slowly, as they do on a head that nods, and shut a little on three frames."""
    lids = np.linspace(1.0, 0.86, 80)
    lids[60:63] *= 0.8
    kept = transition(lids_closed(np.stack([opened(0.0, share) for share in lids])), *CLOSED, EYES_FADE)
    assert np.flatnonzero(kept == 1).tolist() == [60, 61, 62]
    assert (kept[:56] == 0).all() and (kept[67:] == 0).all()


def test_a_transition_holds_where_it_was_reached_and_fades_on_both_sides() -> None:
    distance = np.zeros(60)
    distance[20:30] = 0.4  # between off and on: held, as its run reaches on
    distance[24] = 0.6
    distance[45:50] = 0.4  # never reaches on
    kept = transition(distance, 0.5, 0.3, 4)
    assert (kept[20:30] == 1).all() and (kept[[15, 34]] == 0).all() and (kept[40:] == 0).all()
    # 3 t^2 - 2 t^3 at t = .8, .6, .4, .2.
    assert kept[30:34] == pytest.approx([0.896, 0.648, 0.352, 0.104])
    assert np.array_equal(transition(distance[::-1], 0.5, 0.3, 4), kept[::-1])
    assert transition(np.full(3, 0.9), 0.5, 0.3, 4).tolist() == [1, 1, 1]


def test_a_fluttering_measure_cannot_make_it_pop() -> None:
    rng = np.random.default_rng(0)
    for fade in (4, 12):
        kept = transition(rng.uniform(0, 1, 2000) ** 6, 0.8, 0.7, fade)
        assert 0 < kept.mean() < 1
        assert np.abs(np.diff(kept)).max() <= 1.5 / (fade + 1) + 1e-12


def test_nothing_kept_is_the_matte_itself() -> None:
    matte = np.ones(SHAPE, np.float32)
    assert keep(matte, face(), 0.0, 0.0) is matte


def test_what_is_kept_lies_around_the_lids_and_within_the_lips() -> None:
    points, matte = opened(0.2), np.ones(SHAPE, np.float32)
    unit = iod(points)
    kept = keep(matte, points, 1.0, 1.0)
    assert (matte == 1).all()
    for part in CENTRES:
        x, y = points[part, :2].mean(axis=0).astype(int)
        assert kept[y, x] == 0
    columns, rows = (np.arange(SHAPE[0]) + 0.5 for _ in range(2))
    beside = points[LEFT_EYE, 0].max()
    row = kept[int(points[263, 1])]
    soft = row[(columns > beside) & (columns < beside + LIDS * unit)]
    assert (np.diff(soft) >= 0).all() and soft[0] < 0.3 and soft[-1] > 0.7
    assert (row[columns > beside + LIDS * unit + 1] == 1).all()
    # The lips are the new face's, and within them the plate has faded in.
    column = kept[:, int(points[13, 0])]
    assert (column[(rows > points[0, 1]) & (rows < points[13, 1] - 1)] == 1).all()
    assert (column[(rows > points[13, 1] + LIPS * unit + 1) & (rows < points[14, 1] - LIPS * unit - 1)] == 0).all()
    assert keep(matte, points, 0.0, 0.4)[int(points[[13, 14], 1].mean()), int(points[13, 0])] == pytest.approx(0.6)


def test_closed_lips_have_nothing_to_keep_and_it_grows_as_they_part() -> None:
    matte = np.ones(SHAPE, np.float32)
    areas = [float((1 - keep(matte, opened(gap), 0.0, 1.0)).sum()) for gap in np.linspace(0, 0.3, 31)]
    assert areas[0] == pytest.approx(0, abs=1)
    assert (np.diff(areas) > 0).all()
    assert np.diff(areas).max() < 2 * np.median(np.diff(areas))


def test_softness_follows_the_face() -> None:
    small = keep(np.ones((100, 100), np.float32), face(30, 50, 47.5), 1.0, 1.0)
    large = keep(np.ones((400, 400), np.float32), face(120, 200, 190), 1.0, 1.0)
    assert float((1 - large).sum()) == pytest.approx(16 * float((1 - small).sum()), rel=0.02)


def test_a_face_at_the_crops_edge_or_beyond_it_is_no_error() -> None:
    matte = np.ones(SHAPE, np.float32)
    assert keep(matte, face(60, 5, 195), 1.0, 1.0).shape == SHAPE
    assert (keep(matte, face(60, 505, 195), 1.0, 1.0) == 1).all()


@pytest.mark.parametrize("mode", ["multiband", "poisson", "alpha"])
def test_what_is_kept_whole_is_the_plates_bits_whatever_the_blend(mode: str) -> None:
    rng = np.random.default_rng(1)
    plate, new = (rng.uniform(0, 1, (*SHAPE, 3)).astype(np.float32) for _ in range(2))
    matte = np.zeros(SHAPE, np.float32)
    matte[20:180, 20:180] = 1
    points = opened(0.2)
    _, weight = blend(mode, plate, new, keep(matte, points, 1.0, 1.0), iod(points))
    for part in CENTRES:
        x, y = points[part, :2].mean(axis=0).astype(int)
        assert weight[y, x] == 0
    assert weight[100, 30] == 1
