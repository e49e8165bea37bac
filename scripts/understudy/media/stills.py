"""Single images: frames of a sequence, finished frames, talent pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import imagecodecs
import numpy as np
import tifffile

from understudy.errors import DeliverableError, PlateError

# OpenImageIO itself is loaded by what needs it: frames of a movie do without.
if TYPE_CHECKING:
    import OpenImageIO

HEAD = 4096
"""Bytes at the start of an uncompressed TIFF of ours that hold all but its pixels."""
PICTURE_LIMIT = 200_000_000
"""Most pixels that a talent picture may claim in its header."""

_KINDS = {"uint8": "uint8", "uint16": "uint16", "half": "float16", "float": "float32"}
_OIIO = {"uint8": "uint8", "uint16": "uint16", "float16": "half", "float32": "float"}
_GREYS = ("Y", "L", "R", "G", "B", "A", "I", "GRAY", "CHANNEL0")
_DEPTHS = {
    ("png", 8): "uint8",
    ("png", 16): "uint16",
    ("tiff", 8): "uint8",
    ("tiff", 16): "uint16",
    ("tiff", 32): "float32",
    ("exr", 16): "float16",
    ("exr", 32): "float32",
    ("dpx", 10): "uint16",
    ("dpx", 16): "uint16",
}
# What describes the source file's pixels, not the picture: the writer sets its own.
_OWN = (
    "compression",
    "oiio:",
    "tiff:",
    "png:",
    "exif:",
    "iptc:",
    "gps:",
    "planarconfig",
    "dpx:packing",
    "dpx:transfer",
)
_OWN_EXR = (
    "openexr:",
    "name",
    "type",
    "chunkcount",
    "colorinteropid",
    "iccprofile",
    "xresolution",
    "yresolution",
)


def dtype(kind: str, depth: int) -> str:
    """Return the array type of a kind and depth on disk; DeliverableError names what there is."""
    if (kind, depth) not in _DEPTHS:
        allowed = ", ".join(f"{name} {bits}" for name, bits in _DEPTHS)
        raise DeliverableError(f"frames cannot be written as {kind} {depth}", fix=f"choose one of: {allowed}")
    return _DEPTHS[kind, depth]


def suffix(kind: str) -> str:
    """Return the end of a file's name, with its point, of a kind: png, tiff, exr or dpx."""
    return {"tiff": ".tif"}.get(kind, f".{kind}")


def read(path: Path) -> np.ndarray:
    """Return [h, w, 3|4] in the file's own type (uint8, uint16, float16, float32), RGB; gray is repeated.

    10- and 12-bit DPX come as uint16 scaled to full range. Raises PlateError: missing, empty, truncated,
    unknown, or a kind of pixel that is not supported.
    """
    source = _open(path)
    try:
        spec = source.spec()
        kind = pixel_type(path, spec)
        pixels = source.read_image(0, 0, 0, spec.nchannels, _OIIO[kind])
        if pixels is None:
            raise _damaged(path, source)
    finally:
        source.close()
    channels = _colour_channels(path, spec)
    return pixels if channels == list(range(spec.nchannels)) else np.ascontiguousarray(pixels[..., channels])


@dataclass(frozen=True)
class Channel:
    """One channel of a picture: ``pixels`` [h, w] in the file's own type; ``corner`` (x, y) says where they lie in its
    display window, and ``size`` (width, height) how large that is."""

    pixels: np.ndarray
    corner: tuple[int, int]
    size: tuple[int, int]


def read_channel(path: Path, name: str) -> Channel:
    """Return one channel of a picture by its name.

    R, G, B and A go by letter in every format, Y and other greys serve for R, G and B; an EXR's other channels go by
    their whole name (`matte.R`), those of a further part by the part's name, a point and their own. A picture with one
    channel has only that one, whatever is asked for.

    Raises PlateError: what `read` refuses, or no such channel; it names what there is.
    """
    source = _open(path)
    try:
        specs: list[OpenImageIO.ImageSpec] = []
        while source.seek_subimage(len(specs), 0):
            specs.append(source.spec())
        named: dict[str, tuple[int, int]] = {}
        for part, spec in enumerate(specs):
            layer = spec.get_string_attribute("name")
            for index, channel in enumerate(spec.channelnames):
                named.setdefault(channel.casefold(), (part, index))
                named.setdefault(f"{layer}.{channel}".casefold(), (part, index))
        first = specs[0]
        grey = first.nchannels <= 2 and first.channelnames[0].upper() in _GREYS
        if len(specs) == first.nchannels == 1 or (grey and name in ("R", "G", "B")):
            found = (0, 0)
        elif name.casefold() in named:
            found = named[name.casefold()]
        else:
            raise PlateError(
                f"has no channel {name}",
                where=str(path),
                fix=f"choose one of {', '.join(channel for spec in specs for channel in spec.channelnames)}",
            )
        part, index = found
        spec = specs[part]
        pixels = source.read_image(part, 0, index, index + 1, _OIIO[pixel_type(path, spec)])
        if pixels is None:
            raise _damaged(path, source)
    finally:
        source.close()
    corner = (spec.x - spec.full_x, spec.y - spec.full_y)
    return Channel(pixels.reshape(spec.height, spec.width), corner, (spec.full_width, spec.full_height))


