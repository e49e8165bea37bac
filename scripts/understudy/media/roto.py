"""Imported roto: a sequence of mattes for a shot, one picture per frame of the plate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from understudy.errors import PlateError
from understudy.media import stills
from understudy.media.colour import unit
from understudy.media.plate import Plate

CHANNELS = ("R", "G", "B", "A")


@dataclass(frozen=True)
class Roto:
    """One roto sequence.

    Attributes
    ----------
    pattern:
        Path with a printf field for the frame number, ``roto/hand.%04d.exr``.
    channel:
        R, G, B or A; a picture with one channel has only that one.
    mode:
        ``hold`` (keep the plate there), ``add`` or ``replace``.
    """

    pattern: str
    channel: str
    mode: str
    plate: Plate

    def read(self, frame: int) -> np.ndarray:
        """The matte of a frame, float32 [h, w], 0 to 1.

        Raises
        ------
        PlateError
            When the frame is missing, has another size than the plate, or lacks the channel.
        """
        path = Path(self.pattern % frame)
        where = f"roto frame {frame} ({path})"
        picture = stills.read(path)
        if picture.shape[:2] != (self.plate.height, self.plate.width):
            raise PlateError(
                f"is {picture.shape[1]} x {picture.shape[0]}, the plate is {self.plate.width} x {self.plate.height}",
                where=where,
                fix="render the roto at the plate's size",
            )
        planes = picture.reshape(*picture.shape[:2], -1)
        index = 0 if planes.shape[2] == 1 else CHANNELS.index(self.channel)
        if index >= planes.shape[2]:
            raise PlateError(
                f"has no channel {self.channel}",
                where=where,
                fix=f"choose one of {', '.join(CHANNELS[: planes.shape[2]])}",
            )
        plane = planes[..., index]
        return np.clip(np.nan_to_num(unit(plane)), 0, 1)
