"""Image sequences: which files belong together, and whether they agree."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import OpenImageIO
import tifffile

from understudy.errors import PlateError
from understudy.media import stills, timecode
from understudy.media.plate import Plate, identity

SUFFIXES = (".png", ".tif", ".tiff", ".exr", ".dpx", ".jpg", ".jpeg")
DEFAULT_RATE = Fraction(24)

_NUMBERED = re.compile(r"^(.*?)(\d+)(\.[A-Za-z]+)$", re.DOTALL)
_PRINTF = re.compile(r"%0?(\d*)d")
_HASHES = re.compile(r"#+")


def locate(path: Path) -> tuple[str, list[tuple[int, Path]]]:
    """Return (printf pattern, [(frame, file)] in order) of a folder or a pattern. Raises PlateError."""
    if path.is_dir():
        folder, groups = path, _groups(path)
        if not groups:
            raise PlateError(
                "the folder holds no numbered images",
                where=str(path),
                fix=f"frames end in a number and one of {' '.join(SUFFIXES)}",
            )
        if len(groups) > 1:
            names = ", ".join(sorted(f"{head}####{tail}" for head, tail in groups))
            raise PlateError(
                f"the folder holds {len(groups)} sequences: {names}",
                where=str(path),
                fix="name one of them in the shot list",
            )
        ((head, tail), found) = next(iter(groups.items()))
    else:
        folder = path.parent
        head, tail = _split(path)
        if not folder.is_dir():
            raise PlateError(
                "the folder of the sequence is missing",
                where=str(path),
                fix="check the path in the shot list",
            )
        found = _groups(folder).get((head, tail), [])
        if not found:
            raise PlateError(
                "no file matches this pattern", where=str(path), fix="check the path in the shot list"
            )
    return _pattern(folder, head, tail, found), _ordered(found, path)


def probe(path: Path, rate: Fraction | None) -> Plate:
    """Probe a sequence: every header is read, every file is checked to be whole. Raises PlateError."""
    pattern, files = locate(path)
    frames = [frame for frame, _ in files]
    missing = sorted(set(range(frames[0], frames[-1] + 1)) - set(frames))
    if missing:
        raise PlateError(
            f"{len(missing)} frame{'s are' if len(missing) > 1 else ' is'} missing: {_ranges(missing)}",
            where=str(path),
            fix="copy them, or give a range that is whole in a folder of its own",
        )
    specs = []
    for frame, file in files:
        specs.append(stills.read_spec(file))
        _whole(frame, file)
    shapes = [
        (spec.width, spec.height, stills.channel_count(file, spec), stills.pixel_type(file, spec))
        for (_, file), spec in zip(files, specs, strict=True)
    ]
    _agree(path, frames, shapes)
    spec, (width, height, channels, kind) = specs[0], shapes[0]
    for file in (files[0][1], files[-1][1]):
        stills.read(file)
    _upright(path, frames, specs)
    scene = files[0][1].suffix.lower() == ".exr"
    own, note = _rate(spec)
    own_rate = rate or own or DEFAULT_RATE
    code, code_note = _timecode(spec, own_rate)
    notes = tuple(text for text in ("" if rate or own else note, code_note) if text)
    depth = spec.get_int_attribute("oiio:BitsPerSample") or 8 * spec.format.size()
    return Plate(
        kind="sequence",
        path=pattern,
        first=frames[0],
        last=frames[-1],
        rate=own_rate,
        width=width,
        height=height,
        pixel_aspect=Fraction(spec.get_float_attribute("PixelAspectRatio", 1.0) or 1.0).limit_denominator(
            1000
        ),
        dtype=kind,
        depth=depth,
        channels=channels,
        space="scene_linear" if scene else "display",
        colour={
            "range": "pc",
            "primaries": "bt709",
            "transfer": "linear" if scene else "iec61966-2-1",
            "matrix": "gbr",
            "assumed": ["primaries", "transfer"],
        },
        timecode=code,
        audio=(),
        identity=tuple(identity(file) for _, file in files),
        notes=notes,
    )


def _groups(folder: Path) -> dict[tuple[str, str], list[tuple[int, str]]]:
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for file in folder.iterdir():
        match = _NUMBERED.match(file.name)
        if match and not file.name.startswith(".") and match[3].lower() in SUFFIXES and file.is_file():
            groups[match[1], match[3]].append((int(match[2]), match[2]))
    return dict(groups)


def _split(path: Path) -> tuple[str, str]:
    for expression in (_PRINTF, _HASHES):
        places = list(expression.finditer(path.name))
        if len(places) == 1:
            return path.name[: places[0].start()].replace("%%", "%"), path.name[places[0].end() :].replace(
                "%%", "%"
            )
    if not path.exists():
        raise PlateError(
            "there is no such file or folder", where=str(path), fix="check the path in the shot list"
        )
    raise PlateError(
        "this is a single image",
        where=str(path),
        fix="give the folder of the sequence, or a pattern such as name.####.exr",
    )


def _pattern(folder: Path, head: str, tail: str, found: list[tuple[int, str]]) -> str:
    widths = {len(text) for _, text in found}
    padded = len(widths) == 1 or any(text.startswith("0") and len(text) > 1 for _, text in found)
    number = f"%0{min(widths)}d" if padded else "%d"
    return (
        str(folder / head).replace("%", "%%") + number + tail
        if head
        else (str(folder).replace("%", "%%") + "/" + number + tail)
    )


def _ordered(found: list[tuple[int, str]], path: Path) -> list[tuple[int, Path]]:
    folder = path if path.is_dir() else path.parent
    groups = _groups(folder)
    (head, tail) = next(key for key, value in groups.items() if value == found)
    texts: dict[int, str] = {}
    for number, text in sorted(found):
        if number in texts:
            raise PlateError(
                f"frame {number} is there twice: {head}{texts[number]}{tail} and {head}{text}{tail}",
                where=str(path),
                fix="remove one",
            )
        texts[number] = text
    return [(number, folder / f"{head}{text}{tail}") for number, text in texts.items()]


def _agree(path: Path, frames: list[int], shapes: list[tuple[int, int, int, str]]) -> None:
    usual = max(sorted(set(shapes)), key=shapes.count)
    odd = [frame for frame, shape in zip(frames, shapes, strict=True) if shape != usual]
    if odd:
        width, height, channels, kind = shapes[frames.index(odd[0])]
        raise PlateError(
            f"{_ranges(odd)} differ{'s' if len(odd) == 1 else ''} from the other frames:"
            f" {width} x {height}, {channels} channels, {kind}; "
            f"the others are {usual[0]} x {usual[1]}, {usual[2]} channels, {usual[3]}",
            where=str(path),
            fix="render or copy these frames again",
        )


def _upright(path: Path, frames: list[int], specs: list[OpenImageIO.ImageSpec]) -> None:
    odd = [f for f, spec in zip(frames, specs, strict=True) if spec.get_int_attribute("Orientation", 1) != 1]
    if odd:
        raise PlateError(
            f"the orientation flag of {_ranges(odd)} says that the picture is turned or mirrored",
            where=str(path),
            fix="export the frames upright, without the flag",
        )


def _timecode(spec: OpenImageIO.ImageSpec, rate: Fraction) -> tuple[str | None, str]:
    text = stills.timecode(spec)
    if text is None:
        return None, ""
    try:
        timecode.to_frames(text, rate)
    except ValueError as error:
        return None, f"the header's timecode is left out: {error}"
    return text, ""


def _ranges(numbers: list[int]) -> str:
    """Return 3, 7-9 as text, at most ten items."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    return ", ".join(texts[:10]) + (f" and {len(texts) - 10} more" if len(texts) > 10 else "")


