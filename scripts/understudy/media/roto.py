"""Imported roto: a sequence of mattes for a shot, one picture per frame of the plate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from understudy.errors import PlateError
from understudy.media import stills
from understudy.media.colour import unit
from understudy.media.plate import Plate


@dataclass(frozen=True)
class Roto:
    """One roto sequence.

    Attributes
    ----------
    pattern:
        Path with a printf field for the frame number, ``roto/hand.%04d.exr``.
    channel:
        Name of the channel (see `stills.read_channel`).
    plate:
        What it was drawn over.
    """

    pattern: str
    channel: str
    plate: Plate

    def read(self, frame: int) -> np.ndarray:
        """The matte of a frame, float32 [h, w] of the plate's size, 0 to 1.

        A picture that holds only a part of its display window, as compositors write it, is black around that.

        Raises
        ------
        PlateError
            When the frame is missing, has another size than the plate, or lacks the channel.
        """
        path, size = Path(self.pattern % frame), (self.plate.width, self.plate.height)
        where = f"roto frame {frame} ({path})"
        try:
            channel = stills.read_channel(path, self.channel)
        except PlateError as error:
            raise PlateError(error.what, where=where, fix=error.fix) from error
        drawn = np.clip(np.nan_to_num(unit(channel.pixels)), 0, 1)
        if drawn.shape[::-1] == size:
            return drawn
        if channel.size != size:
            raise PlateError(
                f"is {channel.size[0]} x {channel.size[1]}, the plate is {size[0]} x {size[1]}",
                where=where,
                fix="render the roto at the plate's size",
            )
        (x, y), (height, width) = channel.corner, drawn.shape
        whole = np.zeros(size[::-1], np.float32)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, size[0]), min(y + height, size[1])
        if x0 < x1 and y0 < y1:
            whole[y0:y1, x0:x1] = drawn[y0 - y : y1 - y, x0 - x : x1 - x]
        return whole
