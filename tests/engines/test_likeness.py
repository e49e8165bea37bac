"""The engine on real footage: the talent is recognised and the performer is not."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from shipped import MATCH, MATTE
from understudy.comp.match import Laid, Moment, Sample, finish, fit
from understudy.comp.mattes.matte import layers
from understudy.engines.base import FaceContext, TalentAtlas
from understudy.engines.load import load_engine
from understudy.faces import geometry as g
from understudy.faces.align import five_of_mesh
from understudy.faces.detect import find_faces, landmarks_near
from understudy.faces.networks import BlazeFace, FaceMesh
from understudy.media.extract import decode
from understudy.media.plate import probe
from understudy.media.stills import read_picture

SWAP = {"shape": 0.5, "eyes": "auto", "mouth": "auto", "max_yaw": 60.0, "switch_cost": 1.0}


@pytest.fixture(scope="module")
def identity(root):
    spec = importlib.util.spec_from_file_location("identity", root / "tests" / "bench" / "identity.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["identity"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def networks(root):
    found = [
        next(root.glob(f"models/**/{name}"), None)
        for name in ("face_detection_full_range_sparse.tflite", "face_landmark.tflite")
    ]
    if None in found:
        pytest.skip("no detector and landmarker in the model store: run the models target first")
    return BlazeFace(found[0]), FaceMesh(found[1])


@dataclass(frozen=True)
class Shot:
    points: np.ndarray
    pose: np.ndarray
    light: np.ndarray


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["eat", "night", "sister"])
def test_the_talent_is_recognised_on_a_real_plate(clip, shared, identity, networks):
    pytest.importorskip("matplotlib")
    from matplotlib import cbook

    cv2.setNumThreads(1)
    detector, landmarker = networks
    picture = read_picture(Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    (talent,) = find_faces(picture, detector, landmarker, identity.DETECT)
    plate = probe(shared / "plates" / f"{clip}.mkv")
    images = [image.astype(np.float32) / 255 for _, image in decode(plate, plate.first, plate.last)][::4]
    points = [
        max(
            find_faces(images[0], detector, landmarker, identity.DETECT), key=lambda f: np.ptp(f.points[:, 0])
        ).points
    ]
    for image in images[1:]:
        face = landmarks_near(image, landmarker, points[-1], identity.DETECT)
        points.append(points[-1] if face is None else face.points)
    track = Shot(np.stack(points), np.array([g.pose(p) for p in points]), np.zeros((len(points), 3)))

    engine = load_engine("mesh")
    state = engine.prepare(TalentAtlas("grace", (picture,), (talent.points,)), track, SWAP)
    contexts = [FaceContext(i, p, i, five_of_mesh(p)) for i, p in enumerate(points)]
    made = engine.swap(images, state, contexts)
    faces = [new.image for new in made]
    mattes = [
        layers(p, i.shape[:2], new.matte, lambda image=i: image, {}, [], MATTE)["matte"]
        for i, new, p in zip(images, made, points, strict=True)
    ]
    samples = [
        Sample(image, Laid(face), matte, Moment(n, at, n))
        for n, (image, face, matte, at) in enumerate(zip(images, faces, mattes, points, strict=True))
    ]
    fitted = fit(samples, MATCH)
    results = []
    for one in samples:
        blend = {"blend": "multiband", "opacity": 1.0}
        result, weight = finish(one.crop, one.face, one.matte, one.moment, fitted, blend)
        results.append(one.crop + weight[..., None] * (result - one.crop))
    recogniser = identity.Recogniser(shared / "models" / "mobilefacenet" / "MobileFaceNet.onnx")
    likeness = identity.measure(zip(images, results, strict=True), picture, detector, landmarker, recogniser)
    assert likeness.talent >= 0.60, likeness
    assert likeness.performer <= 0.35, likeness
