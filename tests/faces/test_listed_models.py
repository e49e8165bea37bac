"""The list of models against what this room can run: every card of its roles has a family, outputs and crop of ours."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from understudy.faces.align import TEMPLATES
from understudy.faces.detectors import DECODERS, CardDetector
from understudy.faces.landmarkers import FAMILIES, landmarker
from understudy.faces.recognise import Recogniser
from understudy.runtime.cards import model_card
from understudy.show.document import read_document
from understudy.show.schema import conform

EMBEDDED = {"blazeface", "facemesh"}


@pytest.fixture(scope="module")
def cards(root):
    listed = conform(read_document(root / "config" / "models.yaml", "list of models"), "models")
    return [model_card(name, entry) for name, entry in listed.items()]


def of_role(cards, role):
    return [card for card in cards if card.role == role and card.family not in EMBEDDED]


def test_detectors(cards):
    listed = of_role(cards, "detector")
    assert {card.family for card in listed} >= {"retinaface", "yoloface", "yunet"}
    assert {card.family for card in listed} <= set(DECODERS)
    for card in listed:
        # Nothing found, whatever the picture: outputs of the shapes that a square of 640 gives, no face anywhere.
        cells = iter([6400, 1600, 400] * 4)
        per_cell = card.settings.get("anchors", 1)

        def silent(image, card=card, cells=cells, per_cell=per_cell):
            return {
                name: np.zeros(
                    [one or next(cells) * per_cell for one in tensor.shape]
                    if None in tensor.shape
                    else tensor.shape,
                    np.float32,
                )
                for name, tensor in card.outputs.items()
            }

        class Silent(SimpleNamespace):
            def __call__(self, image):
                return self.answer(image)

        detector = CardDetector([Silent(card=card, answer=silent)], [640])
        assert detector(np.zeros((480, 640, 3), np.uint8), 0.3) == [], card.name


def test_landmarkers(cards):
    listed = of_role(cards, "landmarker")
    assert {card.family for card in listed} == set(FAMILIES)
    for card in listed:
        landmarker(SimpleNamespace(card=card))
        assert "landmarks" in card.outputs, card.name
        assert set(card.inputs) == ({"points"} if card.family == "five_to_68" else {"image"}), card.name
        assert ("heatmaps" in card.outputs) == (card.family == "fan"), card.name


def test_recognisers(cards):
    listed = of_role(cards, "recogniser")
    assert listed
    for card in listed:
        Recogniser(SimpleNamespace(card=card))
        assert card.template in TEMPLATES, card.name


def test_nobody_is_sorted_by_origin_or_sex(cards):
    for card in cards:
        text = " ".join([card.name, card.file, *card.outputs]).lower()
        assert not any(word in text for word in ("gender", "race", "fairface", "age_")), card.name
