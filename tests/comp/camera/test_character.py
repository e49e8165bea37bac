"""The plate's character: known blurs, shutters, halos, blocks and grain are found and given to new faces."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import scipy.fft

import shipped
from people import film, jpeg, onto, person, sample
from understudy.comp import blend, match
from understudy.comp.camera import character, codec, grain, motion, sharpening
from understudy.comp.resample import enlarged, gaussian, warp
from understudy.comp.skin import texture

LOOK = {"defocus": True, "shutter": 180, "sharpening": True, "codec": True}
MATCH = shipped.MATCH
STILL = np.eye(2, 3)


def turned(x: float, y: float, degrees: float = 0.0, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """The motion that shifts by (x, y) and turns about ``centre``."""
    turn = np.exp(1j * np.deg2rad(degrees))
    shift = complex(*centre) * (1 - turn) + complex(x, y)
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def exposed(image: np.ndarray, moved: np.ndarray, shutter: float, moments: int = 12) -> np.ndarray:
    """What a shutter sees, by many moments and the best resampling there is."""
    times = shutter * ((np.arange(moments) + 0.5) / moments - 0.5)
    return np.mean([warp(image, motion.part(moved, time), image.shape[1::-1]) for time in times], axis=0)


def skin_of(one: match.Sample) -> np.ndarray:
    step = match._step(one.points)
    open_skin = enlarged(match._skin(one.matte, one.points), step, one.matte.shape)
    return (open_skin * (one.matte > 0.9)).astype(np.float32)


# Focus


@pytest.mark.parametrize("name", ["hopper", "astronaut"])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5, 2.0])
def test_a_known_blur_of_real_skin_is_found_within_a_tenth_of_a_pixel(name: str, sigma: float) -> None:
    image, points = person(name)
    one = sample(image, image, points)
    features, size = ((one.matte > 0.9) * (1 - skin_of(one))).astype(np.float32), texture.extent(points)
    soft = texture.energies(gaussian(image, sigma), features, texture.limits(size))
    found = texture.defocus([(texture.luma(image), features, size)], [soft], 0.0)
    assert found == pytest.approx(sigma, abs=0.1)
    crisp = texture.energies(image, features, texture.limits(size))
    assert texture.defocus([(texture.luma(gaussian(image, sigma)), features, size)], [crisp], 0.0) == 0


def test_a_little_crispness_is_left_and_much_is_not() -> None:
    image, points = person("hopper")
    found = []
    for sigma in (0.5, 1.5):
        one = sample(gaussian(image, sigma), image, points)
        found.append(character.focus([one], [image], [skin_of(one)])[0][1])
    assert found[0] == 0
    assert found[1] == pytest.approx(1.5, abs=0.1)


def test_a_racked_focus_is_followed_and_measuring_noise_is_not() -> None:
    image, points = person("hopper")
    racked = [1.9, 1.9, 1.9, 1.5, 1.0, 0.0, 0.0, 0.0]
    steady = [1.5, 1.4, 1.6, 1.5, 1.5, 1.6, 1.4, 1.5]
    for sigmas, each in ((racked, True), (steady, False)):
        shots = [
            sample(gaussian(image, sigma), image, points, frame=10 * k) for k, sigma in enumerate(sigmas)
        ]
        rows = character.focus(shots, [image] * len(shots), [skin_of(shots[0])] * len(shots))
        assert (len(rows) > 1) == each
        frames, found = zip(*rows, strict=True)
        assert np.interp(np.arange(0, 80, 10), frames, found) == pytest.approx(sigmas, abs=0.2)


# Motion


def test_parts_of_a_motion_add_up_to_it() -> None:
    whole = turned(7, -3, 20, (50, 80)) * 1.0
    whole[:, :2] *= 1.1
    half = motion.part(whole, 0.5)
    assert half[:, :2] @ half == pytest.approx(np.column_stack([whole[:, :2], whole[:, 2] - half[:, 2]]))
    assert motion.part(whole, 0) == pytest.approx(STILL)
    assert motion.part(turned(6, 2), 0.25) == pytest.approx(turned(1.5, 0.5))
    there = motion.seen_from(whole, (5, 9))
    point = np.array([31.0, 17.0])
    assert there[:, :2] @ (point - [5, 9]) + there[:, 2] + [5, 9] == pytest.approx(whole[:, :2] @ point + whole[:, 2])


def test_a_shutter_spreads_a_point_over_its_way() -> None:
    point = np.zeros((61, 61, 3), np.float32)
    point[30, 30] = 1
    point = gaussian(point, 1.2)
    x = np.arange(61) - 30
    before = (point[..., 0].sum(axis=0) * x**2).sum()
    for shutter in (0.25, 0.5, 1.0):
        seen = motion.blurred(point, turned(16, 0), shutter, np.array([[30.5, 30.5]]))[..., 0]
        assert seen.sum() == pytest.approx(1, abs=1e-3)
        assert (seen.sum(axis=0) * x**2).sum() - before == pytest.approx((16 * shutter) ** 2 / 12, rel=0.15)
        assert (seen.sum(axis=1) * x**2).sum() == pytest.approx(before, abs=1e-3)
    assert motion.blurred(point, turned(0.9, 0), 0.5, np.array([[30.5, 30.5]])) is point


def test_a_turn_blurs_its_rim_and_not_its_middle() -> None:
    stripes = np.repeat((np.indices((200, 200)).sum(axis=0) // 4 % 2)[..., None], 3, axis=2).astype(np.float32)
    stripes = gaussian(stripes, 1.0)
    rim = np.array([[0.0, 0.0], [200.0, 200.0]])
    seen = motion.blurred(stripes, turned(0, 0, 12, (100, 100)), 0.5, rim)
    assert seen[95:105, 95:105].std() > 0.9 * stripes[95:105, 95:105].std()
    # What moves along the stripes keeps them; what moves across them has lost them.
    assert seen[20:30, 20:30].std() > 0.8 * stripes[20:30, 20:30].std()
    truth = exposed(stripes, turned(0, 0, 12, (100, 100)), 0.5)
    assert np.abs(seen - truth)[20:-20, 20:-20].mean() < 0.015


@pytest.mark.parametrize("moved", [turned(12, 0), turned(2, 10), turned(9, -7, 1, (126, 135))])
def test_the_shutter_is_that_of_the_plate(moved: np.ndarray) -> None:
    image, points = person("hopper", 160)
    other = onto("astronaut", points, image.shape)
    matte = (sample(image, other, points).matte > 0.9).astype(np.float32)

    def seen(sharp: np.ndarray, shutter: float) -> list[motion.Seen]:
        """A frame that moves, and one on which the face rests elsewhere, a little turned."""
        place = turned(3.3, -2.7, 2, (126, 135))
        rests = points.copy()
        rests[:, :2] = points[:, :2] @ place[:, :2].T + place[:, 2]
        return [
            motion.Seen(exposed(sharp, moved, shutter) if shutter else sharp, matte, moved, points),
            motion.Seen(warp(sharp, place, sharp.shape[1::-1]), warp(matte, place, sharp.shape[1::-1]), STILL, rests),
        ]

    for truth in (0.25, 0.5):
        assert motion.shutter(seen(image, truth), seen(other, 0), 0.5) == pytest.approx(truth, abs=0.1)
        # A network that saw the blurred plate has its blur; a closed shutter leaves none.
        assert motion.shutter(seen(image, truth), seen(other, truth), 0.5) < 0.15
    assert motion.shutter(seen(image, 0), seen(other, 0), 0.5) == 0
    # A frame that moves half as fast will do; without any that is slower, or with none, nothing is known.
    slower = motion.Seen(exposed(image, motion.part(moved, 0.5), 0.5), matte, motion.part(moved, 0.5), points)
    fast, still = seen(image, 0.5)[:1], seen(other, 0)
    found = motion.shutter([*fast, slower], [still[0], replace(slower, image=other)], 0.5)
    assert found == pytest.approx(0.5, abs=0.12)
    assert motion.shutter(fast, still[:1], 0.5) == motion.shutter([], [], 0.5) == 0


def test_a_face_at_rest_costs_nothing() -> None:
    image, points = person("hopper")
    found = {"focus": [[0, 0.0]], "shutter": 0.5, "sharpening": [0.0, 0.0], "codec": 0}
    for moved in (None, STILL, turned(0.6, 0.5)):
        moment = match.Moment(3, points, motion=moved)
        assert character.apply(image, found, moment, (0, 0), LOOK) is image
    moment = match.Moment(3, points, motion=turned(9, 0))
    assert character.apply(image, found, moment, (0, 0), LOOK | {"shutter": 0}) is image
    short, long = (character.apply(image, found, moment, (0, 0), LOOK | {"shutter": s}) for s in (90, 180))
    assert np.abs(short - motion.blurred(image, turned(9, 0), 0.25, points)).max() < 1e-6
    assert texture.luma(long).var() < texture.luma(short).var()


# Sharpening


def test_the_overshoot_of_an_ideal_edge_is_that_of_its_formula() -> None:
    from scipy.stats import norm

    x = np.arange(-sharpening.REACH, sharpening.REACH + 1)
    for amount, radius, blur in ((0.5, 1.5, 1.0), (1.0, 2.0, 1.4), (1.5, 3.0, 2.0)):
        wide = np.hypot(blur, radius)
        step = norm.cdf(x / blur) + amount * (norm.cdf(x / blur) - norm.cdf(x / wide))
        assert sharpening.solve(step) == pytest.approx((amount, radius), abs=0.03)
        assert sharpening.overshoot(step) == pytest.approx(step.max() - 1, abs=1e-9)
    # And a picture of such edges gives it.
    squares = np.kron([[0.3, 0.6], [0.6, 0.3]], np.ones((60, 60), np.float32)).astype(np.float32)
    edges = gaussian(squares[..., None].repeat(3, 2), 1.0)
    found = sharpening.profile([(sharpening.unsharp(edges, 1.0, 2.0), np.ones(edges.shape[:2], np.float32))])
    assert found is not None
    blurred_step = norm.cdf(x) + (norm.cdf(x) - norm.cdf(x / np.hypot(1, 2)))
    assert sharpening.overshoot(found) == pytest.approx(sharpening.overshoot(blurred_step), abs=0.03)


@pytest.mark.parametrize("name", ["hopper", "astronaut"])
def test_sharpening_is_repeated_where_the_plate_has_it(name: str) -> None:
    image, points = person(name)
    other = onto("astronaut" if name == "hopper" else "hopper", points, image.shape)
    matte = sample(image, other, points).matte
    for soft in (0.0, 1.0):
        plain = gaussian(image, soft)
        assert sharpening.sharpening([(other, plain, matte)]) == (0.0, 0.0)
        halo = sharpening.unsharp(plain, 1.0, 2.0)
        everywhere = np.ones_like(matte)
        wanted = sharpening.profile([(halo, everywhere)])
        amount, radius = sharpening.sharpening([(other, halo, matte)])
        made = sharpening.profile([(sharpening.unsharp(plain, amount, radius), everywhere)])
        assert wanted is not None and made is not None
        assert sharpening.overshoot(made) == pytest.approx(sharpening.overshoot(wanted), abs=0.05)
        assert sharpening.overshoot(made) > 0.02
        assert sharpening.sharpening([(halo, halo, matte)]) == (0.0, 0.0)


# Codec


def test_the_transform_is_the_cosine_transform_on_the_plates_blocks() -> None:
    image = np.random.default_rng(1).uniform(0, 1, (35, 45)).astype(np.float32)
    got = codec.transform(image, (3, 6))
    block = 255 * image[2:10, 5:13] - 128
    assert got[1, 1] == pytest.approx(scipy.fft.dctn(block, norm="ortho"), abs=2e-3)
    assert codec.steps(50) == pytest.approx(codec.STEPS)
    assert codec.steps(100) == pytest.approx(np.ones((8, 8)))


@pytest.mark.parametrize("quality", [25, 50, 75, 85])
@pytest.mark.parametrize("name", ["hopper", "astronaut"])
def test_the_codec_of_a_plate_is_found_and_repeated_on_its_blocks(name: str, quality: int) -> None:
    image, _ = person(name)
    corner = (11, 13)
    plate = np.ascontiguousarray(jpeg(image, quality)[13:, 11:])
    clean = np.ascontiguousarray(image[13:, 11:])
    found = codec.quality([(plate, corner)])
    assert found == pytest.approx(quality, abs=1)
    assert codec.quality([(plate, (12, 13))]) == 0
    made = codec.through(clean, corner, found)
    assert codec.quality([(made, corner)]) == found
    # As close to what the codec made as colour and rounding let it be; the clean picture is much further away.
    away, before = (texture.luma(one - plate).std() for one in (made, clean))
    assert away < 0.5 * before
    assert codec.lacking([(clean, plate, corner)]) == found
    assert codec.lacking([(plate, plate, corner)]) == 0


@pytest.mark.parametrize("name", ["hopper", "astronaut"])
def test_a_plate_of_no_codec_has_none(name: str) -> None:
    image, _ = person(name)
    eight = np.rint(np.clip(image + film(image.shape, 0.01, 3), 0, 1) * 255).astype(np.float32) / 255
    for plate in (image, eight, gaussian(image, 2.0), image * 0 + 0.5):
        assert codec.quality([(plate, (0, 0))]) == 0


# Grain


def ramp(shape: tuple[int, int]) -> np.ndarray:
    return np.repeat(np.linspace(0.04, 0.96, shape[1], dtype=np.float32)[None, :, None], shape[0], axis=0).repeat(3, 2)


def strength(level: np.ndarray) -> np.ndarray:
    return 0.004 + 0.03 * level * (1 - level)


def test_known_grain_is_measured_per_luma_and_spectrum() -> None:
    clean = ramp((640, 960))
    noise = film(clean.shape, 1.0, 8) * strength(clean)
    model = grain.measure([(clean + noise, np.ones(clean.shape[:2], np.float32))])
    assert model is not None
    centres = (np.arange(grain.BINS) + 0.5) / grain.BINS
    assert model["sigma"] == pytest.approx(strength(centres), rel=0.1)
    for wide in (0.01, 0.55, 0.8):
        flat = np.full((512, 768, 3), 0.5, np.float32)
        model = grain.measure([(flat + film(flat.shape, 0.012, 8, wide), np.ones(flat.shape[:2], np.float32))])
        assert model is not None
        assert model["sigma"] == pytest.approx([0.012] * grain.BINS, rel=0.1)
        made, true = grain.synthesise(model, (512, 512), 3), film((512, 512), 1.0, 9, wide)
        for one, other in zip(spectrum(made), spectrum(true), strict=True):
            assert 10 * np.log10(one / other) == pytest.approx(0, abs=1)


def spectrum(noise: np.ndarray) -> list[float]:
    """Power of luma in rings of the spectrum, from waves of eight pixels to the finest."""
    power = np.abs(np.fft.fft2(texture.luma(noise.astype(np.float32)))) ** 2
    far = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in power.shape), indexing="ij"))
    return [float(power[(far >= low) & (far < high)].mean()) for low, high in pairwise(np.linspace(1 / 8, 0.5, 7))]


@pytest.mark.parametrize("mode", ["multiband", "poisson", "alpha"])
@pytest.mark.parametrize("again", [False, True])
def test_the_grain_over_the_face_is_the_plates(mode: str, again: bool) -> None:
    shape, s = (128, 768), 0.012
    clean = np.full((*shape, 3), 0.5, np.float32)
    noise = film(shape, s, 4)
    plate = clean + noise
    matte = np.repeat(np.clip(np.linspace(-0.5, 1.5, shape[1], dtype=np.float32), 0, 1)[None], shape[0], axis=0)
    model = grain.measure([(plate, np.ones(shape, np.float32))])
    assert model is not None
    for shared, own in ((0.0, 0.0), (0.0, 0.006), (0.5, 0.0), (0.6, 0.005), (1.0, 0.0)):
        face = (clean + shared * noise + (film(shape, own, 17) if own else 0)).astype(np.float32)
        kin = grain.kinship([(face, plate, np.ones(shape, np.float32))], model)
        assert kin == pytest.approx((own, shared), abs=0.04)
        mixed, weight = blend.blend(mode, plate, face, matte, 60.0)
        share = blend.detail(mode, matte, weight)
        made = grain.regrain(mixed, share, weight, model, kin, 7, plate if again else None)
        out = plate + weight[..., None] * (made - plate)
        for low in range(128, 640, 64):
            part = np.s_[16:-16, low : low + 64]
            ratio = texture.luma(out - clean)[part].var() / texture.luma(noise)[part].var()
            assert ratio == pytest.approx(1, abs=0.12), (shared, own, low)


def test_the_plates_own_grain_is_used_again_and_its_edges_are_not() -> None:
    image, points = person("hopper")
    clean = gaussian(image, 1.2)
    noise = film(image.shape, 0.012, 5)
    plate = (clean + noise).astype(np.float32)
    model = grain.measure([(plate, np.ones(plate.shape[:2], np.float32))])
    assert model is not None
    _, alone = grain.reusable(plate, model)
    edges = np.hypot(*(cv2.Sobel(texture.luma(clean), cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1))))
    plain, strong = edges < np.quantile(edges, 0.3), edges > np.quantile(edges, 0.9)
    assert alone[plain].mean() > 0.55
    assert alone[strong].mean() < 0.1
    # No ghost of the old face: what is laid again has nothing to do with what was there.
    again = texture.luma(grain.residual(plate)) * alone
    ghost = texture.luma(grain.residual(clean))
    matte = sample(plate, plate, points).matte > 0.5
    assert abs(np.corrcoef(again[matte], ghost[matte])[0, 1]) < 0.25


def test_a_fit_finds_what_the_plate_has_and_nothing_else() -> None:
    image, points = person("hopper")
    other = onto("astronaut", points, image.shape)
    one = sample(image, other, points, corner=(3, 5))
    assert match.fit([one], MATCH)["character"] == {
        "focus": [[7, 0.0]],
        "shutter": 0.0,
        "sharpening": [0.0, 0.0],
        "codec": 0,
    }
    blocks = jpeg(warp(image, turned(3, 5), (image.shape[1] + 3, image.shape[0] + 5)), 60)[5:, 3:]
    coded = sample(np.ascontiguousarray(blocks), other, points, corner=(3, 5))
    fitted = match.fit([coded], MATCH)
    assert fitted["character"]["codec"] == pytest.approx(60, abs=1)
    alpha = {"blend": "alpha", "opacity": 1.0, "texture": False}
    with_it, without = (
        match.finish(coded.crop, coded.face, coded.matte, coded.moment, fitted, alpha | {"codec": wanted})
        for wanted in (True, False)
    )
    assert np.abs(with_it[0] - without[0])[coded.matte > 0.9].max() > 0.01


@pytest.mark.parametrize("moving", [0.02, 0.0])
def test_what_moves_with_the_picture_is_no_grain(moving: float) -> None:
    """A photograph's own grain, filmed: it stays with the picture, and only what is new on every frame is given."""
    rng = np.random.default_rng(3)
    still = gaussian(rng.normal(0, 1, (240, 240)).astype(np.float32), 0.7)
    still *= moving / still.std()
    frames = [0.5 + still + rng.normal(0, 0.01, still.shape).astype(np.float32) for _ in range(6)]
    whole = np.ones(still.shape, np.float32)
    model = grain.measure([(np.dstack([frame] * 3), whole) for frame in frames])
    assert model is not None
    found = grain.lively(model, [(here, there, whole) for here, there in pairwise(frames)])
    if moving:
        assert min(model["sigma"]) > 0.018
    assert found["sigma"] == pytest.approx([0.01] * len(found["sigma"]), rel=0.15)
    assert grain.lively(model, []) == model
