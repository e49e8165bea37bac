"""Layers of settings: defaults, show, look, shot, keys, frame range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def fixed(stage_settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a stage as they are where neither keys nor ranges say otherwise."""
    return {key: value for key, value in stage_settings.items() if key not in ("keys", "ranges")}


def between(keys: Sequence[Sequence[float]], frame: int) -> float:
    """Value of a keyed setting on a frame.

    Monotone cubic interpolation: no value lies outside those of the two keys around it. The slope at a key is the
    weighted harmonic mean of those to its neighbours (Fritsch and Butland 1984), and 0 at a peak and at either end, so
    that a value eases into what stays before the first key and after the last.

    Parameters
    ----------
    keys:
        ``[frame, value]``, one or more, by ascending frame.
    """
    places, values = zip(*keys, strict=True)
    if frame <= places[0]:
        return float(values[0])
    if frame >= places[-1]:
        return float(values[-1])
    right = next(index for index, place in enumerate(places) if frame < place)
    left = right - 1

    def rise(index: int) -> float:
        return float(values[index + 1] - values[index]) / (places[index + 1] - places[index])

    def slope(index: int) -> float:
        if index in (0, len(places) - 1) or rise(index - 1) * rise(index) <= 0:
            return 0.0
        before, after = places[index] - places[index - 1], places[index + 1] - places[index]
        one, other = 2 * after + before, after + 2 * before
        return (one + other) / (one / rise(index - 1) + other / rise(index))

    # Cubic Hermite form.
    width = places[right] - places[left]
    t = (frame - places[left]) / width
    eased = t * t * (3 - 2 * t)
    bent = t * (1 - t) * ((1 - t) * slope(left) - t * slope(right)) * width
    return float(values[left] + (values[right] - values[left]) * eased + bent)


def settings_at(stage_settings: Mapping[str, Any], frame: int) -> dict[str, Any]:
    """Settings of a stage that hold on one frame.

    Parameters
    ----------
    stage_settings:
        Settings of one stage as `Show.settings` gives them. Their ``keys``, if there are any, hold ``[[frame, value],
        ...]`` by setting (see `between`); their ``ranges`` list ``{"frames": [[first, last], ...], "set": {...}}``, of
        which a later entry wins over an earlier one, and all of them over keys.
    frame:
        The plate's own number.

    Returns
    -------
    dict
        The same settings without ``keys`` and ``ranges``.
    """
    result = fixed(stage_settings)
    result |= {name: between(keys, frame) for name, keys in stage_settings.get("keys", {}).items()}
    for entry in stage_settings.get("ranges", ()):
        if any(first <= frame <= last for first, last in entry["frames"]):
            result.update(entry["set"])
    return result
