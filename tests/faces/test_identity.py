"""Identity on the sphere: against a general optimiser, known mixtures, and real pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.optimize import minimize

from faces.cards import recogniser_card
from understudy.errors import FaceError
from understudy.faces.align import cut, similarity
from understudy.faces.detect import find_faces
from understudy.faces.identity import (
    average,
    by_yaw,
    frontalness,
    geometric_median,
    identity,
    of_track,
    quality,
    unit,
)
from understudy.faces.recognise import Recogniser
from understudy.faces.tracks import Track
from understudy.runtime.network import Network

SETTINGS = {"threshold": 0.5, "tiles": "auto", "min_faces": 1, "refine": 2}
RANDOM = np.random.default_rng(11)
ANNA, BEN = unit(RANDOM.normal(size=(2, 64)))


def looks(person, n, spread=0.06, seed=0):
    """Raw embeddings of one person, of lengths 15 to 25; cosines around 1 / (1 + 64 spread^2)."""
    random = np.random.default_rng(seed)
    return (unit(person + random.normal(0, spread, (n, 64))) * random.uniform(15, 25, (n, 1))).astype(
        np.float32
    )


def test_geometric_median_is_where_the_sum_of_distances_is_least():
    points, weights = RANDOM.normal(size=(9, 3)), RANDOM.uniform(0.2, 1, 9)

    def total(place):
        return float(weights @ np.linalg.norm(points - place, axis=1))

    best = minimize(total, points.mean(axis=0), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    found = geometric_median(points, weights)
    np.testing.assert_allclose(found, best.x, atol=1e-5)
    # On a point that outweighs the others it stays.
    np.testing.assert_allclose(geometric_median(points, np.eye(9)[4] * 20 + 1), points[4], atol=1e-6)


def test_the_average_turns_with_the_space():
    """What a median of each number by itself fails."""
    turn = np.linalg.qr(RANDOM.normal(size=(64, 64)))[0]
    e = np.vstack([looks(ANNA, 7), looks(BEN, 2)])
    one, turned = average(e, np.ones(9)), average(e @ turn, np.ones(9))
    np.testing.assert_allclose(one.direction @ turn, turned.direction, atol=1e-6)
    by_number = unit(np.median(unit(e), axis=0))
    assert np.abs(by_number @ turn - unit(np.median(unit(e @ turn), axis=0))).max() > 1e-3


def test_strangers_are_left_out_and_the_rest_is_a_weighted_mean():
    e = np.vstack([looks(ANNA, 6), looks(BEN, 2)])
    weights = np.array([1, 0.5, 1, 0.2, 1, 1, 1, 1])
    one = identity(e, weights, [f"{k}.jpg" for k in range(8)])
    assert one.weights.tolist() == [1, 0.5, 1, 0.2, 1, 1, 0, 0]
    directions = e / np.linalg.norm(e, axis=1, keepdims=True)
    expected = (weights[:6, None] * directions[:6]).sum(axis=0)
    np.testing.assert_allclose(one.direction, expected / np.linalg.norm(expected), atol=1e-6)
    pairs = [directions[i] @ directions[j] for i in range(6) for j in range(i)]
    assert one.mean_cosine == pytest.approx(np.mean(pairs), abs=1e-6)
    assert one.least_cosine == pytest.approx(np.min(pairs), abs=1e-6)
    assert one.direction @ ANNA > 0.95


def test_length_says_nothing():
    e = looks(ANNA, 5)
    np.testing.assert_allclose(
        average(e, np.ones(5)).direction,
        average(e * np.array([[1], [9], [0.1], [3], [1]]), np.ones(5)).direction,
    )


def test_one_picture_is_itself():
    e = looks(ANNA, 1)
    one = identity(e, [0.3], ["a.jpg"])
    np.testing.assert_allclose(one.direction, unit(e)[0], atol=1e-7)
    assert (one.mean_cosine, one.least_cosine) == (1.0, 1.0)


@pytest.mark.parametrize("counts", [(1, 1), (3, 3)])
def test_mixed_people_are_refused_by_name(counts):
    e = np.vstack([looks(ANNA, counts[0]), looks(BEN, counts[1])])
    names = [f"a{k}.jpg" for k in range(counts[0])] + [f"b{k}.jpg" for k in range(counts[1])]
    with pytest.raises(FaceError) as refusal:
        identity(e, np.ones(len(e)), names, "talent mara")
    assert str(refusal.value).startswith(f"talent mara: {', '.join(names)} do not show one person")


def test_pictures_that_are_worth_nothing_are_refused():
    with pytest.raises(FaceError, match="a, b: no picture shows enough of the face"):
        identity(looks(ANNA, 2), [0, 0], ["a", "b"])


def test_yaw_has_its_own_direction():
    """A face that changes with yaw along one axis: each bin gives that axis's part, an empty one the overall."""
    axis = unit(np.eye(64)[3] - ANNA * ANNA[3])
    yaws = np.repeat([-60.0, 0.0, 60.0], 4)
    e = unit(ANNA + 0.5 * np.radians(yaws)[:, None] * axis)
    seen = by_yaw(e, np.ones(12), yaws, np.array([-60.0, -30.0, 0.0, 60.0, 90.0]))
    lean = seen @ axis
    assert lean[0] < -0.3
    assert abs(lean[2]) < 1e-9
    assert lean[3] == pytest.approx(-lean[0])
    assert lean[4] == pytest.approx(lean[3])
    # Nobody was seen at -30: neither extreme.
    assert lean[0] < lean[1] <= 1e-9
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1)
    # Between two bins it moves without a jump.
    fine = by_yaw(e, np.ones(12), yaws, np.linspace(-70, 70, 281)) @ axis
    assert np.abs(np.diff(fine)).max() < 0.02


