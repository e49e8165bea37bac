from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from understudy.qc.flags import Limits
from understudy.show.schema import defaults, schema
from understudy.show.settings import between, copy, merge, settings_at

NAMES = [
    "clearances",
    "config",
    "keys",
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


def test_two_keys_ease_from_one_to_the_other_and_stay_outside() -> None:
    keys = [[1010, 1.0], [1020, 0.0]]
    assert [between(keys, frame) for frame in (0, 1010, 1020, 9999)] == [1, 1, 0, 0]
    # 1 - (3 t^2 - 2 t^3) at t = .1 and .5.
    assert between(keys, 1011) == pytest.approx(0.972)
    assert between(keys, 1015) == pytest.approx(0.5)
    assert between([[7, 0.25]], 3) == between([[7, 0.25]], 8) == 0.25


def test_keys_within_a_shot_are_a_monotone_cubic() -> None:
    """Between inner keys it is scipy's PCHIP, whose slopes are the same; at the ends ours are 0."""
    rng = np.random.default_rng(3)
    places = np.cumsum(rng.integers(1, 9, 12))
    values = rng.uniform(0, 1, 12)
    keys = [[int(place), float(value)] for place, value in zip(places, values, strict=True)]
    curve = PchipInterpolator(places, values)
    inner = range(places[1], places[-2] + 1)
    assert [between(keys, frame) for frame in inner] == pytest.approx(curve(list(inner)).tolist())
    for (first, low), (last, high) in zip(keys, keys[1:], strict=False):
        found = [between(keys, frame) for frame in range(first, last + 1)]
        assert found[0] == low and found[-1] == high
        steps = np.diff(found) * np.sign(high - low)
        assert (steps >= -1e-12).all(), "no overshoot"


def test_ranges_win_over_keys_and_keys_over_the_shots_value() -> None:
    stage = {
        "opacity": 1.0,
        "blend": "alpha",
        "keys": {"opacity": [[10, 0.0], [20, 0.5]]},
        "ranges": [{"frames": [[15, 15]], "set": {"opacity": 0.9}}],
    }
    assert [settings_at(stage, frame)["opacity"] for frame in (9, 15, 20, 30)] == [0, 0.9, 0.5, 0.5]
    assert settings_at(stage, 20) == {"opacity": 0.5, "blend": "alpha"}


def _code(root: Path, *rooms: str) -> str:
    files = [path for room in rooms for path in sorted((root / "scripts/understudy" / room).rglob("*.py"))]
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
