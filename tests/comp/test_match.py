"""Light, texture, grain and the whole finish on pictures whose numbers are known."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import scipy.ndimage

import shipped
from understudy.comp import match
from understudy.comp.camera import grain
from understudy.comp.mattes.matte import layers
from understudy.comp.resample import gaussian
from understudy.comp.skin import texture
from understudy.comp.tone import light
from understudy.faces.geometry import CANONICAL

MATTE = shipped.MATTE | {"erode": 0.04, "feather": 0.09}
MATCH = shipped.MATCH | {"light": 1.0}
COMPOSITE = {"blend": "multiband", "opacity": 1.0}
SHAPE = (380, 400)


def face(unit: float = 120.0, x: float = 200.0, y: float = 190.0) -> np.ndarray:
    """The mean face, its eyes ``unit`` pixels apart, its origin at (x, y)."""
    return (CANONICAL * unit + [x, y, 0]).astype(np.float32)


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def scene(seed: int = 0, sigma: float = 1.2, tint: tuple[float, ...] = (0.62, 0.48, 0.4)) -> np.ndarray:
    """Something with a skin's colour and texture in every band."""
    rough = sum(
        scipy.ndimage.gaussian_filter(noise(SHAPE, 1, seed + k), sigma * 2**k) * 2**k for k in range(4)
    )
    return (np.array(tint) * (1 + 0.06 * rough[..., None])).astype(np.float32)


def sample(plate: np.ndarray, new: np.ndarray, points: np.ndarray | None = None) -> match.Sample:
    points = face() if points is None else points
    laid = layers(points, SHAPE, None, lambda: plate, {}, [], MATTE)["matte"]
    return match.Sample(plate, match.Laid(new), laid, match.Moment(7, points, 4))


def finish(one: match.Sample, fitted: dict, settings: dict = COMPOSITE) -> tuple[np.ndarray, np.ndarray]:
    return match.finish(one.crop, one.face, one.matte, one.moment, fitted, settings)


def test_bands_and_the_last_blur_add_up_to_the_image() -> None:
    image, sigmas = noise((80, 70), 1.0), [0.0, 1.0, 2.0, 4.0]
    assert np.abs(sum(texture.bands(image, sigmas)) + gaussian(image, 4.0) - image).max() < 1e-5


def test_texture_index_of_doubled_texture_is_six_decibel() -> None:
    plate = noise((120, 120, 3), 0.3) + 0.5
    ones, sigmas = np.ones((120, 120), np.float32), texture.limits(512)
    base = texture.energies(plate, ones, sigmas)
    twice = texture.energies(0.5 + 2 * (plate - 0.5), ones, sigmas)
    assert texture.index(twice, base)[0] == pytest.approx(20 * np.log10(2), abs=0.05)
    soft = texture.energies(gaussian(plate, 1.0), ones, sigmas)
    assert texture.index(soft, base)[0] < -6
    assert texture.index(base, base)[0] == 0


def test_band_energy_of_a_sine_is_that_of_its_transfer() -> None:
    x = np.arange(400)
    wave = (0.1 * np.sin(2 * np.pi * x / 8)).astype(np.float32)
    image = np.repeat(np.repeat(wave[None], 64, axis=0)[..., None], 3, axis=2)
    inner = np.zeros((64, 400), np.float32)
    inner[:, 40:360] = 1
    got = texture.energies(image, inner, [0.0, 1.0, 2.0])
    g1, g2 = (np.exp(-0.5 * (2 * np.pi / 8 * s) ** 2) for s in (1.0, 2.0))
    assert got == pytest.approx([0.005 * (1 - g1) ** 2, 0.005 * (g1 - g2) ** 2], rel=0.03)


def test_bands_that_pixels_cannot_hold_are_left_out() -> None:
    assert texture.limits(512) == [0, 1, 2, 4, 8, 16]
    assert texture.limits(128) == [0, 0.5, 1, 2, 4]
    assert texture.limits(32) == [0, 0.5, 1]


