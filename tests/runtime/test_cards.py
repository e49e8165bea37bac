from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from understudy.errors import ConfigError, ModelError
from understudy.runtime.cards import model_card
from understudy.show.document import read_document
from understudy.show.schema import conform

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


ROOT = Path(__file__).resolve().parents[2]
HALF = ((0.5,), (0.5,), 1.0)
PLAIN = ((0.0,), (1.0,), 1.0)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0)
BYTES = ((0.0,), (1.0,), 255.0)
INSIGHT = ((127.5,), (128.0,), 255.0)
# Crop template, side, order and range in, range out: what each family was trained on.
CONTRACTS = {
    "inswapper_128": ("arcface_128", 128, "rgb", PLAIN, PLAIN),
    "inswapper_128_fp16": ("arcface_128", 128, "rgb", PLAIN, PLAIN),
    "reswapper_128": ("arcface_128", 128, "rgb", PLAIN, PLAIN),
    "reswapper_256": ("arcface_128", 256, "rgb", PLAIN, PLAIN),
    "hyperswap_1a_256": ("arcface_128", 256, "rgb", HALF, HALF),
    "hyperswap_1b_256": ("arcface_128", 256, "rgb", HALF, HALF),
    "hyperswap_1c_256": ("arcface_128", 256, "rgb", HALF, HALF),
    "simswap_256": ("arcface_112_v1", 256, "rgb", IMAGENET, PLAIN),
    "simswap_unofficial_512": ("arcface_112_v1", 512, "rgb", PLAIN, PLAIN),
    "ghost_1_256": ("arcface_112_v1", 256, "rgb", HALF, HALF),
    "ghost_2_256": ("arcface_112_v1", 256, "rgb", HALF, HALF),
    "ghost_3_256": ("arcface_112_v1", 256, "rgb", HALF, HALF),
    "hififace_unofficial_256": ("mtcnn_512", 256, "rgb", HALF, HALF),
    "uniface_256": ("ffhq_512", 256, "rgb", HALF, HALF),
    "blendswap_256": ("ffhq_512", 256, "rgb", PLAIN, PLAIN),
    "instyleswapper_256_a": ("arcface_128", 256, "rgb", PLAIN, PLAIN),
    "instyleswapper_256_b": ("arcface_128", 256, "rgb", PLAIN, PLAIN),
    "instyleswapper_256_c": ("arcface_128", 256, "rgb", PLAIN, PLAIN),
    "inswapper_512_live": (None, 512, None, None, None),
    "gfpgan_1.2": ("ffhq_512", 512, "rgb", HALF, HALF),
    "gfpgan_1.3": ("ffhq_512", 512, "rgb", HALF, HALF),
    "gfpgan_1.4": ("ffhq_512", 512, "rgb", HALF, HALF),
    "codeformer": ("ffhq_512", 512, "rgb", HALF, HALF),
    "gpen_bfr_256": ("arcface_128", 256, "rgb", HALF, HALF),
    "gpen_bfr_512": ("ffhq_512", 512, "rgb", HALF, HALF),
    "gpen_bfr_1024": ("ffhq_512", 1024, "rgb", HALF, HALF),
    "gpen_bfr_2048": ("ffhq_512", 2048, "rgb", HALF, HALF),
    "restoreformer_plus_plus": ("ffhq_512", 512, "rgb", HALF, HALF),
    "retinaface_10g": (None, None, "rgb", INSIGHT, None),
    "scrfd_2.5g": (None, None, "rgb", INSIGHT, None),
    "scrfd_10g": (None, None, "rgb", INSIGHT, None),
    "yoloface_8n": (None, None, "rgb", PLAIN, None),
    "yunet_2023_mar": (None, None, "bgr", BYTES, None),
    "yunet_opencv": (None, None, "bgr", BYTES, None),
    "arcface_w600k_r50": ("arcface_112_v2", 112, "rgb", HALF, None),
    "w600k_r50": ("arcface_112_v2", 112, "rgb", HALF, None),
    "auraface_v1": ("arcface_112_v2", 112, "rgb", HALF, None),
    "sface_2021_dec": ("arcface_112_v2", 112, "rgb", BYTES, None),
    "2dfan4": (None, 256, "rgb", PLAIN, None),
    "2d106det": (None, 192, "rgb", BYTES, None),
    "1k3d68": (None, 192, "rgb", BYTES, None),
    "xseg_1": (None, 256, "bgr", PLAIN, None),
    "xseg_2": (None, 256, "bgr", PLAIN, None),
    "xseg_3": (None, 256, "bgr", PLAIN, None),
    "bisenet_resnet_18": ("ffhq_512", 512, "rgb", IMAGENET, None),
    "bisenet_resnet_34": ("ffhq_512", 512, "rgb", IMAGENET, None),
}
FED = {
    "inswapper": {"arcface_w600k_r50"},
    "hyperswap": {"arcface_w600k_r50"},
    "simswap": {"arcface_w600k_r50", "crossface_simswap"},
    "ghost": {"arcface_w600k_r50", "crossface_ghost"},
    "hififace": {"arcface_w600k_r50", "crossface_hififace"},
    "uniface": set(),
    "blendswap": set(),
    "crossface": {"arcface_w600k_r50"},
}


