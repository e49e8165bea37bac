"""What moves or flickers on a finished face from one frame to the next, against the plate's own face.

Looked at on a few pairs of frames a shot (see `watched`): flow costs far more than the other measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.flow import NEAR, Matrix, alike, along, seen, slack, way
from understudy.comp.resample import Image
from understudy.comp.skin.texture import FACE, extent, luma
from understudy.faces.geometry import inverse
from understudy.qc.measures import FEWEST, STEP, Number

EVERY: Final = 48
"""Frames of which the motion between one pair is looked at."""
ROUNDING: Final = 2 * STEP**2 / 12
"""Mean square difference of two pictures that are rounded to 8 bit: what is added to both sides of a ratio."""


def watched(frames: Sequence[int]) -> set[int]:
    """First frames of the pairs that are looked at: one of every `EVERY`, and one of fewer.

    ``frames`` are those of a track, in order; a pair is two that follow each other.
    """
    known = set(frames)
    firsts = [frame for frame in frames if frame + 1 in known]
    return set(firsts[EVERY // 2 :: EVERY] or firsts[len(firsts) // 2 :][:1])


@dataclass(frozen=True)
class Sight:
    """One frame of a finished face, cut down to its matte.

    Attributes
    ----------
    plate, result:
        Luma [h, w].
    matte:
        [h, w].
    place:
        Face space to these pixels [2, 3].
    size:
        The face's extent in pixels.
    """

    plate: Image
    result: Image
    matte: Image
    place: Matrix
    size: float

    @classmethod
    def of(cls, plate: Image, result: Image, matte: Image, place: Matrix, points: NDArray[np.floating]) -> Sight | None:
        """Out of crops, display RGB [h, w, 3], with the mesh's points in their pixels; None under an empty matte."""
        rows, columns = np.flatnonzero((matte > 0.5).any(axis=1)), np.flatnonzero((matte > 0.5).any(axis=0))
        if not len(rows):
            return None
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        moved = place.copy()
        moved[:, 2] -= columns[0], rows[0]
        old, new = (luma(np.ascontiguousarray(image[box])) for image in (plate, result))
        return cls(old, new, np.ascontiguousarray(matte[box]), moved, extent(points))


def pair(first: Sight, second: Sight) -> dict[str, Number]:
    """How much a face changes from one frame to the next along the plate's motion; numbers are None where none shows.

    Returns
    -------
    ``warping_error`` and ``warping_plate``: mean of |O_t - warp(O_t+1)|^2 on luma, of result and plate, under the
    matte where the skin of one frame shows on the other (Lai et al. 2018): where flow there and back says so, and the
    plates agree. ``tof``: mean distance, in pixels of the
    crop, between where the result's flow and the plate's lead (Chu et al. 2020).
    """
    between = second.place @ np.vstack([inverse(first.place), [0, 0, 1]])
    step = max(1, round(first.size / FACE))
    on = way(first.plate, second.plate, between, step)
    back = way(second.plate, first.plate, inverse(between), step)
    plate, unit = along(second.plate, on), first.size / FACE
    weight = first.matte * seen(on, back, slack(first.size)) * alike(first.plate, plate, NEAR * unit)
    total = float(weight.sum(dtype=np.float64))
    if total < FEWEST:
        return dict.fromkeys(("warping_error", "warping_plate", "tof"))

    def mean(values: Image) -> float:
        return float(np.sum(values * weight, dtype=np.float64)) / total

    own = way(first.result, second.result, between, step)
    return {
        "warping_error": mean((first.result - along(second.result, on)) ** 2),
        "warping_plate": mean((first.plate - plate) ** 2),
        "tof": mean(cv2.magnitude(*cv2.split(own - on))),
    }


class Watch:
    """Looks at the pairs of a shot as its frames go by, in order.

    Parameters
    ----------
    frames:
        Track to its frames that are looked at, in order.
    """

    def __init__(self, frames: Mapping[str, Sequence[int]]) -> None:
        self._firsts = {(track, first) for track, own in frames.items() for first in watched(own)}
        self._before: dict[tuple[str, int], tuple[dict[str, Any], Sight | None]] = {}

    def look(
        self,
        row: dict[str, Any],
        plate: Image,
        result: Image,
        matte: Image,
        points: NDArray[np.floating],
        place: Matrix,
    ) -> None:
        """Take a frame, see `Sight.of`; what `pair` finds goes to the row of a pair's first frame."""
        track, frame = row["track"], row["frame"]
        before = self._before.pop((track, frame - 1), None)
        if before is None and (track, frame) not in self._firsts:
            return
        sight = Sight.of(plate, result, matte, place, points)
        if before is not None and before[1] is not None and sight is not None:
            before[0].update(pair(before[1], sight))
        if (track, frame) in self._firsts:
            self._before[track, frame] = row, sight


def warping(rows: Sequence[Mapping[str, Any]]) -> Number:
    """The result's warping error over the plate's, of all pairs among a track's rows: 1 is as steady as the plate."""
    known = [row for row in rows if row.get("warping_error") is not None]
    if not known:
        return None
    result, plate = (
        np.mean([row[name] for row in known]) + ROUNDING for name in ("warping_error", "warping_plate")
    )
    return float(result / plate)
