"""Who on a plate becomes which talent: the cells of the shot list's column `cast`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from understudy.errors import ConfigError
from understudy.tables import nearest

CastValue = str | tuple[int, float, float, float, float] | None

_WORDS = ("largest", "leftmost", "rightmost", "everyone")
_TRACK = re.compile(r"t[0-9]{2,6}")
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_BOX = re.compile(rf"box:{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}@([0-9]{{1,7}})")
_LIKE = "like:"
_HELP = (
    "write performer=talent, parted by spaces; a performer is largest, leftmost, rightmost, everyone, "
    "a track like t02, a box on a frame like box:812,220,1010,470@1012, or who is on a picture like like:refs/anna.png"
)


@dataclass(frozen=True)
class CastEntry:
    """One performer and the talent put on them.

    Attributes
    ----------
    kind:
        ``largest``, ``leftmost``, ``rightmost``, ``everyone``, ``track``, ``box`` or ``like``.
    value:
        The track's id, or ``(frame, x0, y0, x1, y1)`` in pixels of the frame, or the picture's path as it is written,
        or ``None``.
    talent:
        Id of the talent.
    """

    kind: str
    value: CastValue
    talent: str


def parse_cast(cell: str, talents: Collection[str], *, where: str) -> tuple[CastEntry, ...]:
    """Read a cast cell such as ``largest=astronaut t02=hopper box:812,220,1010,470@1012=hopper``.

    A talent alone stands for ``largest=talent``.

    Raises
    ------
    ConfigError
        Naming `where`: an entry that cannot be read, a talent that does not exist, a performer cast twice.
    """
    entries: dict[tuple[str, CastValue], CastEntry] = {}
    for text in cell.split():
        performer, equals, talent = text.rpartition("=")
        kind, value = _performer(performer, text, where) if equals else ("largest", None)
        if not equals and (
            talent in _WORDS or _TRACK.fullmatch(talent) or talent.startswith(("box:", _LIKE))
        ):
            raise ConfigError(f"cast {text!r} names no talent", where=where, fix=_HELP)
        if talent not in talents:
            raise ConfigError(
                f"cast {text!r}: there is no talent {talent!r}", where=where, fix=nearest(talent, talents)
            )
        if (kind, value) in entries:
            raise ConfigError(
                f"cast: {performer or kind} is cast twice", where=where, fix="keep one of the entries"
            )
        entries[kind, value] = CastEntry(kind, value, talent)
    if not entries:
        raise ConfigError("cast is empty", where=where, fix=_HELP)
    return tuple(entries.values())


def _performer(text: str, entry: str, where: str) -> tuple[str, CastValue]:
    if text in _WORDS:
        return text, None
    if _TRACK.fullmatch(text):
        return "track", text
    if text.startswith(_LIKE) and text != _LIKE:
        return "like", text.removeprefix(_LIKE)
    box = _BOX.fullmatch(text)
    if box is None:
        raise ConfigError(f"cast {entry!r}: {text!r} is no performer", where=where, fix=_HELP)
    x0, y0, x1, y1 = (float(number) for number in box.groups()[:4])
    if x1 <= x0 or y1 <= y0:
        raise ConfigError(
            f"cast {entry!r}: the box has no area",
            where=where,
            fix="write left,top,right,bottom: box:812,220,1010,470@1012",
        )
    return "box", (int(box.group(5)), x0, y0, x1, y1)
