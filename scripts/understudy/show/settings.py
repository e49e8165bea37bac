"""Layers of settings: defaults, show, look, shot, frame range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Settings = dict[str, dict[str, Any]]
"""Stage name to the settings of that stage."""


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A new dict in which `over` wins key by key, at every depth."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = (
            merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
        )
    return result


def copy(value: Any) -> Any:
    """An independent copy of JSON data."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copy(item) for item in value]
    return value


def settings_at(stage_settings: Mapping[str, Any], frame: int) -> dict[str, Any]:
    """Settings of a stage that hold on one frame.

    Parameters
    ----------
    stage_settings:
        Settings of one stage as `Show.settings` gives them; their key ``ranges``, if there is one, lists
        ``{"frames": [[first, last], ...], "set": {...}}``, of which a later entry wins over an earlier one.
    frame:
        The plate's own number.

    Returns
    -------
    dict
        The same settings without ``ranges``.
    """
    result = {key: value for key, value in stage_settings.items() if key != "ranges"}
    for entry in stage_settings.get("ranges", ()):
        if any(first <= frame <= last for first, last in entry["frames"]):
            result.update(entry["set"])
    return result
