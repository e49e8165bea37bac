"""What the mattes of a look are made of, and whether its algebra can be worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from understudy.comp.mattes.algebra import OPERATIONS, operations_of, step_of
from understudy.errors import ConfigError

SOURCES: Final = {
    "unoccluded": ("occluders", "name a network in matte.occluders"),
    "regions": ("parser", "name a network in matte.parser"),
    "difference": ("difference", "set matte.difference above 0"),
    "occlusion": ("hold_back", "set matte.hold_back above 0"),
}
"""Layers that there are only where a setting gives them a source: that setting, and what to do without it."""
ANYWHERE: Final = 10_000_000
"""A window that reaches over every shot: frame numbers have seven digits."""


def sourced(settings: Mapping[str, Any]) -> list[str]:
    """The layers of `SOURCES` that settings of the stage ``matte``, those of frame ranges included, give a source."""
    ranges = settings.get("ranges", ())
    return [
        layer
        for layer, (key, _) in SOURCES.items()
        if settings[key] or any(entry["set"].get(key) for entry in ranges)
    ]


def reach(settings: Mapping[str, Any]) -> int:
    """Frames on either side that the layers of a frame depend on: the colour test knows the skin of the whole shot."""
    layers = sourced(settings)
    if "occlusion" in layers:
        return ANYWHERE
    return int(settings["steady"]) if layers else 0


def check_mattes(settings: Mapping[str, Any], where: str) -> None:
    """Refuse an algebra that cannot be worked out.

    Raises
    ------
    ConfigError
        Naming the step.
    """
    able = sourced(settings)
    for number, one in enumerate(settings["combine"], 1):
        here, named = f"matte.combine, step {number}", operations_of(one)
        if len(named) != 1:
            raise ConfigError(
                f"{here} has {len(named)} operations",
                where=where,
                fix=f"write one of {', '.join(OPERATIONS)} with the name of a layer",
            )
        step = step_of(one)
        if number == 1 and step.operation not in ("replace", "max"):
            raise ConfigError(
                f"{here} is {step.operation}, and there is no matte yet",
                where=where,
                fix="begin with replace, for instance {replace: hull}",
            )
        if step.layer in SOURCES and step.layer not in able:
            raise ConfigError(
                f"{here} asks for the layer {step.layer}, and nothing makes it",
                where=where,
                fix=f"{SOURCES[step.layer][1]}, or leave the step out",
            )