def whole(path: Path) -> np.ndarray:
    """Return a file's bytes, uint8 [n]."""
    return np.fromfile(path, np.uint8)


def read_stored(path: Path, load: Callable[[Path], np.ndarray] = whole) -> np.ndarray:
    """Return an uncompressed TIFF of ours as it was written, [h, w] or [h, w, 3|4]. Raises PlateError.

    ``load`` gives the file's bytes; the pixels are a view of them.
    """
    try:
        data = load(path)
        with tifffile.TiffFile(BytesIO(data[:HEAD].tobytes())) as file:
            page = file.pages.first
            (start,), (count,) = page.dataoffsets, page.databytecounts
            return data[start : start + count].view(page.dtype).reshape(page.shape)
    except (OSError, ValueError, IndexError, tifffile.TiffFileError) as error:
        raise PlateError(
            f"the image cannot be read ({error})",
            where=str(path),
            fix="delete it and run the same command again",
        ) from error


def read_spec(path: Path) -> OpenImageIO.ImageSpec:
    """Return the header alone. Raises PlateError as `read` does where the file cannot be opened."""
    source = _open(path)
    spec = source.spec()
    source.close()
    return spec


def read_header(path: Path) -> dict[str, Any]:
    """Return the file's attributes by name, timecode and rate included, as plain Python values.

    "window" is added where the picture is not its whole display window (overscan): x and y of its corner, then
    x, y, width and height of the display window.
    """
    spec = read_spec(path)
    header = {attribute.name: _plain(attribute.value) for attribute in spec.extra_attribs}
    window = (spec.x, spec.y, spec.full_x, spec.full_y, spec.full_width, spec.full_height)
    return header if window == (0, 0, 0, 0, spec.width, spec.height) else header | {"window": window}


def pixel_type(path: Path, spec: OpenImageIO.ImageSpec) -> str:
    """Return numpy's name of the file's pixel type, or raise PlateError."""
    kind = _KINDS.get(str(spec.format))
    if kind is None or (spec.channelformats and len({str(form) for form in spec.channelformats}) > 1):
        raise PlateError(
            f"pixels of type {spec.format} (or of mixed types) are not supported",
            where=str(path),
            fix="convert to 8 or 16 bit integers, half or float, the same for every channel",
        )
    return kind


def channel_count(path: Path, spec: OpenImageIO.ImageSpec) -> int:
    """Return 3 or 4: what `read` will give for this header."""
    return len(_colour_channels(path, spec))


def timecode(spec: OpenImageIO.ImageSpec) -> str | None:
    """Return the header's SMPTE timecode as text (";" before the frames where the drop-frame bit is set), or None."""
    value = spec.getattribute("smpte:TimeCode")
    if not isinstance(value, (tuple, list)):
        return None
    # SMPTE 12M: binary-coded decimals with flags between them; bit 6 says drop-frame.
    word = int(value[0])
    hours, minutes, seconds, frame = (
        10 * ((word >> shift & mask) >> 4) + (word >> shift & 15)
        for shift, mask in ((24, 0x3F), (16, 0x7F), (8, 0x7F), (0, 0x3F))
    )
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if word & 0x40 else ':'}{frame:02d}"


