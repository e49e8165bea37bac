"""Recognisers: against insightface's ArcFace, on a real network and generated ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faces.cards import card, linear_file, recogniser_card
from understudy.comp.resample import warp
from understudy.errors import ModelError
from understudy.faces.align import cut, similarity
from understudy.faces.detect import find_faces
from understudy.faces.recognise import Recogniser, with_embeddings
from understudy.runtime.network import Network

SETTINGS = {"threshold": 0.5, "tiles": "auto", "min_faces": 1, "refine": 2}


@pytest.fixture(scope="module")
def mobile(shared):
    its = recogniser_card("mobilefacenet", 128)
    return Recogniser(Network(its, shared / "models" / "mobilefacenet" / "MobileFaceNet.onnx"))


def cosine(a, b):
    return float(np.dot(a.ravel(), b.ravel()) / np.linalg.norm(a) / np.linalg.norm(b))


def frames_of(path, step):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames[::step]


def test_embedding_is_insightfaces(mobile, shared, networks, astronaut, hopper):
    """The same crop, the same numbers: their class fed with our five points, on the real network."""
    onnx_zoo = pytest.importorskip("insightface.model_zoo.arcface_onnx")
    common = pytest.importorskip("insightface.app.common")
    theirs = onnx_zoo.ArcFaceONNX(str(shared / "models" / "mobilefacenet" / "MobileFaceNet.onnx"))
    for image in (astronaut, hopper):
        (face,) = with_embeddings(image, find_faces(image, *networks, SETTINGS), mobile)
        their = theirs.get(image[..., ::-1].copy(), common.Face(kps=face.five - 0.5))
        assert cosine(face.embedding, their) > 0.99
        # On one and the same crop to the last digits.
        crop = (mobile.crop(image, face.five) * 255).round()
        same = theirs.get_feat(np.ascontiguousarray(crop[..., ::-1].astype(np.uint8)))
        np.testing.assert_allclose(mobile(crop[None] / np.float32(255)), same, atol=2e-4)


def test_half_a_pixel_would_show(tmp_path, astronaut, networks):
    """A linear network of the contract: our crop gives insightface's numbers, one moved by half a pixel does not."""
    onnx_zoo = pytest.importorskip("insightface.model_zoo.arcface_onnx")
    common = pytest.importorskip("insightface.app.common")
    file = linear_file(tmp_path / "arcface.onnx", 112, 512)
    ours, theirs = Recogniser(Network(recogniser_card(), file)), onnx_zoo.ArcFaceONNX(str(file))
    smooth = cv2.GaussianBlur(astronaut, (0, 0), 3)
    (face,) = find_faces(astronaut, *networks, SETTINGS)
    their = theirs.get(smooth[..., ::-1].copy(), common.Face(kps=face.five - 0.5))
    errors = [
        np.abs(ours(ours.crop(smooth, face.five + away)[None])[0] - their).max() for away in (0.0, 0.5, -0.5)
    ]
    assert errors[0] < 0.25 * min(errors[1:])


def test_people_are_told_apart(mobile, networks, shared, astronaut, hopper):
    def embed(image):
        return with_embeddings(image, find_faces(image, *networks, SETTINGS), mobile)[0].embedding

    clips = {name: frames_of(shared / "plates" / f"{name}.mkv", 24)[:3] for name in ("eat", "night")}
    known = {name: [embed(frame) for frame in frames] for name, frames in clips.items()}
    same = [cosine(a, b) for group in known.values() for a, b in zip(group[:-1], group[1:], strict=True)]
    others = [cosine(known["eat"][0], one) for one in (embed(astronaut), embed(hopper))]
    others += [cosine(embed(astronaut), embed(hopper))]
    assert min(same) > 0.6
    assert max(others) < 0.4


def test_colours_matter(mobile, astronaut, networks):
    (face,) = find_faces(astronaut, *networks, SETTINGS)
    crop = mobile.crop(astronaut, face.five)
    right, wrong = mobile(crop[None])[0], mobile(crop[None, ..., ::-1].copy())[0]
    assert cosine(right, wrong) < 0.98


def test_raw_and_batched(tmp_path):
    recogniser = Recogniser(Network(recogniser_card(), linear_file(tmp_path / "a.onnx", 112, 512, gain=5)))
    crops = np.random.default_rng(1).random((3, 112, 112, 3)).astype(np.float32)
    embeddings = recogniser(crops)
    assert embeddings.shape == (3, 512)
    assert np.linalg.norm(embeddings, axis=1).min() > 2
    np.testing.assert_allclose(embeddings[1], recogniser(crops[1:2])[0], rtol=1e-5, atol=1e-6)


def test_cut_touches_only_what_it_needs_and_gives_the_same(astronaut):
    five = np.array([(203, 104), (248, 105), (224, 128), (204, 143), (243, 144)], float)
    for template, size in (("arcface_112_v2", 112), ("ffhq_512", 64)):
        matrix = similarity(five, template, size)
        whole = warp(astronaut.astype(np.float32) / 255, matrix, (size, size)).clip(0, 1)
        np.testing.assert_allclose(cut(astronaut, matrix, size), whole, atol=2e-5)


def test_cut_at_the_edge(astronaut):
    matrix = similarity(
        np.array([(500, 500), (540, 500), (520, 520), (505, 540), (535, 540)], float),
        "ffhq_512",
        256,
    )
    crop = cut(astronaut, matrix, 256)
    assert crop.shape == (256, 256, 3)
    np.testing.assert_allclose(crop[-1, -1], astronaut[-1, -1] / 255, atol=0.02)


def test_a_card_without_template_is_refused(tmp_path):
    image = {"index": 0, "shape": [1, 3, 112, 112], "order": "rgb"}
    outputs = {"embedding": {"index": 0, "kind": "vector", "shape": [1, 512]}}
    its = card("bare", "recogniser", "arcface", image, outputs)
    with pytest.raises(ModelError, match="does not say how a face lies"):
        Recogniser(Network(its, linear_file(tmp_path / "a.onnx", 112, 512)))
