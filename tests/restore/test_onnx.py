"""Every restorer, by its real card over a generated network that adds a known texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import generated
from understudy.errors import ConfigError, ModelError
from understudy.restore.load import load_restorer
from understudy.runtime.cards import model_card
from understudy.runtime.sessions import Device

RESTORERS = {
    # card: its arguments, template, side
    "gfpgan_1.4": ({}, "ffhq_512", 512),
    "gfpgan_1.3": ({}, "ffhq_512", 512),
    "gfpgan_1.2": ({}, "ffhq_512", 512),
    "codeformer": ({"weight": True}, "ffhq_512", 512),
    "restoreformer_plus_plus": ({}, "ffhq_512", 512),
    "gpen_bfr_256": ({"size": 256}, "arcface_128", 256),
    "gpen_bfr_512": ({}, "ffhq_512", 512),
    "gpen_bfr_1024": ({"size": 1024}, "ffhq_512", 1024),
    "gpen_bfr_2048": ({"size": 2048}, "ffhq_512", 2048),
}
SETTINGS = {"fidelity": 0.25}


@pytest.fixture
def restorer(cards, tmp_path: Path):
    def made(name: str, device: Device = Device(), **changes):  # noqa: B008 - frozen
        path = generated.restorer(
            tmp_path / f"{name}.onnx", **(RESTORERS[name][0] | changes.pop("network", {}))
        )
        return load_restorer(model_card(name, generated.card_for(cards[name], path, **changes)), path, device)

    return made


def faces(side: int, count: int = 1) -> np.ndarray:
    ramp = np.linspace(0.2, 0.8, side, dtype=np.float32)
    one = np.stack([ramp[:, None] + 0 * ramp, 0 * ramp[:, None] + ramp, np.full((side, side), 0.4)], axis=2)
    return np.stack([one * (1 - 0.1 * i) for i in range(count)]).astype(np.float32)


def weave(side: int) -> np.ndarray:
    return generated.TEXTURE * np.tile(generated.weave(), (side // 8, side // 8))[..., None]


LARGEST = pytest.param("gpen_bfr_2048", marks=pytest.mark.slow)
"""Ten seconds, for what its smaller sisters show."""


@pytest.mark.parametrize("name", [*(name for name in RESTORERS if name not in LARGEST.values), LARGEST])
def test_the_texture_that_the_network_adds_comes_out(name, restorer) -> None:
    _, template, side = RESTORERS[name]
    made = restorer(name)
    assert (made.card.template, made.card.size) == (template, side)
    images = faces(side)
    share = 1 - SETTINGS["fidelity"] if name == "codeformer" else 1
    got = made.restore(images, SETTINGS)
    assert got.dtype == np.float32 and got.shape == images.shape
    assert np.abs(got - (images + share * weave(side))).max() < 1e-5


@pytest.mark.parametrize("fidelity", [0.0, 0.5, 1.0])
def test_codeformers_fidelity_is_its_double_precision_weight(fidelity, restorer) -> None:
    images = faces(512, 2)
    got = restorer("codeformer").restore(images, {"fidelity": fidelity})
    assert np.abs(got - (images + (1 - fidelity) * weave(512))).max() < 1e-5


def test_a_fidelity_outside_its_range_is_refused(restorer) -> None:
    with pytest.raises(ConfigError, match=r"1\.5"):
        restorer("codeformer").restore(faces(512), {"fidelity": 1.5})


def test_many_faces_are_restored_as_each_alone(restorer) -> None:
    made = restorer("gpen_bfr_256", Device(batch=2))
    images = faces(256, 3)
    together = made.restore(images, SETTINGS)
    for i in range(3):
        assert np.array_equal(together[i], made.restore(images[i : i + 1], SETTINGS)[0])


def test_a_restorer_may_enlarge(restorer, cards) -> None:
    outputs = {"image": {**cards["gfpgan_1.4"]["outputs"]["image"], "shape": [1, 3, 1024, 1024]}}
    made = restorer("gfpgan_1.4", network={"out": 1024}, outputs=outputs)
    got = made.restore(faces(512), SETTINGS)
    assert np.abs(got - (faces(512).repeat(2, axis=1).repeat(2, axis=2) + weave(1024))).max() < 1e-5


def test_values_are_limited_after_and_not_before(restorer) -> None:
    made = restorer("gpen_bfr_256")
    got = made.restore(np.full((1, 256, 256, 3), 0.97, np.float32), SETTINGS)
    assert got.max() == 1 and got.min() == pytest.approx(0.97 - generated.TEXTURE, abs=1e-6)


def test_what_is_no_restorer_or_of_another_side_is_refused(restorer, cards, tmp_path) -> None:
    with pytest.raises(ModelError, match="256"):
        restorer("gpen_bfr_256").restore(faces(128), SETTINGS)
    path = generated.inswapper(tmp_path / "i.onnx")
    with pytest.raises(ConfigError, match="this is a swapper"):
        load_restorer(model_card("inswapper_128", generated.card_for(cards["inswapper_128"], path)), path)