def _rate(spec: OpenImageIO.ImageSpec) -> tuple[Fraction | None, str]:
    for name in ("FramesPerSecond", "dpx:FrameRate", "dpx:TemporalFrameRate"):
        value = spec.getattribute(name)
        if isinstance(value, (tuple, list)) and len(value) == 2 and value[0] > 0 and value[1] > 0:
            return Fraction(int(value[0]), int(value[1])), ""
        if isinstance(value, (int, float)) and 0 < value < 1000:
            return _nominal(float(value)), ""
    return None, f"the headers name no frame rate: {DEFAULT_RATE} frames per second are assumed"


def _nominal(value: float) -> Fraction:
    """Return the broadcast rate that a float stands for: 23.976 is 24000/1001."""
    pulled = Fraction(round(value * 1.001) * 1000, 1001)
    return pulled if abs(float(pulled) - value) < 0.002 else Fraction(value).limit_denominator(1000)


def _whole(frame: int, file: Path) -> None:
    """Raise PlateError where the end of the file is missing: by sizes and tables, without decoding."""
    size = file.stat().st_size
    suffix = file.suffix.lower()
    try:
        if suffix == ".png":
            with file.open("rb") as stream:
                stream.seek(-12, 2)
                cut = stream.read()[4:8] != b"IEND"
        elif suffix in (".tif", ".tiff"):
            with tifffile.TiffFile(file) as store:
                page = store.pages.first
                ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=True)]
            cut = max(ends) > size
        elif suffix == ".exr":
            cut = _exr_cut(file, size)
        elif suffix == ".dpx":
            with file.open("rb") as stream:
                header = stream.read(24)
            claimed = struct.unpack(">I" if header[:4] == b"SDPX" else "<I", header[16:20])[0]
            cut = size < claimed and claimed != 0xFFFFFFFF
        else:
            with file.open("rb") as stream:
                stream.seek(max(0, size - 65536))
                cut = b"\xff\xd9" not in stream.read()
    except (OSError, struct.error, ValueError, tifffile.TiffFileError) as error:
        raise PlateError(
            f"frame {frame} cannot be read ({error})", where=str(file), fix="copy it again from its source"
        ) from error
    if cut:
        raise PlateError(
            f"frame {frame} is cut off",
            where=str(file),
            fix="copy it again from its source (or let the copy finish)",
        )


def _exr_cut(file: Path, size: int) -> bool:
    """Whether the offset table of a single-part OpenEXR file (its file layout) has holes or points past the end."""
    with file.open("rb") as stream:
        flags = struct.unpack("<II", stream.read(8))[1]
        if flags & 0x1A00:
            # Tiled, deep and multi-part files have other tables: only decoding tells.
            stills.read(file)
            return False
        head = stream.read(1 << 20)
        place, rows, window = 0, 1, (0, 0, 0, 0)
        while head[place]:
            name_end = head.index(b"\0", place)
            type_end = head.index(b"\0", name_end + 1)
            length = struct.unpack_from("<I", head, type_end + 1)[0]
            value = type_end + 5
            name = head[place:name_end]
            if name == b"compression":
                rows = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}.get(
                    head[value], 1
                )
            elif name == b"dataWindow":
                window = struct.unpack_from("<4i", head, value)
            place = value + length
        count = -(-(window[3] - window[1] + 1) // rows)
        stream.seek(8 + place + 1)
        table = stream.read(8 * count)
        if len(table) < 8 * count:
            return True
        offsets = struct.unpack(f"<{count}Q", table)
        if min(offsets) == 0 or max(offsets) + 8 > size:
            return True
        stream.seek(max(offsets) + 4)
        length = struct.unpack("<I", stream.read(4))[0]
        return max(offsets) + 8 + length > size
