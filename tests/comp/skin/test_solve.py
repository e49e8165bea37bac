"""Band energies in closed form, the solved share, the gains, and what they make of real skin."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize

import shipped
from understudy.comp import match
from understudy.comp.mattes.matte import layers
from understudy.comp.resample import gaussian
from understudy.comp.skin import solve, texture
from understudy.faces.geometry import CANONICAL

SHAPE = (380, 400)
SIZE = 300.0
POINTS = (CANONICAL * 120 + [200, 190, 0]).astype(np.float32)
MATTE = shipped.MATTE | {"erode": 0.04, "feather": 0.09}
BASE = shipped.MATCH | {"light": 1.0, "gain": [0.5, 2.8]}
ALL = {"restored": [0.0, 1.0]}
COMPOSITE = {"blend": "multiband", "opacity": 1.0}


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


def scene(seed: int = 0, sigma: float = 1.2, amount: float = 0.06) -> np.ndarray:
    """Something with a skin's colour, and texture in every band."""
    rough = sum(scipy.ndimage.gaussian_filter(noise(SHAPE, 1, seed + k), sigma * 2**k) * 2**k for k in range(4))
    return (np.array((0.62, 0.48, 0.4)) * (1 + np.float32(amount) * rough[..., None])).astype(np.float32)


def fine(image: np.ndarray, size: float) -> np.ndarray:
    return image - gaussian(image, 4 * size / 512)


def samples(plates: list[np.ndarray], swapped: np.ndarray, change: np.ndarray | None = None) -> list[match.Sample]:
    laid = layers(POINTS, SHAPE, None, lambda: plates[0], {}, [], MATTE)["matte"]
    return [
        match.Sample(plate, match.Laid(swapped, change), laid, match.Moment(k, POINTS, k))
        for k, plate in enumerate(plates)
    ]


def skin(size: float = SIZE, shape: tuple[int, int] = (300, 300)) -> solve.Skin:
    ones = np.ones(shape, np.float32)
    return solve.Skin(np.s_[:, :], np.repeat(noise(shape, 0.1)[..., None], 3, 2), ones, ones, ones, size, 0)


def test_energies_of_white_noise_are_those_of_the_kernels() -> None:
    """The energy of a difference of Gaussians is the integral of its square.

    1/(4 pi a^2) + 1/(4 pi b^2) - 1/(pi (a^2 + b^2)); of a pixel and a Gaussian 1 - 1/(pi b^2) + 1/(4 pi b^2).
    """
    image = np.repeat(noise((900, 900), 0.1)[..., None], 3, axis=2)
    got = texture.energies(image, np.ones(image.shape[:2], np.float32), [0.0, 1.5, 3.0])
    pi, a, b = np.pi, 1.5, 3.0
    first = 1 - 3 / (4 * pi * a * a)
    second = 1 / (4 * pi * a * a) + 1 / (4 * pi * b * b) - 1 / (pi * (a * a + b * b))
    assert got == pytest.approx([0.01 * first, 0.01 * second], rel=0.02)


@pytest.mark.parametrize(
    ("square", "slope", "fixed", "wanted"),
    [
        (1.0, 0.0, -0.25, 0.5),
        (0.0, 2.0, -1.0, 0.5),
        (-1.0, 0.0, 0.49, 0.7),
        (4.0, -5.2, 1.2, 1.0),  # roots .3 and 1
        (1.0, -1.0, 0.5, 0.5),  # none: the vertex is nearest
        (1.0, 1.0, -9.0, 1.0),  # none within: the end
        (1.0, 1.0, 1.0, 0.0),
        (0.0, 0.0, 1.0, 1.0),  # nothing depends on it
    ],
)
def test_the_root_within_bounds(square: float, slope: float, fixed: float, wanted: float) -> None:
    assert solve.nearest(square, slope, fixed) == pytest.approx(wanted)


def test_the_folk_rule_is_the_root_of_one_over_the_overshoot() -> None:
    """With nothing in the swap's bands, b = sqrt(E_ref / E_e): 1.25 times the amplitude takes .8, 1.54 times .65."""
    none, plate = np.zeros(3), np.full(3, 1e-3)
    for over in (1.25, 1.54):
        found = solve.share(none, none, over**2 * plate, none, plate)
        assert found == pytest.approx(1 / over, abs=2e-3)


def test_the_share_brings_the_index_to_nothing() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        soft, hard, grain, plate = random.uniform([0] * 4, [6e-4, 4e-3, 2e-4, 0], (3, 4)).T
        plate = random.uniform(7e-4, 1.1e-3, 3)
        hard = hard + 1.3 * plate
        cross = random.uniform(0, 1, 3) * np.sqrt(soft * hard)

        def index(b: float) -> float:
            made = b * b * hard + 2 * b * (1 - b) * cross + (1 - b) ** 2 * soft  # noqa: B023
            return texture.index(made + grain, plate)[0]  # noqa: B023

        if index(0) < 0:
            wanted = scipy.optimize.brentq(index, 0, 1)
            assert solve.share(soft, cross, hard, grain, plate) == pytest.approx(wanted, abs=1e-4)


