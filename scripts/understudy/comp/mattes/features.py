"""Eyes and inner mouth: how much of the plate's own stays, by expression and by matte.

Points are [468, 3] in pixels, pixel centres at .5; sizes are in inter-ocular distances (IOD). Nothing here looks at a
pixel: the performer's points say how far lids and lips are open.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from understudy.arrays import rise
from understudy.comp.mattes.matte import depth, edge
from understudy.comp.resample import Image
from understudy.faces.geometry import LEFT_EYE, LIPS_INNER, RIGHT_EYE, eye_open, iod, mouth_open

F64 = NDArray[np.float64]

LIDS: Final = 0.08
"""How far around the opening of the lids the plate's eye fades out, in IOD: lids and lashes belong to it."""
LIPS: Final = 0.04
"""How far inside the inner lips the plate's mouth has faded in, in IOD: the lips themselves are the new face's."""
FINE: Final = 80
"""Nodes of the distance field per IOD; lids are a tenth of one apart."""

CLOSED: Final = 0.12, 0.07
"""Share by which lids are closed, on which the plate's eyes come in and under which they go.

The mesh's lids hardly follow a blink: on eleven real clips it measured .12 to .25 on the seven on which eyes shut or
drop, and up to .117 on the other four.
"""
AROUND: Final = 12
"""Frames on either side among which lids are usually open."""
SHUT: Final = 0.15
"""Opening of the lids (`eye_open`) under which they count as closed, however a performer usually holds them."""
PARTED: Final = 0.08, 0.05
"""Difference of the gap between the lips, in IOD, on which the plate's mouth comes in and under which it goes."""
EYES_FADE: Final = 4
MOUTH_FADE: Final = 12
"""Frames over which they come and go. Teeth that come and go within a word are seen more than lids."""


def lids_closed(points: NDArray[np.floating]) -> F64:
    """How far lids are closed on each frame of a track [n, 468, 3], 0 where they are as open as usual, or wider.

    Usual is the most of three: the track's median, what they reach on a quarter of the frames around (a blink is a dip,
    and a nod changes the measure slowly), and `SHUT`.
    """
    found = np.array([eye_open(face) for face in points])
    padded = np.pad(found, AROUND, mode="symmetric")
    near = np.quantile(np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1), 0.75, axis=1)
    return np.clip(1 - found / np.maximum(near, max(float(np.median(found)), SHUT)), 0, 1)


def lips_apart(points: NDArray[np.floating], usual: float) -> F64:
    """How far the gap between the lips differs from a ``usual`` one on each frame of [n, 468, 3], in IOD."""
    return np.abs(np.array([mouth_open(face) for face in points]) - usual)


def transition(distance: F64, on: float, off: float, fade: int) -> F64:
    """How much of the plate's own stays, [n], 0 to 1, for a distance of expressions [n] along a track.

    All of it on every run of frames at ``off`` or over in which ``on`` is reached (hysteresis that looks both ways, as
    Canny's edges do, 1986), and less and less over ``fade`` frames on either side of it: no step is larger than 1.5 /
    (fade + 1), and nothing comes late.
    """
    over = np.concatenate([[False], distance >= off, [False]])
    edges = np.flatnonzero(over[1:] != over[:-1]).reshape(-1, 2)
    held = np.full(len(distance), False)
    for first, end in edges:
        held[first:end] = distance[first:end].max() >= on
    frames = np.arange(len(distance), dtype=np.float64)
    last = np.maximum.accumulate(np.where(held, frames, -np.inf))
    following = np.minimum.accumulate(np.where(held, frames, np.inf)[::-1])[::-1]
    return rise(1 - np.minimum(frames - last, following - frames) / (fade + 1))


def keep(matte: Image, points: NDArray[np.floating], eyes: float, mouth: float) -> Image:
    """A matte [h, w] that leaves a share of the plate's own eyes and inner mouth, 0 to 1 each.

    Soft areas around the lids (see `LIDS`) and inside the lips (see `LIPS`; closed lips have nothing inside). With both
    shares 0 it is the matte itself; with a share of 1 the matte is exactly 0 where the area is whole.
    """
    unit = iod(points)
    parts = [(part, eyes, -LIDS, LIDS) for part in (LEFT_EYE, RIGHT_EYE)] + [(LIPS_INNER, mouth, 0.0, LIPS)]
    kept = matte
    for part, share, begin, width in parts:
        outline = np.asarray(points, np.float64)[part, :2]
        room = max(-begin * unit, 0) + 1
        low = np.maximum(np.floor(outline.min(axis=0) - room), 0).astype(int)
        high = np.minimum(np.ceil(outline.max(axis=0) + room), matte.shape[::-1]).astype(int)
        if not share or (low >= high).any():
            continue
        if kept is matte:
            kept = matte.copy()
        box = slice(low[1], high[1]), slice(low[0], high[0])
        reach = max(width * unit, 1)
        inside = depth(outline - low, kept[box].shape, round(unit / FINE), reach)
        kept[box] *= 1 - np.float32(share) * edge(inside, begin * unit, width * unit)
    return kept
