"""Detectors by their cards: against insightface's and OpenCV's own decoders, and a plain loop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faces.cards import card, raws, retinaface_card, retinaface_file
from networks import network, node, save
from understudy.errors import ConfigError, ModelError
from understudy.faces.boxes import Detection, best, overlaps, turned_back
from understudy.faces.detect import find_faces
from understudy.faces.detectors import CardDetector, canvas, decode_priors, decode_retinaface, decode_yoloface
from understudy.runtime.network import Network


def picture(seed: int, width: int = 640, height: int = 480) -> np.ndarray:
    """Coloured clouds, uint8: cells of all sizes differ."""
    random = np.random.default_rng(seed)
    rough = random.uniform(50, 200, (height // 24, width // 24, 3)).astype(np.float32)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def scrfd(tmp_path_factory):
    return retinaface_file(tmp_path_factory.mktemp("nets") / "scrfd.onnx")


@pytest.mark.parametrize("kind", ["RetinaFace", "SCRFD"])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (480, 640)])
def test_retinaface_is_insightfaces(scrfd, kind, width, height):
    zoo = pytest.importorskip("insightface.model_zoo.model_zoo")
    theirs = getattr(zoo, kind)(str(scrfd))
    theirs.prepare(-1, input_size=(640, 640), det_thresh=0.75)
    image = picture(4, width, height)
    boxes, keys = theirs.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    ours = CardDetector([Network(retinaface_card(), scrfd)], [640])(image, 0.75)
    assert len(ours) == len(boxes) > 5
    # Centres lie at whole numbers with them and at .5 here.
    np.testing.assert_allclose([f.score for f in ours], boxes[:, 4], atol=1e-4)
    np.testing.assert_allclose([f.box - 0.5 for f in ours], boxes[:, :4], atol=1e-2)
    np.testing.assert_allclose([f.keys - 0.5 for f in ours], keys, atol=1e-2)


def test_every_candidate_is_insightfaces(scrfd):
    zoo = pytest.importorskip("insightface.model_zoo.model_zoo")
    image = picture(5, 640, 640)
    theirs = [np.concatenate(part) for part in zoo.RetinaFace(str(scrfd)).forward(image[..., ::-1], 0.5)]
    network = Network(retinaface_card(), scrfd)
    raw = decode_retinaface(list(network(image=canvas(image, 640)[0][None]).values()), 640)
    keep = raw.scores >= 0.5
    assert keep.sum() > 100
    for ours, their in zip(raw, theirs, strict=True):
        np.testing.assert_allclose(ours[keep], their.reshape(ours[keep].shape), atol=1e-3)


def test_five_strides_with_one_anchor_are_insightfaces(tmp_path):
    zoo = pytest.importorskip("insightface.model_zoo.model_zoo")
    layout = {"strides": (8, 16, 32, 64, 128), "anchors": 1}
    file = retinaface_file(tmp_path / "old.onnx", 2, **layout)
    image = picture(5, 640, 640)
    theirs = [np.concatenate(part) for part in zoo.RetinaFace(str(file)).forward(image[..., ::-1], 0.5)]
    ours = CardDetector([Network(retinaface_card(**layout), file)], [640])(image, 0.5)
    assert len(theirs[0]) > 20
    for one in ours:
        near = np.abs(theirs[1] + 0.5 - one.box).max(axis=1)
        index = near.argmin()
        assert near[index] < 1e-2
        np.testing.assert_allclose(one.keys - 0.5, theirs[2][index], atol=1e-2)
        assert one.score == pytest.approx(float(theirs[0][index, 0]), abs=1e-4)
    assert len(ours) > 5


def test_colours_the_wrong_way_round_are_another_result(scrfd):
    detector = CardDetector([Network(retinaface_card(), scrfd)], [640])
    image = picture(3)
    right, wrong = detector(image, 0.5), detector(image[..., ::-1].copy(), 0.5)
    assert {tuple(f.box.round()) for f in right} != {tuple(f.box.round()) for f in wrong}


def yunet_card(shape=(1, 3, None, None)):
    image = {"name": "input", "shape": list(shape), "order": "bgr", "scale": 255}
    cells = [[1, None, n] for n in (1, 1, 1, 1, 1, 1, 4, 4, 4, 10, 10, 10)]
    return card("yunet", "detector", "yunet", image, raws(cells))


@pytest.fixture(scope="module")
def yunet(shared):
    return Network(yunet_card(), shared / "models" / "libfacedetection_yunet" / "yunet_n_dynamic.onnx")


def opencv_yunet(shared, image, score=0.5):
    file = shared / "models" / "libfacedetection_yunet" / "yunet_n_dynamic.onnx"
    height, width = image.shape[:2]
    theirs = cv2.FaceDetectorYN.create(str(file), "", (width, height), score, 0.4)
    found = theirs.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    return np.zeros((0, 15)) if found is None else found


def frames_of(path, step):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames[::step]


def test_yunet_is_opencvs(yunet, shared, astronaut):
    plates = [frames_of(shared / "plates" / name, 30) for name in ("bird.mkv", "eat.mkv", "night.mkv")]
    worst, faces = 0.0, 0
    for image in [astronaut, *(frame for frames in plates for frame in frames)]:
        side = 512 if image is astronaut else 640
        theirs = opencv_yunet(shared, image)
        ours = CardDetector([yunet], [side])(image, 0.5)
        assert len(ours) == len(theirs) > 0
        for mine, row in zip(ours, sorted(theirs, key=lambda row: -row[14]), strict=True):
            assert mine.score == pytest.approx(row[14], abs=0.01)
            away = [
                mine.box[:2] - 0.5 - row[:2],
                mine.box[2:] - 0.5 - row[:2] - row[2:4],
                mine.keys - 0.5 - row[4:14].reshape(5, 2),
            ]
            worst, faces = max(worst, *(np.abs(one).max() for one in away)), faces + 1
    assert faces >= 7
    assert worst < 1


def test_yunet_scores_are_roots(yunet, astronaut):
    """Class times objectness alone, as one tool has it, would call this face less than half as sure."""
    (face,) = CardDetector([yunet], [512])(astronaut, 0.5)
    raw = yunet(image=canvas(astronaut, 512)[0][None])
    product = max(float((raw[f"o{k}"] * raw[f"o{k + 3}"]).max()) for k in range(3))
    assert face.score == pytest.approx(np.sqrt(product), abs=1e-5)
    assert face.score > product + 0.02


def test_large_pictures_are_averaged(yunet, astronaut):
    """A close-up five times as large, with noise that bilinear sampling would let through, gives the same face."""
    large = cv2.resize(astronaut, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large += np.random.default_rng(0).normal(0, 60, large.shape).astype(np.float32)
    noisy = large.clip(0, 255).astype(np.uint8)
    (small,) = CardDetector([yunet], [512])(astronaut, 0.5)
    face = CardDetector([yunet], [512])(noisy, 0.5)[0]
    assert np.abs(face.keys / 5 - small.keys).max() < 2
    assert face.score == pytest.approx(small.score, abs=0.02)
    aliased = cv2.resize(noisy, (512, 512))
    assert np.std(aliased.astype(float) - astronaut) > 1.8 * np.std(canvas(noisy, 512)[0] * 255 - astronaut)


def test_small_pictures_are_not_enlarged():
    square, scale = canvas(np.full((20, 30, 3), 255, np.uint8), 64)
    assert scale.tolist() == [1, 1]
    assert square.sum() == 20 * 30 * 3
    assert square[:20, :30].min() == 1


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_turned_faces_need_their_angle(yunet, astronaut, angle):
    upright = CardDetector([yunet], [512])(astronaut, 0.7)[0]
    # np.rot90 turns counter-clockwise; the look at that angle turns the picture on to upright.
    image = np.rot90(astronaut, 4 - angle // 90).copy()
    (face,) = CardDetector([yunet], [512], angles=[angle])(image, 0.7)
    assert face.score == pytest.approx(upright.score, abs=1e-6)
    x, y = upright.keys.T
    expected = {90: (512 - y, x), 180: (512 - x, 512 - y), 270: (y, 512 - x)}[angle]
    np.testing.assert_allclose(face.keys, np.column_stack(expected), atol=1e-3)


def test_angles_are_merged(yunet, astronaut):
    (face,) = CardDetector([yunet], [512], angles=[0, 90, 180, 270])(astronaut, 0.7)
    (alone,) = CardDetector([yunet], [512])(astronaut, 0.7)
    assert face.keys == pytest.approx(alone.keys)


def test_a_face_that_fills_the_picture_needs_a_margin(yunet, astronaut):
    tight = astronaut[78:172, 178:270].copy()
    image = cv2.resize(tight, (640, 654), interpolation=cv2.INTER_CUBIC)
    found = [CardDetector([yunet], [640], margin)(image, 0.3) for margin in (0, 100)]
    scores = [max((face.score for face in faces), default=0.0) for faces in found]
    assert scores[1] > scores[0] + 0.05
    eyes = found[1][0].keys[:2] / 640 * 92 + [178, 78]
    (whole,) = CardDetector([yunet], [512])(astronaut, 0.7)
    assert np.abs(eyes - whole.keys[:2]).max() < 3


def test_several_sizes_and_detectors_are_one_list(yunet, scrfd, shared):
    plate = frames_of(shared / "plates" / "classroom.gif", 40)[0]
    one = CardDetector([yunet], [640])(plate, 0.6)
    both = CardDetector([yunet], [320, 640])(plate, 0.6)
    assert len(both) >= len(one) >= 3
    assert all(f.score >= 0.6 for f in both)
    image = picture(3)
    mixed = CardDetector([Network(retinaface_card(), scrfd), yunet], [640])(image, 0.75)
    assert [f.score for f in mixed] == sorted((f.score for f in mixed), reverse=True)
    boxes = np.array([f.box for f in mixed])
    for index, box in enumerate(boxes):
        assert overlaps(box, np.delete(boxes, index, axis=0)).max() <= 0.4


def test_priors_are_a_plain_loop_and_agree_with_yunet(yunet, shared, astronaut):
    """The real RetinaFace of OpenSeeFace: one cell after the other, and against another detector."""
    image = {
        "name": "input0",
        "shape": [1, 3, 640, 640],
        "order": "bgr",
        "scale": 255,
        "mean": [104, 117, 123],
    }
    shapes = [[1, 16800, 4], [1, 16800, 2], [1, 16800, 10]]
    its = card("retina", "detector", "retinaface_priors", image, raws(shapes))
    network = Network(its, shared / "models" / "openseeface" / "osf_retinaface_640x640_opt.onnx")
    plate = frames_of(shared / "plates" / "please.mkv", 40)[0]
    faces = 0
    for picture_ in (astronaut, plate):
        square = canvas(picture_, 640)[0]
        boxes, scores, keys = (one[0] for one in network(image=square[None]).values())
        expected, row = [], 0
        for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
            for y in range(640 // stride):
                for x in range(640 // stride):
                    for side in sides:
                        if scores[row, 1] >= 0.5:
                            cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
                            mx, my = cx + 0.1 * side * boxes[row, 0], cy + 0.1 * side * boxes[row, 1]
                            w, h = side * np.exp(0.2 * boxes[row, 2]), side * np.exp(0.2 * boxes[row, 3])
                            five = [
                                (cx + 0.1 * side * keys[row, 2 * k], cy + 0.1 * side * keys[row, 2 * k + 1])
                                for k in range(5)
                            ]
                            expected.append(
                                (scores[row, 1], (mx - w / 2, my - h / 2, mx + w / 2, my + h / 2), five)
                            )
                        row += 1
        raw = decode_priors([boxes, scores, keys], 640)
        keep = raw.scores >= 0.5
        for ours, theirs in zip(raw, zip(*expected, strict=True), strict=True):
            np.testing.assert_allclose(ours[keep], np.array(theirs), rtol=1e-5, atol=1e-3)
        found = CardDetector([network], [640])(picture_, 0.6)
        others = CardDetector([yunet], [640])(picture_, 0.6)
        assert len(found) == len(others)
        for one in found:
            best_ = max(others, key=lambda other: overlaps(one.box, other.box[None])[0])
            size = np.hypot(*(one.box[2:] - one.box[:2]))
            assert np.abs(one.keys - best_.keys).max() < 0.06 * size
            faces += 1
    assert faces >= 2


def test_yoloface_rows():
    table = np.zeros((1, 20, 3), np.float32)
    table[0, :, 1] = [100, 80, 40, 60, 0.9, 90, 70, 1, 110, 70, 1, 100, 80, 1, 92, 95, 1, 108, 96, 1]
    raw = decode_yoloface([table], 640)
    assert raw.scores == pytest.approx([0, 0.9, 0])
    assert raw.boxes[1] == pytest.approx([80, 50, 120, 110])
    assert raw.keys[1] == pytest.approx(np.array([(90, 70), (110, 70), (100, 80), (92, 95), (108, 96)]))


def test_the_better_of_two_boxes_stays():
    def found(score, x):
        return Detection(score, np.array([x, 0, x + 10.0, 10]), np.zeros((5, 2)))

    kept = best([found(0.5, 0), found(0.9, 4), found(0.7, 5), found(0.6, 14)], 0.4)
    # Shares of 4: with 5, 9/11; with 0, 6/14; with 14, 0.
    assert [f.score for f in kept] == [0.9, 0.6]


def test_turning_back_is_np_rot90s():
    image = np.zeros((30, 50))
    image[7, 11] = 1
    for quarters in range(4):
        y, x = np.argwhere(np.rot90(image, quarters))[0] + 0.5
        found = turned_back(Detection(1, np.array([x, y, x, y]), np.array([(x, y)] * 5)), quarters, 50, 30)
        assert found.keys[0] == pytest.approx([11.5, 7.5])
        assert found.box == pytest.approx([11.5, 7.5, 11.5, 7.5])


def test_any_detector_leads_to_the_mesh(yunet, networks, astronaut):
    settings = {"threshold": 0.6, "tiles": "never", "min_faces": 1, "refine": 2}
    detector = CardDetector([yunet], [512])
    (face,) = find_faces(astronaut, detector, networks[1], settings)
    (own,) = find_faces(astronaut, networks[0], networks[1], settings)
    assert np.abs(face.points - own.points)[:, :2].mean() < 0.5
    (theirs,) = find_faces(astronaut, detector, networks[1], settings, five="detector")
    assert theirs.five == pytest.approx(detector(astronaut, 0.6)[0].keys, abs=1e-3)
    assert 0.1 < np.abs(theirs.five - face.five).max() < 5
    with pytest.raises(ConfigError, match="gives 6 points"):
        find_faces(astronaut, *networks, settings, five="detector")


def test_refusals(yunet, scrfd):
    with pytest.raises(ConfigError, match="takes 640 pixels"):
        CardDetector([Network(yunet_card((1, 3, 640, 640)), yunet._path)], [320])
    image = {"index": 0, "shape": [1, 3, None, None], "order": "rgb"}
    stray = card("stray", "detector", "ssd", image, raws([[None, 1]]))
    with pytest.raises(ModelError, match="family ssd, which is no detector's"):
        CardDetector([Network(stray, scrfd)], [640])
    few = card("few", "detector", "retinaface", image, raws([[None, n] for n in (1, 1, 1, 4, 4, 4)]))
    with pytest.raises(ModelError, match="has 6 outputs; family retinaface has 9"):
        CardDetector([Network(few, scrfd)], [640])


def test_yoloface_by_its_card(tmp_path):
    """The contract with known answers: two boxes of one face and one below the score, in a picture twice as large."""
    table = np.zeros((1, 20, 8400), np.float32)
    points = [90, 70, 1, 110, 70, 1, 100, 80, 1, 92, 95, 1, 108, 96, 1]
    table[0, :, 17] = [100, 80, 40, 60, 0.9, *points]
    table[0, :, 4000] = [101, 80, 40, 60, 0.8, *points]
    table[0, :, 8399] = [500, 300, 40, 60, 0.4, *points]
    nodes = [
        node("ReduceMean", ["input"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        node("Mul", ["mean", "none"], ["zero"]),
        node("Add", ["table", "zero"], ["out"]),
    ]
    constants = {"none": np.zeros(1, np.float32), "table": table}
    model = network(
        {"input": ([1, 3, 640, 640], "float32")}, {"out": ([1, 20, 8400], "float32")}, nodes, constants
    )
    image = {"name": "input", "shape": [1, 3, 640, 640], "order": "rgb"}
    its = card("yolo", "detector", "yoloface", image, raws([[1, 20, 8400]]))
    detector = CardDetector([Network(its, save(model, tmp_path / "yolo.onnx"))], [320, 640])
    (face,) = detector(np.zeros((720, 1280, 3), np.uint8), 0.5)
    assert face.score == pytest.approx(0.9)
    assert face.box == pytest.approx([160.5, 100.5, 240.5, 220.5])
    assert face.keys[1] == pytest.approx([220.5, 140.5])
    # The square's own scale where nothing has to shrink.
    (same,) = detector(np.zeros((360, 640, 3), np.uint8), 0.5)
    assert same.box == pytest.approx([80.5, 50.5, 120.5, 110.5])
