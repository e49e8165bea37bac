"""Faces and tracks come back from their files as they went in."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.faces import geometry as g
from understudy.faces.align import five_of_mesh
from understudy.faces.detect import Face
from understudy.faces.files import read_faces, read_tracks, write_faces, write_tracks
from understudy.faces.tracks import FrameRow, link

PLAIN = np.random.default_rng(3).random((9, 16, 3)).astype(np.float32)
LINK = {"max_gap": 12, "max_jump": 0.35, "cut": 0.35, "min_length": 5}


def face_at(x, embedding=None):
    points = (g.CANONICAL * 40 + [x, 180, 0]).astype(np.float32)
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    five = five_of_mesh(points).astype(np.float32) + np.float32(1.5)
    return Face(box, 0.9, 1.0, points, np.array([0.5, 0, 0], np.float32), five, embedding)


@pytest.mark.parametrize("width", [0, 512])
def test_faces(tmp_path, width):
    random = np.random.default_rng(1)
    embedding = random.normal(0, 1, width).astype(np.float32) if width else None
    rows = [FrameRow(7, (face_at(100, embedding), face_at(300)), PLAIN), FrameRow(8, (), PLAIN)]
    write_faces(tmp_path / "faces.jsonl", rows)
    first, second = read_faces(tmp_path / "faces.jsonl")
    assert (first.frame, second.frame, second.faces) == (7, 8, ())
    one, other = first.faces
    assert np.abs(one.five - rows[0].faces[0].five).max() <= 0.0051
    assert one.five.dtype == np.float32
    assert other.embedding is None
    if width:
        assert np.abs(one.embedding - embedding).max() < 6e-6
        text = (tmp_path / "faces.jsonl").read_text()
        assert text.count("embedding") == 1


def test_tracks(tmp_path):
    random = np.random.default_rng(1)
    rows = [FrameRow(i, (face_at(100, random.normal(0, 1, 16).astype(np.float32)),), PLAIN) for i in range(9)]
    rows[4] = FrameRow(4, (face_at(100),), PLAIN)
    tracks = link(rows, 640, 360, LINK)
    write_tracks(tmp_path, tracks, {"t01": "mara"})
    (back,), roles = read_tracks(tmp_path)
    assert roles == {"t01": "mara"}
    np.testing.assert_array_equal(back.five, tracks[0].five)
    np.testing.assert_array_equal(back.embeddings, tracks[0].embeddings)
    assert np.isnan(back.embeddings[4]).all()
    np.testing.assert_array_equal(back.embeddings[8], rows[8].faces[0].embedding)
