"""Frames of a movie by number: decoded from a key frame on, and stored one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import tifffile

from understudy.errors import PlateError
from understudy.media import movie, yuv
from understudy.media.plate import Plate

Progress = Callable[[int], None]
"""Called with the count of frames just done."""


def extract(plate: Plate, first: int, last: int, folder: Path, progress: Progress | None = None) -> None:
    """Write frames first..last of a movie into `folder`, one uncompressed TIFF each (``0000001.tif``).

    A Y'CbCr movie is stored as it is coded, its planes on one gray sheet (`yuv.to_sheet`): half the bytes, and a movie
    made of it keeps the codes that nobody touched. Others are stored as RGB in the plate's dtype. The pixels do not
    depend on the range. Raises PlateError where a frame cannot be had.
    """
    for number, frame in _frames(plate, first, last):
        path = folder / f"{number:07d}.tif"
        coded = movie.codes(frame, *plate.coding)
        image = movie.pixels(frame, *plate.coding) if coded is None else yuv.to_sheet(coded)
        form = "rgb" if image.ndim == 3 else "minisblack"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, image, photometric=form, software=False, metadata=None)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise PlateError(
                f"frame {number} could not be stored ({error.strerror or 'only a part of it fitted'})",
                where=str(path),
                fix="check space and rights on that disk",
            ) from error
        if progress:
            progress(1)


def decode(plate: Plate, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, RGB [h, w, 3]) for frames first..last of a movie, each once, in order."""
    for number, frame in _frames(plate, first, last):
        yield number, movie.pixels(frame, *plate.coding)


def _frames(plate: Plate, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (number, decoded frame) for frames first..last, each once, in order."""
    if not plate.first <= first <= last <= plate.last:
        raise PlateError(
            f"frames {first}-{last} are not inside the plate ({plate.first}-{plate.last})", where=plate.path
        )
    expected = first
    try:
        for number, frame in _from(plate, first):
            if number != expected:
                break
            yield number, frame
            if number == last:
                return
            expected += 1
    except av.FFmpegError as error:
        raise PlateError(
            f"frame {expected} cannot be decoded ({error})",
            where=plate.path,
            fix="copy the plate again from its source",
        ) from error
    raise PlateError(
        f"frame {expected} is not where it was when the plate was looked at",
        where=plate.path,
        fix="the plate has changed: run the same command again, so that it is looked at anew",
    )


def _from(plate: Plate, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the frames from `first` on, decoded from a key frame that lies before it."""
    for back in (0, 2, 10):
        if first == plate.first:
            break
        # Not strict: after a seek into an open GOP, orders to forget pictures that never came are errors to
        # the decoder.
        with movie.opened(Path(plate.path), strict=False) as (container, stream):
            target = plate.start + Fraction(first - plate.first, 1) / plate.rate - back
            if target <= plate.start:
                break
            container.seek(int(target / stream.time_base), stream=stream, backward=True)
            found = _numbered(plate, container, stream)
            number, frame = next(found, (first + 1, None))
            # A seek goes by decoding order: it may land on a key frame that is shown after the frame asked
            # for.
            if frame is None or number > first:
                continue
            while number < first and frame is not None:
                number, frame = next(found, (first, None))
            if frame is not None and number == first and not frame.is_corrupt:
                yield number, frame
                yield from found
                return
    with movie.opened(Path(plate.path)) as (container, stream):
        yield from (item for item in _numbered(plate, container, stream) if item[0] >= first)


def _numbered(plate: Plate, container: Any, stream: Any) -> Iterator[tuple[int, av.VideoFrame]]:
    for frame in container.decode(stream):
        place = (frame.pts * Fraction(stream.time_base) - plate.start) * plate.rate
        # The first frame may stand early (see the probe); every other one is within the rounding of its
        # place.
        yield max(plate.first, plate.first + round(place)), frame
