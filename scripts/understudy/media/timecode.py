"""SMPTE 12M timecode: text to frame count and back, with drop-frame counting."""

from __future__ import annotations

import re
from fractions import Fraction

_TEXT = re.compile(r"^(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2,3})$")


def offset(timecode: str, frames: int, rate: Fraction) -> str:
    """Return the timecode `frames` frames after `timecode`.

    ``;`` before the frame field means drop-frame counting (29.97 and 59.94 only); it is kept. Counting wraps
    at 24 hours. Raises ValueError where the text is no timecode of this rate.
    """
    count, drop = to_frames(timecode, rate)
    return from_frames(count + frames, rate, drop)


def to_frames(timecode: str, rate: Fraction) -> tuple[int, bool]:
    """Return (frames since 00:00:00:00, is drop-frame).

    Formula: SMPTE 12M; of every 30 labels per second, two are left out each minute but the tenth.
    """
    match = _TEXT.match(timecode)
    if match is None:
        raise ValueError(f"{timecode!r} is no timecode (HH:MM:SS:FF, or ; before FF for drop-frame)")
    hours, minutes, seconds, frame = (int(match[i]) for i in (1, 2, 3, 5))
    drop = match[4] != ":"
    base = round(rate)
    if hours > 23 or minutes > 59 or seconds > 59 or frame >= base:
        raise ValueError(f"{timecode!r} is no timecode at {rate} frames per second")
    dropped = _dropped_per_minute(rate) if drop else 0
    if frame < dropped and seconds == 0 and minutes % 10:
        raise ValueError(f"{timecode!r} is a label that drop-frame counting leaves out")
    total_minutes = 60 * hours + minutes
    count = (60 * total_minutes + seconds) * base + frame - dropped * (total_minutes - total_minutes // 10)
    return count, drop


def from_frames(count: int, rate: Fraction, drop: bool) -> str:
    """Return the label of frame `count`; the inverse of `to_frames`."""
    base = round(rate)
    dropped = _dropped_per_minute(rate) if drop else 0
    per_minute = 60 * base - dropped
    per_ten = 10 * per_minute + dropped
    count %= 144 * per_ten
    tens, rest = divmod(count, per_ten)
    # The first minute of ten drops nothing, so it is longer than the others.
    minute = 0 if rest < 60 * base else 1 + (rest - 60 * base) // per_minute
    label = count + dropped * (9 * tens + minute)
    seconds, frame = divmod(label, base)
    digits = 3 if base > 100 else 2
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}{';' if drop else ':'}{frame:0{digits}d}"


def _dropped_per_minute(rate: Fraction) -> int:
    if rate not in (Fraction(30000, 1001), Fraction(60000, 1001)):
        raise ValueError(
            f"drop-frame timecode at {rate} frames per second (it exists at 29.97 and 59.94 only)"
        )
    return round(rate) // 15
