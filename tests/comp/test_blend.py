"""Pyramids, blends and the paste."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from understudy.comp import blend
from understudy.comp.paste import paste
from understudy.comp.pyramid import collapse, gaussian_pyramid, laplacian_pyramid
from understudy.errors import ConfigError


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def disc(shape: tuple[int, int], radius: float, soft: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    t = np.clip((radius - np.hypot(x - shape[1] / 2, y - shape[0] / 2)) / soft, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


@pytest.mark.parametrize("shape", [(64, 64), (61, 47)])
def test_a_pyramid_gives_its_image_back(shape: tuple[int, int]) -> None:
    image = noise((*shape, 3), 1.0)
    assert np.abs(collapse(laplacian_pyramid(image, 4)) - image).max() < 2e-6


@pytest.mark.parametrize("mode", ["multiband", "poisson", "screened", "keep_light", "alpha"])
def test_blends_leave_everything_outside_the_matte(mode: str) -> None:
    plate, face, matte = noise((96, 90, 3), 0.3), noise((96, 90, 3), 0.3, 1) + 5, disc((96, 90), 30, 8)
    plate[0, 0] = 40.0
    result, weight = blend.blend(mode, plate, face, matte, 40)
    assert np.all(weight[matte == 0] == 0) and np.all(weight[matte == 1] == 1)
    assert np.isfinite(result).all() and result.dtype == weight.dtype == np.float32


@pytest.mark.parametrize("mode", ["multiband", "poisson", "screened", "keep_light", "alpha"])
def test_a_face_that_is_the_plate_changes_nothing(mode: str) -> None:
    plate = data.astronaut()[:96, 180:276].astype(np.float32) / 255
    result, _ = blend.blend(mode, plate, plate, disc((96, 96), 30, 8), 40)
    assert np.abs(result - plate).max() < 1e-5


def test_multiband_carries_fine_detail_and_spreads_a_step_of_colour() -> None:
    plate = np.full((128, 128, 3), 0.4, np.float32)
    face = plate + 0.1 + noise((128, 128, 1), 0.02)
    matte = disc((128, 128), 45, 4)
    result, weight = blend.multiband(plate, face, matte, 4)
    whole = plate + weight[..., None] * (result - plate)
    assert np.abs(whole - face)[60:68, 60:68].max() < 0.03
    line = np.abs(np.diff(whole.mean(axis=2)[58:70].mean(axis=0)))
    alpha = np.abs(np.diff((plate + matte[..., None] * (face - plate)).mean(axis=2)[58:70].mean(axis=0)))
    assert line[:30].max() < alpha[:30].max()


def whole_pyramid(plate: np.ndarray, face: np.ndarray, matte: np.ndarray, levels: int) -> np.ndarray:
    """The multi-band blend with every level made whole: the change, filled in, its bands weighted and added up."""
    change = blend.spread(face - plate, blend.support(matte), levels + 1)
    weights = gaussian_pyramid(matte, levels)
    bands = laplacian_pyramid(change, levels)
    return plate + collapse([band * weight[..., None] for band, weight in zip(bands, weights, strict=True)])


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("shape", [(140, 150), (131, 117)])
def test_a_blend_made_around_its_matte_is_that_of_the_whole_picture(shape: tuple[int, int], levels: int) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / 100
    plate = np.stack([0.3 + 0.1 * x, 0.4 - 0.05 * y, 0.2 + 0.1 * x * y], axis=-1) + noise((*shape, 3), 0.01)
    face = np.stack([0.5 + 0.1 * y, 0.3 + 0.1 * x, 0.4 - 0.1 * x], axis=-1) + noise((*shape, 3), 0.02, 1)
    matte = disc(shape, 38, 10)
    result, weight = blend.multiband(plate, face, matte, levels)
    wanted = whole_pyramid(plate, face, matte, levels)
    # The two differ by one smoothing of what is extrapolated: half a code of 8 bit.
    assert np.abs(weight[..., None] * (result - wanted)).max() < 0.6 / 255
    assert np.abs(result - wanted)[matte == 1].max() < 0.5 / 255
    beside = np.zeros_like(matte)
    beside[:, :40] = 1  # to the picture's edge
    result, weight = blend.multiband(plate, face, beside, levels)
    assert np.abs(weight[..., None] * (result - whole_pyramid(plate, face, beside, levels))).max() < 3 / 255


def test_what_lies_outside_the_matte_cannot_leak_into_a_multiband_blend() -> None:
    plate, matte = np.full((96, 96, 3), 0.4, np.float32), disc((96, 96), 30, 8)
    face = np.full((96, 96, 3), 0.5, np.float32)
    wild = np.where(matte[..., None] > 0, face, 1000).astype(np.float32)
    assert np.array_equal(
        blend.multiband(plate, face, matte, 4)[0], blend.multiband(plate, wild, matte, 4)[0]
    )


def test_poisson_is_the_dense_solution() -> None:
    rng = np.random.default_rng(3)
    plate, face = rng.random((12, 11, 3)).astype(np.float32), rng.random((12, 11, 3)).astype(np.float32)
    matte = np.zeros((12, 11), np.float32)
    matte[3:9, 2:8] = 1
    matte[4, 8] = 1
    inside = np.argwhere(matte > 0)
    number = {tuple(p): i for i, p in enumerate(inside.tolist())}
    system, right = np.zeros((len(inside), len(inside))), np.zeros((len(inside), 3))
    for (y, x), i in number.items():
        system[i, i] = 4
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            q = (y + dy, x + dx)
            right[i] += face[y, x].astype(float) - face[q]
            if q in number:
                system[i, number[q]] -= 1
            else:
                right[i] += plate[q]
    wanted = np.linalg.solve(system, right)
    got, _ = blend.poisson(plate, face, matte, tolerance=1e-9, rounds=500)
    assert got[matte > 0] == pytest.approx(
        wanted[[number[tuple(p)] for p in np.argwhere(matte > 0).tolist()]], abs=1e-5
    )
    assert np.array_equal(got[matte == 0], plate[matte == 0])


def test_poisson_membrane_is_exact_for_a_slope_at_any_size() -> None:
    y, x = np.mgrid[:150, :140].astype(float)
    known = (0.002 * x - 0.001 * y + 0.3)[..., None]
    got = blend.membrane(
        np.where((x > 20) & (x < 120) & (y > 20) & (y < 130), 9, known[..., 0])[..., None],
        (x > 20) & (x < 120) & (y > 20) & (y < 130),
        1e-7,
        500,
    )
    assert np.abs(got - known).max() < 1e-4


def test_unknown_blend() -> None:
    image = np.zeros((8, 8, 3), np.float32)
    with pytest.raises(
        ConfigError, match=r"blend 'mix' is not known\n  -> use one of: multiband, poisson, screened, keep_light, alpha"
    ):
        blend.blend("mix", image, image, image[..., 0], 8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_paste_copies_bits_where_the_weight_is_zero(dtype: str) -> None:
    rng = np.random.default_rng(5)
    kind = np.dtype(dtype)
    if kind.kind == "u":
        top = np.iinfo(kind).max
        plate = rng.integers(0, top + 1, (40, 50, 3)).astype(kind)
        old = (plate / np.float32(top)).astype(np.float32)
    else:
        plate = rng.normal(0.5, 3, (40, 50, 3)).astype(kind)
        plate[0, 0] = np.nan
        old = np.nan_to_num(plate.astype(np.float32))
    before = plate.tobytes()

    def encode(image: np.ndarray) -> np.ndarray:
        return np.rint(np.clip(image, 0, 1) * top).astype(kind) if kind.kind == "u" else image.astype(kind)

    weight = disc((40, 50), 12, 4)
    new = np.full_like(old, 0.25)
    out = paste(plate, old, new, weight, encode)
    assert plate.tobytes() == before
    assert out[weight == 0].tobytes() == plate[weight == 0].tobytes()
    assert out[weight == 1] == pytest.approx(encode(new)[weight == 1], rel=1e-3)
    assert paste(plate, old, new, np.zeros_like(weight), encode).tobytes() == before


def test_paste_mixes_in_the_light_it_is_given() -> None:
    plate = np.full((4, 4, 3), 0.2, np.float32)
    new, weight = np.full_like(plate, 0.8), np.full((4, 4), 0.5, np.float32)
    out = paste(plate, plate, new, weight, np.copy, to_linear=np.square, from_linear=np.sqrt)
    assert out == pytest.approx(np.sqrt((0.04 + 0.64) / 2))


def test_paste_takes_the_new_value_as_it_is_where_the_weight_is_one() -> None:
    plate = np.full((4, 4, 3), 0.2, np.float32)
    new, weight = np.full_like(plate, 0.8), np.full((4, 4), 1.0, np.float32)
    weight[0] = 0.5
    asked = []

    def to_linear(values: np.ndarray) -> np.ndarray:
        asked.append(values.size)
        return values * values

    display = paste(plate, plate, new, weight, np.copy, to_linear=to_linear, from_linear=np.sqrt)
    assert display[1:] == pytest.approx(new[1:], abs=0) and asked == [12, 12]
    light = paste(plate, plate, new, weight, np.copy, to_linear=to_linear)
    assert light[1:] == pytest.approx(0.64)
