"""The review page: a static folder that opens from disk, without network, server or build step."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Final

from understudy.errors import DeliverableError

ASSETS: Final = ("page.css", "page.js")
LAYERS: Final = ("plate", "result", "matte")
NUMBERS: Final[Mapping[str, tuple[str, str, int]]] = {
    "score": ("Score", "", 2),
    "texture_index": ("Texture", "dB", 1),
    "seam": ("Seam", "x", 2),
    "colour_distance": ("Colour", "dE", 1),
    "coverage": ("Coverage", "", 2),
    "jitter": ("Jitter", "IOD", 4),
    "crop_jitter": ("Crop jitter", "IOD", 4),
    "flicker": ("Flicker", "log", 3),
    "occlusion": ("Occlusion", "", 2),
}
"""Numbers that get a strip, in this order: title, unit, decimals. Others are not shown."""


def to_json(value: Any) -> str:
    """JSON that may stand inside a script element or a script file: no character ends either."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _put(path: Path, text: str) -> Path:
    """Write a text file so that it is either the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    return temporary.replace(path)


def _relative(shot: str, what: str, path: Any) -> None:
    """Raise unless ``path`` is a relative path with forward slashes."""
    if path is None:
        return
    text = str(path)
    if PurePosixPath(text).is_absolute() or "\\" in text or "://" in text or text[1:2] == ":":
        raise DeliverableError(
            f"the {what} path {text!r} would not open on another machine",
            where=f"review page, {shot}",
            fix="give it relative to the review folder, with forward slashes",
        )


def _checked(shot: Mapping[str, Any]) -> None:
    """Raise where a shot would not show right: foreign paths, lists of the wrong length, infinite numbers."""
    where = f"review page, shot {shot['id']}"
    length = int(shot["last"]) - int(shot["first"]) + 1
    for layer in LAYERS:
        _relative(f"shot {shot['id']}", layer, shot["proxies"].get(layer))
    _relative(f"shot {shot['id']}", "thumbnail", shot.get("thumbnail"))
    for movie in shot.get("movies", ()):
        _relative(f"shot {shot['id']}", "movie", movie["path"])
    for track in shot.get("tracks", ()):
        for name, values in track["numbers"].items():
            if len(values) != length:
                raise DeliverableError(
                    f"{name} of track {track['id']} has {len(values)} values for {length} frames",
                    where=where,
                    fix="give one value or null for every frame of the shot",
                )
            if any(value is not None and not math.isfinite(value) for value in values):
                raise DeliverableError(
                    f"{name} of track {track['id']} has a value that is not finite",
                    where=where,
                    fix="give null where there is nothing to measure",
                )


def _shortened(values: Sequence[float | None]) -> list[float | None]:
    """Numbers as the page draws them: five significant digits."""
    return [None if value is None else float(f"{value:.5g}") for value in values]


def _row(shot: Mapping[str, Any], data: str) -> dict[str, Any]:
    """What the table of shots needs: everything of a shot but the numbers."""
    return {
        "id": shot["id"],
        "first": shot["first"],
        "last": shot["last"],
        "size": shot["size"],
        "rate": shot["rate"],
        "thumbnail": shot.get("thumbnail"),
        "state": shot["state"],
        "cast": list(shot.get("cast", ())),
        "marks": [[flag[key] for key in ("first", "last", "level", "whole")] for flag in shot["flags"]],
        "data": data,
    }


def _whole(shot: Mapping[str, Any]) -> dict[str, Any]:
    """What the view of one shot needs."""
    return {
        "proxies": {layer: shot["proxies"].get(layer) for layer in LAYERS},
        "movies": list(shot.get("movies", ())),
        "flags": list(shot["flags"]),
        "settings": shot.get("settings", {}),
        "bounds": shot.get("bounds", {}),
        "tracks": [
            {
                "id": track["id"],
                "talent": track.get("talent"),
                "numbers": {
                    name: _shortened(track["numbers"][name]) for name in NUMBERS if name in track["numbers"]
                },
            }
            for track in shot.get("tracks", ())
        ],
    }


def write(folder: Path, show: Mapping[str, Any], shots: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write ``index.html``, its assets and one data file per shot; pictures are there already, or come later.

    All paths are relative to ``folder``, with forward slashes (``../out/...`` is fine). Texts are shown as
    text, whatever they hold. The same input gives the same bytes.

    Parameters
    ----------
    folder:
        The review folder; made where it is missing. Data files of shots that are gone are removed from it.
    show:
        ``name``; ``made_by`` (program and version) and ``made_at`` (any text), both optional; ``links``,
        optional: list of ``{"label", "path"}`` such as the contact sheet.
    shots:
        In the order of the table. Each has

        * ``id``; ``first``, ``last``: the plate's frame numbers; ``size``: ``[width, height]``;
          ``rate``: ``"24000/1001"``
        * ``proxies``: ``{"plate", "result", "matte"}``: JPEG names with ``{frame:07d}`` where the frame
          number goes, such as ``"sh010/plate/{frame:07d}.jpg"``; ``matte`` may be None. One picture per
          frame, all of one shape.
        * ``thumbnail``: a picture's path, or None
        * ``movies``: list of ``{"label", "path"}``
        * ``state``: ``ok``, ``warn`` or ``fail``; ``flags``: what :func:`understudy.qc.flags.flags` gives
        * ``cast``: list of ``{"performer", "talent"}``, such as ``{"performer": "t01", "talent":
          "astronaut"}``
        * ``tracks``: list of ``{"id", "talent", "numbers": {name: [a value or None per frame
          first..last]}}``: :func:`understudy.qc.measures.per_frame` makes ``numbers``; the names of
          :data:`NUMBERS` get a strip
        * ``bounds``: ``{name: {"low": [warn, fail] or None, "high": [warn, fail] or None}}``:
          :func:`understudy.qc.flags.bounds` makes it; optional
        * ``settings``: ``{stage: {name: value}}``, JSON types; optional

    Returns
    -------
    The files written.

    Raises
    ------
    DeliverableError
        For a path that is not relative, a list that does not fit the shot's range, an infinite number.
    """
    for link in show.get("links", ()):
        _relative("links", "link", link["path"])
    for shot in shots:
        _checked(shot)
    source = resources.files("understudy.qc").joinpath("page")
    written = [_put(folder / "assets" / name, source.joinpath(name).read_text("utf-8")) for name in ASSETS]

    rows = []
    for number, shot in enumerate(shots):
        name = f"data/{number:04d}.js"
        text = f"understudy.receive({to_json(shot['id'])},{to_json(_whole(shot))});\n"
        written.append(_put(folder / name, text))
        rows.append(_row(shot, name))
    for stale in set((folder / "data").glob("*.js")) - set(written):
        stale.unlink()

    data = {
        "show": {
            "name": show["name"],
            "made_by": show.get("made_by", ""),
            "made_at": show.get("made_at", ""),
            "links": list(show.get("links", ())),
        },
        "numbers": [
            {"name": name, "title": title, "unit": unit, "digits": digits}
            for name, (title, unit, digits) in NUMBERS.items()
        ],
        "shots": rows,
    }
    page = source.joinpath("index.html").read_text("utf-8")
    page = page.replace("%TITLE%", html.escape(str(show["name"]))).replace("%DATA%", to_json(data))
    written.append(_put(folder / "index.html", page))
    return written