@pytest.mark.parametrize("sigma", [0.7, 5.0, 7.5, 12.0])
def test_a_wide_blur_at_a_reduced_size_is_a_gaussian(sigma: float) -> None:
    image = texture.luma(scene())
    away = texture.soft(image, sigma) - gaussian(image, sigma)
    assert np.sqrt(np.mean(away[40:-40, 40:-40] ** 2)) < 0.005 * image.std()


def test_gains_close_the_gap_and_are_clamped() -> None:
    assert texture.gains([4e-3, 1e-2, 1e-6], [4.84e-3, 1e-6, 1e-2], (0.8, 1.25)) == pytest.approx(
        [1.1, 0.8, 1.25], abs=1e-3
    )


def test_light_is_carried_over_and_background_does_not_leak() -> None:
    points, unit = face(), 120.0
    step = match._step(points)
    plate = np.full((*SHAPE, 3), 0.4, np.float32)
    x = np.linspace(0.6, 1.4, SHAPE[1], dtype=np.float32)[None, :, None]
    area = match._skin(np.ones(SHAPE, np.float32), points)
    shaded = plate * x
    far = np.kron(area, np.ones((step, step)))[: SHAPE[0], : SHAPE[1], None] == 0
    dirty = np.where(far, np.float32(9), shaded).astype(np.float32)
    got = light.relight(plate, shaded, area, step, unit, 1.0)
    leaked = light.relight(plate, dirty, area, step, unit, 1.0)
    middle = (slice(200, 240), slice(140, 260))
    assert np.abs(got - shaded)[middle].max() < 0.09 * 0.4
    assert np.abs(leaked - got)[middle].max() < 0.02
    assert light.relight(plate, shaded, area, step, unit, 0.0) is plate


def coloured_grain(shape: tuple[int, int], sigma: float, seed: int) -> np.ndarray:
    """Grain two pixels wide of a given deviation, the same in all channels."""
    one = scipy.ndimage.gaussian_filter(noise(shape, 1.0, seed).astype(float), 0.7, mode="wrap")
    return np.repeat((one / one.std() * sigma)[..., None], 3, axis=2).astype(np.float32)


def test_grain_is_measured_and_made_again() -> None:
    plate = 0.5 + coloured_grain((256, 256), 0.012, 7)
    model = grain.measure([(plate, np.ones((256, 256), np.float32))])
    assert model is not None and grain.visible(model)
    json.dumps(model)
    assert np.median(model["sigma"]) == pytest.approx(0.012, rel=0.12)
    flat, ones = np.full((256, 256, 3), 0.5, np.float32), np.ones((256, 256), np.float32)
    made = grain.regrain(flat, ones, ones, model, (0.0, 0.0), 11)
    added, true = (a[..., 1] - a[..., 1].mean() for a in (made, plate))
    assert added.std() == pytest.approx(true.std(), rel=0.15)
    for shift in ((0, 1), (1, 1), (0, 3)):
        hangs = [float(np.mean(n * np.roll(n, shift, (0, 1))) / n.var()) for n in (added, true)]
        assert hangs[0] == pytest.approx(hangs[1], abs=0.12)
    assert np.corrcoef(made[..., 0].ravel(), made[..., 2].ravel())[0, 1] > 0.95


def test_only_missing_grain_is_added() -> None:
    plate = 0.5 + coloured_grain((256, 256), 0.012, 7)
    model = grain.measure([(plate, np.ones((256, 256), np.float32))])
    assert model is not None
    flat, ones = np.full((256, 256, 3), 0.5, np.float32), np.ones((256, 256), np.float32)
    for share, kin in ((1.0, (0.02, 0.0)), (0.0, (0.0, 0.0)), (0.5, (0.0, 1.0))):
        assert np.array_equal(grain.regrain(flat, share * ones, ones, model, kin, 1), flat)
    whole, half, halved = (
        grain.regrain(flat, share * ones, weight * ones, model, (0.0, shared), 1).std()
        for share, weight, shared in ((1, 1, 0), (0.5, 1, 0), (1, 0.5, 0.5))
    )
    assert half == pytest.approx(np.sqrt(0.75) * whole, rel=0.01)
    assert halved == pytest.approx(2 * half, rel=0.01)


