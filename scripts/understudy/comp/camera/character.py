"""The picture's character: focus, motion blur, sharpening and codec of the plate, measured once and put into new faces.

Each acts only where the plate has it and the new face lacks it, in the order in which a camera does: focus and motion,
sharpening, codec. Grain, which lies over the blend, is in `comp.camera.grain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from understudy.comp.camera import codec, motion, sharpening
from understudy.comp.resample import Image, gaussian
from understudy.comp.skin import texture

if TYPE_CHECKING:
    from understudy.comp.match import Moment, Sample

LOOK: Final = ("defocus", "shutter", "sharpening", "codec")
"""Settings that `apply` takes."""
DEGREES: Final = 360.0
RACK: Final = 0.5
"""Spread of defocus over a shot, in pixels, from which focus is racked and not merely measured."""
SAME: Final = 3
"""Samples over which a racked focus is smoothed: each is the median of so many."""
STILL: Final = 3
"""Samples on which what the whole shot has (sharpening, codec) is measured."""


def fit(
    pairs: Sequence[tuple[Sample, Image]], skins: Sequence[Image], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What the plate's character has that new faces lack.

    Parameters
    ----------
    pairs:
        Samples, each with its new face in the plate's colour and light, display RGB [h, w, 3].
    skins:
        Mattes [h, w] of their open skin.
    settings:
        ``shutter``: the largest, in degrees.

    Returns
    -------
    JSON types: ``focus`` ([frame, sigma in pixels] of every sample where focus is racked, else one for all),
    ``shutter`` (part of a frame, see `motion.shutter`), ``sharpening`` (amount and radius, see
    `sharpening.sharpening`), ``codec`` (see `codec.quality`; 0 for none).
    """
    full = [((sample.matte > 0.9).astype(np.float32), sample, face) for sample, face in pairs]
    most = settings["shutter"] / DEGREES
    moving = [_moving(*one, most) for one in full if one[1].moment.motion is not None]
    found: dict[str, Any] = {
        "focus": [[0, 0.0]],
        "shutter": motion.shutter([plate for plate, _ in moving], [new for _, new in moving], most),
        "sharpening": [0.0, 0.0],
        "codec": 0,
    }
    seen = [apply(face, found, sample.moment, (0, 0), settings) for sample, face in pairs]
    found["focus"] = focus([sample for sample, _ in pairs], seen, skins)
    few = sorted({round(k) for k in np.linspace(0, len(full) - 1, STILL)})
    found["sharpening"] = list(sharpening.sharpening([(seen[k], full[k][1].crop, full[k][0]) for k in few]))
    found["codec"] = codec.lacking([(seen[k], full[k][1].crop, full[k][1].moment.corner) for k in few])
    return found


def _moving(matte: Image, sample: Sample, face: Image, most: float) -> tuple[motion.Seen, motion.Seen]:
    """A sample's plate and new face as `motion` sees them: the box in which they are blurred at the most."""
    moved = np.asarray(sample.moment.motion)
    box = around(matte, round(most * motion.way(moved, sample.points)) + 8)
    corner = box[1].start or 0, box[0].start or 0
    points = sample.points[:, :2] - np.asarray(corner)
    plate, new = (
        motion.Seen(np.ascontiguousarray(image[box]), matte[box], motion.seen_from(moved, corner), points)
        for image in (sample.crop, face)
    )
    return plate, new


def focus(samples: Sequence[Sample], faces: Sequence[Image], skins: Sequence[Image]) -> list[list[float]]:
    """Defocus that faces lack, [frame, sigma in pixels]: one for all frames, or one a sample where focus is racked."""
    rows: list[tuple[int, float]] = []
    for sample, face, skin in zip(samples, faces, skins, strict=True):
        features = ((sample.matte > 0.9) * (1 - skin)).astype(np.float32)
        size = texture.extent(sample.points)
        bounds = texture.limits(size)
        box = around(features, round(3 * bounds[-1]))
        features, grey = features[box], texture.luma(face[box])
        wanted = texture.energies(sample.crop[box], features, bounds)
        sigma = texture.defocus([(grey, features, size)], [wanted])
        rows.append((sample.moment.frame, sigma))
    frames, sigmas = zip(*sorted(rows), strict=True)
    smooth = [float(np.median(sigmas[max(k - SAME // 2, 0) : k + SAME // 2 + 1])) for k in range(len(sigmas))]
    if max(smooth) - min(smooth) < RACK:
        return [[frames[0], float(np.median(sigmas))]]
    return [[frame, blur] for frame, blur in zip(frames, smooth, strict=True)]


def around(matte: Image, room: int) -> tuple[slice, slice]:
    """The box of a matte [h, w] that is not 0, with so many pixels around it; all of it where there is none."""
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    if not len(rows):
        return slice(None), slice(None)
    return (
        slice(max(int(rows[0]) - room, 0), int(rows[-1]) + 1 + room),
        slice(max(int(columns[0]) - room, 0), int(columns[-1]) + 1 + room),
    )


def apply(
    face: Image, found: Mapping[str, Any], moment: Moment, corner: tuple[int, int], look: Mapping[str, Any]
) -> Image:
    """A new face, display RGB [h, w, 3], in the plate's character; itself where it lacks none.

    Parameters
    ----------
    found:
        See `fit`.
    corner:
        Where the image's upper left corner lies on the crop, (x, y).
    look:
        The settings of `LOOK`: which of it is wanted.
    """
    if look["defocus"]:
        frames, sigmas = zip(*found["focus"], strict=True)
        face = gaussian(face, float(np.interp(moment.frame, frames, sigmas)))
    shutter = min(found["shutter"], look["shutter"] / DEGREES)
    if shutter and moment.motion is not None:
        points = moment.points[:, :2] - np.asarray(corner)
        face = motion.blurred(face, motion.seen_from(moment.motion, corner), shutter, points)
    if look["sharpening"]:
        face = sharpening.unsharp(face, *found["sharpening"])
    if look["codec"] and found["codec"]:
        on_plate = moment.corner[0] + corner[0], moment.corner[1] + corner[1]
        face = codec.through(face, on_plate, found["codec"])
    return face
