from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comp.helpers import face
from stages.test_stages import track
from understudy.qc.sheet import BACKGROUND
from understudy.stages.wedge import FACES, FITS, LEAST, MATTES, closeup, groups, laid_out


def cell(**settings: Any) -> dict[str, Any]:
    stages = {name: {"value": settings.get(name, 0)} for name in (*FACES, *MATTES, *FITS, "composite")}
    return {"stages": stages, "words": [f"{name}={value}" for name, value in settings.items()]}


def test_cells_share_what_their_settings_share() -> None:
    cells = [cell(swap=a, match=b, composite=c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    assert list(groups(cells, range(8), FACES)) in ([[0, 1, 2, 3], [4, 5, 6, 7]], [[4, 5, 6, 7], [0, 1, 2, 3]])
    assert sorted(groups(cells, [4, 5, 6, 7], FITS)) == [[4, 5], [6, 7]]
    assert list(groups(cells, range(8), MATTES)) == [list(range(8))]


def test_a_closeup_holds_the_largest_face_and_stays_within_the_frame() -> None:
    small, large = (
        replace(track(name, 1001, 4), points=np.stack([face(unit, x, 150)] * 4))
        for name, unit, x in (("t01", 30, 40), ("t02", 40, 500))
    )
    rows, columns = closeup({"t01": small}, 1002, (640, 360))
    assert columns == slice(0, LEAST) and rows.stop - rows.start == LEAST
    rows, columns = closeup({"t01": small, "t02": large}, 1002, (640, 200))
    assert rows == slice(0, 200)
    assert columns.stop - columns.start == LEAST and abs((columns.start + columns.stop) / 2 - 500) < 10
    huge = replace(large, points=np.stack([face(160, 900, 500)] * 4))
    rows, columns = closeup({"t02": huge}, 1002, (1920, 1080))
    low, high = huge.points[1, :, :2].min(axis=0), huge.points[1, :, :2].max(axis=0)
    assert columns.start < low[0] < high[0] < columns.stop and rows.start < low[1] < high[1] < rows.stop


@pytest.mark.parametrize(("across", "rows"), [(2, 2), (4, 1), (1, 4)])
def test_a_sheet_shows_every_pixel_and_begins_each_row_with_the_plate(across: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    cells = [cell(match=a, composite=b) for a in (0, 1) for b in (0, 1)]
    plate = rng.integers(60, 255, (50, 40, 3), np.uint8)
    made = {(7, place): rng.integers(60, 255, (50, 40, 3), np.uint8) for place in range(4)}
    sheet = laid_out("sh010", cells, across, {7: plate}, made)

    def places(picture: np.ndarray) -> list[tuple[int, int]]:
        windows = np.lib.stride_tricks.sliding_window_view(sheet, (50, 40, 3))[:, :, 0]
        return [tuple(place) for place in np.argwhere((windows == picture).all(axis=(2, 3, 4)))]

    first = places(plate)
    assert len(first) == rows and len({x for _, x in first}) == 1
    for index, picture in enumerate(made.values()):
        (place,) = places(picture)
        assert place[0] == first[index // across][0] and place[1] > first[0][1]


def test_a_long_row_is_broken() -> None:
    cells = [cell(match=value) for value in range(8)]
    picture = np.full((20, 30, 3), 200, np.uint8)
    sheet = laid_out("sh010", cells, 8, {1: picture}, {(1, place): picture for place in range(8)})
    assert sheet.shape[1] == 7 * (30 + 16) + 16
    # Two cells in the second row, and nothing after them.
    row = sheet[sheet.shape[0] - 16 - 11 * 3 - 10]
    assert (row == 200).all(axis=1).sum() == 3 * 30 and (row[-100:] == BACKGROUND // 2).all(axis=1).any()