def test_grain_is_the_seeds_alone() -> None:
    model = grain.measure([(0.5 + coloured_grain((128, 128), 0.01, 3), np.ones((128, 128), np.float32))])
    assert model is not None
    one, again, other = (grain.synthesise(model, (90, 300), seed) for seed in (5, 5, 6))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_blotches_of_a_codec_are_not_grain() -> None:
    random = np.random.default_rng(3)
    for sigma, kept in ((0.6, True), (2.0, False)):
        grey = cv2.GaussianBlur(random.normal(0, 1, SHAPE).astype(np.float32), (0, 0), sigma)
        image = 0.5 + np.repeat((0.01 * grey / grey.std())[..., None], 3, axis=2)
        assert grain.visible(grain.measure([(image, np.ones(SHAPE, np.float32))])) == kept


def test_a_clean_plate_has_no_grain() -> None:
    model = grain.measure([(np.full((128, 128, 3), 0.5, np.float32), np.ones((128, 128), np.float32))])
    assert not grain.visible(model)
    assert not grain.visible(None)


def test_fit_and_finish_bring_colour_light_and_texture_to_the_plate() -> None:
    plate = scene(0)
    new = gaussian(scene(50, tint=(0.5, 0.55, 0.6)), 1.3)
    one = sample(plate, new)
    fitted = match.fit([one], MATCH)
    json.dumps(fitted)
    result, weight = finish(one, fitted)
    inside = one.matte > 0.99
    assert result[inside].mean(axis=0) == pytest.approx(plate[inside].mean(axis=0), abs=0.01)
    out = plate + weight[..., None] * (result - plate)
    sigmas, area = texture.limits(texture.extent(one.points)), inside.astype(np.float32)
    after = texture.index(texture.energies(out, area, sigmas), texture.energies(plate, area, sigmas))[0]
    before = texture.index(texture.energies(new, area, sigmas), texture.energies(plate, area, sigmas))[0]
    assert abs(after) < 2 and abs(after) < abs(before)


@pytest.mark.parametrize("mode", ["multiband", "poisson", "screened", "keep_light", "alpha"])
def test_weight_is_zero_outside_and_the_same_seed_gives_the_same_bits(mode: str) -> None:
    plate, new = scene(0) + noise((*SHAPE, 3), 0.01), scene(9)
    one = sample(plate, new)
    fitted = match.fit([one], MATCH)
    assert fitted["grain"] is not None
    first, again = (
        finish(one, fitted, {**COMPOSITE, "blend": mode})
        for _ in range(2)
    )
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert np.all(first[1][one.matte == 0] == 0)
    assert first[0].dtype == first[1].dtype == np.float32


def test_opacity_scales_the_weight_and_nothing_is_done_without_a_matte() -> None:
    plate, new = scene(0), scene(9)
    one = sample(plate, new)
    fitted = match.fit([one], MATCH)
    full = finish(one, fitted)[1]
    half = finish(one, fitted, {**COMPOSITE, "opacity": 0.5})[1]
    assert half == pytest.approx(full / 2)
    result, weight = finish(replace(one, matte=one.matte * 0), fitted)
    assert not weight.any() and np.array_equal(result, plate)


def test_values_beyond_display_range_stay_finite() -> None:
    plate = scene(0) * 12 - 1.5
    plate[:50] = 65504
    new = scene(9) - 0.7
    one = sample(plate, new)
    for mode in ("multiband", "poisson", "screened", "keep_light", "alpha"):
        fitted = match.fit([one], MATCH)
        result, weight = finish(one, fitted, {**COMPOSITE, "blend": mode})
        assert np.isfinite(result).all() and np.isfinite(weight).all()


def test_a_track_without_any_skin_is_fitted_to_nothing() -> None:
    one = sample(scene(0), scene(9))
    empty = replace(one, matte=one.matte * 0)
    fitted = match.fit([empty], MATCH)
    assert np.array(fitted["colour"]["segments"][0]["matrix"]) == pytest.approx(np.eye(3, 4))
    json.dumps(fitted)


def test_a_face_that_leaves_the_frame_is_finished() -> None:
    plate, new = scene(0), scene(9)
    one = sample(plate, new, face(x=390.0, y=30.0))
    result, weight = finish(one, match.fit([one], MATCH))
    assert weight.max() > 0.9 and np.isfinite(result).all()