def write(
    path: Path, array: np.ndarray, *, kind: str, depth: int, header: Mapping[str, Any] | None = None
) -> None:
    """Write [h, w] or [h, w, 3|4] as png 8/16, tiff 8/16/32, exr 16/32 (ZIP) or dpx 10/16.

    The array's type must be what `dtype(kind, depth)` says. PNG, TIFF, EXR and 16-bit DPX give every value
    back bit for bit, 10-bit DPX to its ten bits. `header` is what `read_header` gave: what the format can
    hold is passed on. Colour TIFF is uncompressed: 5 ms a 1080p frame, where LZW costs 95.

    Raises DeliverableError where anything fails, and leaves no file then.
    """
    wanted = dtype(kind, depth)
    if (
        array.dtype != wanted
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (3, 4))
    ):
        raise DeliverableError(
            f"{kind} {depth} wants {wanted} [h, w] or [h, w, 3|4], not {array.dtype} {array.shape}",
            where=str(path),
        )
    try:
        if kind == "png":
            _write_png(path, array)
        elif kind == "tiff":
            _write_tiff(path, array)
        else:
            _write_oiio(path, array, kind, depth, header or {})
    except DeliverableError:
        path.unlink(missing_ok=True)
        raise


def read_picture(path: Path) -> np.ndarray:
    """Return a photograph as display-encoded float32 RGB [h, w, 3], 0..1, upright by its EXIF orientation.

    Raises PlateError: missing, no image, more than 200 megapixels by its header, damaged, or float pixels.
    """
    spec = read_spec(path)
    if spec.width * spec.height > PICTURE_LIMIT:
        raise PlateError(
            f"the picture claims {spec.width} x {spec.height} pixels;"
            f" at most {PICTURE_LIMIT // 1_000_000} megapixels are read",
            where=str(path),
            fix="give a smaller picture",
        )
    pixels = read(path)
    if pixels.dtype.kind != "u":
        raise PlateError(
            "a talent picture must be display-referred, 8 or 16 bit",
            where=str(path),
            fix="export it as PNG, TIFF or JPEG",
        )
    white = np.iinfo(pixels.dtype).max
    rgb = pixels[..., :3].astype(np.float32) / np.float32(white)
    return np.ascontiguousarray(_upright(rgb, spec.get_int_attribute("Orientation", 1)))


def _open(path: Path) -> OpenImageIO.ImageInput:
    import OpenImageIO

    if not path.is_file():
        raise PlateError(
            "the file is missing" if not path.exists() else "this is no file",
            where=str(path),
            fix="check the path",
        )
    if path.stat().st_size == 0:
        raise PlateError(
            "the file is empty (copy in progress?)",
            where=str(path),
            fix="wait for the copy, or copy it again",
        )
    # Colours under alpha come as they are in the file: unmultiplied they lose bits.
    wish = OpenImageIO.ImageSpec()
    wish.attribute("oiio:UnassociatedAlpha", 1)
    source = OpenImageIO.ImageInput.open(str(path), wish)
    if source is None:
        raise PlateError(
            f"this is no image that can be read ({_words(OpenImageIO.geterror())})",
            where=str(path),
            fix="give PNG, TIFF, EXR, DPX or JPEG files; if it is one, copy it again from its source",
        )
    return source


def _damaged(path: Path, source: OpenImageIO.ImageInput) -> PlateError:
    return PlateError(
        f"the image is damaged or cut off ({_words(source.geterror())})",
        where=str(path),
        fix="copy it again from its source",
    )


