"""A wedge: the same frames of a shot under every combination of some settings' values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

from understudy.errors import ConfigError
from understudy.show.document import Document
from understudy.show.schema import conform, schema
from understudy.show.settings import Settings, copy, merge
from understudy.tables import nearest

STAGES: Final = ("align", "swap", "enhance", "matte", "match", "composite")
"""Stages whose settings a wedge takes: those that a frame goes through once its faces are found."""
MOST: Final = 64
WHERE: Final = "configuration, wedge"
BETWEEN: Final = re.compile(r",(?![^\[]*\])")
"""A comma that does not stand in a list."""
EXAMPLE: Final = 'write e.g. --config wedge="match.light=0,0.5,1 composite.blend=multiband,poisson"'


@dataclass(frozen=True)
class Cell:
    """One combination: as it was typed (``match.light=0.5``), and as settings by stage."""

    words: tuple[str, ...]
    settings: Settings


@dataclass(frozen=True)
class Wedge:
    """All combinations, the last setting's values changing fastest; ``across`` is how many it has."""

    cells: tuple[Cell, ...] = ()
    across: int = 0


def read_wedge(text: str) -> Wedge:
    """Read ``match.light=0,0.5,1 match.restored=[0.5,0.5],[0.8,0.8]``; empty for none.

    Raises
    ------
    ConfigError
        Naming the setting: one that does not exist, that a wedge cannot change, or that stands twice; a value that it
        cannot have; more than 64 combinations.
    """
    axes: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for part in text.split():
        name, equals, values = part.partition("=")
        stage, dot, key = name.partition(".")
        if not (equals and dot):
            raise ConfigError(f"{part!r} is no setting with its values", where=WHERE, fix=EXAMPLE)
        _check_setting(stage, key)
        if (stage, key) in axes:
            raise ConfigError(f"{name} stands twice", where=WHERE, fix="list all of its values once")
        axes[stage, key] = [(f"{name}={value}", _typed(stage, key, value)) for value in BETWEEN.split(values)]
        typed = [value for _, value in axes[stage, key]]
        for index, value in enumerate(typed):
            if value in typed[:index]:
                raise ConfigError(f"{name} has the value {value} twice", where=WHERE, fix="delete one of them")
    if not axes:
        return Wedge()
    count = prod(map(len, axes.values()))
    if count > MOST:
        raise ConfigError(f"{count} combinations", where=WHERE, fix=f"ask for {MOST} at the most")
    cells = []
    for combination in product(*axes.values()):
        settings: Settings = {}
        for (stage, key), (_, value) in zip(axes, combination, strict=True):
            settings.setdefault(stage, {})[key] = value
        cells.append(Cell(tuple(words for words, _ in combination), settings))
    return Wedge(tuple(cells), len(list(axes.values())[-1]))


def _check_setting(stage: str, key: str) -> None:
    stages = schema("settings")["properties"]
    if stage not in stages:
        raise ConfigError(f"{stage}.{key}: there is no stage {stage!r}", where=WHERE, fix=nearest(stage, STAGES))
    if stage not in STAGES:
        raise ConfigError(
            f"{stage}.{key} cannot be wedged: it is not among what a frame goes through once its faces are found",
            where=WHERE,
            fix=f"settings of these can: {', '.join(STAGES)}",
        )
    known = stages[stage]["properties"]
    if key not in known:
        raise ConfigError(f"there is no setting {stage}.{key}", where=WHERE, fix=nearest(key, known))
    if known[key]["type"] == "array" and known[key]["items"]["type"] == "object":
        raise ConfigError(
            f"{stage}.{key} is a list of steps: it cannot be wedged",
            where=WHERE,
            fix="make looks with one list each, and preview them",
        )


def _typed(stage: str, key: str, value: str) -> Any:
    """A value as its schema has it; checked. A list stands in brackets."""
    inside = value[1:-1] if value.startswith("[") and value.endswith("]") else None
    given = (value or None) if inside is None else [entry for entry in inside.split(",") if entry]
    document = Document(WHERE, {stage: {key: given}}, {})
    return conform(document, "settings")[stage][key]


def under(settings: Settings, cell: Cell) -> Settings:
    """A shot's settings with those of a cell, which hold on every frame."""
    made: Settings = copy(merge(settings, cell.settings))
    for stage, values in cell.settings.items():
        for key in values:
            made[stage].get("keys", {}).pop(key, None)
            for entry in made[stage].get("ranges", ()):
                entry["set"].pop(key, None)
    return made
