"""Real footage: nobody is lost, nobody becomes somebody else."""

from __future__ import annotations

import av
import numpy as np
import pytest

from understudy.faces.detect import find_faces, signature
from understudy.faces.tracks import FrameRow, cuts, link, missing, smooth

QUICK = ["bird.mkv"]
SLOW = ["again.mkv", "book.mkv", "brother.mkv", "eat.mkv", "hungry.mkv", "learn.mkv", "night.mkv", "please.mkv",
        "sister.mkv", "head-pose-face-detection-male.gif"]  # fmt: skip


@pytest.mark.parametrize("name", QUICK + [pytest.param(name, marks=pytest.mark.slow) for name in SLOW])
def test_one_performer_one_track(name, networks, shared, settings):
    with av.open(str(shared / "plates" / name)) as movie:
        frames = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    rows = [FrameRow(i, find_faces(f, *networks, settings), signature(f)) for i, f in enumerate(frames)]
    height, width = frames[0].shape[:2]
    assert cuts(rows, settings["cut"]) == []
    (track,) = link(rows, width, height, settings)
    assert list(track.frames) == list(range(len(frames)))
    assert missing(track) == []
    smoothed = smooth(track, settings)
    step = np.hypot(*np.diff(smoothed.transform[:, :2], axis=0).T) / np.exp(smoothed.transform[1:, 2])
    assert step.max() < 0.35
    assert np.abs(smoothed.points - track.points)[..., :2].max() < 0.35 * np.exp(track.transform[:, 2].mean())
