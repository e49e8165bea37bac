"""Movies: decoded once from end to end, so that nothing rests on what a header claims."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from understudy.errors import PlateError
from understudy.media import movie, timecode, yuv
from understudy.media.plate import Plate, identity

RATES = tuple(Fraction(n) for n in (24, 25, 30, 48, 50, 60, 100, 120, 12, 15, 10)) + tuple(
    Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)
)


def probe(path: Path, rate: Fraction | None, *, trusted: bool = False) -> Plate:
    """Probe a movie. Raises PlateError where a frame would be lost, moved, doubled or miscoloured.

    Of a trusted movie, one that was just written, only the first frame is decoded; the others are counted by their
    packets.
    """
    with movie.opened(path) as (container, stream):
        seen = _decode(path, container, stream, trusted)
        own, start, notes = _clock(path, seen, stream)
        if rate is not None and rate != own:
            raise PlateError(
                f"the movie runs at {own} frames per second, not at {rate}",
                where=str(path),
                fix="leave the rate of movies out",
            )
        found = movie.layout(seen.format)
        assert found is not None
        family, depth, _ = found
        colour, colour_notes = _colour(path, seen, family)
        code = _timecode(path, container, stream, own)
        audio = tuple(_audio(track) for track in container.streams.audio)
        aspect = stream.sample_aspect_ratio or Fraction(1)
    return Plate(
        kind="movie",
        path=str(path),
        first=1,
        last=len(seen.pts),
        rate=own,
        width=seen.size[0],
        height=seen.size[1],
        pixel_aspect=Fraction(aspect) or Fraction(1),
        dtype="uint8" if depth == 8 else "uint16",
        depth=depth,
        channels=3,
        space="display",
        colour=colour,
        timecode=code,
        audio=audio,
        identity=(identity(path),),
        start=start,
        notes=tuple(notes + colour_notes),
    )


class _Seen:
    """What one pass over the frames has found."""

    def __init__(self) -> None:
        self.pts: list[int] = []
        self.format = ""
        self.size = (0, 0)
        self.tags: dict[str, str] = {}


def _decode(path: Path, container: Any, stream: Any, trusted: bool) -> _Seen:
    seen = _Seen()
    packets = dropped = 0
    times: list[int | None] = []
    end = Fraction(0)
    try:
        for packet in container.demux([stream, *container.streams.audio]):
            if packet.pts is not None and packet.duration and packet.time_base:
                end = max(end, (packet.pts + packet.duration) * packet.time_base)
            if packet.stream_index != stream.index:
                continue
            packets += packet.size > 0
            dropped += bool(packet.is_discard) and packet.size > 0
            times.append(packet.pts)
            if trusted and seen.pts:
                continue
            for frame in packet.decode():
                _look(path, seen, frame)
    except av.FFmpegError as error:
        raise PlateError(
            f"the movie is damaged: frame {len(seen.pts) + 1} cannot be decoded ({error.strerror or error})",
            where=str(path),
            fix="copy it again from its source",
        ) from error
    if trusted and seen.pts:
        seen.pts = [time for time in times if time is not None]
    if not seen.pts:
        raise PlateError(
            "no frame of this movie can be decoded", where=str(path), fix="copy it again from its source"
        )
    claimed = stream.frames or int(_tag(stream, "NUMBER_OF_FRAMES") or 0)
    if claimed and packets < claimed:
        raise PlateError(
            f"the movie is cut off: it claims {claimed} frames and holds {packets}",
            where=str(path),
            fix="copy it again from its source",
        )
    if packets - dropped != len(seen.pts):
        raise PlateError(
            f"the movie is damaged: of {packets - dropped} frames {len(seen.pts)} can be decoded",
            where=str(path),
            fix="copy it again from its source",
        )
    _length(path, container, stream, end)
    seen.pts.sort()
    return seen


def _look(path: Path, seen: _Seen, frame: av.VideoFrame) -> None:
    number = len(seen.pts) + 1
    if frame.pts is None:
        raise PlateError(
            f"frame {number} has no time stamp", where=str(path), fix="rewrap it with constant frame rate"
        )
    if frame.is_corrupt:
        raise PlateError(
            f"the movie is damaged at frame {number}", where=str(path), fix="copy it again from its source"
        )
    if frame.interlaced_frame:
        raise PlateError(
            f"frame {number} is interlaced",
            where=str(path),
            fix="deinterlace it (or remove the pull-down) before it becomes a plate",
        )
    if frame.rotation:
        raise PlateError(
            f"the movie carries a rotation flag of {frame.rotation} degrees",
            where=str(path),
            fix="export it upright, without the flag",
        )
    size, form = (frame.width, frame.height), frame.format.name
    tags = {
        "range": movie.RANGES.get(int(frame.color_range), "unknown"),
        "primaries": movie.PRIMARIES.get(int(frame.color_primaries), "unknown"),
        "transfer": movie.TRANSFERS.get(int(frame.color_trc), "unknown"),
        "matrix": movie.MATRICES.get(int(frame.colorspace), "unknown"),
    }
    if number == 1:
        if movie.layout(form) is None:
            raise PlateError(
                f"pixel format {form} is not supported",
                where=str(path),
                fix="convert it to ProRes or to EXR frames",
            )
        seen.size, seen.format, seen.tags = size, form, tags
    elif (size, form, tags) != (seen.size, seen.format, seen.tags):
        raise PlateError(
            f"frame {number} differs in size, pixel format or colour tags from the frames before it",
            where=str(path),
            fix="export it again",
        )
    opacity = movie.alpha(frame)
    if opacity is not None and int(opacity[0].min()) < opacity[1]:
        raise PlateError(
            f"the movie has an alpha channel (frame {number} is not opaque)",
            where=str(path),
            fix="export it without alpha, or as EXR or PNG frames, where alpha is kept",
        )
    seen.pts.append(frame.pts)


def _tag(stream: Any, name: str) -> str | None:
    """Return a stream tag; Matroska adds the language to its names."""
    return next((value for key, value in stream.metadata.items() if key.upper().split("-")[0] == name), None)


def _length(path: Path, container: Any, stream: Any, end: Fraction) -> None:
    """Refuse a file that ends before its header says: containers without a frame count."""
    if container.format.name == "gif":
        with path.open("rb") as file:
            file.seek(-1, 2)
            if file.read() != b";":
                raise PlateError(
                    "the movie is cut off: the GIF has no end",
                    where=str(path),
                    fix="copy it again from its source",
                )
    if stream.frames:
        return
    claimed = Fraction(container.duration or 0, 1_000_000)
    slack = Fraction(1, 10)
    if not container.format.name.startswith("matroska"):
        # Matroska's duration counts from zero, the others' from the first time stamp, and is often an
        # estimate.
        claimed += Fraction(container.start_time or 0, 1_000_000)
        slack = Fraction(1, 2)
    if claimed - end > slack:
        raise PlateError(
            f"the movie is cut off: it claims {float(claimed):.2f} seconds and holds {float(end):.2f}",
            where=str(path),
            fix="copy it again from its source",
        )


def _clock(path: Path, seen: _Seen, stream: Any) -> tuple[Fraction, Fraction, list[str]]:
    """Return (rate, time of the first frame's place, notes); refuse a clock that is not constant."""
    pts, base = np.array(seen.pts, np.int64), Fraction(stream.time_base)
    for candidate in _candidates(stream):
        start = _fit(pts, base, candidate)
        if start is not None:
            return candidate, start, []
        if len(pts) > 2:
            late = _fit(pts[1:], base, candidate)
            gap = (int(pts[1]) - int(pts[0])) * base * candidate
            if late is not None and 1 < gap <= 2 + Fraction(1, 10):
                note = "the first frame stands one frame too early: a slip of the recorder, no frame is lost"
                return candidate, late - 1 / candidate, [note]
    shortest, longest = (float(int(step) * base) * 1000 for step in (np.diff(pts).min(), np.diff(pts).max()))
    raise PlateError(
        f"the frame rate varies: frames last from {shortest:.1f} to {longest:.1f} ms",
        where=str(path),
        fix="convert it to a constant frame rate (variable rate has no frame numbers)",
    )


def _candidates(stream: Any) -> Iterator[Fraction]:
    declared = [
        Fraction(rate) for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate) if rate
    ]
    for rate in declared:
        yield from (usual for usual in RATES if abs(usual - rate) * 10000 < rate)
        if 0 < rate <= 1000:
            yield rate
    yield from RATES


