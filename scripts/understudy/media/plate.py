"""What a plate is: probed once, exactly, and refused in words where it cannot be trusted."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from understudy.errors import PlateError

_SAMPLE = 65536


@dataclass(frozen=True)
class Plate:
    """A movie or an image sequence, by what its pixels and its clock are.

    Attributes
    ----------
    kind:
        "movie" or "sequence".
    path:
        The movie, or the printf pattern of the sequence (a literal % is doubled).
    first, last:
        The plate's own frame numbers; movies count from 1.
    rate:
        Frames per second, exact.
    pixel_aspect:
        Width of a pixel over its height.
    dtype, channels:
        What reading gives: uint8, uint16, float16 or float32; 3, or 4 with alpha.
    depth:
        Bits of the source.
    space:
        "display" or "scene_linear".
    colour:
        range, primaries, transfer and matrix as ffmpeg names them, and "assumed": the tags that the file
        lacks.
    timecode:
        Of frame `first`; ";" before the frames is drop-frame.
    audio:
        One dict per track: index, codec, rate, channels, layout, language.
    identity:
        (name, bytes, hash) per file, without times, so that a plate copied again is the same plate.
    start:
        The movie's time of frame `first`, in seconds.
    notes:
        For a person: what was found odd and accepted.
    """

    kind: str
    path: str
    first: int
    last: int
    rate: Fraction
    width: int
    height: int
    pixel_aspect: Fraction
    dtype: str
    depth: int
    channels: int
    space: str
    colour: Mapping[str, Any]
    timecode: str | None
    audio: tuple[Mapping[str, Any], ...]
    identity: tuple[tuple[str, int, str], ...]
    start: Fraction = Fraction(0)
    notes: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash((self.path, self.identity))

    @property
    def coding(self) -> tuple[str, bool]:
        """Matrix of a movie's codes, and whether they use the full range."""
        return self.colour["matrix"], self.colour["range"] == "pc"

    def frame_path(self, frame: int) -> Path:
        """Return the file of one frame of a sequence."""
        return Path(self.path % frame)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types; `from_dict` is the inverse."""
        data = dataclasses.asdict(self)
        for name in ("rate", "pixel_aspect", "start"):
            data[name] = str(data[name])
        return data | {
            "audio": list(data["audio"]),
            "identity": [list(item) for item in self.identity],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plate:
        """Return the plate that `to_dict` wrote."""
        fractions = {name: Fraction(data[name]) for name in ("rate", "pixel_aspect", "start")}
        lists = {
            "audio": tuple(data["audio"]),
            "identity": tuple((str(name), int(size), str(digest)) for name, size, digest in data["identity"]),
            "notes": tuple(data["notes"]),
        }
        return cls(**{**data, **fractions, **lists})


def probe(path: Path, *, rate: Fraction | None = None) -> Plate:
    """Look at a movie, a folder with one sequence, or a pattern (``a.%04d.exr``, ``a.####.exr``).

    Movies are decoded once from end to end: frames are counted, not believed. `rate` sets the rate of a
    sequence (otherwise its header's, otherwise 24); a movie has its own, and another one is refused. Raises
    PlateError.
    """
    # The two kinds know Plate, so they are imported here.
    from understudy.media import probe_movie, probe_sequence

    is_movie = path.is_file() and path.suffix.lower() not in probe_sequence.SUFFIXES
    return probe_movie.probe(path, rate) if is_movie else probe_sequence.probe(path, rate)


def identity(path: Path) -> tuple[str, int, str]:
    """Return a file's (name, bytes, sha256 of the size and of 64 KiB at the head, the middle and the tail)."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    try:
        with path.open("rb") as file:
            for place in sorted({0, max(0, size // 2 - _SAMPLE // 2), max(0, size - _SAMPLE)}):
                file.seek(place)
                digest.update(file.read(_SAMPLE))
    except OSError as error:
        raise PlateError(
            f"the file cannot be read ({error.strerror})", where=str(path), fix="check its rights"
        ) from error
    return path.name, size, digest.hexdigest()
