"""DeepFaceLab files: read as they are, fed as they were trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import generated
from scene import FIVE, SWAP, face, plate, shot, talent
from understudy.comp.lay import take
from understudy.engines.dfm import described
from understudy.engines.load import engine_for, load_engine
from understudy.errors import ConfigError, ModelError
from understudy.faces.align import similarity
from understudy.runtime.cards import Weights, model_card

CARD = {
    "role": "swapper", "family": "dfm", "file": "ada.dfm", "sources": [], "licence": "own", "evidence": "the studio's",
    "uses": ["commercial", "research", "test"],
}  # fmt: skip


BLUER = np.array([0, 0, 0.2])


def engine(path: Path):
    weights = Weights(model_card("ada", CARD), path)
    assert engine_for(weights.card) == "dfm"
    return load_engine("dfm", "ada", {"ada": weights})


@pytest.mark.parametrize("size", [64, 96])
def test_the_face_is_fed_blue_first_and_the_matte_is_the_lesser_mask(size, tmp_path) -> None:
    made = engine(generated.dfm(tmp_path / "ada.dfm", size))
    assert not made.morphs and made.card.name == "ada"
    state = made.prepare(talent(), shot(), SWAP)
    crops = [plate(seed=i) for i in range(3)]
    news = made.swap(crops, state, [face(i, FIVE + i) for i in range(3)])
    for i, (crop, new) in enumerate(zip(crops, news, strict=True)):
        transform = similarity(FIVE + i, "dfl_whole_face", size)
        assert np.abs(new.transform - transform).max() < 1e-9
        # No sharpening before it: the page goes in as it is.
        assert np.abs(new.image - (take(crop, transform, size) + BLUER)).max() < 2e-5
        wanted = np.ones((size, size))
        wanted[: size // 8], wanted[:, : size // 8] = 0, 0
        assert np.array_equal(new.matte, wanted)


@pytest.mark.parametrize("morph", [0.0, 0.35, 1.0])
def test_a_file_that_morphs_is_told_how_far(morph, tmp_path) -> None:
    made = engine(generated.dfm(tmp_path / "ada.dfm", morph=True))
    assert made.morphs
    (new,) = made.swap([plate()], made.prepare(talent(), shot(), SWAP | {"morph": morph}), [face()])
    page = take(plate(), similarity(FIVE, "dfl_whole_face", 64), 64)
    assert np.abs(new.image - (page + morph * np.array([-0.2, 0, 0.2]))).max() < 2e-5


def test_a_morph_that_the_file_cannot_do_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no morph input"):
        engine(generated.dfm(tmp_path / "a.dfm")).prepare(talent(), shot(), SWAP | {"morph": 0.5})
    with pytest.raises(ConfigError, match="0 to 1"):
        engine(generated.dfm(tmp_path / "b.dfm", morph=True)).prepare(talent(), shot(), SWAP | {"morph": 1.5})


def test_another_network_is_no_deepfacelab_file(tmp_path) -> None:
    card = model_card("ada", CARD)
    with pytest.raises(ModelError, match="in_face:0"):
        described(card, generated.inswapper(tmp_path / "i.onnx"))
    (tmp_path / "text.dfm").write_text("no network")
    with pytest.raises(ModelError, match="no ONNX model"):
        described(card, tmp_path / "text.dfm")
