"""What a stage tells the finish of one frame of a track."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from understudy.comp.camera import motion
from understudy.faces.geometry import CANONICAL, to_frame
from understudy.stages.crops import Cut
from understudy.stages.tracks import moment_of, motion_of


def filmed(steps: np.ndarray) -> SimpleNamespace:
    """A track of (cx, cy, log scale, angle) a frame."""
    points = np.array([CANONICAL @ np.eye(3, 2) @ to_frame(step)[:, :2].T + step[:2] for step in steps])
    return SimpleNamespace(frames=np.arange(len(steps)) + 1001, transform=steps, points=points)


def test_the_motion_of_a_frame_is_that_of_its_own_time() -> None:
    times = np.arange(9.0)
    steps = np.stack([100 + 6 * times, 80 - 2 * times, 4 + 0.01 * times, 0.03 * times], axis=1)
    track = filmed(steps)
    moved = motion_of(track, 4)
    # Through a whole frame's time, from half a frame before to half a frame after.
    before, after = (np.append(part[:2], 1) for part in (steps[4] - np.diff(steps, axis=0)[0] / 2, steps[4]))
    assert moved @ before == pytest.approx([before[0] + 6, before[1] - 2])
    half = motion.part(moved, 0.5)
    assert half @ after == pytest.approx([after[0] + 3, after[1] - 1], abs=0.1)
    assert np.hypot(*moved[:, 0]) == pytest.approx(np.exp(0.01))
    assert np.arctan2(moved[1, 0], moved[0, 0]) == pytest.approx(0.03)
    # At a track's ends the one neighbour counts; alone, nothing moves.
    assert motion_of(track, 0)[:, :2] == pytest.approx(moved[:, :2])
    assert motion_of(filmed(steps[:1]), 0) == pytest.approx(np.eye(2, 3))


def test_a_moment_is_in_the_pixels_of_its_crop() -> None:
    steps = np.array([[100.0 + 6 * t, 80.0, 4.0, 0.1 * t] for t in range(5)])
    cut = Cut(page=0, frame=1003, track="t01", index=2, box=(37, 21, 200, 180))
    moment = moment_of("sh010", cut, filmed(steps))
    assert moment.corner == (37, 21)
    frame = np.array([150.0, 90.0])
    moved = motion_of(filmed(steps), 2) @ np.append(frame, 1)
    assert moment.motion is not None
    assert moment.motion @ np.append(frame - (37, 21), 1) == pytest.approx(moved - (37, 21))