@pytest.fixture(scope="module")
def entries() -> dict:
    return conform(read_document(ROOT / "config" / "models.yaml", "list of models"), "models")


@pytest.fixture(scope="module")
def cards(entries) -> dict:
    return {name: model_card(name, entry) for name, entry in entries.items()}


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_family_is_fed_as_it_was_trained(cards, name):
    template, size, order, taken, given = CONTRACTS[name]
    card = cards[name]
    assert (card.template, card.size) == (template, size)
    if order is None:
        assert not card.inputs and not card.outputs
        return
    image = card.inputs["target" if card.role == "swapper" else "image"]
    assert (image.order, (image.mean, image.std, image.scale)) == (order, taken)
    assert image.layout == ("nhwc" if card.family == "xseg" else "nchw")
    sides = [length for length in image.shape[1:] if length != 3]
    assert sides == ([size or image.shape[2]] * 2)
    if given is not None:
        made = card.outputs["image"]
        assert (made.order, (made.mean, made.std, made.scale)) == ("rgb", given)
        assert made.shape == image.shape


def test_what_feeds_a_model_is_on_its_card(cards):
    for card in cards.values():
        assert set(card.fed_by) <= set(cards), card.name
        if card.role in ("swapper", "converter"):
            assert set(card.fed_by) == FED[card.family], card.name
        source = card.inputs.get("source")
        if source is not None and source.kind == "image":
            assert source.shape[2:] == (card.settings["source_size"],) * 2
            # Neither has a mean or a deviation on its picture of the talent.
            assert (source.mean, source.std, source.scale) == PLAIN
    assert cards["uniface_256"].settings["source_template"] == "ffhq_512"
    assert cards["blendswap_256"].settings["source_template"] == "arcface_112_v2"


def test_details_that_other_tools_get_wrong(cards):
    weight = cards["codeformer"].inputs["weight"]
    assert (weight.kind, weight.dtype, weight.shape) == ("scalar", "float64", (1,))
    assert cards["hyperswap_1a_256"].outputs["mask"].kind == "mask"
    assert 384 not in cards["blendswap_256"].settings["boost"]
    for card in cards.values():
        if card.role == "swapper" and card.outputs:
            assert all(side % card.size == 0 for side in card.settings["boost"]), card.name
    assert cards["reswapper_256"].settings["shift"] == 128 / 32768 * 256 - 0.5
    for name in ("retinaface_10g", "scrfd_2.5g", "scrfd_10g", "det_10g"):
        assert [one.index for one in cards[name].outputs.values()] == list(range(9))
        assert cards[name].settings["sizes"] == [160, 320, 480, 512, 640]
    assert [one.index for one in cards["yunet_opencv"].outputs.values()] == list(range(12))


def test_addresses_and_hashes(entries):
    hosts = {"github.com", "huggingface.co"}
    files = set()
    for name, entry in entries.items():
        for source in entry["sources"]:
            if "url" in source:
                parts = urlsplit(source["url"])
                assert parts.scheme == "https" and parts.hostname in hosts, name
                # A branch moves; a file that is taken from one is held to its hash.
                assert "/main/" not in parts.path or "sha256" in entry, name
        assert entry["file"] not in files
        files.add(entry["file"])


def test_uses_follow_from_the_licence(cards):
    for card in cards.values():
        barred = any(word in card.licence.lower() for word in ("non-commercial", "s-lab", "research"))
        unknown = card.licence == "unknown" or card.licence.startswith("by contract")
        if unknown:
            assert card.uses == ("test",), card.name
        if barred:
            assert card.uses == ("research", "test"), card.name
        assert "test" in card.uses
    for name in ("blazeface_full_range", "face_mesh_468", "yunet_opencv", "sface_2021_dec", "auraface_v1"):
        assert "commercial" in cards[name].uses


def test_cards_may_come_from_the_file_only_as_the_schema_says(tmp_path):
    path = tmp_path / "models.yaml"
    text = (ROOT / "config" / "models.yaml").read_text()
    for old, new, message in (
        ("kind: image", "kind: picture", "'picture' is not allowed"),
        ("mean: 127.5", "mean: [127.5, 127.5]", "2 entries stand here"),
        ("mean: 127.5", "mean: grey", "'grey' is not a number"),
        ("uses: [research, test]", "uses: [reserch]", "'reserch' is not allowed"),
        ("role: swapper", "role: swap", "did you mean 'swapper'"),
        ("shape: [1, 3, null, null]", "shape: [1, 3, 0, null]", "0 is out of range"),
        ("anchors: 2", "anchor: 2", "unknown key 'anchor'"),
        ("pack: buffalo_l", "pack: ../x", "'../x' is not allowed"),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(ConfigError) as refusal:
            conform(read_document(path, "list of models"), "models")
        assert message in str(refusal.value)
