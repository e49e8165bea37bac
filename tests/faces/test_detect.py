from __future__ import annotations

import cv2
import numpy as np
import pytest

from understudy.errors import ModelError
from understudy.faces import geometry as g
from understudy.faces.boxes import overlaps, weighted_nms
from understudy.faces.detect import (
    Region,
    cut_region,
    find_faces,
    landmarks_near,
    region_of_points,
    signature,
)
from understudy.faces.networks import BlazeFace, anchors, letterbox

SETTINGS = {"threshold": 0.5, "tiles": "auto", "min_faces": 1, "refine": 2}


def one(image, networks):
    (face,) = find_faces(image, *networks, SETTINGS)
    return face


def test_anchors_are_cell_centres_row_by_row():
    a = anchors()
    assert a.shape == (2304, 2)
    assert a[0] == pytest.approx([1 / 96, 1 / 96])
    assert a[1] == pytest.approx([3 / 96, 1 / 96])
    assert a[48] == pytest.approx([1 / 96, 3 / 96])


def test_letterbox_averages_and_says_where():
    image = np.zeros((100, 400, 3), np.uint8)
    image[50:60, 200:220] = 255
    square, scale, offset = letterbox(image, 100)
    assert square.shape == (100, 100, 3)
    x, y = np.array([210, 55]) * scale + offset
    rows, columns = np.nonzero(square[..., 0])
    weight = square[rows, columns, 0]
    assert np.average(columns + 0.5, weights=weight) == pytest.approx(x, abs=0.02)
    assert np.average(rows + 0.5, weights=weight) == pytest.approx(y, abs=0.1)
    assert square.sum() / 3 == pytest.approx(10 * 20 / 16, rel=0.02)


def test_weighted_nms_averages_a_cluster():
    rows = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], float)
    merged = weighted_nms(rows, np.array([0.6, 0.9, 0.7]), 0.3)
    assert [score for score, _ in merged] == [0.9, 0.7]
    assert merged[0][1] == pytest.approx([0.6, 0, 10.6, 10])
    assert overlaps(rows[0], rows) == pytest.approx([1, 90 / 110, 0])


def test_astronaut(networks, astronaut):
    face = one(astronaut, networks)
    assert face.score == pytest.approx(0.91, abs=0.03)
    assert face.confidence > 0.99
    assert overlaps(face.box.astype(float), np.array([[177, 70, 273, 178]], float))[0] > 0.9
    assert g.mouth_open(face.points) > 0.1


def test_hopper_closes_her_mouth(networks, hopper):
    assert g.mouth_open(one(hopper, networks).points) < 0.06


def test_float_and_uint8_agree(networks, astronaut):
    a, b = one(astronaut, networks), one(astronaut.astype(np.float32) / 255, networks)
    assert np.abs(a.points - b.points).max() < 0.5


