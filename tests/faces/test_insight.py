"""insightface's FaceAnalysis behind our interface: what it says, unchanged; nothing fetched."""

from __future__ import annotations

import socket
from dataclasses import replace

import cv2
import numpy as np
import pytest

from faces.cards import linear_file, retinaface_file
from networks import network, node, save
from understudy.errors import ModelError
from understudy.faces.detect import find_faces

pytest.importorskip("insightface")
from understudy.faces.insight import Analysis
from understudy.runtime.sessions import Device

SETTINGS = {"threshold": 0.5, "tiles": "never", "min_faces": 1, "refine": 2}


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A generated pack: detector, recogniser, and a network of 106 points that must not be run."""
    folder = tmp_path_factory.mktemp("pack") / "buffalo_x"
    retinaface_file(folder / "det_10g.onnx")
    linear_file(folder / "w600k_r50.onnx", 112, 512)
    linear_file(folder / "2d106det.onnx", 192, 212)
    return folder


@pytest.fixture(scope="module")
def clouds():
    rough = np.random.default_rng(6).uniform(50, 200, (20, 26, 3)).astype(np.float32)
    return cv2.resize(rough, (640, 480), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_all_it_says_is_its_own(pack, clouds, networks, astronaut):
    from insightface.app import FaceAnalysis

    app = FaceAnalysis(str(pack), providers=["CPUExecutionProvider"])
    app.prepare(0, det_thresh=0.75, det_size=[(320, 320), (640, 640)])
    theirs = app.get(clouds[..., ::-1].copy())
    analysis = Analysis(pack, [320, 640], Device())
    found = analysis(clouds, 0.75)
    assert len(found) == len(theirs) > 5
    (example,) = find_faces(astronaut, *networks, SETTINGS)
    faces = analysis.with_embeddings(clouds, [replace(example, five=one.keys) for one in found])
    for one, face, their in zip(found, faces, theirs, strict=True):
        assert one.score == pytest.approx(float(their.det_score), abs=1e-6)
        np.testing.assert_allclose(one.box - 0.5, their.bbox, atol=1e-4)
        np.testing.assert_allclose(one.keys - 0.5, their.kps, atol=1e-4)
        np.testing.assert_allclose(face.embedding, their.embedding, atol=1e-3)
    assert [file.name for file in analysis.files] == ["det_10g.onnx", "w600k_r50.onnx"]
    # Every size runs on the session whose provider was checked.
    detector = analysis._app.det_model
    assert set(detector.resolution_sessions) >= {(320, 320), (640, 640)}
    assert all(one is detector.session for one in detector.resolution_sessions.values())


def test_a_provider_that_is_not_to_be_had_is_refused(pack):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(ModelError, match="cuda was asked for, this onnxruntime"):
        Analysis(pack, [640], Device(provider="cuda"))


def test_float_pictures_are_the_same(pack, clouds):
    analysis = Analysis(pack, [640], Device())
    eight, floats = analysis(clouds, 0.8), analysis(clouds.astype(np.float32) / 255, 0.8)
    assert [f.score for f in eight] == [f.score for f in floats]


def test_its_detector_leads_to_the_mesh(pack, networks, astronaut, monkeypatch):
    """Its detections in our pipeline; here those of one that finds the astronaut."""
    analysis = Analysis(pack, [640], Device())
    keys = np.array([(203, 104), (248, 105), (224, 128), (204, 143), (243, 144)], np.float32)
    row = np.array([[177, 65, 270, 177, 0.9]], np.float32)
    monkeypatch.setattr(analysis._app.det_model, "detect", lambda image, det_thresh: (row, keys[None]))
    (face,) = find_faces(astronaut, analysis, networks[1], SETTINGS, five="detector")
    np.testing.assert_allclose(face.five, keys + 0.5)
    assert face.score == pytest.approx(0.9)
    assert face.confidence > 0.9
    assert analysis.with_embeddings(astronaut, [face])[0].embedding.shape == (512,)


def test_a_pack_that_is_not_there_is_refused_without_a_call(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ModelError, match="buffalo_l: there is no such folder"):
        Analysis(tmp_path / "buffalo_l", [640], Device())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"there are no \.onnx files"):
        Analysis(tmp_path / "empty", [640], Device())


def test_packs_that_lack_a_part_or_hold_a_swapper(tmp_path):
    linear_file(tmp_path / "blind" / "w600k_r50.onnx", 112, 512)
    with pytest.raises(ModelError, match="FaceAnalysis cannot use it"):
        Analysis(tmp_path / "blind", [640], Device())
    retinaface_file(tmp_path / "dumb" / "det.onnx")
    with pytest.raises(ModelError, match="it has no recogniser"):
        Analysis(tmp_path / "dumb", [640], Device())
    retinaface_file(tmp_path / "mixed" / "det.onnx")
    linear_file(tmp_path / "mixed" / "w600k_r50.onnx", 112, 512)
    swapper = network(
        {"target": ([1, 3, 128, 128], "float32"), "source": ([1, 512], "float32")},
        {"output": ([1, 3, 128, 128], "float32")},
        [node("Identity", ["target"], ["output"])],
        {"emap": np.eye(512, dtype=np.float32)},
    )
    save(swapper, tmp_path / "mixed" / "inswapper_128.onnx")
    with pytest.raises(ModelError, match="keep swappers in the model store"):
        Analysis(tmp_path / "mixed", [640], Device())
