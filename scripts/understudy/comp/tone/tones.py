"""What the skin of one frame says of colour: plate and new face block by block, and the ratio of the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, reduced
from understudy.comp.skin.texture import luma
from understudy.comp.tone.light import FLOOR

F64 = NDArray[np.float64]

SPECULAR: Final = 0.98
"""Quantile of luma above which skin shines and says nothing of its colour."""
TRACE: Final = 0.05
"""Share of skin below which a block is left out."""
CLIPPED: Final = 0.995
"""Value from which a channel may have been cut off."""
APART: Final = 4.0
"""How many deviations a block's ratio may lie away from the others': beyond, one of the two is not skin (a hand)."""
CLOSE: Final = 0.1
"""Logarithmic ratio that is never held against a block."""


@dataclass(frozen=True)
class Tones:
    """Skin of one frame, without what shines, is clipped, or is skin on one side only.

    Attributes
    ----------
    face, plate:
        Display RGB of the same blocks, float64 [n, 3].
    weight:
        How far each block is skin under the matte, float64 [n].
    """

    frame: int
    face: F64
    plate: F64
    weight: F64


def tones(frame: int, crop: Image, face: Image, area: Image, step: int) -> Tones:
    """Tones of a frame.

    Parameters
    ----------
    crop, face:
        Plate and new face, display RGB [h, w, 3].
    area:
        Open skin under the matte, a value per block of ``step`` pixels (see `resample.reduced`).
    """
    known = area > TRACE
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    if not len(rows):
        return Tones(frame, np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    near = slice(box[0].start * step, box[0].stop * step), slice(box[1].start * step, box[1].stop * step)
    skin = known[box]
    both = [reduced(np.ascontiguousarray(image[near]), step)[skin] for image in (face, crop)]
    weight = area[box][skin]
    for colours in both:
        shine = luma(colours[:, None])[:, 0]
        weight = weight * (shine <= np.quantile(shine, SPECULAR)) * (colours < CLIPPED).all(axis=1)
    made, plate = (colours.astype(np.float64) for colours in both)
    found = Tones(frame, made, plate, weight.astype(np.float64))
    return Tones(frame, made, plate, found.weight * _alike(found))


def logs(face: F64, plate: F64) -> F64:
    """Logarithm of plate over face, per block and channel [n, 3]; dark and negative values stay finite."""
    return np.log((np.maximum(plate, 0) + FLOOR) / (np.maximum(face, 0) + FLOOR))


def _alike(given: Tones) -> NDArray[np.bool_]:
    """Blocks whose ratio of plate to face is not far from all the others'."""
    known: NDArray[np.bool_] = given.weight > 0
    if not known.any():
        return known
    ratio = logs(given.face, given.plate)
    off = np.abs(ratio - np.median(ratio[known], axis=0))
    spread = 1.4826 * np.median(off[known], axis=0)
    return np.all(off <= np.maximum(APART * spread, CLOSE), axis=1)


def ratio(face: F64, plate: F64, weight: F64) -> F64:
    """Logarithmic ratio of the plate to a face, of blocks [n, 3] with weights [n]: [3].

    One step from the median with Tukey's biweight: a mean that outliers cannot move.
    """
    values = logs(face, plate)
    middle = np.median(values[weight > 0], axis=0)
    spread = 1.4826 * np.median(np.abs(values[weight > 0] - middle), axis=0)
    away = (values - middle) / np.maximum(APART * spread, CLOSE)
    trust = np.maximum(1 - away**2, 0) ** 2 * weight[:, None]
    return (trust * values).sum(axis=0) / trust.sum(axis=0)
