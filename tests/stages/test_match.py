"""Which frames a fit looks at, and the files it leaves for a colourist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from understudy.comp.tone import colour
from understudy.comp.tone.segments import STRIDE, bends
from understudy.comp.tone.tones import Tones
from understudy.faces.tracks import Track
from understudy.stages.match import first_look, second_look, write_colour


def track(first: int, light: np.ndarray) -> Track:
    """A track of which only frames and light matter."""
    count = len(light)
    return Track(
        id="t01",
        frames=np.arange(first, first + count),
        points=np.zeros((count, 4, 3), np.float32),
        transform=np.zeros((count, 4)),
        pose=np.zeros((count, 3)),
        light=np.stack([light, 0 * light, 0 * light], axis=1),
        score=np.ones(count),
        seen=np.ones(count, bool),
        five=np.zeros((count, 5, 2), np.float32),
        embeddings=np.zeros((count, 0), np.float32),
    )


def tones(frame: int, level: float) -> Tones:
    face = np.random.default_rng(0).uniform(0.3, 0.6, (100, 3))
    return Tones(frame, face, face * np.exp(level), np.ones(100))


def test_a_straight_line_needs_no_second_look() -> None:
    at = np.arange(0, 80, STRIDE)
    ramp = 0.01 * at[:, None] * np.ones(3)
    assert not bends(at, ramp).any()
    uneven = np.array([0, 1, 2, 8, 20, 21])
    assert not bends(uneven, 0.01 * uneven[:, None]).any()


def test_a_switch_is_looked_at_and_a_flicker_everywhere() -> None:
    at = np.arange(0, 80, STRIDE)
    level = np.zeros((20, 3))
    level[10:] = 0.3
    # The light changes between the tenth and the eleventh; each of them is off its neighbours' line.
    assert np.flatnonzero(bends(at, level)).tolist() == [8, 9, 10]
    random = np.random.default_rng(1)
    restless = random.normal(0, 0.015, (20, 1)) * np.ones(3)
    assert bends(at, restless).all()
    steady = random.normal(0, 0.003, (20, 3))
    assert bends(at, steady).sum() <= 2
    assert bends([5, 9], np.zeros((2, 3))).all() and len(bends([5], np.zeros((1, 3)))) == 0


def test_the_first_look_is_every_few_frames_and_all_of_a_flash() -> None:
    light = np.full(60, 0.5)
    assert first_look(track(1001, light), range(1001, 1061)) == set(range(1004, 1061, STRIDE))
    light[22] = 0.7
    looked = first_look(track(1001, light), range(1001, 1061))
    assert set(range(1018, 1028)) <= looked and 1041 not in looked
    assert first_look(track(1001, light), range(1001, 1010)) == {1004, 1008}
    assert first_look(track(1001, light[:1]), range(1001, 1061)) == set()


def test_the_second_look_fills_the_stretches_that_bend() -> None:
    level = [0.3 * (frame >= 1030) for frame in range(1000, 1061, STRIDE)]
    seen = [tones(frame, own) for frame, own in zip(range(1000, 1061, STRIDE), level, strict=True)]
    looked = second_look(seen, range(1000, 1061))
    assert {1029, 1030, 1031} <= looked and looked <= set(range(1024, 1037))
    # A frame without skin is no end of a stretch.
    seen[3] = replace(seen[3], weight=np.zeros(100))
    assert second_look(seen, range(1000, 1061)) == looked
    assert second_look([], range(1000, 1061)) == set()


def test_the_colour_of_a_track_is_a_cdl_and_a_cube_per_segment(tmp_path: Path) -> None:
    cloud = np.random.default_rng(2).uniform(0.2, 0.6, (200, 3))
    parts = [
        colour.solve(mode, cloud, cloud * 0.9) | {"first": first, "fade": 0}
        for mode, first in (("mkl", 1001), ("histogram", 1030))
    ]
    write_colour(tmp_path, "sh010", {"t01": {"colour": {"segments": parts}}})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t01.0001030.cube", "t01.cdl", "t01.cube"]
    cdl = (tmp_path / "t01.cdl").read_text(encoding="utf-8")
    assert cdl.count("<ColorCorrection ") == 2
    assert 'id="sh010.t01"' in cdl and 'id="sh010.t01.0001030"' in cdl


@pytest.mark.parametrize("frames", [range(0), range(5, 6)])
def test_a_track_beyond_the_frames_is_not_looked_at(frames: range) -> None:
    assert first_look(track(1001, np.full(20, 0.5)), frames) == set()
