"""Screened Poisson and light-preserving blends against their limits and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from understudy.comp import blend, preserving
from understudy.comp.pyramid import laplacian_pyramid


def disc(shape: tuple[int, int], radius: float, soft: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    t = np.clip((radius - np.hypot(x - shape[1] / 2, y - shape[0] / 2)) / soft, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    whole = data.astronaut().astype(np.float32) / 255
    return whole[100:196, 180:276].copy(), whole[300:396, 150:246].copy(), disc((96, 96), 34, 8)


def test_a_short_reach_is_the_alpha_blend() -> None:
    plate, face, matte = pictures()
    alpha = plate + matte[..., None] * (face - plate)
    assert np.abs(preserving.screened(plate, face, matte, 0.02) - alpha)[matte > 0].max() < 2e-3


def test_a_long_reach_is_poissons_blend() -> None:
    plate, face, matte = pictures()
    got = preserving.screened(plate, face, matte, 1e5, tolerance=1e-6, rounds=2000)
    assert np.abs(got - blend.poisson(plate, face, matte, tolerance=1e-7)[0])[matte > 0].max() < 2e-3


def test_a_step_falls_off_over_the_reach() -> None:
    # In one dimension u - r^2 u'' = 0 with u = 1 at both ends, n pixels apart, is cosh; between pixels r is
    # that of the difference equation: 2 cosh(1 / r') = 2 + 1 / r^2.
    shape, reach = (120, 64), 5.0
    inside = np.zeros(shape, bool)
    inside[:, 10:50] = True
    given = np.where(inside, 0, 1).astype(np.float32)[..., None] * np.ones(3, np.float32)
    got = preserving.screened_membrane(given, inside, reach, 1e-7, 2000)[60, :, 0]
    rate = np.arccosh(1 + 0.5 / reach**2)
    x = np.arange(9, 51)
    assert got[9:51] == pytest.approx(np.cosh(rate * (x - 29.5)) / np.cosh(rate * 20.5), abs=2e-4)


def test_a_screened_blend_keeps_the_faces_colour_in_the_middle() -> None:
    plate, matte = np.full((96, 96, 3), 0.4, np.float32), disc((96, 96), 40, 2)
    face = plate + 0.2
    middle = preserving.screened(plate, face, matte, 8.0)[48, 48]
    assert middle == pytest.approx(face[48, 48], abs=0.01)
    assert blend.poisson(plate, face, matte)[0][48, 48] == pytest.approx(plate[48, 48], abs=0.01)


def test_the_light_kept_is_the_plates() -> None:
    random = np.random.default_rng(3)
    fine = random.normal(0, 0.02, (128, 128, 1)).astype(np.float32)
    light = np.linspace(0.2, 0.7, 128, dtype=np.float32)[None, :, None] * np.ones((128, 1, 3), np.float32)
    plate = light + random.normal(0, 0.02, (128, 128, 1)).astype(np.float32)
    made = preserving.keep_light(plate, 0.6 - 0.3 * light + 1.2 * fine, np.ones((128, 128), np.float32), 4, 20)
    bands, wanted = laplacian_pyramid(made, 4), laplacian_pyramid(plate, 4)
    # Levels overlap a little, so a trace of the detail is found again in the rest.
    assert np.abs(bands[-1] - wanted[-1]).max() < 0.02 < 0.3 < np.ptp(wanted[-1])
    # The detail is the face's, at the plate's contrast.
    inner = np.s_[8:-8, 8:-8]
    detail = bands[0][inner].mean(axis=2)
    own = laplacian_pyramid(fine * np.ones(3, np.float32), 4)[0][inner].mean(axis=2)
    assert np.corrcoef(detail.ravel(), own.ravel())[0, 1] > 0.9
    assert detail.std() == pytest.approx(wanted[0][inner].mean(axis=2).std(), rel=0.1)


def test_contrast_is_the_ratio_of_deviations_within_limits() -> None:
    band = np.random.default_rng(1).normal(0, 0.05, (64, 64, 3)).astype(np.float32)
    assert preserving.contrast(1.2 * band, band, 3.0) == pytest.approx(np.full((64, 64), 1.2), abs=2e-3)
    assert preserving.contrast(9 * band, band, 3.0).max() == pytest.approx(1.25)
    assert preserving.contrast(0 * band, 0 * band, 3.0) == pytest.approx(1)
