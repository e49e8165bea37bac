"""The talent's own skin over a network's face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage

import shipped
from understudy.comp import match
from understudy.comp.mattes.matte import layers
from understudy.comp.resample import gaussian
from understudy.comp.skin import texture
from understudy.comp.skin.donor import donate
from understudy.faces.geometry import CANONICAL

SHAPE = (380, 400)
POINTS = (CANONICAL * 120 + [200, 190, 0]).astype(np.float32)
MATTE = shipped.MATTE | {"erode": 0.04, "feather": 0.09}
MATCH = shipped.MATCH | {"light": 1.0, "grain": "none", "gain": [0.5, 2.8]}
ONES = np.ones(SHAPE, np.float32)


def skin(seed: int, tint: tuple[float, float, float] = (0.62, 0.48, 0.4)) -> np.ndarray:
    """Pores, on a slope of light."""
    random = np.random.default_rng(seed)
    pores = scipy.ndimage.gaussian_filter(random.normal(0, 1, SHAPE), 1.0)
    slope = np.linspace(0.8, 1.2, SHAPE[1])[None]
    return ((1 + 0.05 * pores[..., None]) * slope[..., None] * np.array(tint)).astype(np.float32)


def energies(image: np.ndarray) -> np.ndarray:
    inner = np.zeros(SHAPE, np.float32)
    inner[60:-60, 60:-60] = 1
    return texture.energies(image, inner, texture.limits(300))


def test_the_fine_bands_are_the_donors_and_the_low_ones_the_faces() -> None:
    face, donor = gaussian(skin(1), 6.0), skin(2)
    made = donate(face, donor, ONES, 300)
    fine, low = texture.luma(made) - gaussian(texture.luma(made), 2), gaussian(made, 16)
    other = texture.luma(donor) - gaussian(texture.luma(donor), 2)
    inner = np.s_[60:-60, 60:-60]
    assert np.corrcoef(fine[inner].ravel(), other[inner].ravel())[0, 1] > 0.98
    assert np.abs(low - gaussian(face, 16))[inner].max() < 0.002
    assert np.array_equal(donate(face, donor, 0 * ONES, 300), face)


def test_a_donor_in_other_light_gives_its_relative_detail() -> None:
    face = gaussian(skin(1), 6.0)
    bright = donate(face, skin(2), ONES, 300)
    dark = donate(face, np.float32(0.7) * skin(2), ONES, 300)
    assert energies(dark)[:2] == pytest.approx(energies(bright)[:2], rel=0.05)


def test_a_face_that_is_its_own_donor_stays_as_it_is() -> None:
    face = skin(1)
    assert np.abs(donate(face, face, ONES, 300) - face).max() < 1e-5


def test_a_soft_face_with_a_donor_reaches_the_plates_texture() -> None:
    plate, soft, donor = skin(1), gaussian(skin(1), 5.0), skin(7, (0.5, 0.5, 0.5))
    laid = layers(POINTS, SHAPE, None, lambda: plate, {}, [], MATTE)["matte"]
    without = match.Sample(plate, match.Laid(soft), laid, match.Moment(1, POINTS, 1))
    lent = replace(without, face=match.Laid(soft, donor=(donor, ONES)))
    far, near = (match.fit([one], MATCH)["texture"] for one in (without, lent))
    assert far["finished"]["index"] < -6
    assert abs(near["finished"]["index"]) < 0.5
    # The donor ends at 4 pixels: what lies above is the network's, blurred as it is here.
    assert np.abs(near["finished"]["bands"][:3]).max() < 1
    fitted = match.fit([lent], MATCH)
    result, weight = match.finish(
        lent.crop, lent.face, laid, lent.moment, fitted, {"blend": "multiband", "opacity": 1.0}
    )
    grey = texture.luma(plate + weight[..., None] * (result - plate))
    told, own = (image - gaussian(image, 2) for image in (grey, texture.luma(donor)))
    cheek = np.s_[200:230, 140:170]
    assert np.corrcoef(told[cheek].ravel(), own[cheek].ravel())[0, 1] > 0.95
