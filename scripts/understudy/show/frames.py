"""Frame numbers as people write them, and the ranges that jobs work on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from understudy.errors import ConfigError

FrameRanges = tuple[tuple[int, int], ...]
"""Closed ranges (first, last), ascending, with at least one frame between any two."""

_PART = re.compile(r"([0-9]{1,7})(?:\s*-\s*([0-9]{1,7})(?:\s*x\s*([0-9]{1,7}))?)?")
_HELP = "write frames like 1001-1010,1015,1020-1030x2 (x2: every second frame)"


def parse_frames(text: str, *, where: str = "") -> FrameRanges:
    """Read frames such as ``1001-1010,1015,1020-1030x2``.

    Forms whose meaning differs between programs are refused, above all ``:`` (a step here, a range there).

    Parameters
    ----------
    text:
        Frames and ranges, parted by commas; ``xN`` takes every N-th frame, the first included.
    where:
        For messages.

    Returns
    -------
    FrameRanges
        Ascending; ranges that touch are joined.

    Raises
    ------
    ConfigError
        If a part cannot be read, runs backwards, or a frame is named twice.
    """
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        spans.extend(_span(part.strip(), text, where))
    spans.sort()
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1]:
            raise ConfigError(
                f"frame {first} stands twice in {text!r}", where=where, fix="name every frame once"
            )
        if joined and first == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)


def _span(part: str, text: str, where: str) -> Iterator[tuple[int, int]]:
    match = _PART.fullmatch(part)
    if match is None:
        reason = (
            "':' means a range to some programs and a step to others"
            if ":" in part
            else "that is no frame range"
        )
        raise ConfigError(f"cannot read {part!r} in {text!r}: {reason}", where=where, fix=_HELP)
    first, last, step = (int(group) if group else None for group in match.groups())
    assert first is not None
    last = first if last is None else last
    if last < first:
        raise ConfigError(f"{part!r} runs backwards", where=where, fix=f"write {last}-{first}")
    if step is None:
        yield first, last
    elif step == 0:
        raise ConfigError(f"the step of {part!r} is 0", where=where, fix=_HELP)
    else:
        yield from ((frame, frame) for frame in range(first, last + 1, step))


def holds(ranges: FrameRanges, frame: int) -> bool:
    """Whether a frame is in one of the ranges."""
    return any(first <= frame <= last for first, last in ranges)


def shared(one: FrameRanges, other: FrameRanges) -> int | None:
    """First frame that two sets of ranges share, if any."""
    common = [max(a, c) for a, b in one for c, d in other if max(a, c) <= min(b, d)]
    return min(common, default=None)


def chunks(first: int, last: int, size: int) -> list[tuple[int, int]]:
    """Cut first..last into closed ranges of `size` frames; the last one may be shorter."""
    return [(start, min(start + size - 1, last)) for start in range(first, last + 1, size)]


def chunk_name(first: int, last: int) -> str:
    """Name of a chunk in files: ``0001001-0001048``; names sort as their frames do."""
    return f"{first:07d}-{last:07d}"
