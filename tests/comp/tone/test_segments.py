"""Tones of a frame, lighting segments, and a ratio to the plate that keeps steady."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

import shipped
from relit import ON, SHOTS, Take, even, filmed
from understudy.comp.match import Laid, Sample, finish, fit, tones_of
from understudy.comp.tone import segments
from understudy.comp.tone.tones import Tones, ratio
from understudy.faces.geometry import iod
from understudy.media.colour import from_linear, to_linear
from understudy.qc.measures import colour_distance, delta_e, flicker, frame, lab, rms

LOOK = shipped.MATCH | {"texture": False, "grain": "none"}
MODES = ("none", "mean", "reinhard", "cholesky", "pca", "mkl", "histogram", "idt", "sot", "lowfreq")
SMALL = Take(size=110.0)


def fitted_on(shot: list[Sample], look: dict) -> dict:
    return fit(shot[:1], look, [tones_of(one, look) for one in shot])


def finished(one: Sample, fitted: dict) -> np.ndarray:
    result, weight = finish(
        one.crop, one.face, one.matte, one.moment, fitted, {"blend": "multiband", "opacity": 1.0}
    )
    return one.crop + weight[..., None] * (result - one.crop)


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape)


def plain(levels: np.ndarray, face: np.ndarray) -> list[Tones]:
    """Tones of frames whose plate is the face at a level [n, 3]."""
    return [
        Tones(1001 + t, face, face * np.exp(level), np.ones(len(face))) for t, level in enumerate(levels)
    ]


# --- tones


def test_the_ratio_is_the_gain_between_two_skins() -> None:
    one = filmed(even, SMALL, 1)[0]
    crop = one.crop
    given = tones_of(replace(one, face=Laid(crop)), LOOK)
    assert ratio(given.face, given.plate, given.weight) == pytest.approx([0, 0, 0], abs=1e-12)
    brighter = tones_of(replace(one, face=Laid(crop * np.float32(0.8) - np.float32(0.2 * 0.03))), LOOK)
    assert ratio(brighter.face, brighter.plate, brighter.weight) == pytest.approx([np.log(1.25)] * 3, abs=1e-3)


def test_a_trace_of_a_matte_is_no_skin() -> None:
    one = filmed(even, SMALL, 1)[0]
    for matte in (one.matte * np.float32(0.04), one.matte * 0):
        assert len(tones_of(replace(one, matte=matte), LOOK).face) == 0


@pytest.mark.parametrize("spoil", ["highlights", "hand"])
def test_what_is_no_skin_does_not_count(spoil: str) -> None:
    one = filmed(even, SMALL, 1)[0]
    dim = replace(one, crop=one.crop * np.float32(0.8), face=Laid(one.face.swapped * np.float32(0.8)))
    crop = dim.crop.copy()
    if spoil == "highlights":
        # Five in a hundred blocks shine.
        blocks = np.random.default_rng(2).random((40, 40)) < 0.05
        crop[np.kron(blocks, np.ones((6, 6), bool))[: crop.shape[0], : crop.shape[1]]] = 0.97
    else:
        x = dim.points[:, 0]
        crop[:, int(np.quantile(x, 0.75)) :] = (0.35, 0.2, 0.15)
    spoilt = replace(dim, crop=crop)
    ratios = [
        ratio(given.face, given.plate, given.weight) for given in (tones_of(dim, LOOK), tones_of(spoilt, LOOK))
    ]
    assert ratios[1] == pytest.approx(ratios[0], abs=0.02)
    fits = [fitted_on([sample], LOOK)["colour"]["segments"][0] for sample in (dim, spoilt)]
    assert np.abs(np.array(fits[0]["matrix"]) - fits[1]["matrix"]).max() < 0.06
    tone = np.array([[[0.7, 0.55, 0.45]]], np.float32)
    made = [np.array(one["matrix"]) @ [*tone[0, 0], 1] for one in fits]
    assert made[1] == pytest.approx(made[0], abs=0.015)


# --- segments


@pytest.mark.parametrize("at", [1, 7, 30, 59])
def test_a_switch_is_found_on_its_frame(at: int) -> None:
    level = noise((60, 1), 0.015) + np.zeros((60, 3))
    level[at:] += [0.25, 0.2, 0.1]
    assert segments.partition(level) == [0, at]
    assert segments.fades(level, [0, at]) == [0, 0]


@pytest.mark.parametrize("sigma", [0.0, 0.004, 0.015, 0.04])
@pytest.mark.parametrize("together", [True, False])
def test_noise_is_one_segment(sigma: float, together: bool) -> None:
    for seed in range(10):
        level = noise((240, 1 if together else 3), sigma, seed) + np.zeros((240, 3))
        assert segments.partition(level) == [0]


def test_a_flash_is_a_segment_of_its_own() -> None:
    level = noise((50, 3), 0.01)
    level[20:22] += 0.5
    assert segments.partition(level) == [0, 20, 22]


def test_a_ramp_fades_and_a_single_frame_is_a_segment() -> None:
    level = np.repeat(np.interp(np.arange(80), [30, 50], [0, 0.4])[:, None], 3, axis=1)
    starts = segments.partition(level)
    widths = segments.fades(level, starts)
    assert len(starts) > 1 and all(30 <= start <= 52 for start in starts[1:])
    assert widths[0] == 0 and all(0 < width <= segments.FADE for width in widths[1:])
    assert segments.partition(np.zeros((1, 3))) == [0]


def test_shares_of_a_fade_go_over_evenly() -> None:
    parts = [{"first": 1, "fade": 0}, {"first": 21, "fade": 4}, {"first": 41, "fade": 0}]
    told = [dict.fromkeys(range(3), 0.0) for _ in range(60)]
    for number in range(60):
        for part, share in segments.shares(parts, number):
            told[number][parts.index(part)] = share
        assert sum(told[number].values()) == pytest.approx(1)
    assert [told[n][1] for n in range(18, 24)] == pytest.approx([0, 0.125, 0.375, 0.625, 0.875, 1])
    assert told[40][1] == told[41][2] == 1 and told[0][0] == 1


# --- steadiness


def test_smoothing_is_savitzky_and_golays() -> None:
    values = noise((40, 3), 1.0)
    got = segments.smooth(values)
    assert got[4:-4] == pytest.approx(scipy.signal.savgol_filter(values, 9, 2, axis=0)[4:-4])
    slope = np.linspace(0, 1, 12)[:, None] * [1.0, -2.0, 3.0]
    assert segments.smooth(slope) == pytest.approx(slope)
    for count in (1, 2, 3, 5):
        assert segments.smooth(np.ones((count, 3))) == pytest.approx(np.ones((count, 3)))


def test_what_both_halves_see_is_followed_and_chance_is_not() -> None:
    true, chance = noise((200, 1), 0.015) + np.zeros((200, 3)), noise((2, 200, 3), 0.015, 1)
    seen = true + 0.2 * chance
    followed = segments.steady(seen.mean(axis=0), seen, [])
    assert np.std(followed - true) < 0.25 * np.std(true)
    alone = segments.steady(chance.mean(axis=0), chance, [])
    assert np.abs(alone - segments.smooth(chance.mean(axis=0))).max() < 0.3 * np.abs(chance.mean(axis=0)).max()


def test_nothing_is_smoothed_across_a_switch() -> None:
    level = np.zeros((30, 3))
    level[15:] = 0.3
    assert segments.steady(level, np.stack([level, level]), [15]) == pytest.approx(level)


def test_a_fit_holds_per_segment_and_gains_per_frame() -> None:
    face = np.random.default_rng(3).uniform(0.3, 0.6, (300, 3))
    level = np.zeros((40, 3))
    level[20:] = (0.3, 0.2, 0.1)
    given = plain(level, face)
    fitted = json.loads(json.dumps(segments.fit(given, "mkl", follow=True)))
    assert [(one["first"], one["fade"]) for one in fitted["segments"]] == [(1001, 0), (1021, 0)]
    assert len(fitted["gains"]) == 40 and fitted["first"] == 1001
    for one in given[::7]:
        made = segments.apply(face[None].astype(np.float32), fitted, one.frame)[0]
        assert made.mean(axis=0) == pytest.approx(one.plate.mean(axis=0), rel=0.01)
    once = segments.fit(given, "mkl", follow=False)
    assert len(once["segments"]) == 1 and once["gains"] == []


def test_frames_without_skin_are_bridged() -> None:
    face = np.random.default_rng(3).uniform(0.3, 0.6, (300, 3))
    given = plain(np.linspace(0, 0.1, 20)[:, None] * np.ones(3), face)
    given[8:12] = [replace(one, weight=one.weight * 0) for one in given[8:12]]
    fitted = segments.fit(given, "mean", follow=True)
    assert len(fitted["gains"]) == 20
    for one in given:
        made = segments.apply(face[None].astype(np.float32), fitted, one.frame)[0]
        assert made.mean(axis=0) == pytest.approx(one.plate.mean(axis=0), rel=0.01)


def test_a_seed_is_a_sample() -> None:
    face = np.random.default_rng(3).uniform(0.3, 0.6, (400, 3))
    given = plain(noise((80, 3), 0.01), face)
    one, other = segments.pooled(given, np.zeros((80, 3)))
    again = segments.pooled(given, np.zeros((80, 3)))
    assert len(one) == len(other) == segments.SAMPLE
    assert np.array_equal(one, again[0]) and np.array_equal(other, again[1])


# --- the whole way


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_face_that_is_the_plate_comes_back(mode: str, linear: bool) -> None:
    one = filmed(SHOTS["mixed"], SMALL, 1)[0]
    # A scene-linear plate has values beyond white; its display values are what every stage works on.
    crop = from_linear(to_linear(one.crop) * np.float32(1.7)) if linear else one.crop
    same = replace(one, crop=crop, face=Laid(crop.copy()))
    assert np.abs(finished(same, fitted_on([same], LOOK | {"colour": mode})) - crop).max() < 1 / 1024


@pytest.mark.parametrize("name", SHOTS)
def test_the_shipped_look_keeps_within_two(name: str) -> None:
    shot = filmed(SHOTS[name], SMALL)
    fitted = fitted_on(shot, LOOK)
    for one in (shot[0], shot[ON - 1], shot[ON], shot[-1]):
        made = finished(one, fitted)
        beside = colour_distance(one.crop, made, one.matte, iod(one.points))
        assert beside is not None and abs(beside) < 1
        inside = one.matte > 0.95
        assert delta_e(*(lab(image)[inside].mean(axis=0) for image in (made, one.crop))) < 1.5
    if name == "switch":
        starts = {one["first"]: one["fade"] for one in fitted["colour"]["segments"]}
        assert starts[ON] == 0


def test_a_gain_of_its_own_on_every_frame_is_taken_off() -> None:
    shot = filmed(even, Take(size=110.0, follows=True, flicker=0.015), 30)

    def flickers(look: dict) -> float:
        fitted = fitted_on(shot, look)
        rows = [frame(one.crop, finished(one, fitted), one.matte, one.points) for one in shot]
        return rms(flicker([row["luma_ratio"] for row in rows])) or 0.0

    assert flickers(LOOK) < 0.002 < 0.02 < flickers(LOOK | {"light": 0.0, "steady": False})
    assert flickers(LOOK | {"light": 0.0}) < 0.004


def test_a_low_frequency_ratio_is_the_light_in_full() -> None:
    one = filmed(SHOTS["mixed"], SMALL, 1)[0]
    ratio_alone = finished(one, fitted_on([one], LOOK | {"colour": "lowfreq", "light": 0.0}))
    assert np.array_equal(ratio_alone, finished(one, fitted_on([one], LOOK | {"colour": "none", "light": 1.0})))
