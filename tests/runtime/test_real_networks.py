"""Real files of known families, brought along by cards alone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy.comp.resample import warp
from understudy.errors import ModelError
from understudy.faces.geometry import similarity
from understudy.runtime.cards import model_card
from understudy.runtime.network import Network
from understudy.runtime.sessions import Device

REST = {"sources": [], "licence": "none", "evidence": "a test's", "uses": ["test"]}
FACE = {"role": "recogniser", "family": "arcface", "template": "arcface_112_v2", "size": 112} | REST
MOBILE = FACE | {
    "file": "MobileFaceNet.onnx",
    "sha256": "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
    "inputs": {
        "image": {
            "index": 0,
            "kind": "image",
            "shape": [1, 3, 112, 112],
            "layout": "nchw",
            "mean": 0.5,
            "std": 0.5,
        }
    },
    "outputs": {"embedding": {"index": 0, "kind": "vector", "shape": [1, 128]}},
}
YUNET = REST | {
    "role": "detector",
    "family": "yunet",
    "file": "yunet_n_dynamic.onnx",
    "inputs": {
        "image": {
            "name": "input",
            "kind": "image",
            "shape": [1, 3, None, None],
            "layout": "nchw",
            "order": "bgr",
            "scale": 255,
        }
    },
    "outputs": {
        f"{kind}_{stride}": {"name": f"{kind}_{stride}", "kind": "raw", "shape": [1, None, width]}
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
        for stride in (8, 16, 32)
    },
    "settings": {"sizes": [320]},
}
PRIORS = REST | {
    "role": "detector",
    "family": "retinaface_priors",
    "file": "osf_retinaface_640x640_opt.onnx",
    "inputs": {
        "image": {
            "index": 0,
            "kind": "image",
            "shape": [1, 3, 640, 640],
            "layout": "nchw",
            "order": "bgr",
            "scale": 255,
            "mean": [104, 117, 123],
        }
    },
    "outputs": {
        "boxes": {"index": 0, "kind": "raw", "shape": [1, 16800, 4]},
        "scores": {"index": 1, "kind": "raw", "shape": [1, 16800, 2]},
        "points": {"index": 2, "kind": "raw", "shape": [1, 16800, 10]},
    },
}
ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
# Eyes, nose tip and corners of the mouth, marked by hand on the two portraits.
ASTRONAUT = np.array([[202, 113], [247, 113], [226, 139], [205, 161], [245, 161]], np.float64)
HOPPER = np.array([[219, 160], [283, 158], [248, 197], [225, 226], [279, 225]], np.float64)


@pytest.fixture(scope="module")
def models(shared: Path, tmp_path_factory) -> Path:
    """The files, in a folder that may be written to."""
    folder = tmp_path_factory.mktemp("models")
    for file in (shared / "models").rglob("*.onnx"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def portraits() -> dict[str, np.ndarray]:
    from matplotlib.cbook import get_sample_data
    from skimage.data import astronaut

    with get_sample_data("grace_hopper.jpg") as file:
        hopper = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return {
        "astronaut": astronaut().astype(np.float32) / np.float32(255),
        "hopper": hopper.astype(np.float32) / np.float32(255),
    }


def crop(image: np.ndarray, five: np.ndarray) -> np.ndarray:
    # The template counts pixels from their centres.
    return warp(image, similarity(five, ARCFACE + 0.5), (112, 112)).clip(0, 1)


def test_a_recogniser_tells_people_apart(models):
    pictures = portraits()
    five = {"astronaut": ASTRONAUT, "hopper": HOPPER}
    seen = []
    for name, image in pictures.items():
        noise = np.random.default_rng(0).normal(0, 0.02, image.shape).astype(np.float32)
        seen += [
            crop(image, five[name]),
            crop(np.clip(image[:, ::-1] * 0.8 + noise, 0, 1), mirrored(five[name], image)),
        ]
    run = Network(model_card("mobilefacenet", MOBILE), models / "MobileFaceNet.onnx", Device(batch=4))
    vectors = run(image=np.stack(seen))["embedding"]
    assert vectors.shape == (4, 128)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    # A darker, noisier mirror image is the same person; the other woman is another.
    assert likeness[0, 1] > 0.6 and likeness[2, 3] > 0.6
    assert np.abs(likeness[:2, 2:]).max() < 0.35
    assert run.batch == 4
    single = Network(model_card("mobilefacenet", MOBILE), models / "MobileFaceNet.onnx", Device(batch=1))
    assert np.array_equal(vectors, single(image=np.stack(seen))["embedding"])


def mirrored(five: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The five points of a picture's mirror image, in the order of the template."""
    return np.column_stack([image.shape[1] - five[:, 0], five[:, 1]])[[1, 0, 2, 4, 3]]