def _fit(pts: np.ndarray, base: Fraction, rate: Fraction) -> Fraction | None:
    """Return the start in seconds where frame k lies at start + k / rate to within the time base, or None."""
    period = 1 / (base * rate)
    if len(pts) == 1:
        return int(pts[0]) * base
    # Muxers round time stamps to the time base: Matroska by a millisecond either way, GIF to a hundredth of a
    # second.
    slack = 2 if period >= 20 else int(period.denominator != 1)
    if period < 1:
        return None
    # Exact integers, so that hours of film do not drift.
    scaled = [int(value) * period.denominator - index * period.numerator for index, value in enumerate(pts)]
    low, high = min(scaled), max(scaled)
    if high - low > slack * period.denominator:
        return None
    return Fraction(low + high, 2 * period.denominator) * base


def _colour(path: Path, seen: _Seen, family: str) -> tuple[dict[str, Any], list[str]]:
    tags: dict[str, Any] = dict(seen.tags)
    if tags["transfer"] in ("smpte2084", "arib-std-b67"):
        name = "PQ" if tags["transfer"] == "smpte2084" else "HLG"
        raise PlateError(
            f"the movie is HDR ({name})",
            where=str(path),
            fix="give scene-linear EXR frames, or an SDR version",
        )
    assumed = []
    if family == "rgb":
        tags |= {"matrix": "gbr", "range": "pc"}
    if seen.format.startswith("yuvj"):
        tags["range"] = "pc"
    usual = {"range": "tv", "matrix": "smpte170m" if seen.size[1] < 720 else "bt709"}
    for name, value in usual.items():
        if tags[name] == "unknown":
            tags[name] = value
            assumed.append(name)
    if tags["matrix"] not in yuv.LUMA and family == "yuv":
        raise PlateError(
            f"the colour matrix {tags['matrix']} is not supported",
            where=str(path),
            fix="convert it to BT.709, or to EXR frames",
        )
    for name in ("primaries", "transfer"):
        if tags[name] == "unknown":
            tags[name] = (
                "smpte170m" if tags["matrix"] in ("smpte170m", "bt470bg") and family == "yuv" else "bt709"
            )
            assumed.append(name)
    notes = (
        [f"no colour tags for {', '.join(assumed)}: assumed {', '.join(str(tags[name]) for name in assumed)}"]
        if assumed
        else []
    )
    return tags | {"assumed": assumed}, notes


def _timecode(path: Path, container: Any, stream: Any, rate: Fraction) -> str | None:
    places = [
        stream.metadata,
        container.metadata,
        *(other.metadata for other in container.streams if other.type == "data"),
    ]
    text = next(
        (value for place in places for key, value in place.items() if key.lower() == "timecode"), None
    )
    if text is None:
        return None
    try:
        timecode.to_frames(text, rate)
    except ValueError as error:
        raise PlateError(
            f"the timecode cannot be right: {error}", where=str(path), fix="correct the movie's timecode"
        ) from error
    return text


def _audio(track: Any) -> dict[str, Any]:
    context = track.codec_context
    return {
        "index": track.index,
        "codec": context.name if context else "unknown",
        "rate": context.sample_rate if context else 0,
        "channels": context.channels if context else 0,
        "layout": context.layout.name if context else "",
        "language": track.language or "",
    }
