from __future__ import annotations

import pytest

from understudy.errors import ModelError
from understudy.runtime.cards import model_card

IMAGE = {"name": "target", "kind": "image", "shape": [1, 3, 8, 8], "layout": "nchw"}
CARD = {
    "role": "swapper",
    "family": "inswapper",
    "file": "a.onnx",
    "sources": [],
    "licence": "none",
    "evidence": "none",
    "uses": ["test"],
    "size": 8,
    "fed_by": ["recogniser"],
    "inputs": {"target": IMAGE, "source": {"name": "source", "kind": "vector", "shape": [1, 4]}},
    "outputs": {"image": IMAGE | {"index": 0, "name": None}},
}


def test_a_card_says_what_it_says():
    card = model_card("net", CARD | {"settings": {"boost": [8, 16]}})
    assert (card.name, card.role, card.family, card.file, card.size) == (
        "net",
        "swapper",
        "inswapper",
        "a.onnx",
        8,
    )
    assert card.sha256 is None and card.template is None and card.fed_by == ("recogniser",)
    target = card.inputs["target"]
    assert (target.name, target.index, target.shape, target.dtype) == (
        "target",
        None,
        (1, 3, 8, 8),
        "float32",
    )
    assert (target.order, target.mean, target.std, target.scale) == ("rgb", (0.0,), (1.0,), 1.0)
    assert card.outputs["image"].index == 0
    assert card.settings == {"boost": [8, 16]}


def test_a_file_that_is_no_onnx_network_has_no_tensors():
    card = model_card("net", {key: value for key, value in CARD.items() if key not in ("inputs", "outputs")})
    assert not card.inputs and not card.outputs


def test_statistics_per_colour():
    tensor = IMAGE | {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 255}
    card = model_card("net", CARD | {"inputs": {"target": tensor}})
    assert card.inputs["target"].mean == (0.485, 0.456, 0.406) and card.inputs["target"].scale == 255.0


@pytest.mark.parametrize(
    "change, message",
    [
        ({"index": 0}, "needs either `name` or `index`"),
        ({"name": None}, "needs either `name` or `index`"),
        ({"layout": "n1hw"}, "has layout 'n1hw'; for the kind image: nchw or nhwc"),
        ({"layout": ""}, "has layout ''; for the kind image: nchw or nhwc"),
        ({"kind": "vector"}, "has layout 'nchw'; for the kind vector: none"),
        ({"shape": [1, 3, 8]}, "has 3 axes in `shape`, its layout nchw has 4"),
        ({"shape": [2, 3, 8, 8]}, "does not begin with 1"),
        ({"shape": [None, 3, 8, 8]}, "does not begin with 1"),
        ({"shape": [1, 4, 8, 8]}, "has 4 colours; images have 3"),
        ({"shape": [1, 8, 8, 3]}, "has 8 colours; images have 3"),
        ({"kind": "mask", "layout": "n1hw", "shape": [1, 2, 8, 8]}, "has 2 channels; masks have 1"),
        ({"kind": "vector", "layout": "", "shape": [1, 2, 3]}, "is a vector of 3 axes"),
        ({"kind": "vector", "layout": "", "shape": [1, 2], "mean": 0.5}, "only images have these"),
        ({"mean": [0.1, 0.2]}, "neither one nor three numbers"),
        ({"std": 0}, "`std` or `scale` of 0"),
    ],
)
def test_tensors_that_contradict_themselves(change, message):
    with pytest.raises(ModelError) as refusal:
        model_card("net", CARD | {"inputs": {"target": IMAGE | change}})
    assert "model net: input 'target'" in str(refusal.value)
    assert message in str(refusal.value) and "correct its card" in str(refusal.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"inputs": {"source": IMAGE}}, "as swapper it needs an input 'target'; this one has source"),
        ({"outputs": {}}, "as swapper it needs an output 'image'; this one has none"),
        ({"role": "occluder"}, "as occluder it needs an input 'image'; this one has target, source"),
        ({"role": "landmarker", "outputs": {}}, "it has no output"),
        (
            {"inputs": {"target": IMAGE, "source": IMAGE}},
            "inputs 'target' and 'source' are the same tensor 'target'",
        ),
    ],
)
def test_cards_that_their_role_cannot_use(change, message):
    with pytest.raises(ModelError) as refusal:
        model_card("net", CARD | change)
    assert message in str(refusal.value)
