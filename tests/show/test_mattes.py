"""Which layers a look gives a source, and how far its mattes look beyond a frame."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.comp.mattes.algebra import Step, step_of, usual
from understudy.show.mattes import ANYWHERE, reach, sourced
from understudy.show.schema import defaults, schema

PLAIN: dict[str, Any] = defaults(schema("settings"))["matte"]


def test_the_default_needs_no_source_and_no_neighbour() -> None:
    assert sourced(PLAIN) == [] and reach(PLAIN) == 0
    assert usual(sourced(PLAIN)) == [Step("replace", "hull"), Step("times", "engine")]


def test_what_has_a_source_is_used() -> None:
    settings = PLAIN | {"occluders": ["a"], "parser": "b", "difference": 0.02, "hold_back": 0.5}
    assert [(step.operation, step.layer) for step in usual(sourced(settings))[2:]] == [
        ("min", "unoccluded"), ("min", "regions"), ("min", "difference"), ("hold", "occlusion"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        ({"steady": 2}, 0),  # nothing to steady
        ({"occluders": ["a"]}, 0),
        ({"occluders": ["a"], "steady": 2}, 2),
        ({"difference": 0.1, "steady": 3}, 3),
        ({"hold_back": 0.5}, ANYWHERE),
        ({"ranges": [{"frames": [[1, 2]], "set": {"hold_back": 1.0}}]}, ANYWHERE),
    ],
)
def test_the_window_is_what_the_look_needs(settings: dict[str, Any], frames: int) -> None:
    assert reach(PLAIN | settings) == frames


def test_a_step_keeps_its_layers_edge_unless_it_says_otherwise() -> None:
    assert step_of({"min": "engine"}) == Step("min", "engine", 0.0, None)
    assert step_of({"min": "engine", "erode": -0.1}) == Step("min", "engine", -0.1, 0.0)
    assert step_of({"min": "engine", "feather": 0.2}) == Step("min", "engine", 0.0, 0.2)