def test_frontalness():
    assert frontalness(np.array([0, 60, 90, 120])) == pytest.approx([1, 0.5, 0, 0], abs=1e-12)


def track_of(embeddings, score=None, yaw=None):
    n = len(embeddings)
    pose = np.zeros((n, 3))
    pose[:, 0] = 0 if yaw is None else yaw
    none = np.zeros((n, 3))
    points = np.zeros((n, 468, 3), np.float32)
    return Track(
        "t01", np.arange(n), points, np.zeros((n, 4)), pose, none, np.ones(n) if score is None else score,
        np.ones(n, bool), np.zeros((n, 5, 2), np.float32), embeddings,
    )  # fmt: skip


def test_a_track_is_who_most_of_its_good_frames_show():
    e = np.vstack([looks(ANNA, 20), looks(BEN, 6, seed=1), np.full((4, 64), np.nan, np.float32)])
    assert of_track(track_of(e)).direction @ ANNA > 0.98
    assert of_track(track_of(e[:, :0])) is None
    assert of_track(track_of(e[-4:])) is None
    # In profile, or hardly seen, Anna says less than Ben: 20 x .1 against 6.
    weak = np.repeat([0.1, 1.0], [20, 10])
    assert of_track(track_of(e, score=weak)).direction @ BEN > 0.9
    assert of_track(track_of(e, yaw=np.degrees(np.arccos(weak)))).direction @ BEN > 0.9


@pytest.fixture(scope="module")
def mobile(shared):
    file = shared / "models" / "mobilefacenet" / "MobileFaceNet.onnx"
    return Recogniser(Network(recogniser_card("mobilefacenet", 128), file))


def test_quality_falls_with_blur_size_turn_and_score(networks, astronaut):
    (face,) = find_faces(astronaut, *networks, SETTINGS)

    def judged(image, face):
        return quality(face, cut(image, similarity(face.five, "arcface_112_v2", 112), 112))

    whole = judged(astronaut, face)
    assert whole == pytest.approx(face.score * frontalness(-5.0), abs=0.05)
    assert judged(cv2.GaussianBlur(astronaut, (0, 0), 3), face) < 0.5 * whole
    small = cv2.resize(astronaut, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    there = replace(face, points=face.points * np.float32(0.4), five=face.five * np.float32(0.4))
    assert judged(small, there) < 0.6 * whole
    assert judged(astronaut, replace(face, score=0.5)) == pytest.approx(whole * 0.5 / face.score)


def test_real_pictures_with_one_stranger(mobile, networks, astronaut, hopper):
    """Four looks at one portrait and one of somebody else: the stranger is found out."""
    variants = [astronaut, astronaut[:, ::-1].copy(), (astronaut * 0.6).astype(np.uint8)]
    variants += [cv2.GaussianBlur(astronaut, (0, 0), 1.0), hopper]
    found, worth = [], []
    for image in variants:
        (face,) = find_faces(image, *networks, SETTINGS)
        crop = mobile.crop(image, face.five)
        found.append(mobile(crop[None])[0])
        worth.append(quality(face, crop))
    one = identity(np.array(found), worth, ["a", "mirrored", "dark", "soft", "hopper"])
    assert (one.weights > 0).tolist() == [True, True, True, True, False]
    assert one.mean_cosine > 0.6
    assert one.cosines[4] < 0.4
    with pytest.raises(FaceError, match="a, hopper do not show one person"):
        identity(np.array(found)[[0, 4]], np.ones(2), ["a", "hopper"])