def fitted(image: np.ndarray, side: int) -> np.ndarray:
    """The picture's upper left part, shrunk to fit, on black."""
    scale = side / max(image.shape[:2])
    small = warp(image, [[scale, 0, 0], [0, scale, 0]], tuple(round(n * scale) for n in image.shape[1::-1]))
    canvas = np.zeros((side, side, 3), np.float32)
    canvas[: small.shape[0], : small.shape[1]] = small.clip(0, 1)
    return canvas


def test_a_detector_sees_what_opencv_sees(models):
    side = 320
    canvas = fitted(portraits()["astronaut"], side)
    run = Network(model_card("yunet", YUNET), models / "yunet_n_dynamic.onnx")
    out = run(image=np.stack([canvas, canvas[:, ::-1]]))
    assert run.batch == 8
    scores = np.sqrt(out["cls_16"] * out["obj_16"])[..., 0]
    assert scores.shape == (2, (side // 16) ** 2)
    theirs = cv2.FaceDetectorYN.create(str(models / "yunet_n_dynamic.onnx"), "", (side, side), 0.5, 0.3)
    _, faces = theirs.detect(np.ascontiguousarray((canvas * 255).round().astype(np.uint8)[..., ::-1]))
    assert len(faces) == 1
    best = max(
        (
            float(np.sqrt(out[f"cls_{s}"][0] * out[f"obj_{s}"][0]).max()),
            s,
            int((out[f"cls_{s}"][0] * out[f"obj_{s}"][0]).argmax()),
        )
        for s in (8, 16, 32)
    )
    score, stride, cell = best
    assert score == pytest.approx(float(faces[0, 14]), abs=0.01)
    row, column = divmod(cell, side // stride)
    x, y, w, h = out[f"bbox_{stride}"][0, cell]
    centre = np.array([column + x, row + y]) * stride
    size = np.exp([w, h]) * stride
    assert np.concatenate([centre - size / 2, size]) == pytest.approx(faces[0, :4], abs=1.0)


def test_a_detector_of_another_family(models):
    run = Network(model_card("priors", PRIORS), models / "osf_retinaface_640x640_opt.onnx")
    out = run(image=fitted(portraits()["astronaut"], 640)[None])
    assert out["scores"].shape == (1, 16800, 2)
    assert out["scores"][0, :, 1].max() > 0.9
    empty = run(image=np.full((1, 640, 640, 3), 0.5, np.float32))
    assert empty["scores"][0, :, 1].max() < 0.5


@pytest.mark.parametrize(
    "file, entry, message",
    [
        (
            "MobileFaceNet.onnx",
            YUNET,
            "input 'image' is 'input' on its card; the file's 1 inputs are 'input0'",
        ),
        (
            "yunet_n_dynamic.onnx",
            PRIORS,
            "output 'boxes' ('cls_8') is [batch, dim, 1] in the file, [1, 16800, 4] on its card",
        ),
        (
            "MobileFaceNet.onnx",
            MOBILE | {"outputs": {"embedding": {"index": 0, "kind": "vector", "shape": [1, 512]}}},
            "output 'embedding' ('output0') is [1, 128] in the file, [1, 512] on its card",
        ),
    ],
)
def test_one_file_taken_for_another(models, file, entry, message):
    with pytest.raises(ModelError) as refusal:
        Network(model_card("net", entry), models / file)
    assert message in str(refusal.value)
