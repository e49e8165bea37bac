"""Real footage: nobody is lost, nobody becomes somebody else."""

from __future__ import annotations

from types import SimpleNamespace

import av
import numpy as np
import pytest

from faces.cards import recogniser_card
from understudy.errors import FaceError
from understudy.faces.cast import References, cast
from understudy.faces.detect import find_faces, signature
from understudy.faces.recognise import Recogniser, with_embeddings
from understudy.faces.tracks import FrameRow, cuts, link, missing, smooth
from understudy.runtime.network import Network

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


def first_frames(path, count):
    with av.open(str(path)) as movie:
        return [
            frame.to_ndarray(format="rgb24")
            for frame, _ in zip(movie.decode(video=0), range(count), strict=False)
        ]


def test_a_performer_is_known_by_another_clip(networks, shared, settings):
    """Eat's performer is night's too: a picture of the one finds the track of the other, hungry's does not."""
    file = shared / "models" / "mobilefacenet" / "MobileFaceNet.onnx"
    recogniser = Recogniser(Network(recogniser_card("mobilefacenet", 128), file))

    def faces_of(image):
        return with_embeddings(image, find_faces(image, *networks, settings), recogniser)

    frames = first_frames(shared / "plates" / "eat.mkv", 12)
    rows = [FrameRow(i, faces_of(frame), signature(frame)) for i, frame in enumerate(frames)]
    tracks = link(rows, 640, 480, settings)
    assert [track.embeddings.shape for track in tracks] == [(12, 128)]
    pictures = {}
    for name in ("night", "hungry"):
        (face,) = faces_of(first_frames(shared / "plates" / f"{name}.mkv", 30)[-1])
        pictures[name] = face.embedding

    def becomes(name):
        entry = SimpleNamespace(kind="like", value=name, talent="mara")
        return cast(tracks, [entry], SimpleNamespace(cast={}), "shot eat", References(pictures))

    assert becomes("night") == {"t01": "mara"}
    with pytest.raises(FaceError, match="no track is like hungry: t01 0"):
        becomes("hungry")
