"""The signed index, what tells of invented detail, and what is said of a track."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import scipy.stats

from understudy.comp.skin.patches import eyes, patches
from understudy.comp.skin.texture import extent
from understudy.faces.geometry import CANONICAL
from understudy.qc import texture

SHAPE = (480, 420)
POINTS = (CANONICAL * 125 + [210, 250, 0]).astype(np.float32)
ENDS = {"first": 1, "last": 9, "worst": 1, "track": "t01", "whole": True}


def grain(seed: int, sigma: float = 0.02) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, (*SHAPE, 1)).astype(np.float32)


PLATE = (np.array([0.72, 0.55, 0.46]) + grain(3)).astype(np.float32)
AREA = patches(POINTS, SHAPE)


def index(result: np.ndarray, **more: Any) -> dict[str, float]:
    return texture.texture_index(PLATE, result, AREA, extent(POINTS), **more)


def test_bands_are_named_by_their_coarser_limit_on_a_face_of_512() -> None:
    size = extent(POINTS)
    coarse = cv2.GaussianBlur(PLATE, (0, 0), 2 * size / 512)
    numbers = index(PLATE + (PLATE - coarse))
    # Twice what lies below 2 pixels: four times the energy of the finest bands, and ever less of that from there on.
    assert numbers["texture_1"] == pytest.approx(6.0, abs=0.3)
    assert 5 < numbers["texture_2"] < 6 and 2 < numbers["texture_4"] < 4 and numbers["texture_8"] < 1.5


@pytest.mark.parametrize("made", ["normal", "spiky"])
def test_spikes_are_the_excess_kurtosis_over_the_plates(made: str) -> None:
    random = np.random.default_rng(5)
    drawn = random.laplace(0, 0.014, SHAPE) if made == "spiky" else random.normal(0, 0.02, SHAPE)
    result = (np.array([0.7, 0.5, 0.4]) + drawn[..., None]).astype(np.float32)
    got = index(result)["texture_spikes"]
    sigma = extent(POINTS) / 512
    bands = [
        (image @ [0.2126, 0.7152, 0.0722]) - cv2.GaussianBlur(image @ [0.2126, 0.7152, 0.0722], (0, 0), sigma)
        for image in (result.astype(np.float64), PLATE.astype(np.float64))
    ]
    wanted = np.diff([scipy.stats.kurtosis(band[AREA]) for band in reversed(bands)])[0]
    assert got == pytest.approx(wanted, abs=0.05)
    assert (got > texture.SPIKY) == (made == "spiky")


def test_crisp_eyes_stand_out_from_the_skin() -> None:
    weight = cv2.GaussianBlur(eyes(POINTS, SHAPE).astype(np.float32), (0, 0), 4)[..., None] * 2
    mean = cv2.GaussianBlur(PLATE, (0, 0), 12)
    crisp = PLATE + np.minimum(weight, 1) * (PLATE - mean)
    numbers = index(crisp, points=POINTS)
    assert numbers["texture_index"] == pytest.approx(0, abs=0.2)
    assert numbers["texture_eyes"] == pytest.approx(20 * np.log10(2), abs=1)
    assert index(PLATE, points=POINTS)["texture_eyes"] == 0


def test_the_skin_around_is_what_the_new_skin_is_seen_beside() -> None:
    matte = np.zeros(SHAPE, np.float32)
    matte[:, 205:] = 1
    area, around = AREA & (matte > 0), AREA & (matte == 0)
    soft = PLATE * (1 - matte[..., None]) + cv2.GaussianBlur(PLATE, (0, 0), 1.5) * matte[..., None]
    numbers = texture.texture_index(PLATE, soft, area, extent(POINTS), around=around)
    # The plate is alike everywhere, so both references say the same.
    assert numbers["texture_around"] == pytest.approx(numbers["texture_index"], abs=0.5)
    assert numbers["texture_index"] < -5


def test_around_a_matte_only_skin_counts() -> None:
    lab = np.full((40, 60, 3), [60, 15, 15], np.float32)
    lab[:, 40:] = [20, 0, 0]  # hair
    matte = np.zeros((40, 60), np.float32)
    matte[10:30, 20:38] = 1
    found = texture.skin_around(lab, matte, 8)
    assert found[20, 15] and found[5, 25]
    assert not found[20, 25] and not found[20, 5]  # under the matte, and too far from it
    assert not found[:, 39:].any()  # hair, and its edge
    assert not texture.skin_around(lab, 0 * matte, 8).any()


def summary(
    blended: float,
    finished: float,
    gains: list[float],
    restored: Any = None,
    matched: bool = True,
    **more: Any,
) -> dict[str, Any]:
    fit = {"blended": {"index": blended}, "finished": {"index": finished}, "gains": gains}
    rows = [{"texture_index": finished + k, "texture_eyes": 0.0, "texture_spikes": 0.0} | more for k in (-1, 0, 2)]
    return texture.summary(rows, {"texture": fit, "restored": restored, "look": {"texture": matched}}, None)


def test_a_track_on_neither_road_needs_no_words() -> None:
    found = summary(-0.4, 0.1, [1.0, 1.1, 1.0, 1.0])
    assert found["texture_index"] == 0.1 and found["road"] == "as the plate"
    assert texture.told(found, ENDS, [0.8, 1.25]) == []


def test_what_was_done_is_told() -> None:
    restored = {"share": 0.8, "wanted": 0.93, "range": [0.65, 0.8]}
    (flag,) = texture.told(summary(-3.2, -1.8, [2.8, 1.4, 1.0, 1.0], restored), ENDS, [0.5, 2.8])
    assert flag["reason"] == (
        "too soft by -3.2 dB before gains: blend solved at 0.80 (limit), band gains 2.80 (limit) / 1.40 / 1.00 / 1.00"
        " from fine to coarse, -1.8 dB after them"
    )
    assert flag["action"] == "raise the upper end of match.restored, or raise swap.boost, or widen match.gain"
    assert (flag["kind"], flag["level"], flag["value"], flag["whole"]) == ("texture solved", "info", -3.2, True)

    restored = {"share": 0.65, "wanted": 0.5, "range": [0.65, 0.65]}
    (flag,) = texture.told(summary(2.4, 0.2, [0.7, 0.8, 1.0, 1.0], restored), ENDS, [0.5, 2.8])
    assert flag["reason"].startswith("over-enhanced by +2.4 dB before gains: blend solved at 0.65 (fixed), band gains")
    assert flag["action"] == "nothing: the gains made up for it"

    (flag,) = texture.told(summary(-5.0, -4.0, [1.25, 1.25, 1.0, 1.0]), ENDS, [0.8, 1.25])
    assert "blend" not in flag["reason"]
    assert flag["action"] == "raise swap.boost, name a restorer in enhance.model, or widen match.gain"


def test_gains_that_were_not_laid_are_not_told() -> None:
    (flag,) = texture.told(summary(-5.0, 0.0, [1.25] * 4, matched=False), ENDS, [0.8, 1.25])
    assert flag["reason"].endswith("nothing was done, match.texture is off")
    assert flag["action"].endswith("or set match.texture to true")


def test_a_restorers_hand_is_told_where_there_is_one() -> None:
    restored = {"share": 0.7, "wanted": 0.7, "range": [0.65, 0.8]}
    more = {"texture_eyes": 2.6, "texture_spikes": 1.8}
    (flag,) = texture.told(summary(0.0, 0.0, [1.0] * 4, restored, **more), ENDS, [0.5, 2.8])
    assert flag["level"] == "warn" and flag["reason"] == (
        "the restorer's hand shows: the eyes are 2.6 dB crisper than the skin and the finest detail is spikier than the"
        " plate's (kurtosis +1.8)"
    )
    assert texture.told(summary(0.0, 0.0, [1.0] * 4, None, **more), ENDS, [0.5, 2.8]) == []


def test_a_debt_is_told_and_a_track_without_a_fit_is_no_trouble() -> None:
    rows = [{"texture_index": None}]
    (flag,) = texture.told(texture.summary(rows, None, 12.04), ENDS, [0.5, 2.8])
    assert flag["kind"] == "resolution debt" and "12.0 dB smaller than the plate shows it" in flag["reason"]
    assert texture.told(texture.summary(rows, None, 5.0), ENDS, [0.5, 2.8]) == []
