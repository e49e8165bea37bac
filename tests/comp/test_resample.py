"""Resampling and the small pictures that occlusion is judged on."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from understudy.comp import resample
from understudy.comp.mattes import occlusion
from understudy.faces.geometry import CANONICAL


def test_prefilter_sigma() -> None:
    assert resample.shrink_sigma(1.0) == resample.shrink_sigma(2.0) == 0
    assert resample.shrink_sigma(0.5) == pytest.approx(0.5 * np.sqrt(3))


def test_a_shift_by_whole_pixels_is_exact() -> None:
    image = np.random.default_rng(0).random((40, 50, 3)).astype(np.float32)
    got = resample.warp(image, [[1, 0, 3], [0, 1, -2]], (50, 40))
    assert got[5:30, 10:40] == pytest.approx(image[7:32, 7:37], abs=1e-5)


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.0, 1.6])
def test_a_slope_keeps_its_place_with_pixel_centres_at_a_half(scale: float) -> None:
    x = np.arange(80) + 0.5
    image = np.repeat(x[None].astype(np.float32), 60, axis=0)
    size = round(80 * scale), round(60 * scale)
    got = resample.warp(image, [[scale, 0, 1.25], [0, scale, 0]], size)
    centres = (np.arange(size[0]) + 0.5 - 1.25) / scale
    inner = slice(8, -8)
    assert got[size[1] // 2][inner] == pytest.approx(centres[inner], abs=0.05)


def test_shrinking_does_not_alias() -> None:
    scene = scipy.ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(240, 240)), 0.6).astype(
        np.float32
    )
    changes = []
    for shift in (0.0, 0.37):
        moved = resample.warp(scene, [[1, 0, shift], [0, 1, 0]], (240, 240))
        changes.append(resample.warp(moved, [[0.25, 0, -0.25 * shift], [0, 0.25, 0]], (60, 60))[8:-8, 8:-8])
    assert np.std(changes[0] - changes[1]) < 0.05 * np.std(changes[0])


def test_reduced_and_enlarged_agree_with_blocks_and_slopes() -> None:
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    small = resample.reduced(image, 2)
    assert small.shape == (3, 4)
    assert small[0, 0] == pytest.approx((0 + 1 + 7 + 8) / 4)
    x = np.repeat((np.arange(60, dtype=np.float32) + 0.5)[None], 40, axis=0)
    back = resample.enlarged(resample.reduced(x, 6), 6, (40, 60))
    assert back[:, 4:-4] == pytest.approx(x[:, 4:-4], abs=1e-4)


def thumbs(count: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    usual = scipy.ndimage.gaussian_filter(rng.normal(size=(32, 32, 1)), (3, 3, 0)) * 0.5 + 0.5
    light = np.linspace(0.8, 1.2, count)[:, None, None, None]
    return (
        np.clip(usual, 0.1, 1) * [1.0, 0.8, 0.7] * light + rng.normal(0, 0.01, (count, 32, 32, 3))
    ).astype(np.float32)


def test_a_hand_on_almost_half_of_the_frames_is_told_and_light_is_not() -> None:
    stack = thumbs(50)
    stack[10:32, 18:28, 8:24] = (0.75, 0.55, 0.45)
    scores = occlusion.occlusion_scores(stack, occlusion.occlusion_reference(stack))
    assert scores.shape == (50,) and scores[10:32].min() > 0.3
    assert max(scores[:10].max(), scores[32:].max()) < 0.05


def test_a_thumb_follows_the_face() -> None:
    rng = np.random.default_rng(3)
    picture = scipy.ndimage.gaussian_filter(rng.random((200, 220, 3)), (4, 4, 0)).astype(np.float32)
    points = (CANONICAL * 40 + [110, 90, 0]).astype(np.float32)
    turn = np.array([[1.5, 0, -20.0], [0, 1.5, -15.0]])
    moved = resample.warp(picture, turn, (330, 300))
    there = points.copy()
    there[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    one, other = occlusion.face_thumb(picture, points), occlusion.face_thumb(moved, there)
    assert one.shape == (32, 32, 3)
    assert np.abs(one - other).max() < 0.02
