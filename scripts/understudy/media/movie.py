"""Reading movies: one way to open, decode and convert, for probing, extracting and checking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from understudy.errors import PlateError
from understudy.media import yuv

THREADS = 1
"""Codec threads: jobs fill the cores, not libraries."""

RANGES = {0: "unknown", 1: "tv", 2: "pc"}
MATRICES = {
    0: "gbr",
    1: "bt709",
    2: "unknown",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
PRIMARIES = {
    1: "bt709",
    2: "unknown",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFERS = {
    1: "bt709",
    2: "unknown",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}

_PLANAR = (
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuvj420p",
    "yuvj422p",
    "yuvj444p",
    "yuva420p",
    "yuva422p",
    "yuva444p",
)


@contextmanager
def opened(path: Path, *, strict: bool = True) -> Iterator[tuple[Any, Any]]:
    """Open a movie for reading: (container, its only video stream). Raises PlateError in words.

    Strict decoders raise av.FFmpegError where others would repair a damaged frame by guessing.
    """
    if not path.is_file():
        raise PlateError("the movie is missing", where=str(path), fix="check the path in the shot list")
    if path.stat().st_size == 0:
        raise PlateError(
            "the file is empty (copy in progress?)",
            where=str(path),
            fix="wait for the copy, or copy it again",
        )
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    with container:
        videos = [stream for stream in container.streams.video if not _is_picture(stream)]
        if not videos:
            raise PlateError(
                "there is no video stream in this file",
                where=str(path),
                fix="check the path in the shot list",
            )
        if len(videos) > 1:
            raise PlateError(
                f"there are {len(videos)} video streams in this file",
                where=str(path),
                fix="export one with a single picture",
            )
        stream = videos[0]
        if stream.codec_context is None:
            raise PlateError(
                "the codec of this movie is not supported",
                where=str(path),
                fix="convert it to ProRes or EXR frames",
            )
        stream.codec_context.thread_count = THREADS
        if strict:
            stream.codec_context.options = {"err_detect": "explode"}
        yield container, stream


def layout(name: str) -> tuple[str, int, bool] | None:
    """Return (family "yuv", "rgb" or "gray", depth, has alpha) of a pixel format, or None: not supported."""
    big = name.endswith("be")
    base = name.removesuffix("le").removesuffix("be")
    for planar in sorted(_PLANAR, key=len, reverse=True):
        rest = base.removeprefix(planar)
        if base.startswith(planar) and not big and (rest == "" or rest in ("9", "10", "12", "14", "16")):
            return "yuv", int(rest or 8), planar.startswith("yuva")
    if base in ("rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr"):
        return "rgb", 8, "a" in base
    if base in ("rgb48", "rgba64"):
        return ("rgb", 16, base == "rgba64") if not big else None
    for planar in ("gbrap", "gbrp"):
        rest = base.removeprefix(planar)
        if base.startswith(planar) and not big and (rest == "" or rest in ("9", "10", "12", "14", "16")):
            return "rgb", int(rest or 8), planar == "gbrap"
    if base.startswith("gray") and not big and base[4:] in ("", "10", "12", "14", "16"):
        return "gray", int(base[4:] or 8), False
    return None


def codes(frame: av.VideoFrame, matrix: str, full: bool) -> yuv.Codes | None:
    """Return the planes of a decoded Y'CbCr frame, views without row padding; None for RGB and gray formats."""
    found = layout(frame.format.name)
    if found is None or found[0] != "yuv":
        return None
    y, cb, cr = (plane(frame, index, found[1]) for index in range(3))
    return yuv.Codes(y, cb, cr, found[1], matrix, full)


def pixels(frame: av.VideoFrame, matrix: str, full: bool) -> np.ndarray:
    """Return a decoded frame as RGB [h, w, 3], uint8, or uint16 scaled to 65535 for deeper formats, without alpha.

    `matrix` and `full` say how Y'CbCr is meant; RGB formats ignore them.
    """
    found = layout(frame.format.name)
    if found is None:
        raise ValueError(f"pixel format {frame.format.name}")
    family, depth, _ = found
    coded = codes(frame, matrix, full)
    if coded is not None:
        return coded.rgb()
    if family == "gray":
        y = plane(frame, 0, depth)
        neutral = np.full(y.shape, 1 << (depth - 1), y.dtype)
        return yuv.to_rgb(y, neutral, neutral, depth=depth, matrix="bt709", full=full)
    name = frame.format.name
    if name.startswith("gbr"):
        green, blue, red = (plane(frame, index, depth) for index in range(3))
        return _widen(np.stack([red, green, blue], axis=-1), depth)
    return _packed(frame, depth)


def alpha(frame: av.VideoFrame) -> tuple[np.ndarray, int] | None:
    """Return (alpha codes [h, w], opaque code), or None for a format without alpha."""
    found = layout(frame.format.name)
    if found is None or not found[2]:
        return None
    family, depth, _ = found
    name = frame.format.name
    if family == "yuv" or name.startswith("gbrap"):
        return plane(frame, 3, depth), (1 << depth) - 1
    raw = plane(frame, 0, depth, channels=4)
    return raw[..., 0 if name.startswith("a") else 3], (1 << depth) - 1


def plane(frame: av.VideoFrame, index: int, depth: int, channels: int = 1) -> np.ndarray:
    """Return a view of one plane without its row padding: [h, w], or [h, w, channels] of a packed format."""
    part = frame.planes[index]
    kind = np.dtype(np.uint8 if depth == 8 else "<u2")
    rows = np.frombuffer(part, kind).reshape(-1, part.line_size // kind.itemsize)[: part.height]
    view = rows[:, : part.width * channels]
    return view if channels == 1 else view.reshape(part.height, part.width, channels)


def _packed(frame: av.VideoFrame, depth: int) -> np.ndarray:
    name = frame.format.name.removesuffix("le")
    order = {"rgb48": "rgb", "rgba64": "rgba", "rgb24": "rgb", "bgr24": "bgr"}.get(name, name)
    raw = plane(frame, 0, depth, channels=len(order))
    return np.ascontiguousarray(raw[..., [order.index(letter) for letter in "rgb"]])


def _widen(rgb: np.ndarray, depth: int) -> np.ndarray:
    if depth in (8, 16):
        return rgb
    return np.rint(rgb.astype(np.float32) * np.float32(65535 / ((1 << depth) - 1))).astype(np.uint16)


def _is_picture(stream: Any) -> bool:
    """Cover art is a video stream to ffmpeg."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _unreadable(path: Path, error: Exception) -> PlateError:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip"):
        return PlateError(
            "the movie has no index (moov): an unfinished recording or copy",
            where=str(path),
            fix="copy it again from its source, or finish the recording",
        )
    return PlateError(
        f"this is no movie that can be read ({error})",
        where=str(path),
        fix="check the path, or copy it again from its source",
    )
