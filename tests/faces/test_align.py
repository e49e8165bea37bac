"""Crop templates: against scikit-image's fit, insightface's crops, and one another."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage.transform import SimilarityTransform

from understudy.comp.resample import warp
from understudy.errors import ConfigError
from understudy.faces.align import TEMPLATES, five_of_68, five_of_mesh, similarity
from understudy.faces.geometry import CANONICAL

FIVE = np.array([(212.3, 141.7), (268.9, 149.2), (236.4, 180.8), (210.7, 205.1), (256.2, 211.6)])


def whole(five: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Least squares by scikit-image, for points with pixel centres at whole numbers."""
    return SimilarityTransform.from_estimate(five, dst).params[:2]


@pytest.mark.parametrize("name", sorted(set(TEMPLATES) - {"arcface_map"}))
@pytest.mark.parametrize("size", [112, 512])
def test_fit_is_scikit_images(name, size):
    random = np.random.default_rng(5)
    for _ in range(5):
        five = FIVE + random.normal(0, 3, (5, 2))
        theirs = whole(five - 0.5, TEMPLATES[name] * size)
        point = random.uniform(0, 400, 2)
        ours = similarity(five, name, size)
        # The same plate pixel (index) lands on the same crop pixel (index).
        np.testing.assert_allclose(
            ours[:, :2] @ (point + 0.5) + ours[:, 2] - 0.5, theirs[:, :2] @ point + theirs[:, 2], atol=1e-8
        )


@pytest.mark.parametrize(
    ("name", "size"),
    [("arcface_112_v2", 112), ("arcface_112_v2", 224), ("arcface_128", 128), ("arcface_128", 256)],
)
def test_crop_is_insightfaces(name, size):
    face_align = pytest.importorskip("insightface.utils.face_align")
    yy, xx = np.mgrid[:400, :400].astype(np.float32)
    plate = np.stack([xx / 400, yy / 400, 0.5 + 0.4 * np.sin(xx / 9) * np.cos(yy / 11)], axis=2)
    # As that library's users have it: points with pixel centres at whole numbers.
    theirs, matrix = face_align.norm_crop2(plate, FIVE - 0.5, size)
    ours = similarity(FIVE, name, size)
    point = np.array([233.0, 170.0])
    np.testing.assert_allclose(
        ours[:, :2] @ (point + 0.5) + ours[:, 2] - 0.5, matrix[:, :2] @ point + matrix[:, 2], atol=1e-4
    )
    # Lanczos against bilinear on a smooth picture; half a pixel off would show as .01.
    assert np.abs(warp(plate, ours, (size, size)) - theirs).max() < 2e-3


def test_half_a_pixel_is_the_networks_own():
    """The boosted crop averaged over n x n is the crop of the network's own size."""
    yy, xx = np.mgrid[:400, :400].astype(np.float32)
    plate = 0.5 + 0.4 * np.sin(xx / 23) * np.cos(yy / 31)
    matrix = similarity(FIVE, "arcface_128", 128)
    fine = warp(plate, 4 * matrix, (512, 512))
    mean = cv2.resize(fine, (128, 128), interpolation=cv2.INTER_AREA)
    small = warp(plate, matrix, (128, 128))
    assert np.abs(mean - small)[8:-8, 8:-8].max() < 2e-3
    naive = cv2.resize(
        warp(plate, similarity(FIVE, "arcface_128", 512), (512, 512)),
        (128, 128),
        interpolation=cv2.INTER_AREA,
    )
    assert np.abs(naive - small)[8:-8, 8:-8].max() > 4e-3


def test_shift_moves_the_template():
    """ReSwapper at 256 (128 / 32768 * 256 - .5 = .5): its crop is the 128 one at half the step, pixel for pixel."""
    np.testing.assert_allclose(
        similarity(FIVE, "arcface_128", 256, shift=256 / 256 - 0.5),
        2 * similarity(FIVE, "arcface_128", 128),
        atol=1e-9,
    )


def test_map_takes_the_pose_that_fits():
    for pose in TEMPLATES["arcface_map"]:
        turn = np.array([[1.9, -0.4], [0.4, 1.9]])
        five = pose * 112 @ turn.T + [31.0, 17.0]
        matrix = similarity(five, "arcface_map", 112)
        np.testing.assert_allclose(five @ matrix[:, :2].T + matrix[:, 2], pose * 112 + 0.5, atol=1e-4)
    np.testing.assert_allclose(TEMPLATES["arcface_map"][2], TEMPLATES["arcface_112_v1"])


def test_a_head_that_turns_goes_through_the_map_without_a_jump():
    """From pose to pose in steps of a fortieth: no step of the crop is larger than a few times the usual one."""
    poses = TEMPLATES["arcface_map"] * 112
    way = [(1 - t) * a + t * b for a, b in pairwise(poses) for t in np.arange(40) / 40]
    corners = np.array([[0, 0], [112, 0], [112, 112], [0, 112]])
    laid = [corners @ m[:, :2].T + m[:, 2] for m in (similarity(five, "arcface_map", 112) for five in way)]
    steps = np.abs(np.diff(laid, axis=0)).max(axis=(1, 2))
    assert steps.max() < 2.0, "a choice of one pose jumps by nine pixels"


def test_tables_agree_with_the_published_fractions():
    np.testing.assert_allclose(TEMPLATES["arcface_128"][0], [0.36167656, 0.40387734], atol=1e-8)
    np.testing.assert_allclose(TEMPLATES["arcface_112_v2"][4], [0.63151696, 0.82325089], atol=1e-8)
    np.testing.assert_allclose(TEMPLATES["arcface_112_v1"][0], [0.35473214, 0.45658929], atol=1e-8)


def test_five_of_the_mean_face_are_where_they_should_be():
    five = five_of_mesh(CANONICAL)
    assert five[0, 0] < -0.4 < 0.4 < five[1, 0]
    np.testing.assert_allclose(five[0] * [-1, 1], five[1], atol=1e-4)
    np.testing.assert_allclose(five[3] * [-1, 1], five[4], atol=1e-4)
    assert five[0, 1] < five[2, 1] < five[3, 1]


def test_five_of_68():
    points = np.zeros((68, 2))
    points[36:42] = [(0, 0), (1, -1), (2, -1), (3, 0), (2, 1), (1, 1)]
    points[42:48] = points[36:42] + np.array([10, 0])
    points[[30, 48, 54]] = (5, 5), (2, 9), (9, 9)
    np.testing.assert_allclose(five_of_68(points), [(1.5, 0), (11.5, 0), (5, 5), (2, 9), (9, 9)])


def test_a_wrong_name_is_told():
    with pytest.raises(ConfigError, match="arcface_112"):
        similarity(FIVE, "arcface_112", 112)
