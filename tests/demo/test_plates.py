"""The demo's plates are what their truth says: by arithmetic, by the files, by the real detector."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

import make_plates
import plates
from understudy.faces.detect import Face, find_faces
from understudy.faces.networks import BlazeFace, FaceMesh

SETTINGS = {"threshold": 0.5, "refine": 2, "tiles": "never", "min_faces": 1}
SMALL = (240, 136)


def faces(image: plates.Image, networks: tuple[BlazeFace, FaceMesh]) -> list[Face]:
    return sorted(find_faces(image, *networks, SETTINGS), key=lambda face: float(face.box[0]))


def test_same_frame_same_pixels() -> None:
    first, second = (plates.render("sh030", 30, SMALL) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert plates.render("sh030", 31, SMALL).tobytes() != first.tobytes()


@pytest.mark.parametrize("shot", sorted(plates.PLANS))
def test_anchor_starts_at_its_place_and_moves_without_jumps(shot: str) -> None:
    plan = plates.PLANS[shot]
    for performer in plan.performers:
        anchor = np.array([*performer.anchor, 1.0])
        way = np.array([plates.matrix(plan, performer, index, 540) @ anchor for index in range(plan.frames)])
        assert np.abs(way[0] - performer.place).max() < 10.0  # the swings' phases, nothing more
        steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
        assert steps.max() < 6.0
        assert np.ptp(way, axis=0).max() > 10.0


def test_truth_is_plain_json_and_scales_with_the_frame() -> None:
    known = json.loads(json.dumps(plates.truth("sh020", 5)))
    twice = plates.truth("sh020", 5, (1920, 1080))
    assert [row["frame"] for row in known["frames"]] == [1001, 1002, 1003, 1004, 1005]
    for row, large in zip(known["frames"], twice["frames"], strict=True):
        ours, theirs = (np.array(entry["performers"][0]["matrix"]) for entry in (row, large))
        np.testing.assert_allclose(theirs, 2.0 * ours, rtol=1e-12)
        assert row["gain"] == large["gain"]


def test_a_dot_of_the_portrait_lands_where_the_matrix_says(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.zeros((512, 512, 3), np.float32)
    yy, xx = np.mgrid[0:512, 0:512] + 0.5
    spot = np.exp(-((xx - 226.3) ** 2 + (yy - 138.8) ** 2) / (2.0 * 3.0**2))
    picture += spot[..., None].astype(np.float32) * 0.9
    monkeypatch.setattr(plates, "portrait", lambda name: picture)
    monkeypatch.setattr(plates, "_far", lambda name: (np.zeros_like(picture), 0))
    for index in (0, 17, 47):
        frame = plates.decode(plates.render("sh020", index, grain=False)).mean(axis=2).astype(np.float64)
        linear = plates.decode(np.full((1, 1), 0.02, np.float32)).item()
        weight = np.maximum(frame - linear, 0.0)
        gy, gx = np.mgrid[0 : frame.shape[0], 0 : frame.shape[1]] + 0.5
        found = np.array([(gx * weight).sum(), (gy * weight).sum()]) / weight.sum()
        plan = plates.PLANS["sh020"]
        there = plates.matrix(plan, plan.performers[0], index, 540) @ np.array([226.3, 138.8, 1.0])
        np.testing.assert_allclose(found, there, atol=0.03)


def test_light_follows_the_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean linear light of a frame over that of the same frame unlit is the gain, but for the clipping at white."""
    still = plates.Wave(0.0, 1.0)
    monkeypatch.setitem(plates.PLANS, "unlit", replace(plates.PLANS["sh020"], gain=(still, still, still)))
    for index in (0, 20, 40):
        lit = plates.decode(plates.render("sh020", index, SMALL, grain=False))
        gain = np.array(plates.gains(plates.PLANS["sh020"], index), np.float32)
        unlit = lit / gain
        shade = (lit < 0.9).all(axis=2)
        plain = plates.decode(plates.render("unlit", index, SMALL, grain=False))
        np.testing.assert_allclose(unlit[shade], plain[shade], atol=2e-3)


def test_hand_covers_the_face_only_in_the_middle() -> None:
    plan = plates.PLANS["sh030"]
    covered = [float(plates.hand_matte(plan, index, SMALL).mean()) for index in range(plan.frames)]
    assert max(covered[:10] + covered[-10:]) == 0.0
    assert 0.02 < max(covered) < 0.25
    assert max(abs(a - b) for a, b in pairwise(covered)) < 0.02
    row = plates.truth("sh030", 31, SMALL)["frames"][30]
    drawn = np.zeros((SMALL[1], SMALL[0]), np.uint8)
    cv2.fillPoly(drawn, [np.floor(np.array(row["hand"])).astype(np.int32)], 1)
    assert abs(drawn.mean() - covered[30]) < 0.005


def test_written_plates_hold_what_was_drawn(tmp_path: Path) -> None:
    for shot in plates.PLANS:
        make_plates.make_shot(shot, tmp_path / shot, 4, SMALL)
    with av.open(str(tmp_path / "sh010" / "sh010.mov")) as movie:
        video = movie.streams.video[0]
        assert video.average_rate == make_plates.RATE
        assert video.metadata["timecode"] == "01:00:00:00"
        assert movie.streams.audio[0].codec_context.name == "pcm_s16le"
        pictures = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video)]
    assert len(pictures) == 4
    want = plates.render("sh010", 3, SMALL)
    assert np.abs(pictures[3] / 255.0 - want).mean() < 0.02
    image = oiio.ImageInput.open(str(tmp_path / "sh020" / "sh020.1003.exr"))
    assert str(image.spec().format) == "half"
    linear = image.read_image("float")
    image.close()
    np.testing.assert_allclose(linear, plates.decode(plates.render("sh020", 2, SMALL)), atol=1e-3)
    roto = sorted(path.name for path in (tmp_path / "sh030" / "roto").iterdir())
    assert roto == [f"hand.{frame:04d}.png" for frame in (1, 2, 3, 4)]
    make_plates.write_png(
        tmp_path / "hand.png", plates.hand_matte(plates.PLANS["sh030"], 30, SMALL), "uint16"
    )
    hand = cv2.imread(str(tmp_path / "hand.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(hand / 65535, plates.hand_matte(plates.PLANS["sh030"], 30, SMALL), atol=1e-4)
    assert json.loads((tmp_path / "sh030" / "truth.json").read_text())["shot"] == "sh030"


@pytest.mark.parametrize(("shot", "index"), [("sh010", 0), ("sh010", 41), ("sh020", 23), ("sh030", 3)])
def test_detected_landmarks_follow_the_truth(
    shot: str, index: int, networks: tuple[BlazeFace, FaceMesh]
) -> None:
    """The landmarks found on the frame are those found on the portrait, carried by the known matrix.

    The networks err by about 1 % of the eyes' distance when a face is turned and scaled, so the bound is 4 %.
    """
    plan = plates.PLANS[shot]
    found = faces(plates.render(shot, index), networks)
    assert len(found) == len(plan.performers)
    for performer, face in zip(plan.performers, found, strict=True):
        (still,) = faces(plates.portrait(performer.portrait), networks)
        placed = plates.matrix(plan, performer, index, 540)
        there = still.points[:, :2] @ placed[:, :2].T + placed[:, 2]
        eyes = np.linalg.norm(there[33] - there[263])
        error = np.linalg.norm(face.points[:, :2] - there, axis=1) / eyes
        assert np.median(error) < 0.04
        assert np.linalg.norm((face.points[:, :2] - there).mean(axis=0)) / eyes < 0.03