def test_gains_reach_every_band_though_bands_overlap() -> None:
    held = skin()
    plate = texture.luma(held.crop)
    parts = held.bands(plate)
    made = plate + sum((k - 1) * part for k, part in zip((0.7, 0.6, 1.3, 0.9), parts, strict=True))
    tuned = solve.tune([made.astype(np.float32)], [held], solve.Grain(None, [held]), (0.25, 4.0))
    assert np.abs(tuned.before["bands"]).max() > 2
    assert np.abs(tuned.after["bands"]).max() < 0.5
    # One step, each band on its own, is not enough.
    alone = texture.gains(held.energies(made), held.plate, (0.25, 4))
    left = texture.index(held.energies(solve.gained(made, alone, held)), held.plate)[1]
    assert np.abs(left).max() > 2 * np.abs(tuned.after["bands"]).max()


def test_gains_keep_to_their_limits_and_draw_nothing_on_a_soft_plate() -> None:
    held = skin()
    made = gaussian(texture.luma(held.crop), 1.5)
    tuned = solve.tune([made], [held], solve.Grain(None, [held]), (0.8, 1.25))
    assert max(tuned.gains) == 1.25 and tuned.after["index"] < -3
    soft = skin()
    object.__setattr__(soft, "crop", gaussian(soft.crop, 1.5))
    tuned = solve.tune([made], [soft], solve.Grain(None, [soft]), (0.25, 4.0))
    assert tuned.gains == pytest.approx([1, 1, 1, 1], abs=0.01)


@pytest.mark.parametrize("strength", [0.0, 0.01])
def test_a_face_that_is_the_plate_is_left_alone(strength: float) -> None:
    plate = scene(amount=0.02 if strength else 0.06) + noise((*SHAPE, 1), strength, 3)
    (one,) = samples([plate], plate.copy())
    fitted = match.fit([one], BASE | {"grain": bool(strength)})
    json.dumps(fitted)
    found = fitted["texture"]
    assert found["gains"] == pytest.approx([1] * 4, abs=0.1 if strength else 1e-9)
    assert found["blended"]["index"] == pytest.approx(0, abs=0.3)
    assert fitted["restored"] is None
    if strength:
        return
    result, weight = match.finish(
        one.crop, one.face, one.matte, one.moment, fitted, COMPOSITE | {"grain": "none"}
    )
    assert np.abs(weight[..., None] * (result - plate)).max() < 1 / 1024


def test_grain_that_will_be_added_is_not_made_up_for_by_gains() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    # Flat around the face, as a wall behind it is: there the grain is seen alone.
    near = gaussian((np.hypot(x - 200, y - 190) < 120).astype(np.float32), 4.0)[..., None]
    wall = np.float32([0.62, 0.48, 0.4])
    plate = wall + near * (scene(amount=0.12) - wall)
    grainy = [plate + noise((*SHAPE, 1), 0.012, k) for k in range(3)]
    fitted = match.fit(samples(grainy, plate), BASE)
    assert fitted["grain"] is not None
    assert fitted["texture"]["gains"] == pytest.approx([1] * 4, abs=0.2)


def test_the_share_is_one_for_the_track_within_the_looks_range() -> None:
    plate = scene()
    size = texture.extent(POINTS)
    soft = gaussian(plate, 4 * size / 512)
    # The restorer's fine bands are 1.4 times as strong: at 1 / 1.4 of it they are the plate's.
    change = plate + np.float32(0.4) * fine(plate, size) - soft
    given = samples([plate, plate], soft, change)
    plain = BASE | {"grain": "none"}
    free = match.fit(given, plain | ALL)["restored"]
    assert free["share"] == free["wanted"] == pytest.approx(1 / 1.4, abs=0.04)
    for ends, share in (([0.75, 0.9], 0.75), ([0.3, 0.5], 0.5), ([0.6, 0.6], 0.6)):
        found = match.fit(given, plain | {"restored": ends})
        assert found["restored"] == {"share": share, "wanted": pytest.approx(free["wanted"], abs=0.05), "range": ends}
    area, sigmas = (given[0].matte > 0.9).astype(np.float32), texture.limits(size)
    told = texture.index(*(texture.energies(image, area, sigmas) for image in (soft + change, plate)))[0]
    assert 1.5 < told < 20 * np.log10(1.4)
    assert found["texture"]["restored"]["index"] == pytest.approx(told, abs=0.3)
    assert found["texture"]["swapped"]["index"] < -3


def test_the_fits_share_is_what_the_finish_uses() -> None:
    plate = scene()
    change = np.full((*SHAPE, 3), 0.1, np.float32)
    (one,) = samples([plate], plate.copy(), change)
    still = match.fit([one], BASE | {"colour": "none", "light": 0.0, "restored": [0.7, 0.7], "texture": False})
    alpha = {"blend": "alpha", "opacity": 1.0, "grain": "none"}
    result, _ = match.finish(one.crop, one.face, one.matte, one.moment, still, alpha)
    assert (result - plate)[one.matte > 0.99] == pytest.approx(0.07, abs=1e-5)


@pytest.fixture(scope="module")
def bench(root) -> ModuleType:
    spec = importlib.util.spec_from_file_location("texture_bench", root / "tests" / "bench" / "texture.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["texture_bench"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("words", ["128, restored 1.4x", "over-enhanced 1.6x"])
def test_real_skin_is_brought_to_the_plate(words: str, bench: ModuleType) -> None:
    (case,) = [case for case in bench.cases(["astronaut"]) if case.words == words]
    found = bench.judge(case, frames=2)
    assert found.named and found.reached and found.best, bench.line(case, found)
    assert max(map(abs, found.bands[1:])) <= 1


@pytest.mark.slow
def test_all_of_the_table_holds(bench: ModuleType) -> None:
    assert bench.main() == 0
