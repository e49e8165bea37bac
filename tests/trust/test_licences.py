from __future__ import annotations

from pathlib import Path

import pytest

from understudy.errors import ConfigError, LicenceError
from understudy.show.document import read_document
from understudy.show.schema import conform
from understudy.trust.licences import check_purpose, closure, licence_rows

ALL, FREE = ["commercial", "research", "test"], ["research", "test"]


def card(role: str, file: str, licence: str, uses: list[str], *fed_by: str) -> dict:
    fed = {"fed_by": list(fed_by)} if fed_by else {}
    evidence = f"the page of {file}"
    return {
        "role": role,
        "file": file,
        "licence": licence,
        "evidence": evidence,
        "uses": uses,
        "sha256": file[0] * 64,
    } | fed


@pytest.fixture
def cards() -> dict:
    return {
        "ghost_1": card("swapper", "ghost_unet_1_block.onnx", "Apache-2.0", ALL, "crossface_ghost"),
        "crossface_ghost": card("converter", "crossface_ghost.onnx", "OpenRAIL", ALL, "w600k_r50"),
        "w600k_r50": card("recogniser", "w600k_r50.onnx", "non-commercial research", FREE),
        "inswapper": card("swapper", "inswapper_128.onnx", "non-commercial research", FREE, "w600k_r50"),
        "own_embedding": card("recogniser", "a_embedding.onnx", "the studio's", ALL),
        "own_swapper": card("swapper", "b_swapper.onnx", "the studio's", ALL, "own_embedding"),
        "own_converted": card("swapper", "c_swapper.onnx", "the studio's", ALL, "own_converter"),
        "own_converter": card("converter", "d_converter.onnx", "the studio's", ALL, "own_embedding"),
        "yunet": card("detector", "yunet.onnx", "MIT", ALL),
        "scrfd": card("detector", "scrfd.onnx", "non-commercial research", FREE),
        "gfpgan": card("restorer", "gfpgan.onnx", "CC-BY-NC-SA", ["test"]),
    }


def test_the_closure_goes_through_converters(cards) -> None:
    assert closure(["ghost_1"], cards) == ("ghost_1", "crossface_ghost", "w600k_r50")
    assert closure(["yunet", "ghost_1", "inswapper"], cards) == (
        "yunet", "ghost_1", "crossface_ghost", "w600k_r50", "inswapper",
    )  # fmt: skip
    assert closure([], cards) == ()


def test_feeders_in_a_circle_end(cards) -> None:
    cards["w600k_r50"]["fed_by"] = ["crossface_ghost"]
    assert closure(["ghost_1"], cards) == ("ghost_1", "crossface_ghost", "w600k_r50")


def test_a_feeder_without_a_card(cards) -> None:
    cards["crossface_ghost"]["fed_by"] = ["w600k_r5"]
    with pytest.raises(
        ConfigError, match=r"model crossface_ghost \(fed_by\): there is no model 'w600k_r5'(.|\n)*w600k_r50"
    ):
        closure(["ghost_1"], cards)
    with pytest.raises(ConfigError, match="list of models: there is no model 'ghost'"):
        closure(["ghost"], cards)


def test_free_weights_fed_by_others_are_refused_for_the_recogniser(cards) -> None:
    """GHOST says Apache-2.0; what it eats does not."""
    with pytest.raises(LicenceError) as refusal:
        check_purpose("commercial", ["yunet", "ghost_1"], cards, "shot sh010")
    what, where, fix = refusal.value.what, refusal.value.where, refusal.value.fix
    assert where == "shot sh010"
    assert what.splitlines() == [
        "1 of 4 model files may not be used for the purpose 'commercial':",
        "  w600k_r50 (recogniser, w600k_r50.onnx): non-commercial research, for research and test; "
        "see the page of w600k_r50.onnx; needed by ghost_1",
    ]
    # Another recogniser under the same swapper would give it numbers of another space: the swapper is what to change.
    assert fix.startswith("instead of ghost_1: own_swapper, own_converted; or ")
    check_purpose("research", ["yunet", "ghost_1"], cards, "shot sh010")
    check_purpose("test", ["yunet", "ghost_1"], cards, "shot sh010")


def test_every_file_is_named_and_every_choice_gets_its_substitutes(cards) -> None:
    with pytest.raises(LicenceError) as refusal:
        check_purpose("commercial", ["scrfd", "inswapper", "gfpgan"], cards, "look video")
    lines = refusal.value.what.splitlines()
    assert lines[0] == "4 of 4 model files may not be used for the purpose 'commercial':"
    assert [line.split()[0] for line in lines[1:]] == ["scrfd", "inswapper", "w600k_r50", "gfpgan"]
    assert "CC-BY-NC-SA, for test; see the page of gfpgan.onnx" in lines[4]
    assert refusal.value.fix.split("; ")[:3] == [
        "instead of scrfd: yunet",
        # own_converted needs a converter, which inswapper does without.
        "instead of inswapper: own_swapper",
        "instead of gfpgan: a restorer of your own, as a card (none at hand can take its place)",
    ]


def test_a_substitute_is_free_to_its_last_feeder(cards) -> None:
    cards["own_embedding"]["uses"] = FREE
    with pytest.raises(LicenceError, match="instead of inswapper: a swapper of your own"):
        check_purpose("commercial", ["inswapper"], cards, "")


def test_what_comes_with_another_choice_gets_no_substitute_of_its_own(cards) -> None:
    """The caller may name recogniser and converter too; they go when the swapper goes."""
    with pytest.raises(LicenceError) as refusal:
        check_purpose("commercial", ["ghost_1", "w600k_r50", "crossface_ghost", "ghost_1"], cards, "")
    assert refusal.value.what.startswith("1 of 3 model files")
    assert refusal.value.fix.count("instead of") == 1
    with pytest.raises(LicenceError, match="instead of w600k_r50: own_embedding"):
        check_purpose("commercial", ["w600k_r50"], cards, "")


def test_research_is_not_test(cards) -> None:
    with pytest.raises(LicenceError, match=r"1 of 2 model files may not be used for the purpose 'research'"):
        check_purpose("research", ["gfpgan", "yunet"], cards, "")
    check_purpose("test", ["gfpgan", "yunet"], cards, "")


def test_the_swappers_of_the_trade_are_for_research(root: Path) -> None:
    """The list as it is delivered: whatever a swapper's own licence says, its recogniser's decides."""
    cards = conform(read_document(root / "config" / "models.yaml", "list of models"), "models")
    swappers = [name for name, one in cards.items() if one["role"] == "swapper" and one.get("fed_by")]
    assert {"ghost_1_256", "ghost_2_256", "ghost_3_256"} <= {
        n for n in swappers if "commercial" in cards[n]["uses"]
    }
    for name in swappers:
        with pytest.raises(LicenceError, match=r"arcface_w600k_r50 \(recogniser, .*; needed by"):
            check_purpose("commercial", [name], cards, "")


def test_what_ran_is_told_to_the_last_file(cards) -> None:
    rows = licence_rows(["ghost_1"], cards)
    assert rows == [
        {
            "name": name,
            "file": file,
            "licence": licence,
            "evidence": f"the page of {file}",
        }
        for name, file, licence in [
            ("ghost_1", "ghost_unet_1_block.onnx", "Apache-2.0"),
            ("crossface_ghost", "crossface_ghost.onnx", "OpenRAIL"),
            ("w600k_r50", "w600k_r50.onnx", "non-commercial research"),
        ]
    ]
