# ruff: noqa: E501  (one case per line reads best)
"""Which models a look asks for, and what is refused before a plate is opened; with the cards as delivered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.errors import ConfigError, LicenceError, UnderstudyError
from understudy.show.load import Show
from understudy.show.models import debt

Load = Callable[..., Show]
Look = Callable[..., Show]

INSWAPPER = {"engine": "onnx", "model": "inswapper_128"}
HYPERSWAP = {"engine": "onnx", "model": "hyperswap_1a_256"}
CARDS = {"faces": "cards", "detectors": ["yoloface_8n"]}


@pytest.fixture
def look(folder: Path, root: Path, load: Load) -> Look:
    """Load the show with the delivered cards and one look for all its shots, for research."""

    def loading(purpose: str = "research", **settings: Any) -> Show:
        (folder / "config/shots.tsv").write_text(
            "shot\tplate\tcast\tdelivery\nsh010\tplates/a.mov\tmara\treview\nsh020\tplates/a.mov\tmara\treview\n"
        )
        (folder / "config/looks.yaml").write_text(yaml.safe_dump({"show": {"settings": settings}}))
        return load(models=str(root / "config/models.yaml"), purpose=purpose)

    return loading


REFUSED = [
    # settings, what is said, what to do
    ({"swap": INSWAPPER | {"model": "inswaper_128"}}, "swap.model: there is no model 'inswaper_128'", "name a swapper: did you mean 'inswapper_128'"),
    ({"detect": CARDS | {"detectors": ["yoloface_8n", "retinaface10g"]}}, "detect.detectors: there is no model 'retinaface10g'", "name a detector: did you mean 'retinaface_10g'"),
    ({"enhance": {"model": "gfpgan"}}, "enhance.model: there is no model 'gfpgan'", "name a restorer: did you mean 'gfpgan_1."),
    ({"enhance": {"model": "inswapper_128"}}, "enhance.model: inswapper_128 is a swapper", "name a restorer: "),
    ({"detect": {"recogniser": "2dfan4"}}, "detect.recogniser: 2dfan4 is a landmarker", "name a recogniser: "),
    ({"matte": {"occluders": ["xseg_1", "bisenet_resnet_34"]}}, "matte.occluders: bisenet_resnet_34 is a parser", "name an occluder: "),
    ({"matte": {"combine": [{"replace": "hull"}, {"min": "unoccluded"}]}}, "matte.combine, step 2 asks for the layer unoccluded, and nothing makes it", "name a network in matte.occluders"),
    ({"matte": {"combine": [{"replace": "hull"}, {"hold": "occlusion"}]}}, "step 2 asks for the layer occlusion", "set matte.hold_back above 0"),
    ({"matte": {"combine": [{"replace": "hull"}, {"min": "difference"}]}}, "step 2 asks for the layer difference", "set matte.difference above 0"),
    ({"matte": {"combine": [{"replace": "hull"}, {"min": "regions"}]}}, "step 2 asks for the layer regions", "name a network in matte.parser"),
    ({"matte": {"combine": [{"min": "hull"}]}}, "matte.combine, step 1 is min, and there is no matte yet", "begin with replace"),
    ({"matte": {"combine": [{"replace": "hull", "min": "engine"}]}}, "step 1 has 2 operations", "write one of replace, min, max, times, hold"),
    ({"matte": {"combine": [{"feather": 0.1}]}}, "step 1 has 0 operations", "with the name of a layer"),
    ({"swap": {"engine": "onnx"}}, "swap.engine onnx needs swap.model", "name a swapper"),
    ({"swap": {"engine": "external"}}, "swap.engine external needs swap.model", "name a swapper"),
    ({"swap": {"model": "inswapper_128"}}, "swap.model names inswapper_128, and the engine mesh has no model", "set swap.engine to onnx"),
    ({"detect": CARDS | {"threshold": 0.29}}, "detect.threshold is under 0.3", "take hands, patterns and blurred background for faces"),
    ({"detect": {"faces": "insightface", "threshold": 0.2}}, "detect.threshold is under 0.3", "add a size or an angle"),
    ({"detect": {"faces": "cards"}}, "detect.detectors is empty", "name one, or set detect.faces to embedded"),
    ({"detect": {"five": "detector"}}, "the embedded detector has no five points of that kind", "set detect.faces to cards or insightface"),
    ({"detect": {"five": "landmarker"}}, "detect.landmarker names none", "name one"),
    ({"swap": INSWAPPER | {"strength": 0.8}}, "swap.strength is 0.8: it moves away from the performer's own vector", "set detect.recogniser to arcface_w600k_r50, which inswapper_128 is fed by"),
    ({"swap": INSWAPPER | {"strength": 0.8}, "detect": {"recogniser": "sface_2021_dec"}}, "swap.strength is 0.8", "set detect.recogniser to arcface_w600k_r50"),
    ({"swap": {"donor": True}}, "swap.donor lays the talent's own skin over a network's face", "set swap.donor to false"),
    ({"match": {"restored": [0.8, 0.6]}}, "match.restored is [0.8, 0.6]", "write the least first, then the most"),
    ({"swap": HYPERSWAP | {"boost": 384}}, "a crop of 384 pixels cannot be made of phases of 256", "set boost to one of 256, 512, 768, 1024"),
    ({"swap": INSWAPPER | {"boost": 640}}, "a crop of 640 pixels cannot be made of phases of 128", "set boost to one of 128, 256, 384, 512, 768, 1024"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "said", "fix"), REFUSED)
def test_settings_that_do_not_go_together(settings: dict[str, Any], said: str, fix: str, look: Look) -> None:
    with pytest.raises(ConfigError) as refusal:
        look(**settings)
    # Both shots have the look; both are named, in one go.
    told = str(refusal.value)
    assert told.startswith("2 things are wrong:\nshot sh010: ") and "\nshot sh020: " in told
    assert told.count(said) == 2 and fix in told


def test_a_threshold_of_a_frame_range_counts_too(folder: Path, look: Look) -> None:
    look(detect=CARDS)
    (folder / "config/overrides/sh010.yaml").write_text(
        "ranges:\n  - {frames: '3-4', settings: {detect: {threshold: 0.1}}}\n"
    )
    with pytest.raises(ConfigError, match=r"shot sh010: detect\.threshold is under 0\.3"):
        look(detect=CARDS)


def test_what_goes_together_is_let_pass(look: Look) -> None:
    # The embedded detector may be asked for less: it was measured for that.
    look(detect={"threshold": 0.1})
    look(detect=CARDS | {"threshold": 0.3, "five": "detector"})
    look(detect={"landmarker": "2dfan4", "five": "landmarker"})
    look(swap=INSWAPPER | {"strength": 0.8}, detect={"recogniser": "arcface_w600k_r50"})
    look(swap=INSWAPPER | {"boost": 384})
    look(swap={"boost": 100})  # which the mesh does not look at


def test_a_studios_own_card_says_which_boosts_it_takes(folder: Path, root: Path, load: Load, look: Look) -> None:
    cards = yaml.safe_load((root / "config/models.yaml").read_text())
    cards["ours"] = cards["inswapper_128"] | {"settings": {"boost": [256]}}
    (folder / "config/models.yaml").write_text(json.dumps(cards))
    look()
    for boost in (256, 0):
        (folder / "config/looks.yaml").write_text(
            yaml.safe_dump({"show": {"settings": {"swap": {"engine": "onnx", "model": "ours", "boost": boost}}}})
        )
        load(purpose="research")
    path = folder / "config/looks.yaml"
    path.write_text(path.read_text().replace("boost: 0", "boost: 512"))
    with pytest.raises(ConfigError, match="set boost to one of 256\n"):
        load(purpose="research")


def test_warnings_come_once_for_all_shots_that_they_hold_for(look: Look) -> None:
    show = look(swap=HYPERSWAP | {"boost": 1024}, enhance={"model": "gfpgan_1.4"}, match={"restored": [0.7, 0.9]})
    restored, boost = show.warnings()
    assert restored.startswith("sh010, sh020: match.restored goes up to 0.9: over 0.85 ") and "plastic" in restored
    assert boost.startswith("sh010, sh020: swap.boost is 1024: over 768 ")


def test_what_is_within_the_fields_limits_is_not_warned_of(look: Look) -> None:
    assert look(swap=HYPERSWAP | {"boost": 768}, enhance={"model": "gfpgan_1.4"}, match={"restored": [0.85, 0.85]}).warnings() == []
    assert look(match={"restored": [0, 1.0]}).warnings() == []  # nothing is restored


@pytest.mark.parametrize(
    ("swap", "cost"),
    [
        (HYPERSWAP | {"boost": 1024}, "16 passes of hyperswap_1a_256 a face (boost 1024 over 256)"),
        (INSWAPPER | {"boost": 384}, "9 passes of inswapper_128 a face (boost 384 over 128)"),
        (INSWAPPER | {"boost": 128}, None),
        (INSWAPPER, None),
        ({"boost": 1024}, None),
    ],
)
def test_what_a_boost_costs_is_predicted(swap: dict[str, Any], cost: str | None, look: Look) -> None:
    assert look(swap=swap).costs() == ([f"sh010, sh020: {cost}"] if cost else [])


def test_the_purpose_is_held_against_all_that_a_look_runs(look: Look) -> None:
    settings = {
        "swap": {"engine": "onnx", "model": "ghost_1_256"},
        "detect": {"faces": "cards", "detectors": ["retinaface_10g", "yoloface_8n"], "recogniser": "arcface_w600k_r50"},
    }
    with pytest.raises(LicenceError) as refusal:
        look("commercial", **settings)
    told = str(refusal.value)
    # GHOST's own weights may be used; what feeds it may not.
    for file in ("retinaface_10g.onnx", "arcface_w600k_r50.onnx", "crossface_ghost.onnx"):
        assert f"{file}): " in told
    assert "(swapper, ghost_1_256.onnx)" not in told and "yoloface_8n.onnx" not in told
    assert "instead of retinaface_10g: blazeface_full_range, yoloface_8n" in told
    assert look("research", **settings).models_needed() == (
        "blazeface_full_range", "face_mesh_468", "arcface_w600k_r50", "retinaface_10g", "yoloface_8n", "ghost_1_256",
        "crossface_ghost",
    )  # fmt: skip


def test_a_look_of_the_embedded_networks_is_free_for_any_purpose(look: Look) -> None:
    for purpose in ("commercial", "research", "test"):
        assert look(purpose).models_needed() == ("blazeface_full_range", "face_mesh_468")


def test_every_look_that_is_delivered_holds(folder: Path, root: Path, load: Load, look: Look) -> None:
    look()
    shipped = yaml.safe_load((root / "config/looks.yaml").read_text())["looks"]
    (folder / "config/looks.yaml").write_text(yaml.safe_dump({"looks": shipped}))
    names = list(shipped)
    rows = [f"{name}\tplates/a.mov\tmara\t{name}\treview" for name in names]
    (folder / "config/shots.tsv").write_text("\n".join(["shot\tplate\tcast\tlook\tdelivery", *rows]) + "\n")
    cards = str(root / "config/models.yaml")
    show = load(models=cards, purpose="research")
    assert {"still", "video", "closeup", "wide", "previz", "low_vram", "max_quality"} <= set(names) and show.warnings() == []
    told = " ".join(show.costs())
    assert "4 passes of hyperswap_1a_256 a face (boost 512 over 256)" in told
    assert "4 passes of inswapper_128_fp16 a face (boost 256 over 128)" in told
    assert "9 passes of hyperswap_1a_256 a face (boost 768 over 256)" in told
    with pytest.raises(UnderstudyError, match="may not be used for the purpose 'commercial'"):
        load(models=cards, only="still_codeformer")


def test_a_resolution_debt_is_warned_of_once_the_tracks_are_known(look: Look) -> None:
    show = look(swap=INSWAPPER, enhance={"model": "gfpgan_1.4"})
    assert show.warnings() == []
    record = show.work / "sh010" / "track.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"facts": {"extents": {"t01": 512.0, "t02": 200.0}}}))
    # 512 over 128 pixels: 20 log10 4.
    assert show.warnings() == [
        "sh010: track t01: a face of up to 512 pixels goes through 128 of inswapper_128: a resolution debt of 12.0 dB,"
        " which is soft skin; raise swap.boost, take a larger network"
    ]
    assert look(swap=INSWAPPER | {"boost": 384}, enhance={"model": "gfpgan_1.4"}).warnings() == []
    (plain,) = look(swap=INSWAPPER).warnings()
    assert plain.endswith("take a larger network or name a restorer in enhance.model")
    assert look().warnings() == []  # the mesh shows the talent at the plate's own pixels
    record.write_text("{")
    assert look(swap=INSWAPPER).warnings() == []


def test_debt_is_a_ratio_of_pixels_in_decibel() -> None:
    assert debt(512, 128) == pytest.approx(12.04, abs=0.01)
    assert debt(256, 256) == 0
    assert debt(128, 256) == pytest.approx(-6.02, abs=0.01)
    assert debt(300, None) is None
