"""What a person corrects by hand on one shot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy.comp.mattes.algebra import new_edge
from understudy.errors import ConfigError
from understudy.show.document import Document, read_document
from understudy.show.frames import FrameRanges, parse_frames
from understudy.show.looks import SettingsKey, SettingsRange, read_keys, read_ranges
from understudy.show.schema import conform, filled, schema
from understudy.tables import nearest

Landmarks = Mapping[int, Mapping[str, Mapping[int, tuple[float, float]]]]
"""Frame, track and number of the point to (x, y) in pixels of the frame, pixel centres at .5."""


@dataclass(frozen=True)
class Roto:
    """A matte drawn by hand.

    Attributes
    ----------
    pattern:
        Picture files, with ``%04d`` (or the like) for the frame number.
    channel:
        ``R``, ``G``, ``B`` or ``A``, or the whole name of a channel of an EXR.
    mode:
        ``hold`` (keep the plate where it is white), ``add`` or ``replace``.
    erode, feather:
        Place and width of a new edge, in inter-ocular distances; it keeps its own where ``feather`` is None.
    """

    pattern: Path
    channel: str
    mode: str
    erode: float = 0.0
    feather: float | None = None


@dataclass(frozen=True)
class Overrides:
    """The corrections of one shot; empty unless there is a file.

    Attributes
    ----------
    exclude:
        Frames that are left alone: the plate passes through.
    ignore:
        Tracks that are no performer.
    merge:
        Groups of tracks that are one performer.
    split:
        Track and first frame of its second part.
    cast:
        Talent by track; wins over the shot list.
    landmarks:
        Places of single points.
    roto:
        Mattes drawn by hand.
    ranges:
        Settings that hold on some frames only.
    keys:
        Settings at single frames, interpolated between.
    source:
        The file, for messages.
    """

    exclude: FrameRanges = ()
    ignore: tuple[str, ...] = ()
    merge: tuple[tuple[str, ...], ...] = ()
    split: tuple[tuple[str, int], ...] = ()
    cast: Mapping[str, str] = field(default_factory=dict)
    landmarks: Landmarks = field(default_factory=dict)
    roto: tuple[Roto, ...] = ()
    ranges: tuple[SettingsRange, ...] = ()
    keys: tuple[SettingsKey, ...] = ()
    source: str = ""


def load_overrides(path: Path, base: Path, talents: Collection[str]) -> Overrides:
    """Read the overrides of one shot.

    Parameters
    ----------
    path:
        The file.
    base:
        Folder that relative paths are relative to.
    talents:
        Ids of all talents.

    Raises
    ------
    ConfigError
        Naming file and line: what cannot be read, does not exist, or contradicts itself.
    """
    document = read_document(path, "override file")
    content = conform(document, "overrides")
    overrides = Overrides(
        exclude=parse_frames(content["exclude"], where=document.where(("exclude",)))
        if "exclude" in content
        else (),
        ignore=tuple(content.get("ignore", ())),
        merge=tuple(tuple(group) for group in content.get("merge", ())),
        split=tuple((entry["track"], entry["frame"]) for entry in content.get("split", ())),
        cast=content.get("cast", {}),
        landmarks=_landmarks(content.get("landmarks", {})),
        roto=tuple(_roto(entry, base) for entry in content.get("roto", ())),
        ranges=read_ranges(content.get("ranges", ()), document, ("ranges",)),
        keys=read_keys(content.get("keys", ()), document, ("keys",)),
        source=document.name,
    )
    _check(overrides, document, talents)
    return overrides


def _landmarks(content: Mapping[str, Any]) -> Landmarks:
    return {
        int(frame): {
            track: {int(point): (float(x), float(y)) for point, (x, y) in points.items()}
            for track, points in tracks.items()
        }
        for frame, tracks in content.items()
    }


def _roto(entry: Mapping[str, Any], base: Path) -> Roto:
    complete = filled(entry, schema("overrides")["properties"]["roto"]["items"])
    erode, feather = new_edge(complete)
    return Roto(base / complete["pattern"], complete["channel"], complete["mode"], erode, feather)


def _check(overrides: Overrides, document: Document, talents: Collection[str]) -> None:
    merged = Counter(track for group in overrides.merge for track in group)
    for track, times in merged.items():
        if times > 1:
            raise ConfigError(
                f"track {track} is merged {times} times",
                where=document.where(("merge",)),
                fix="name it in one group",
            )
    for index, track in enumerate(overrides.ignore):
        elsewhere = "cast" if track in overrides.cast else "merged" if track in merged else ""
        if elsewhere:
            raise ConfigError(
                f"track {track} is ignored and {elsewhere}",
                where=document.where(("ignore", index)),
                fix="decide for one",
            )
    for track, talent in overrides.cast.items():
        if talent not in talents:
            raise ConfigError(
                f"there is no talent {talent!r}",
                where=document.where(("cast", track)),
                fix=nearest(talent, talents),
            )


def override_record(overrides: Overrides) -> dict[str, Any]:
    """What `track` needs of the overrides, as JSON data; `overrides_of` is its inverse."""
    return {
        "ignore": list(overrides.ignore),
        "merge": [list(group) for group in overrides.merge],
        "split": [list(pair) for pair in overrides.split],
        "cast": dict(overrides.cast),
        "landmarks": {
            str(frame): {
                track: {str(point): list(place) for point, place in points.items()}
                for track, points in tracks.items()
            }
            for frame, tracks in overrides.landmarks.items()
        },
    }


def overrides_of(record: Mapping[str, Any]) -> Overrides:
    """Overrides with what `override_record` wrote down."""
    return Overrides(
        ignore=tuple(record["ignore"]),
        merge=tuple(tuple(group) for group in record["merge"]),
        split=tuple((track, frame) for track, frame in record["split"]),
        cast=dict(record["cast"]),
        landmarks=_landmarks(record["landmarks"]),
    )
