"""Writing movies: pixels with the right tags, the plate's timecode, and its audio packet by packet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from understudy.errors import DeliverableError, PlateError
from understudy.media import colour, movie, probe_movie, timecode, yuv
from understudy.media.plate import Plate

THREADS = 2
"""Encoder threads: x264's output depends on their number, so it never follows the machine's cores."""

_CODES = {
    "matrix": {name: code for code, name in movie.MATRICES.items()},
    "primaries": {name: code for code, name in movie.PRIMARIES.items()},
    "transfer": {name: code for code, name in movie.TRANSFERS.items()},
    "range": {name: code for code, name in movie.RANGES.items()},
}
_FITS = {
    ".mp4": ("aac", "mp3", "ac3", "eac3", "alac"),
    ".mov": ("aac", "mp3", "ac3", "eac3", "alac", "pcm_"),
}


@dataclass(frozen=True)
class _Form:
    encoder: str
    pixels: str
    depth: int
    subsampling: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class _Track:
    """One audio track for the range: packets (bytes, pts, duration) in the time base, from the first frame."""

    index: int
    base: Fraction
    packets: tuple[tuple[bytes, int, int], ...]


def suffix(codec: Mapping[str, Any], plate: Plate) -> str:
    """Return the end of the movie's name: .mp4 for H.264, .mov for ProRes, .mov or .mkv where the audio needs it."""
    names = [track["codec"] for track in plate.audio]
    wishes = (".mp4", ".mov") if codec["codec"] == "h264" else (".mov",)
    return next((end for end in wishes if all(name.startswith(_FITS[end]) for name in names)), ".mkv")


def encode(
    path: Path,
    frames: Iterable[np.ndarray | yuv.Codes],
    plate: Plate,
    first: int,
    last: int,
    codec: Mapping[str, Any],
) -> dict[str, Any]:
    """Write frames first..last as a movie: [h, w, 3|4], uint8 or uint16 display, or floats in the plate's space.

    They may come as codes: of the movie's own depth, subsampling and tags, these go in without a way through RGB.

    `codec` is {"codec": "h264", "crf": 10, "preset": "veryfast"} (8-bit 4:2:0), {"codec": "prores_422_hq"}
    (10-bit 4:2:2) or {"codec": "prores_4444"} (10-bit 4:4:4). Tags, timecode and pixel aspect are the
    plate's; every audio track is copied bit for bit: PCM trimmed to the sample, compressed audio as the whole
    packets that touch the range. 4:2:0 and 4:2:2 need even sizes: a last odd column or row is repeated. Same
    input, same bytes. The file is read back and checked; returns what was found. Raises DeliverableError or
    PlateError.
    """
    form = _form(codec)
    tags = _tags(plate, form)
    size = _size(plate, form)
    start = (
        None if plate.timecode is None else timecode.offset(plate.timecode, first - plate.first, plate.rate)
    )
    try:
        tracks = _audio(plate, first, last) if plate.audio else []
    except (av.FFmpegError, OSError, IndexError) as error:
        raise PlateError(
            f"the plate's audio cannot be read ({error})",
            where=plate.path,
            fix="copy the plate again from its source",
        ) from error
    try:
        count = _write(path, frames, plate, form, tags, size, start, tracks)
    except (av.FFmpegError, OSError, ValueError) as error:
        path.unlink(missing_ok=True)
        raise DeliverableError(
            f"the movie could not be written ({error})",
            where=str(path),
            fix="check space and rights on that disk",
        ) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    try:
        if count != last - first + 1:
            raise DeliverableError(f"{count} frames came for the range {first}-{last}", where=str(path))
        return _check(path, plate, tags, size, count, start, tracks)
    except (DeliverableError, PlateError):
        path.unlink(missing_ok=True)
        raise


def _form(codec: Mapping[str, Any]) -> _Form:
    name = codec["codec"]
    if name == "h264":
        options = {"crf": str(codec.get("crf", 10)), "preset": str(codec.get("preset", "veryfast"))}
        return _Form("libx264", "yuv420p", 8, "420", options)
    if name == "prores_422_hq":
        return _Form("prores_ks", "yuv422p10le", 10, "422", {"profile": "hq", "vendor": "apl0"})
    if name == "prores_4444":
        return _Form("prores_ks", "yuv444p10le", 10, "444", {"profile": "4444", "vendor": "apl0"})
    raise DeliverableError(
        f"movies cannot be written as {name}", fix="choose one of: h264, prores_422_hq, prores_4444"
    )


def _tags(plate: Plate, form: _Form) -> dict[str, str]:
    """Return the movie's colour tags: the plate's where it is Y'CbCr, else BT.709. ProRes is always studio range."""
    if plate.colour["matrix"] not in yuv.LUMA:
        return {"range": "tv", "matrix": "bt709", "primaries": "bt709", "transfer": "bt709"}
    tags = {name: str(plate.colour[name]) for name in ("range", "matrix", "primaries", "transfer")}
    return tags | ({"range": "tv"} if form.encoder == "prores_ks" else {})


