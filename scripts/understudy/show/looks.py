"""Looks: which settings a shot has, from the defaults down to its keys and frame ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.errors import ConfigError
from understudy.show.document import Document, Place, read_document
from understudy.show.frames import FrameRanges, parse_frames, shared
from understudy.show.schema import conform, defaults, schema
from understudy.show.settings import Settings, copy, merge
from understudy.tables import nearest


@dataclass(frozen=True)
class SettingsRange:
    """Settings that hold on some frames only."""

    frames: FrameRanges
    settings: Settings
    where: str


@dataclass(frozen=True)
class SettingsKey:
    """Settings at one frame, between which and those of other keys they are interpolated."""

    frame: int
    settings: Settings
    where: str


@dataclass(frozen=True)
class Looks:
    """All settings of a show.

    Attributes
    ----------
    base:
        Defaults and the show's own settings.
    looks:
        Every look with all that it inherits, complete.
    shots:
        What single shots change.
    ranges:
        What single shots change on some frames.
    keys:
        What changes along single shots.
    """

    base: Settings
    looks: Mapping[str, Settings]
    shots: Mapping[str, Settings]
    ranges: Mapping[str, tuple[SettingsRange, ...]]
    keys: Mapping[str, tuple[SettingsKey, ...]]

    def resolve(
        self, shot: str, look: str, more: Sequence[SettingsRange] = (), keys: Sequence[SettingsKey] = ()
    ) -> Settings:
        """The complete settings of a shot, by stage, as plain JSON data.

        Parameters
        ----------
        shot, look:
            Id of the shot and name of its look (empty for the show's own).
        more:
            Ranges from the shot's overrides; they win over the look's.
        keys:
            Keys from the shot's overrides; a setting keyed there has no other keys.
        """
        resolved: Settings = copy(merge(self.looks[look] if look else self.base, self.shots.get(shot, {})))
        for entry in (*self.ranges.get(shot, ()), *more):
            for stage, settings in entry.settings.items():
                if settings:
                    frames = [list(span) for span in entry.frames]
                    resolved[stage].setdefault("ranges", []).append({"frames": frames, "set": copy(settings)})
        for layer in (self.keys.get(shot, ()), keys):
            for stage, keyed in _by_setting(layer).items():
                resolved[stage].setdefault("keys", {}).update(keyed)
        return resolved


def load_looks(path: Path, shots: Iterable[str]) -> Looks:
    """Read the looks.

    Parameters
    ----------
    path:
        The file.
    shots:
        Ids of all shots.

    Raises
    ------
    ConfigError
        Naming file and line: a key or value that does not exist, a look that inherits from none or itself,
        a shot that is not in the shot list, ranges that overlap, a setting that cannot be keyed.
    """
    document = read_document(path, "looks file")
    content = conform(document, "looks")
    base = merge(defaults(schema("settings")), content.get("show", {}).get("settings", {}))
    named = content.get("looks", {})
    by_shot = content.get("shots", {})
    known = frozenset(shots) if by_shot else frozenset()
    for shot in by_shot:
        if shot not in known:
            raise ConfigError(
                f"there is no shot {shot!r}", where=document.where(("shots", shot)), fix=nearest(shot, known)
            )
    return Looks(
        base=base,
        looks={name: _inherit(name, named, base, document) for name in named},
        shots={shot: entry["settings"] for shot, entry in by_shot.items() if entry.get("settings")},
        ranges={
            shot: read_ranges(entry["ranges"], document, ("shots", shot, "ranges"))
            for shot, entry in by_shot.items()
            if entry.get("ranges")
        },
        keys={
            shot: read_keys(entry["keys"], document, ("shots", shot, "keys"))
            for shot, entry in by_shot.items()
            if entry.get("keys")
        },
    )


def _inherit(name: str, named: Mapping[str, Any], base: Settings, document: Document) -> Settings:
    line = [name]
    while (parent := named[line[-1]].get("inherits")) is not None:
        where = document.where(("looks", line[-1], "inherits"))
        if parent not in named:
            raise ConfigError(f"there is no look {parent!r}", where=where, fix=nearest(parent, named))
        if parent in line:
            raise ConfigError(
                f"looks inherit in a circle: {' <- '.join([*line, parent])}",
                where=where,
                fix="break it at one of them",
            )
        line.append(parent)
    settings = base
    for look in reversed(line):
        settings = merge(settings, named[look].get("settings", {}))
    return settings


def read_ranges(
    entries: Sequence[Mapping[str, Any]], document: Document, place: Place
) -> tuple[SettingsRange, ...]:
    """Settings ranges out of a checked document.

    Raises
    ------
    ConfigError
        Naming file and line: frames that cannot be read, two ranges that share a frame, or a setting that is
        decided once per shot.
    """
    ranges: list[SettingsRange] = []
    for index, entry in enumerate(entries):
        here = (*place, index)
        frames = parse_frames(entry["frames"], where=document.where((*here, "frames")))
        for before in ranges:
            frame = shared(before.frames, frames)
            if frame is not None:
                raise ConfigError(
                    f"these frames and those of {before.where} overlap (frame {frame})",
                    where=document.where((*here, "frames")),
                    fix="let every frame belong to one range",
                )
        _refuse_fixed(entry["settings"], document, (*here, "settings"))
        ranges.append(SettingsRange(frames, entry["settings"], document.where((*here, "frames"))))
    return tuple(ranges)


def read_keys(
    entries: Sequence[Mapping[str, Any]], document: Document, place: Place
) -> tuple[SettingsKey, ...]:
    """Settings keys out of a checked document.

    Raises
    ------
    ConfigError
        Naming file and line: a setting that is decided once per shot, one that has nothing between its values, or one
        that is keyed twice on a frame.
    """
    keys: list[SettingsKey] = []
    stages = schema("settings")["properties"]
    for index, entry in enumerate(entries):
        here = (*place, index)
        _refuse_fixed(entry["settings"], document, (*here, "settings"))
        for stage, values in entry["settings"].items():
            for name in values:
                where = document.where((*here, "settings", stage, name))
                if stages[stage]["properties"][name]["type"] != "number":
                    raise ConfigError(
                        f"{stage}.{name} has nothing between its values: it cannot be keyed",
                        where=where,
                        fix="set it on a frame range (`ranges`)",
                    )
                for before in keys:
                    if before.frame == entry["frame"] and name in before.settings.get(stage, {}):
                        raise ConfigError(
                            f"{stage}.{name} is keyed twice on frame {entry['frame']}, here and at {before.where}",
                            where=where,
                            fix="delete one of them",
                        )
        keys.append(SettingsKey(entry["frame"], entry["settings"], document.where((*here, "frame"))))
    return tuple(keys)


def _by_setting(keys: Sequence[SettingsKey]) -> dict[str, dict[str, list[list[float]]]]:
    """Stage and setting to ``[frame, value]``, by ascending frame."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for key in sorted(keys, key=lambda key: key.frame):
        for stage, values in key.settings.items():
            for name, value in values.items():
                found.setdefault(stage, {}).setdefault(name, []).append([key.frame, value])
    return found


def _refuse_fixed(settings: Mapping[str, Any], document: Document, place: Place) -> None:
    stages = schema("settings")["properties"]
    for stage, values in settings.items():
        known = stages[stage]["properties"]
        for key in values:
            if not known[key].get("perFrame"):
                free = [name for name, below in known.items() if below.get("perFrame")]
                raise ConfigError(
                    f"{stage}.{key} is decided once per shot: it cannot change from frame to frame",
                    where=document.where((*place, stage, key)),
                    fix=f"set it for the whole shot; of {stage} may change: {', '.join(free) or 'nothing'}",
                )