@pytest.mark.parametrize("times", [2, 4])
def test_size_of_the_picture_does_not_matter(networks, astronaut, times):
    big = cv2.resize(astronaut, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    small, large = one(astronaut, networks), one(big, networks)
    assert np.abs(large.points / times - small.points)[:, :2].mean() < 0.4


@pytest.mark.parametrize("degrees", [-90, -45, 30, 60])
def test_leaning_faces(networks, astronaut, degrees):
    matrix = cv2.getRotationMatrix2D((225, 120), -degrees, 1)
    turned = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
    faces = find_faces(turned, *networks, SETTINGS)
    upright = one(astronaut, networks)
    roll = g.pose(upright.points)[2] + degrees
    assert min(abs((g.pose(face.points)[2] - roll + 180) % 360 - 180) for face in faces) < 4


def test_small_faces_are_found_in_tiles(networks, astronaut):
    plate = np.full((1080, 1920, 3), 90, np.uint8)
    plate[700:764, 1500:1564] = cv2.resize(astronaut[30:230, 120:320], (64, 64), interpolation=cv2.INTER_AREA)
    assert find_faces(plate, *networks, SETTINGS | {"tiles": "never"}) == []
    face = one(plate, networks)
    assert 1500 < face.points[:, 0].mean() < 1564
    assert 700 < face.points[:, 1].mean() < 764


def test_two_faces_from_left_to_right(networks, astronaut, hopper):
    both = np.zeros((600, 1024, 3), np.uint8)
    both[:, :512], both[:512, 512:] = hopper[:600, :512], astronaut
    first, second = find_faces(both, *networks, SETTINGS)
    assert first.box[2] < 512 < second.box[0]


def test_landmarks_near_finds_what_is_near_and_only_that(networks, astronaut):
    face = one(astronaut, networks)
    near = landmarks_near(astronaut, networks[1], face.points + np.array([12, -8, 0]), SETTINGS)
    assert near is not None
    assert near.score == 0
    assert np.abs(near.points - face.points)[:, :2].mean() < 1
    assert landmarks_near(astronaut, networks[1], face.points + np.array([0, 250, 0]), SETTINGS) is None


def test_region_is_upright_and_anti_aliased(networks, astronaut):
    face = one(astronaut, networks)
    region = region_of_points(face.points.astype(float))
    crop_to_frame = region.to_frame(192)
    inside = g.face_space(face.points, g.inverse(crop_to_frame))
    across = inside[g.LEFT_EYE].mean(axis=0) - inside[g.RIGHT_EYE].mean(axis=0)
    assert across[1] == pytest.approx(0, abs=1e-6)
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[:, ::2] = 255
    flat = cut_region(stripes, Region(np.array([1000.0, 1000.0]), 1500.0, 0.2), 192)
    assert flat == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("side", [120.0, 300.0, 1500.0])
def test_region_keeps_the_half_pixel(side):
    x = np.arange(2000, dtype=np.float32) + 0.5
    ramp = np.repeat(np.repeat(x[None, :, None] / 2000, 2000, axis=0), 3, axis=2)
    region = Region(np.array([1003.3, 990.0]), side, 0.0)
    crop = cut_region(ramp, region, 192)
    expected = region.to_frame(192)[0] @ np.array([[100.5], [100.5], [1.0]])
    assert crop[100, 100, 0] * 2000 == pytest.approx(float(expected[0]), abs=0.05)


def test_light_follows_the_light(networks, astronaut):
    ramp = np.linspace(1.0, 0.5, 512)[None, :, None]
    lit = (astronaut * ramp).astype(np.uint8)
    plain, sided = one(astronaut, networks).light, one(lit, networks).light
    assert sided[0] < plain[0]
    assert sided[1] < plain[1] - 0.02


def test_signature_is_small_and_the_frames_own_colours(astronaut):
    s = signature(astronaut)
    assert s.shape == (9, 16, 3)
    assert s.mean() == pytest.approx(astronaut.mean() / 255, abs=0.01)


def test_a_wrong_network_is_refused(networks, root, tmp_path):
    with pytest.raises(ModelError, match=r"takes .* gives .* is needed"):
        BlazeFace(root / "models" / "face_landmark.tflite")
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no TFLite network"):
        BlazeFace(bad)


def test_another_detector_agrees_on_the_eyes(networks, astronaut, shared):
    file = shared / "models" / "libfacedetection_yunet" / "yunet_n_dynamic.onnx"
    other = cv2.FaceDetectorYN.create(str(file), "", (512, 512))
    keys = other.detect(cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))[1][0][4:14].reshape(5, 2)
    points = one(astronaut, networks).points
    assert points[g.RIGHT_EYE, :2].mean(axis=0) == pytest.approx(keys[0], abs=3)
    assert points[g.LEFT_EYE, :2].mean(axis=0) == pytest.approx(keys[1], abs=3)
    assert points[[61, 291], :2] == pytest.approx(keys[3:], abs=4)
