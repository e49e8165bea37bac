"""Frames of a plate by number, whatever it is stored as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import PlateError
from understudy.media import stills, timecode, yuv
from understudy.media.plate import Plate


class Frames:
    """A plate's frames by their own numbers.

    `store` is the folder, or the folders, that `extract` wrote for a movie; a sequence is read where it lies. `load`
    gives the bytes of a file of the store.
    """

    def __init__(
        self,
        plate: Plate,
        store: Path | Sequence[Path] | None = None,
        load: Callable[[Path], np.ndarray] = stills.whole,
    ) -> None:
        self.plate, self._load = plate, load
        self.store = [store] if isinstance(store, Path) else list(store or [])

    def path(self, frame: int) -> Path:
        """Return the file of a frame. Raises PlateError outside the range, or where no store holds the frame."""
        plate = self.plate
        if not plate.first <= frame <= plate.last:
            raise PlateError(
                f"frame {frame} is outside the plate ({plate.first}-{plate.last})", where=plate.path
            )
        if plate.kind == "sequence":
            return plate.frame_path(frame)
        name = f"{frame:07d}.tif"
        for folder in self.store:
            if (folder / name).is_file():
                return folder / name
        raise PlateError(
            f"frame {frame} is not in the frame store",
            where=plate.path,
            fix="run `snakemake verify`, then the same command again: `extract` writes it",
        )

    def read(self, frame: int) -> np.ndarray:
        """Return [h, w, channels] in the plate's dtype. Raises PlateError, also where it is not the plate's shape."""
        if self.plate.kind == "sequence":
            return self._checked(frame, stills.read(self.path(frame)))
        stored = self.stored(frame)
        return stored.rgb() if isinstance(stored, yuv.Codes) else stored

    def stored(self, frame: int) -> np.ndarray | yuv.Codes:
        """Return a frame as it is kept: a Y'CbCr movie's as coded, any other as `read` does. Raises PlateError."""
        if self.plate.kind == "sequence":
            return self.read(frame)
        sheet = stills.read_stored(self.path(frame), self._load)
        if sheet.ndim == 3:
            return self._checked(frame, sheet)
        matrix, full = self.plate.coding
        size = self.plate.width, self.plate.height
        return yuv.from_sheet(sheet, size, depth=self.plate.depth, matrix=matrix, full=full)

    def _checked(self, frame: int, image: np.ndarray) -> np.ndarray:
        wanted = (self.plate.height, self.plate.width, self.plate.channels)
        if image.shape != wanted or image.dtype != self.plate.dtype:
            raise PlateError(
                f"frame {frame} is {image.dtype} {image.shape}, the plate is {self.plate.dtype} {wanted}",
                where=str(self.path(frame)),
                fix="the plate has changed: run the same command again, so that it is looked at anew",
            )
        return image

    def header(self, frame: int) -> dict[str, Any]:
        """Return the attributes of a frame: the file's own for a sequence, timecode and rate for a movie."""
        if self.plate.kind == "sequence":
            return stills.read_header(self.path(frame))
        return header(self.plate, frame)


def header(plate: Plate, frame: int) -> dict[str, Any]:
    """Return the attributes that a still of this movie's frame carries."""
    rate = plate.rate
    found: dict[str, Any] = {
        "FramesPerSecond": (rate.numerator, rate.denominator),
        "PixelAspectRatio": float(plate.pixel_aspect),
    }
    if plate.timecode:
        found["smpte:TimeCode"] = timecode.offset(plate.timecode, frame - plate.first, rate)
    return found