def _size(plate: Plate, form: _Form) -> tuple[int, int]:
    across = 1 if form.subsampling == "444" else 2
    down = 2 if form.subsampling == "420" else 1
    return -(-plate.width // across) * across, -(-plate.height // down) * down


def _write(
    path: Path,
    frames: Iterable[np.ndarray | yuv.Codes],
    plate: Plate,
    form: _Form,
    tags: Mapping[str, str],
    size: tuple[int, int],
    start: str | None,
    tracks: list[_Track],
) -> int:
    options = {"fflags": "+bitexact"}
    if path.suffix in (".mp4", ".mov"):
        options["movflags"] = "+write_colr"
    with av.open(str(path), "w", options=options) as target:
        if start:
            target.metadata["timecode"] = start
        stream = target.add_stream(
            form.encoder, rate=plate.rate, options={**form.options, "flags": "+bitexact"}
        )
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = form.pixels
        context.time_base = 1 / plate.rate
        context.thread_count = THREADS
        if plate.pixel_aspect != 1:
            context.sample_aspect_ratio = plate.pixel_aspect
        context.color_range = _CODES["range"][tags["range"]]
        context.colorspace = _CODES["matrix"][tags["matrix"]]
        context.color_primaries = _CODES["primaries"][tags["primaries"]]
        context.color_trc = _CODES["transfer"][tags["transfer"]]
        with _Copies(target, plate, tracks) as copies:
            count = 0
            for count, image in enumerate(frames, start=1):
                frame = _frame(image, plate, form, tags, size)
                frame.pts, frame.time_base = count - 1, 1 / plate.rate
                target.mux(stream.encode(frame))
                copies.until(count / plate.rate)
            target.mux(stream.encode(None))
            copies.until(None)
    return count


class _Copies:
    """The audio tracks on their way into the movie, interleaved with the picture."""

    def __init__(self, target: Any, plate: Plate, tracks: list[_Track]) -> None:
        self.target, self.plate, self.tracks = target, plate, tracks

    def __enter__(self) -> _Copies:
        self.waiting: list[tuple[Any, _Track, int]] = []
        if self.tracks:
            # The template must stay open while its parameters are copied, not longer.
            with av.open(self.plate.path) as source:
                for track in self.tracks:
                    stream = self.target.add_stream_from_template(source.streams[track.index])
                    self.waiting.append((stream, track, 0))
        return self

    def __exit__(self, *_: object) -> None:
        self.waiting.clear()

    def until(self, time: Fraction | None) -> None:
        """Write the packets that begin before `time` seconds; all that are left without it."""
        for place, (stream, track, done) in enumerate(self.waiting):
            while done < len(track.packets):
                data, pts, duration = track.packets[done]
                if time is not None and pts * track.base >= time:
                    break
                packet = av.Packet(data)
                packet.pts = packet.dts = pts
                packet.duration, packet.time_base, packet.stream = duration, track.base, stream
                packet.is_keyframe = True
                self.target.mux(packet)
                done += 1
            self.waiting[place] = (stream, track, done)


def _frame(
    image: np.ndarray | yuv.Codes, plate: Plate, form: _Form, tags: Mapping[str, str], size: tuple[int, int]
) -> av.VideoFrame:
    planes = _planes(image, plate, form, tags, size)
    frame = av.VideoFrame(*size, form.pixels)
    for part, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(part, values.dtype).reshape(-1, part.line_size // values.itemsize)
        rows[: values.shape[0], : values.shape[1]] = values
    frame.color_range = _CODES["range"][tags["range"]]
    frame.colorspace = _CODES["matrix"][tags["matrix"]]
    frame.color_primaries = _CODES["primaries"][tags["primaries"]]
    frame.color_trc = _CODES["transfer"][tags["transfer"]]
    return frame


def _planes(
    image: np.ndarray | yuv.Codes, plate: Plate, form: _Form, tags: Mapping[str, str], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    matrix, full = tags["matrix"], tags["range"] == "pc"
    if isinstance(image, yuv.Codes):
        own = (image.depth, image.subsampling, image.matrix, image.full)
        if own == (form.depth, form.subsampling, matrix, full) and size == (plate.width, plate.height):
            return image.y, image.cb, image.cr
        image = image.rgb()
    if image.shape[:2] != (plate.height, plate.width):
        raise DeliverableError(
            f"a frame is {image.shape[1]} x {image.shape[0]}, the plate is {plate.width} x {plate.height}",
            where=plate.path,
        )
    rgb = image[..., :3]
    if rgb.dtype.kind == "f":
        rgb = colour.quantise(colour.to_display(rgb, plate), "uint16")
    if (plate.width, plate.height) != size:
        rgb = np.pad(rgb, ((0, size[1] - plate.height), (0, size[0] - plate.width), (0, 0)), mode="edge")
    return yuv.from_rgb(rgb, depth=form.depth, matrix=matrix, full=full, subsampling=form.subsampling)


def _audio(plate: Plate, first: int, last: int) -> list[_Track]:
    """Return the packets of every audio track that belong to the range."""
    begin = plate.start + Fraction(first - plate.first) / plate.rate
    end = plate.start + Fraction(last - plate.first + 1) / plate.rate
    whole = (first, last) == (plate.first, plate.last)
    found: dict[int, list[tuple[bytes, int, int]]] = {track["index"]: [] for track in plate.audio}
    bases: dict[int, Fraction] = {}
    with av.open(plate.path) as source:
        for track in plate.audio:
            if source.streams[track["index"]].codec_context is None:
                raise DeliverableError(
                    f"audio track {track['index']} cannot be copied (unknown codec)",
                    where=plate.path,
                    fix="give the plate without it",
                )
            bases[track["index"]] = Fraction(source.streams[track["index"]].time_base)
        for packet in source.demux([source.streams[index] for index in found]):
            if packet.size == 0 or packet.pts is None:
                continue
            stream, base = packet.stream, bases[packet.stream_index]
            zero = round(begin / base)
            name = stream.codec_context.name
            if name.startswith("pcm_"):
                piece = _trimmed(packet, stream.codec_context, base, begin, end)
                if piece:
                    found[packet.stream_index].append(piece)
            elif whole or ((packet.pts + packet.duration) * base > begin and packet.pts * base < end):
                found[packet.stream_index].append((bytes(packet), packet.pts - zero, packet.duration))
    return [_Track(index, bases[index], tuple(packets)) for index, packets in found.items()]


def _trimmed(
    packet: Any, context: Any, base: Fraction, begin: Fraction, end: Fraction
) -> tuple[bytes, int, int] | None:
    """Return a PCM packet cut to the range, to the sample, or None where it lies outside."""
    data = bytes(packet)
    stride = context.channels * _sample_bytes(context.name)
    count = len(data) // stride
    start = packet.pts * base
    low = max(0, round((begin - start) * context.sample_rate))
    high = min(count, round((end - start) * context.sample_rate))
    if high <= low:
        return None
    pts = (start + Fraction(low, context.sample_rate) - begin) / base
    return (
        data[low * stride : high * stride],
        max(0, round(pts)),
        round(Fraction(high - low, context.sample_rate) / base),
    )


def _sample_bytes(name: str) -> int:
    digits = "".join(letter for letter in name.removeprefix("pcm_")[:4] if letter.isdigit())
    return int(digits) // 8 if digits else 1


def _check(
    path: Path,
    plate: Plate,
    tags: Mapping[str, str],
    size: tuple[int, int],
    count: int,
    start: str | None,
    tracks: list[_Track],
) -> dict[str, Any]:
    """Read the movie back: frames, rate, size, tags, timecode and audio must be what was asked for."""
    made = probe_movie.probe(path, None, trusted=True)
    facts = {
        "frames": (made.last, count),
        "rate": (made.rate, plate.rate),
        "size": ((made.width, made.height), size),
        "pixel aspect": (made.pixel_aspect, plate.pixel_aspect),
        **{name: (made.colour[name], tags[name]) for name in tags},
        "audio tracks": (len(made.audio), len(tracks)),
    }
    if path.suffix != ".mkv" or start is None:
        facts["timecode"] = (made.timecode, start)
    for name, (found, wanted) in facts.items():
        if found != wanted:
            raise DeliverableError(f"the movie's {name} came out as {found}, not {wanted}", where=str(path))
    _check_audio(path, made, tracks)
    notes = (
        []
        if size == (plate.width, plate.height)
        else [f"padded from {plate.width} x {plate.height} to even sizes"]
    )
    return {
        "frames": count,
        "rate": str(made.rate),
        "width": made.width,
        "height": made.height,
        "timecode": made.timecode,
        "colour": dict(tags),
        "audio": [dict(track) for track in made.audio],
        "notes": notes,
    }


def _check_audio(path: Path, made: Plate, tracks: list[_Track]) -> None:
    if not tracks:
        return
    with av.open(str(path)) as source:
        found: dict[int, list[bytes]] = {track["index"]: [] for track in made.audio}
        for packet in source.demux([source.streams[index] for index in found]):
            if packet.size:
                found[packet.stream_index].append(bytes(packet))
    for number, (track, packets) in enumerate(zip(tracks, found.values(), strict=True), start=1):
        if b"".join(packets) != b"".join(data for data, _, _ in track.packets):
            raise DeliverableError(f"audio track {number} is not what the plate holds", where=str(path))
