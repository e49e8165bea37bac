from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from understudy.qc.flags import Limits
from understudy.show.schema import defaults, schema
from understudy.show.settings import copy, merge, settings_at

NAMES = [
    "clearances",
    "config",
    "looks",
    "models",
    "overrides",
    "ranges",
    "settings",
    "shots",
    "talent",
    "track",
]


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


def _objects(node: Any) -> Any:
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for item in node:
            yield from _objects(item)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_know_all_their_keys_and_say_what_they_are(name: str) -> None:
    for node in _objects(schema(name)):
        assert node["additionalProperties"] is False
        for key, below in node["properties"].items():
            assert "type" in below, key
            assert len(below.get("description", "settings")) > 5, key


def test_every_setting_has_a_default_that_its_schema_allows() -> None:
    for stage, known in schema("settings")["properties"].items():
        for key, below in known["properties"].items():
            assert "default" in below, f"{stage}.{key}"
            jsonschema.Draft202012Validator(below).validate(below["default"])
            one = below.get("items", below)
            names_a_model = one["type"] == "string" and "in the list of models" in one["description"]
            for inner in one.get("properties", {"": one}).values():
                assert "enum" in inner or inner["type"] == "boolean" or "maximum" in inner or names_a_model, (
                    f"{stage}.{key} has no range"
                )


def test_defaults_are_complete_and_ones_own() -> None:
    one, other = defaults(schema("settings")), defaults(schema("settings"))
    one["matte"]["feather"] = 99
    assert other["matte"]["feather"] != 99
    assert {stage: set(values) for stage, values in other.items()} == {
        stage: set(known["properties"]) for stage, known in schema("settings")["properties"].items()
    }


def test_merging_goes_deep_and_leaves_its_sources_alone() -> None:
    under, over = {"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": [1]}
    assert merge(under, over) == {"a": {"x": 1, "y": 3}, "b": 1, "c": [1]}
    assert under == {"a": {"x": 1, "y": 2}, "b": 1}


def test_copies_share_nothing() -> None:
    original = {"a": [{"b": 1}]}
    made = copy(original)
    made["a"][0]["b"] = 2
    assert original == {"a": [{"b": 1}]}


def test_ranges_hold_on_their_frames_only_and_the_last_wins() -> None:
    stage = {
        "opacity": 1.0,
        "blend": "alpha",
        "ranges": [
            {"frames": [[3, 4], [8, 8]], "set": {"opacity": 0.5}},
            {"frames": [[4, 5]], "set": {"opacity": 0.25, "blend": "poisson"}},
        ],
    }
    assert [settings_at(stage, frame)["opacity"] for frame in range(2, 10)] == [
        1,
        0.5,
        0.25,
        0.25,
        1,
        1,
        0.5,
        1,
    ]
    assert settings_at(stage, 5) == {"opacity": 0.25, "blend": "poisson"}
    assert stage["opacity"] == 1.0


def _code(root: Path, *rooms: str) -> str:
    files = [path for room in rooms for path in sorted((root / "scripts/understudy" / room).glob("*.py"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_no_setting_is_used_that_the_schema_does_not_know(root: Path) -> None:
    known = {key for stage in schema("settings")["properties"].values() for key in stage["properties"]}
    # A model's card has settings too: what its family must know of the file.
    known |= set(schema("models")["additionalProperties"]["properties"]["settings"]["properties"])
    used = set(re.findall(r'settings(?:\.get\(|\[)"(\w+)"', _code(root, "faces", "engines", "comp")))
    assert used and used <= known


def test_every_setting_is_used_by_the_code(root: Path) -> None:
    code = _code(root, "stages", "show", "faces", "engines", "restore", "comp", "qc")
    unused = [
        f"{stage}.{key}"
        for stage, known in schema("settings")["properties"].items()
        for key in known["properties"]
        if not re.search(rf'"{key}"|^    {key}: float', code, re.MULTILINE)
    ]
    assert unused == []


def test_limits_of_quality_control_are_the_defaults() -> None:
    assert Limits.of(defaults(schema("settings"))["qc"]) == Limits()
