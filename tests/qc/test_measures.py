"""Numbers with an answer known by hand, or from an independent library."""

from __future__ import annotations

import json
import math
import time

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from understudy.faces.geometry import CANONICAL, iod
from understudy.qc import measures

WIDTH, HEIGHT = 420, 480


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """The neutral mesh, upright, filling a crop of 420 x 480 with a face about 300 pixels high."""
    mesh = np.array(CANONICAL, np.float64)[:, :2]
    mesh -= (mesh.min(axis=0) + mesh.max(axis=0)) / 2
    mesh *= 300 / np.ptp(mesh[:, 1])
    if mesh[10, 1] > mesh[152, 1]:
        mesh[:, 1] *= -1
    return (mesh + np.array([WIDTH / 2, HEIGHT / 2])).astype(np.float32)


@pytest.fixture(scope="module")
def matte(points: np.ndarray) -> np.ndarray:
    hull = measures.polygon(points, measures.OVAL, (HEIGHT, WIDTH)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(hull, (0, 0), 5) * 1.02 - 0.01, 0, 1)


@pytest.fixture(scope="module")
def plate() -> np.ndarray:
    """Skin: one colour, with fine grain."""
    grain = np.random.Generator(np.random.PCG64(3)).normal(0, 0.02, (HEIGHT, WIDTH, 1))
    return (np.array([0.72, 0.55, 0.46]) + grain).astype(np.float32)


def test_skin_lies_in_the_face_and_leaves_eyes_and_mouth_out(points):
    area = measures.patches(points, (HEIGHT, WIDTH))
    oval = measures.polygon(points, measures.OVAL, (HEIGHT, WIDTH))
    assert 0.1 < area.sum() / oval.sum() < 0.5
    assert not (area & ~oval).any()
    for index in (33, 133, 159, 145, 263, 386, 13, 14, 61, 291, 4, 105, 334):
        x, y = points[index]
        assert not area[int(y), int(x)], index


def test_the_same_picture_measures_as_nothing(plate, matte, points):
    numbers = measures.frame(plate, plate, matte, points)
    assert numbers["texture_index"] == 0
    assert numbers["seam"] == 1
    assert numbers["colour_distance"] == 0
    assert numbers["luma_ratio"] == 0
    assert numbers["untouched"] == 0
    assert numbers["coverage"] == pytest.approx(0.95, abs=0.04)


def test_blur_is_negative_and_added_grain_positive(plate, matte, points):
    weight = matte[..., None]
    soft = plate * (1 - weight) + cv2.GaussianBlur(plate, (0, 0), 1.5) * weight
    assert measures.frame(plate, soft, matte, points)["texture_index"] < -6
    mean = cv2.GaussianBlur(plate, (0, 0), 20)
    crisp = plate * (1 - weight) + (mean + 2 * (plate - mean)) * weight
    # Twice the amplitude is four times the energy: 6.02 dB, less the 8-bit floor on both sides.
    numbers = measures.frame(plate, crisp, matte, points)
    assert numbers["texture_1"] == pytest.approx(20 * math.log10(2), abs=0.1)
    assert numbers["texture_index"] == pytest.approx(20 * math.log10(2), abs=0.3)


def test_texture_does_not_see_what_happens_outside_the_skin(plate, matte, points):
    changed = plate.copy()
    changed[:, :60] = 0
    x, y = points[13].astype(int)
    changed[y - 2 : y + 3, x - 10 : x + 11] = 0
    assert measures.frame(plate, changed, matte, points)["texture_index"] == pytest.approx(0, abs=1e-6)


def test_seam_of_a_step():
    """Across the edge the step, along it nothing: (step + 1/255) / (1/255) over 1."""
    plate = np.full((80, 100, 3), 0.5, np.float32)
    matte = np.zeros((80, 100), np.float32)
    matte[:, :50] = 1
    result = plate.copy()
    result[:, :50] += 0.05
    assert measures.seam(plate, result, matte, 2.0) == pytest.approx(1 + 0.05 * 255, rel=1e-3)
    assert measures.seam(plate, plate, matte, 2.0) == 1


