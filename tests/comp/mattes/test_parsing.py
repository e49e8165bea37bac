"""Mattes out of occluders and parsers, on arrays and through generated networks of the real contracts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

import generated
from understudy.comp.mattes.parsing import FACE, LABELS, SOFT, harden, lesser, regions
from understudy.errors import ConfigError
from understudy.runtime.cards import model_card
from understudy.runtime.network import Network


def half(side: int) -> np.ndarray:
    matte = np.zeros((side, side), np.float32)
    matte[:, side // 2 :] = 1
    return matte


def test_several_occluders_leave_the_least() -> None:
    a, b = np.float32([[0.2, 1.3, 0.6]]), np.float32([[0.9, 0.7, -0.1]])
    assert np.array_equal(lesser([a, b]), np.float32([[0.2, 0.7, 0]]))
    # A product would leave .36 where two soft edges of .6 meet.
    assert lesser([np.float32([[0.6]])] * 2)[0, 0] == np.float32(0.6)


def test_a_hardened_edge_is_the_upper_half_of_the_blurred_one() -> None:
    # By hand: a step blurred by a Gaussian is its distribution function.
    side, unit = 256, 70.0
    got = harden(half(side), unit)[side // 2]
    wanted = np.maximum(2 * ndtr((np.arange(side) + 0.5 - side / 2) / (SOFT * unit)) - 1, 0)
    assert np.abs(got - wanted).max() < 0.01
    assert not got[: side // 2].any()


def test_softness_is_a_part_of_the_face_and_not_of_the_crop() -> None:
    widths = {}
    for side in (128, 512):
        row = harden(half(side), 70 * side / 256)[side // 2]
        widths[side] = np.count_nonzero((row > 0.1) & (row < 0.9)) / side
    assert widths[128] == pytest.approx(widths[512], rel=0.25)
    # Five pixels whatever the crop is four times as wide at 128.
    fixed = {
        side: np.count_nonzero((row > 0.1) & (row < 0.9)) / side
        for side in (128, 512)
        for row in [harden(half(side), 5 / SOFT)[side // 2]]
    }
    assert fixed[128] > 3 * fixed[512]


def test_regions_are_the_probability_of_the_labels_named() -> None:
    classes = np.random.default_rng(0).normal(0, 2, (19, 5, 7)).astype(np.float32)
    power = np.exp(classes.astype(float))
    wanted = (power[10] + power[2] + power[17]) / power.sum(axis=0)
    assert np.abs(regions(classes, ["nose", "left_brow", "hair", "nose"]) - wanted).max() < 1e-6
    assert np.abs(regions(classes, LABELS) - 1).max() < 1e-6
    assert np.isfinite(regions(classes * 1000, FACE)).all()


def test_labels_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="moustache"):
        regions(np.zeros((19, 2, 2), np.float32), ["nose", "moustache"])
    with pytest.raises(ConfigError, match="no region is named"):
        regions(np.zeros((19, 2, 2), np.float32), [])


def test_the_labels_are_those_that_facefusion_numbers() -> None:
    numbers = {
        "skin": 1,
        "left_brow": 2,
        "right_eye": 5,
        "glasses": 6,
        "nose": 10,
        "mouth": 11,
        "lower_lip": 13,
    }
    numbers |= {"neck": 14, "hair": 17}
    assert {name: LABELS.index(name) for name in numbers} == numbers
    assert [LABELS.index(name) for name in FACE] == [1, 2, 3, 4, 5, 6, 10, 11, 12, 13]


def test_xseg_is_fed_blue_first_and_its_mask_comes_out(cards, tmp_path) -> None:
    picture = np.random.default_rng(1).random((2, 256, 256, 3)).astype(np.float32)
    masks = []
    for channel, name in ((0, "xseg_1"), (2, "xseg_2")):
        path = generated.xseg(tmp_path / f"{name}.onnx", channel)
        network = Network(model_card(name, generated.card_for(cards[name], path)), path)
        masks.append(network(image=picture)["mask"])
    assert np.abs(masks[0] - picture[..., 2]).max() < 1e-6  # channel 0 is blue
    assert (
        np.abs(lesser([mask[0] for mask in masks]) - np.minimum(picture[0, ..., 2], picture[0, ..., 0])).max()
        < 1e-6
    )


def test_bisenets_classes_become_regions(cards, tmp_path) -> None:
    path = generated.bisenet(tmp_path / "bisenet.onnx")
    network = Network(
        model_card("bisenet_resnet_34", generated.card_for(cards["bisenet_resnet_34"], path)), path
    )
    picture = np.zeros((1, 512, 512, 3), np.float32)
    picture[:, :, :256, 0] = 10 / 18
    picture[:, :, 256:, 0] = 17 / 18
    classes = network(image=picture)["classes"][0]
    nose, hair = regions(classes, ["nose"]), regions(classes, ["hair"])
    assert nose[:, :256].min() > 0.999 and nose[:, 256:].max() < 0.001
    assert hair[:, 256:].min() > 0.999
    # Where two classes are as likely as each other, the region is half there.
    picture[..., 0] = 10.5 / 18
    assert regions(network(image=picture)["classes"][0], ["nose"])[100, 100] == pytest.approx(0.5, abs=0.01)
