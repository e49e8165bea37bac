"""Contact sheets and the choice of frames."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.qc.sheet import Hero, choose_heroes, contact, shortened


def arrays(count: int = 40) -> dict[str, np.ndarray]:
    made = {name: np.full(count, 0.5) for name in ("eyes_px", "yaw", "score", "luma")}
    return {"frames": np.arange(1001, 1001 + count), **made}


def test_each_wish_finds_its_frame():
    facts = arrays()
    facts["eyes_px"][20] = 90
    facts["yaw"][5], facts["yaw"][30] = 40, -35
    facts["score"][11] = 0.1
    facts["luma"][15], facts["luma"][25] = 0.9, 0.1
    assert choose_heroes(**facts, count=8) == [
        Hero(1001, "first"),
        Hero(1006, "turned most one way"),
        Hero(1012, "lowest score"),
        Hero(1016, "brightest"),
        Hero(1021, "largest face"),
        Hero(1026, "darkest"),
        Hero(1031, "turned most the other way"),
        Hero(1040, "last"),
    ]
    kept = [hero.frame for hero in choose_heroes(**facts, count=4)]
    assert kept == [1006, 1012, 1021, 1031]


def test_no_frame_twice_and_ties_to_the_earliest():
    assert choose_heroes(**arrays()) == [
        Hero(
            1001,
            "largest face, turned most one way, turned most the other way, lowest score, first, brightest, "
            "darkest",
        ),
        Hero(1040, "last"),
    ]


def test_order_of_tracks_does_not_matter():
    facts = arrays()
    facts["yaw"] = np.sin(np.arange(40.0))
    turned = {name: np.roll(values, 17) for name, values in facts.items()}
    assert choose_heroes(**facts) == choose_heroes(**turned)


def test_nobody_is_nothing():
    assert choose_heroes(**arrays(0)) == []


def test_a_sheet_keeps_shapes_and_shows_every_picture():
    red, green = np.zeros((60, 160, 3), np.uint8), np.zeros((90, 40, 3), np.uint8)
    red[..., 0], green[..., 1] = 200, 210
    sheet = contact([(red, "plate"), (green, "result"), (red, "third")], 2, "title", cell=(160, 90))
    assert sheet.shape[1] == 16 + 2 * (160 + 16)
    assert (sheet[..., 0] == 200).sum() >= 2 * 60 * 160 * 0.95
    assert (sheet[..., 1] == 210).sum() >= 90 * 40 * 0.9
    alone = contact([(red, "")], 1, "", cell=(160, 90))
    # Not cropped, not stretched: 160 x 60 stays 160 x 60 in a cell of 160 x 90.
    assert (alone[..., 0] == 200).sum() == 60 * 160


def test_captions_are_written_and_cut_to_the_cell():
    grey = np.full((90, 160, 3), 24, np.uint8)
    said, silent = contact([(grey, "sh010 1001")], 1, "", (160, 90)), contact([(grey, "")], 1, "", (160, 90))
    assert (said != silent).any()
    cut = shortened("a very long caption that no cell has room for", 160, 15)
    assert cut.endswith("...") and len(cut) < 40
    contact([(grey, "caf\u00e9 " * 80)], 1, "\u4e2d\u6587", (160, 90))


def test_no_pictures_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        contact([], 4, "empty")