def test_seam_needs_an_edge_inside_the_picture():
    flat = np.full((60, 60, 3), 0.5, np.float32)
    assert measures.seam(flat, flat, np.ones((60, 60), np.float32), 2.0) is None
    assert measures.seam(flat, flat, np.zeros((60, 60), np.float32), 2.0) is None


def test_contour_normals_point_across_a_circle():
    y, x = np.mgrid[:200, :200] + 0.5
    radius = np.hypot(x - 100, y - 100)
    places, normals = measures.contour(np.clip(60.5 - radius, 0, 1).astype(np.float32))
    spokes = places - 100
    assert np.abs(np.hypot(*spokes.T) - 60).max() < 1.0
    cosine = np.abs((spokes * normals).sum(axis=1)) / np.hypot(*spokes.T)
    assert cosine.min() > 0.97


def test_ciede2000_agrees_with_scikit_image():
    rng = np.random.Generator(np.random.PCG64(7))
    first = rng.uniform([0, -90, -90], [100, 90, 90], (2000, 3))
    second = np.concatenate([first[:1000] + rng.normal(0, 4, (1000, 3)), rng.permutation(first[1000:])])
    ours = [measures.delta_e(a, b) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(ours, deltaE_ciede2000(first, second), atol=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [  # from the table of Sharma, Wu and Dalal (2005)
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000_published_pairs(first, second, distance):
    assert measures.delta_e(np.array(first), np.array(second)) == pytest.approx(distance, abs=1e-4)


def test_colour_distance_is_what_was_added_inside(matte, points):
    old, new = np.array([0.72, 0.55, 0.46]), np.array([0.76, 0.52, 0.42])
    plate = np.broadcast_to(old, (HEIGHT, WIDTH, 3)).astype(np.float32)
    weight = matte[..., None]
    result = (plate * (1 - weight) + new * weight).astype(np.float32)
    found = measures.frame(plate, result, matte, points)["colour_distance"]
    assert found == pytest.approx(deltaE_ciede2000(rgb2lab(old), rgb2lab(new)), abs=0.15)


def test_colour_is_not_judged_against_hair_and_background(matte, points):
    plate = np.full((HEIGHT, WIDTH, 3), [0.1, 0.2, 0.6], np.float32)
    plate[matte > 0.04] = [0.72, 0.55, 0.46]
    assert measures.frame(plate, plate, matte, points)["colour_distance"] is None


def test_luma_ratio_coverage_and_untouched_pixels(plate, matte, points):
    weight = matte[..., None]
    brighter = plate * (1 + 0.1 * (weight > 0))
    assert measures.frame(plate, brighter, matte, points)["luma_ratio"] == pytest.approx(
        math.log(1.1), abs=2e-3
    )
    assert measures.frame(plate, plate, matte * 0.5, points)["coverage"] == pytest.approx(0.475, abs=0.02)
    leak = plate.copy()
    leak[2, 3, 1] += 0.25
    assert measures.frame(plate, leak, matte, points)["untouched"] == pytest.approx(0.25, abs=1e-6)


def test_an_empty_matte_gives_nulls_that_are_json(plate, points):
    numbers = measures.frame(plate, plate, np.zeros((HEIGHT, WIDTH), np.float32), points)
    assert numbers["coverage"] == 0
    for name in ("texture_index", "texture_1", "seam", "colour_distance", "luma_ratio"):
        assert numbers[name] is None, name
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_a_black_picture_has_finite_numbers(matte, points):
    black = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    json.dumps(measures.frame(black, black + np.float32(0.5), matte, points), allow_nan=False)


def test_a_face_half_outside_its_crop_is_measured(plate, matte, points):
    numbers = measures.frame(plate[:, :200], plate[:, :200], matte[:, :200], points)
    assert numbers["texture_index"] == 0
    json.dumps(numbers, allow_nan=False)


def test_jitter_of_independent_noise_is_its_rms_second_difference():
    """Noise of deviation s in x and y: each second difference has variance 6 s^2, both together 12 s^2."""
    noise = np.random.Generator(np.random.PCG64(5)).normal(0, 0.3, (400, 100, 2))
    values = measures.jitter(noise, np.full(400, 60.0))
    assert values[:2] == [None, None] and values[-2:] == [None, None]
    assert measures.rms(values) == pytest.approx(0.3 * math.sqrt(12) / 60, rel=0.02)


def test_jitter_is_blind_to_a_nod():
    """0.3 IOD at 2 Hz and 30 frames a second: the second difference would say .037 IOD rms."""
    time_s = np.arange(90) / 30
    nod = np.zeros((90, 10, 2))
    nod[..., 1] = (0.3 * 60 * np.sin(2 * np.pi * 2 * time_s))[:, None]
    assert measures.rms(measures.jitter(nod, np.full(90, 60.0))) < 0.0025


def test_crop_jitter_takes_scale_and_angle_at_one_iod():
    still, eyes = np.tile([500.0, 400.0, 0.2, 3.1], (9, 1)), np.full(9, 100.0)
    assert measures.rms(measures.crop_jitter(still, eyes)) == 0
    for column, size in ((0, 0.02 * 100), (2, 0.02), (3, 0.02)):
        moved = still.copy()
        moved[4, column] += size
        # An impulse's fourth difference is 1 -4 6 -4 1, whose squares add up to 70: here over five frames.
        expected = [None] * 2 + [pytest.approx(0.02 * math.sqrt(6 / 5))] * 5 + [None] * 2
        assert measures.crop_jitter(moved, eyes) == expected
    turned = still.copy()
    turned[5:, 3] -= 2 * np.pi
    assert measures.rms(measures.crop_jitter(turned, eyes)) == pytest.approx(0, abs=1e-9)


def test_jitter_on_a_small_face_is_what_can_be_seen():
    noise = np.random.Generator(np.random.PCG64(5)).normal(0, 0.1, (60, 100, 2))
    near = measures.jitter(noise, np.full(60, 20.0))
    assert near == measures.jitter(noise, np.full(60, 60.0))
    assert measures.rms(measures.jitter(noise, np.full(60, 120.0))) == pytest.approx(measures.rms(near) / 2)


def test_small_faces_have_fewer_bands(plate, matte, points):
    def numbers(scale):
        size = (round(WIDTH * scale), round(HEIGHT * scale))
        crops = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (plate, plate, matte)]
        return measures.frame(*crops, points * scale)

    # The finest band that a face has room for begins at 0.
    assert numbers(0.3)["texture_1"] is None and numbers(0.3)["texture_2"] is None
    assert numbers(0.3)["texture_4"] == 0 and numbers(0.3)["texture_8"] == 0
    assert numbers(0.15)["texture_index"] is None


def test_short_tracks_have_no_motion_numbers():
    assert measures.jitter(np.zeros((4, 3, 2)), np.ones(4)) == [None] * 4
    assert measures.flicker([0.1, 0.2]) == [None, None]
    assert measures.rms([None]) is None and measures.spread([1.0, None]) is None


def test_flicker_is_the_second_difference_and_skips_what_is_unknown():
    values = measures.flicker([0.0, 0.0, 0.02, 0.0, None, 0.0, 0.0, 0.0])
    assert values == [None, pytest.approx(0.02), pytest.approx(0.04), None, None, None, 0.0, None]
    assert measures.flicker([0.1 * i for i in range(5)])[1:-1] == pytest.approx([0, 0, 0], abs=1e-12)


def test_per_frame_places_rows_by_their_frame():
    rows = [
        {"frame": 1002, "track": "t01", "seen": True, "score": 0.5, "seam": None},
        {"frame": 1004, "track": "t01", "seen": False, "score": 1},
        {"frame": 1009, "track": "t01", "score": 0.1},
    ]
    assert measures.per_frame(rows, 1001, 1004) == {"score": [None, 0.5, None, 1.0]}


def test_a_frame_is_measured_in_a_few_milliseconds(plate, matte, points):
    assert 60 < iod(points) < 200
    best = math.inf
    for _ in range(8):
        begin = time.process_time()
        measures.frame(plate, plate, matte, points)
        best = min(best, time.process_time() - begin)
    assert best < 0.05, "8 ms on an idle core; the margin is for a busy one"
