"""Landmarkers: against insightface's Landmark, a network that answers with a known picture, and the mesh."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faces.cards import card, landmarks_card, linear_file
from networks import network, node, save
from understudy.errors import ModelError
from understudy.faces import geometry as g
from understudy.faces.align import five_of_68, five_of_mesh
from understudy.faces.detect import find_faces
from understudy.faces.landmarkers import MESH_68, landmarker, landmarks_of, lit, of_mesh, with_five
from understudy.runtime.cards import model_card
from understudy.runtime.network import Network

SETTINGS = {"threshold": 0.5, "tiles": "auto", "min_faces": 1, "refine": 2}


@pytest.fixture(scope="module")
def face(networks, astronaut):
    (found,) = find_faces(astronaut, *networks, SETTINGS)
    return found


@pytest.mark.parametrize(("width", "key"), [(212, "landmark_2d_106"), (3309, "landmark_3d_68")])
def test_points_are_insightfaces(tmp_path, astronaut, face, width, key):
    zoo = pytest.importorskip("insightface.model_zoo.landmark")
    common = pytest.importorskip("insightface.app.common")
    file = linear_file(tmp_path / "landmarks.onnx", 192, width)
    smooth = cv2.GaussianBlur(astronaut, (0, 0), 3)
    theirs = zoo.Landmark(str(file))
    their = theirs.get(smooth[..., ::-1].copy(), common.Face(bbox=face.box - 0.5))
    ours = landmarker(Network(landmarks_card(192, width), file))(smooth, face)
    assert key == theirs.taskname
    np.testing.assert_allclose(ours.points[:, :2] - 0.5, their[:, :2], atol=0.25)
    if width == 3309:
        np.testing.assert_allclose(ours.points[:, 2], their[:, 2], atol=0.25)
        np.testing.assert_allclose(ours.five, five_of_68(ours.points))
    else:
        np.testing.assert_allclose(ours.five, ours.points[[38, 88, 86, 52, 61]])


def fan_card():
    image = {"index": 0, "shape": [1, 3, 256, 256], "order": "bgr"}
    shapes = {"landmarks": [1, 68, 3], "heatmaps": [1, 68, 64, 64]}
    return card(
        "fan",
        "landmarker",
        "fan",
        image,
        {name: {"name": name, "kind": "raw", "shape": shape} for name, shape in shapes.items()},
    )


def fan_file(path, points, peak):
    """FAN's contract with known answers: these landmarks and heat maps of this height, whatever the picture."""
    heat = np.zeros((1, 68, 64, 64), np.float32)
    heat[:, :, 20, 30] = peak
    constants = {
        "points": np.column_stack([points, np.ones(68)])[None].astype(np.float32),
        "heat": heat,
        "none": np.zeros(1, np.float32),
    }
    nodes = [
        node("ReduceMean", ["image"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        node("Mul", ["mean", "none"], ["zero"]),
        node("Add", ["points", "zero"], ["landmarks"]),
        node("Add", ["heat", "zero"], ["heatmaps"]),
    ]
    outputs = {"landmarks": ([1, 68, 3], "float32"), "heatmaps": ([1, 68, 64, 64], "float32")}
    return save(network({"image": ([1, 3, 256, 256], "float32")}, outputs, nodes, constants), path)


@pytest.mark.parametrize("quarters", range(4))
def test_fan_lays_its_points_back(tmp_path, astronaut, face, quarters):
    """The mesh's own 68 points, computed into the crop by hand, come back where they were; the picture turned too."""
    # Turned clockwise; the crop must be turned as often the other way to stand upright.
    image = np.rot90(astronaut, 4 - quarters).copy()
    x, y, z = face.points.T
    flat = {0: (x, y), 1: (512 - y, x), 2: (512 - x, 512 - y), 3: (y, 512 - x)}[quarters]
    points = np.column_stack([*flat, z])
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    turned = replace(face, points=points, box=box, five=five_of_mesh(points))
    own = of_mesh(turned).points - 0.5
    low, high = turned.box.reshape(2, 2).astype(float) - 0.5
    scale = 195 / max(high - low)
    crop = own * scale + (256 - (low + high) * scale) / 2 + 0.5
    x, y = crop.T
    upright = {0: (x, y), 1: (y, 256 - x), 2: (256 - x, 256 - y), 3: (256 - y, x)}[quarters]
    answer = (np.column_stack(upright) - 0.5) / 4
    found = landmarker(Network(fan_card(), fan_file(tmp_path / "fan.onnx", answer, 0.45)))(image, turned)
    np.testing.assert_allclose(found.points - 0.5, own, atol=1e-3)
    assert found.score == pytest.approx(0.5, abs=1e-3)


def test_an_unsure_network_gives_way_to_the_mesh_with_all_its_points(tmp_path, astronaut, face):
    away = np.full((68, 2), 5.0)
    unsure = landmarker(Network(fan_card(), fan_file(tmp_path / "fan.onnx", away, 0.2)))
    assert unsure(astronaut, face).score == pytest.approx(0.2222, abs=1e-3)
    found = landmarks_of(astronaut, face, unsure, 0.5)
    assert found.score == 0
    np.testing.assert_allclose(found.points, face.points[list(MESH_68), :2], atol=1e-4)
    np.testing.assert_allclose(found.five, five_of_68(found.points))
    sure = with_five(astronaut, [face], unsure, 0.2)[0]
    assert np.abs(sure.five - face.five).max() > 20
    given_up = with_five(astronaut, [face], unsure, 0.5)[0]
    assert np.abs(given_up.five - face.five).max() < 2


def test_dark_crops_get_contrast(astronaut):
    bright, dark = (
        astronaut[60:200, 160:300] / np.float32(255),
        astronaut[60:200, 160:300] / np.float32(255 * 8),
    )
    np.testing.assert_array_equal(lit(bright), bright)
    assert lit(dark).std() > 1.3 * dark.std()


def test_five_to_68(tmp_path, astronaut, face):
    """A network that answers with the mean of its five points: laid back, all 68 are the mean of the face's."""
    nodes = [
        node("ReduceMean", ["points"], ["mean"], axes=[1], keepdims=1),
        node("Expand", ["mean", "shape"], ["landmarks"]),
    ]
    model = network(
        {"points": ([1, 5, 2], "float32")},
        {"landmarks": ([1, 68, 2], "float32")},
        nodes,
        {"shape": np.array([1, 68, 2])},
    )
    found = landmarker(Network(five_card(), save(model, tmp_path / "five.onnx")))(astronaut, face)
    np.testing.assert_allclose(found.points, np.tile(face.five.mean(axis=0), (68, 1)), atol=1e-3)


def five_card():
    entry = {
        "role": "landmarker",
        "family": "five_to_68",
        "file": "five.onnx",
        "sources": [],
        "licence": "none",
    }
    entry |= {"evidence": "made by a test", "uses": ["test"]}
    entry["inputs"] = {"points": {"index": 0, "kind": "raw", "shape": [1, 5, 2]}}
    entry["outputs"] = {"landmarks": {"index": 0, "kind": "raw", "shape": [1, 68, 2]}}
    return model_card("five", entry)


def test_the_meshs_68_are_symmetric_and_in_order():
    points = g.CANONICAL[list(MESH_68), :2]
    # iBUG's partners: jaw, brows, nose, eyes, lips.
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)] + [(31, 35), (32, 34)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
    for left, right in pairs:
        np.testing.assert_allclose(
            points[left] * [-1, 1], points[right], atol=0.08, err_msg=f"{left} {right}"
        )
    middle = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    np.testing.assert_allclose(points[middle, 0], 0, atol=0.02)
    assert np.all(np.diff(points[[27, 28, 29, 30, 33, 51, 62, 66, 57, 8], 1]) >= 0)
    assert len(set(MESH_68)) == 68


def test_the_two_fives_agree_on_a_face(face):
    own, by_68 = five_of_mesh(face.points), of_mesh(face).five
    assert np.abs(own - by_68).max() < 0.05 * g.iod(face.points)


def test_another_family_is_refused(tmp_path):
    its = landmarks_card()
    with pytest.raises(ModelError, match="family dlib, which is no landmarker's"):
        landmarker(Network(replace(its, family="dlib"), linear_file(tmp_path / "l.onnx", 192, 212)))
