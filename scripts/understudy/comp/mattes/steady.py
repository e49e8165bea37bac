"""Mattes that neither blink nor shake: what a network or a test says of a frame, judged by the frames around it.

Everything here looks both ways and no further than it says, so that it does not matter where a shot is cut into chunks.
Mattes are float32 [h, w], 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.comp.mattes.edges import signed_distance
from understudy.comp.resample import Image, gaussian, warp

ON, OFF = 0.6, 0.4
"""Score from which on something is there, and down to which it stays there once it is."""
LINK: Final = 12
"""Frames on either side over which a score above `OFF` leans on one above `ON`."""
FADE: Final = 4
"""Frames over which a gate opens or shuts."""
GATE_REACH: Final = LINK + FADE
"""Frames on either side that a gate depends on."""

ALIKE: Final = 0.1
"""Difference of log luma at which a neighbouring frame's word counts by 1 / sqrt(e) of its weight."""
ODD: Final = 0.3
"""Distance of a matte's value to the median of its neighbours' at which it counts as little."""
STILL: Final = 1e-3
"""Range of values, over the window, that is left as it is."""

GRID: Final = 48
"""Places per IOD at which the motion of an edge is measured."""
NEAR: Final = 0.04
"""How near to the edge these lie, in IOD."""
GONE: Final = 0.2
"""Distance from one frame to the next, in IOD, at which an edge has not moved but come or gone (a mouth that opens)."""
AREA: Final = (-1.5, -1.6, 1.5, 2.2)
"""Left, top, right and bottom of face space in which they lie, in IOD."""


def gate(scores: ArrayLike) -> NDArray[np.float64]:
    """Hysteresis without a past: how far a gate is open on each of consecutive frames [n], 0..1.

    On where the score is `ON` or more, and where it has not fallen under `OFF` since or until such a frame, at most
    `LINK` frames away. What is on is on in full; before and after it the gate opens and shuts over `FADE` frames,
    linearly. A frame depends on `GATE_REACH` frames on either side. NaN is no frame: off.
    """
    values = np.nan_to_num(np.asarray(scores, np.float64), nan=0.0)
    on, held = values >= ON, values >= OFF
    for _ in range(LINK):
        beside = np.zeros_like(on)
        beside[1:] |= on[:-1]
        beside[:-1] |= on[1:]
        on = on | (beside & held)
    index = np.arange(len(on))
    away = np.abs(index[:, None] - index[on]).min(axis=1, initial=FADE + 1)
    return np.clip(1 - away / (FADE + 1), 0, 1)


def alike(here: Image, there: Image) -> Image:
    """How far two small pictures of log luma [h, w] that lie over each other show the same, 0..1."""
    return np.exp(-((gaussian(there - here, 1.0) / np.float32(ALIKE)) ** 2) / 2)


def steadied(mattes: Sequence[Image], likeness: Sequence[Image | float]) -> Image:
    """The matte of the middle frame, by its own and its neighbours' word.

    Binomial weights; a neighbour counts as far as its picture is the same there (a hand on its way is not smeared), and
    what lies apart from the median of them all counts as little (a frame on which a network failed does not blink):
    one step of a redescending estimator (Welsch 1978) from the median.

    Parameters
    ----------
    mattes:
        Of 2 r + 1 consecutive frames, all at the middle one's pixels.
    likeness:
        How far each frame's picture is the middle one's, 0..1, [h, w] or a number.
    """
    middle = len(mattes) // 2
    own = mattes[middle]
    moves = np.maximum.reduce(list(mattes)) - np.minimum.reduce(list(mattes)) > STILL
    if not moves.any():
        return own
    count = len(mattes)
    values = np.stack([matte[moves] for matte in mattes])
    like = np.stack([np.broadcast_to(np.float32(one), own.shape)[moves] for one in likeness])
    # What a frame without likeness would say is what the middle one says.
    values = values[middle] + like * (values - values[middle])
    apart = values - np.median(values, axis=0)
    weight = np.exp(-((apart / np.float32(ODD)) ** 2) / 2)
    weight *= np.array([comb(count - 1, k) for k in range(count)], np.float32)[:, None]
    result = own.copy()
    result[moves] = (weight * values).sum(axis=0) / weight.sum(axis=0)
    return result


def edge_motion(mattes: Sequence[Image], to_face: ArrayLike) -> float:
    """How much a matte's edge shakes in face space: rms second difference of its place over time, in IOD.

    The signed distance to the .5 contour is sampled on a grid in face space; at the points nearest to the edge
    (`NEAR`), its second difference is that of the edge's place along its normal. A matte that is fixed to the face, or
    that drifts evenly, has none. Edges that come or go (`GONE`) do not count.

    Parameters
    ----------
    mattes:
        Of n consecutive frames, each [h, w] at its own crop's pixels.
    to_face:
        [n, 2, 3]: pixels of each crop to face space.

    Returns
    -------
    NaN where there are fewer than three frames or no edge.
    """
    left, top, right, bottom = AREA
    size = round((right - left) * GRID), round((bottom - top) * GRID)
    distances = []
    for matte, matrix in zip(mattes, np.asarray(to_face, np.float64), strict=True):
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        grid = GRID * (matrix - [[0, 0, left], [0, 0, top]])
        # Distances are linear: no prefilter is needed, and none of the crop's far side is.
        distances.append(scale * warp(signed_distance(matte, GONE / scale), grid, size))
    stack = np.stack(distances) if distances else np.zeros((0, 1, 1), np.float32)
    if len(stack) < 3:
        return float("nan")
    before, here, after = stack[:-2], stack[1:-1], stack[2:]
    second = after - 2 * here + before
    near = (np.abs(here) < NEAR) & (np.abs(before) < GONE) & (np.abs(after) < GONE)
    return float(np.sqrt(np.mean(second[near] ** 2))) if near.any() else float("nan")