def _words(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[0] if lines else "the reader gave no reason"


def _colour_channels(path: Path, spec: OpenImageIO.ImageSpec) -> list[int]:
    """Return the indices of R, G, B and, where there is one, A."""
    names = [name.rsplit(".", 1)[-1].upper() for name in spec.channelnames]
    plain = [name.upper() for name in spec.channelnames]
    if all(name in plain for name in "RGB"):
        return [plain.index(name) for name in "RGB"] + ([plain.index("A")] if "A" in plain else [])
    if spec.nchannels in (1, 2) and names[0] in _GREYS:
        return [0, 0, 0] + ([1] if spec.nchannels == 2 else [])
    raise PlateError(
        f"no R, G and B among the channels {', '.join(spec.channelnames)}",
        where=str(path),
        fix="write the beauty as channels R, G, B in the first part",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return tuple(value.ravel().tolist())
    if isinstance(value, np.generic):
        return value.item()
    return value


def _write_png(path: Path, array: np.ndarray) -> None:
    # OpenCV's PNG is a third of OpenImageIO's cost, and PNG holds no header worth passing on.
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    swapped = cv2.cvtColor(array, codes[array.shape[2]]) if array.ndim == 3 and array.shape[2] > 1 else array
    done, data = cv2.imencode(".png", swapped)
    if not done:
        raise DeliverableError("the PNG could not be encoded", where=str(path))
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise DeliverableError(
            f"the image could not be written ({error.strerror or 'only a part of it fitted'})",
            where=str(path),
            fix="check space and rights on that disk",
        ) from error


def _write_tiff(path: Path, array: np.ndarray) -> None:
    # OpenImageIO's TIFF carries the time of writing, so that the same frame would not be the same file.
    form: dict[str, Any] = {"photometric": "minisblack" if array.ndim == 2 else "rgb"}
    pixels: Any = array
    if array.ndim == 3 and array.shape[2] == 4:
        form["extrasamples"] = ("unassalpha",)
    if array.ndim == 2:
        # A matte is mostly empty. All programs read Deflate; this encoder is six times as fast as tifffile's own. What
        # it made larger, readers refuse.
        packed = imagecodecs.zlibng_encode(array.tobytes(), level=1)
        if len(packed) < array.nbytes:
            form |= {"shape": array.shape, "dtype": array.dtype, "rowsperstrip": array.shape[0]}
            form["compression"], pixels = "adobe_deflate", iter([packed])
    try:
        tifffile.imwrite(path, pixels, software=False, metadata=None, **form)
    except OSError as error:
        raise DeliverableError(
            f"the image could not be written ({error.strerror or 'only a part of it fitted'})",
            where=str(path),
            fix="check space and rights on that disk",
        ) from error


def _write_oiio(path: Path, array: np.ndarray, kind: str, depth: int, header: Mapping[str, Any]) -> None:
    import OpenImageIO

    pixels = array[..., None] if array.ndim == 2 else array
    height, width, channels = pixels.shape
    spec = OpenImageIO.ImageSpec(width, height, channels, _OIIO[array.dtype.name])
    for name, value in header.items():
        if name == "window":
            spec.x, spec.y, spec.full_x, spec.full_y, spec.full_width, spec.full_height = value
        elif _passes(name, kind):
            _set(spec, name, value)
    if "DateTime" not in header:
        # Left out, it would be the time of writing: the same frame would not be the same file.
        spec.attribute("DateTime", "")
    if kind == "exr":
        spec.attribute("compression", "zip")
    if channels == 4:
        spec.alpha_channel = 3
        # The values are the plate's own: no multiplication on the way.
        spec.attribute("oiio:UnassociatedAlpha", 1)
    if kind == "dpx":
        spec.attribute("oiio:BitsPerSample", depth)
    target = OpenImageIO.ImageOutput.create(f"x{suffix(kind)}")
    if target is None:
        raise DeliverableError(f"this OpenImageIO cannot write {kind}", where=str(path))
    if not target.open(str(path), spec):
        raise _failed(path, "opened", target)
    if not target.write_image(np.ascontiguousarray(pixels)):
        reason = _failed(path, "written", target)
        target.close()
        raise reason
    if not target.close():
        raise _failed(path, "closed", target)
    if kind == "dpx":
        # The header's file name would be the whole path: the same frame would not be the same file elsewhere.
        with path.open("r+b") as file:
            file.seek(36)
            file.write(path.name.encode()[:99].ljust(100, b"\0"))


def _failed(path: Path, step: str, target: OpenImageIO.ImageOutput) -> DeliverableError:
    return DeliverableError(
        f"the image could not be {step} ({_words(target.geterror())})",
        where=str(path),
        fix="check space and rights on that disk",
    )


def _passes(name: str, kind: str) -> bool:
    low = name.lower()
    if low in ("orientation", "resolutionunit"):
        return False
    return not low.startswith(_OWN) and not (kind == "exr" and low.startswith(_OWN_EXR))


def _set(spec: OpenImageIO.ImageSpec, name: str, value: Any) -> None:
    if name == "smpte:TimeCode":
        spec.attribute(name, "timecode", _packed(value) if isinstance(value, str) else tuple(value))
    elif name == "FramesPerSecond" and isinstance(value, (tuple, list)):
        spec.attribute(name, "rational", tuple(value))
    elif isinstance(value, (str, int, float)):
        spec.attribute(name, value)
    elif isinstance(value, (tuple, list)) and value:
        base = "int" if all(isinstance(item, int) for item in value) else "float"
        aggregate = {9: "matrix33", 16: "matrix"}.get(len(value))
        kind = aggregate if aggregate and base == "float" else f"{base}[{len(value)}]"
        spec.attribute(name, kind, tuple(value))


def _packed(text: str) -> tuple[int, int]:
    """Return a timecode in SMPTE 12M's binary-coded decimals, and no user bits."""
    drop = 0x40 if ";" in text else 0
    return int(text.replace(";", ":").replace(":", ""), 16) | drop, 0


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (1..8)."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
