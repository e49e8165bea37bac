"""Colour over a shot: a fit per lighting segment, and the new face's ratio to the plate kept steady between frames.

What is followed through time is the logarithm of plate over new face. The plate's level itself is never smoothed: light
may do what it likes, and the new face goes with it on the same frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.comp.resample import Image
from understudy.comp.tone import colour
from understudy.comp.tone.light import FLOOR, LIMITS
from understudy.comp.tone.tones import Tones, ratio

F64 = NDArray[np.float64]

FEWEST: Final = 24
"""Blocks of skin below which a frame is not judged, and nothing is fitted."""
SAMPLE: Final = 20_000
"""Most blocks that a fit is made on."""
QUIET: Final = 0.04
"""Deviation of the ratio that asks for no fit of its own, an eighth of a stop; the gains follow it anyway."""
PENALTY: Final = 12.0
"""What a further segment costs, times the logarithm of the frames: three channels that move together are one witness,
so three times what the Bayesian criterion asks for four numbers."""
AT_ONCE: Final = 0.6
"""Share of a change that happens from one frame to the next where light is switched."""
FADE: Final = 8
"""Most frames over which one fit goes over into the next where light is not switched."""
HALF: Final = 4
"""Frames on either side that the ratio is smoothed over."""
STRIDE: Final = 4
"""Every how many frames a shot is looked at first."""
NOTICE: Final = 0.0125
"""How far off a straight line, as a logarithm, the ratio or the light may be before all frames there are looked at."""
RESTLESS: Final = 1 / 3
"""Share of stretches that are not straight from which the whole shot is not."""


def bends(frames: ArrayLike, level: F64) -> NDArray[np.bool_]:
    """For every stretch between neighbouring frames [n], whether levels [n, c] are no straight line there: [n - 1].

    Judged by how far each frame is off the line through its neighbours; all are where many are, since what jumps from
    frame to frame may by chance not do so on those that were looked at.
    """
    at = np.asarray(frames, np.float64)
    if len(at) < 3:
        return np.ones(max(len(at) - 1, 0), bool)
    share = ((at[1:-1] - at[:-2]) / (at[2:] - at[:-2]))[:, None]
    off = np.abs(level[1:-1] - level[:-2] * (1 - share) - level[2:] * share).max(axis=1) > NOTICE
    found = np.concatenate([off, off[-1:]]) | np.concatenate([off[:1], off])
    return found | (found.mean() > RESTLESS)


def partition(level: F64) -> list[int]:
    """First indices of the pieces on which a level [n, c] is all but constant; the first is 0.

    The least sum of squares with a price on every piece, found exactly (optimal partitioning, Jackson et al. 2005).
    """
    n = len(level)
    noise = 1.4826 * np.median(np.abs(np.diff(level, axis=0)), axis=0) / np.sqrt(2) if n > 1 else 1.0
    scaled = level / np.maximum(noise, QUIET)
    sums = np.vstack([np.zeros(level.shape[1]), np.cumsum(scaled, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum((scaled**2).sum(axis=1))])
    price = PENALTY * np.log(max(n, 2))
    best, start = np.zeros(n + 1), np.zeros(n + 1, int)
    best[0] = -price
    for end in range(1, n + 1):
        mean = ((sums[end] - sums[:end]) ** 2).sum(axis=1) / (end - np.arange(end))
        total = best[:end] + squares[end] - squares[:end] - mean + price
        start[end] = int(np.argmin(total))
        best[end] = total[start[end]]
    found, end = [], n
    while end:
        end = int(start[end])
        found.append(end)
    return found[::-1] or [0]


def fades(level: F64, starts: Sequence[int]) -> list[int]:
    """For every piece of `partition`, over how many indices it takes over from the one before; 0 is at once."""
    found = [0]
    edges = [*starts, len(level)]
    for before, start, after in zip(edges, edges[1:], edges[2:], strict=False):
        change = np.linalg.norm(np.median(level[start:after], axis=0) - np.median(level[before:start], axis=0))
        jump = np.linalg.norm(level[start] - level[start - 1])
        found.append(0 if jump >= AT_ONCE * change else min(FADE, start - before, after - start))
    return found


def smooth(values: F64) -> F64:
    """Savitzky and Golay's filter (1964) of `HALF` on either side and second order, for [n, c]; no lag.

    Both ends go on mirrored through their last value; a short run takes a shorter window.
    """
    half = min(HALF, (len(values) - 1) // 2)
    kernel = np.linalg.pinv(np.vander(np.arange(-half, half + 1), min(3, 2 * half + 1)))[-1]
    head, tail = 2 * values[:1] - values[half:0:-1], 2 * values[-1:] - values[-2 : -2 - half : -1]
    padded = np.vstack([head, values, tail]) if half else values
    return np.stack([np.convolve(column, kernel[::-1], "valid") for column in padded.T], axis=1)


def steady(level: F64, halves: F64, cuts: Sequence[int]) -> F64:
    """What the new face is to be given on each frame: a logarithm [n, 3].

    The smooth course of the ratio, and of what is left as much as is real: the new face's own flicker, that is, which
    goes, and not the chance of the blocks that were looked at. How much that is, the two halves of the blocks say,
    judged apart: what they have in common is real (split-half reliability, Spearman 1910).

    Parameters
    ----------
    level:
        Ratio of the plate to the face as fitted [n, 3].
    halves:
        The same of each half of the blocks [2, n, 3].
    cuts:
        Indices at which light was switched: nothing is smoothed across.
    """
    edges = [0, *cuts, len(level)]
    runs = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False) if b > a]
    course = np.concatenate([smooth(level[run]) for run in runs])
    one, other = (half - np.concatenate([smooth(half[run]) for run in runs]) for half in halves)
    whole = float(np.mean(((one + other) / 2) ** 2))
    real = float(np.clip(np.mean(one * other) / whole, 0, 1)) if whole > 1e-12 else 0.0
    return course + real * (level - course)


def pooled(part: Sequence[Tones], level: F64) -> tuple[F64, F64]:
    """Colours of face and plate [n, 3] of the frames of a segment, every frame's plate at the segment's mean ratio."""
    middle = level.mean(axis=0)
    faces, plates = [], []
    for given, own in zip(part, level, strict=True):
        open_skin = given.weight > 0.5
        faces.append(given.face[open_skin])
        plates.append((given.plate[open_skin] + FLOOR) * np.exp(middle - own) - FLOOR)
    face, plate = np.concatenate(faces), np.concatenate(plates)
    if len(face) > SAMPLE:
        picked = np.random.Generator(np.random.PCG64(SAMPLE)).choice(len(face), SAMPLE, replace=False)
        face, plate = face[picked], plate[picked]
    return face, plate


def judged(given: Sequence[Tones]) -> list[Tones]:
    """The frames that show enough skin."""
    return [one for one in given if (one.weight > 0.5).sum() >= FEWEST]


def fit(given: Sequence[Tones], mode: str, *, follow: bool) -> dict[str, Any]:
    """Fit the colour of a track.

    Parameters
    ----------
    given:
        Tones of its frames, in order.
    mode:
        See `colour.solve`.
    follow:
        Whether there is a fit per lighting segment and a gain per frame; otherwise one fit for all frames.

    Returns
    -------
    ``segments``, each a fit of `colour.solve` with the ``first`` frame that it holds for and how many frames it takes
    over in (``fade``, 0 is at once); ``gains`` of red, green and blue for every frame from ``first`` on, none where
    nothing is followed; ``light``, how far the plate's light must be laid over the face at the least. JSON types.
    """
    known = judged(given)
    if not known or mode in colour.UNTOUCHED:
        nothing = np.zeros((1, 3))
        segments = [colour.solve("none", nothing, nothing) | {"first": 0, "fade": 0}]
        return {"segments": segments, "first": 0, "gains": [], "light": float(mode == "lowfreq")}
    frames = [one.frame for one in known]
    level = np.stack([ratio(one.face, one.plate, one.weight) for one in known])
    starts = partition(level) if follow else [0]
    widths = fades(level, starts)
    segments = [
        colour.solve(mode, *pooled(known[a:b], level[a:b])) | {"first": frames[a], "fade": width}
        for a, b, width in zip(starts, [*starts[1:], len(known)], widths, strict=True)
    ]
    fitted = {"segments": segments, "first": frames[0], "gains": [], "light": 0.0}
    if follow:
        cuts = [start for start, width in zip(starts, widths, strict=True) if start and not width]
        every = np.arange(frames[0], frames[-1] + 1)
        wanted = steady(*_left(known, fitted), cuts)
        rows = np.exp(np.stack([np.interp(every, frames, column) for column in wanted.T], axis=1))
        fitted["gains"] = np.round(np.clip(rows, *LIMITS), 5).tolist()
    return fitted


def _left(known: Sequence[Tones], fitted: Mapping[str, Any]) -> tuple[F64, F64]:
    """Ratio of the plate to the fitted face on every frame [n, 3], and that of either half of the blocks [2, n, 3]."""
    rows = []
    for one in known:
        toned = apply(one.face[None].astype(np.float32), fitted, one.frame)[0].astype(np.float64)
        odd = np.arange(len(toned)) % 2
        rows.append([ratio(toned, one.plate, one.weight * part) for part in (1, odd, 1 - odd)])
    whole, *halves = np.moveaxis(np.array(rows), 1, 0)
    return whole, np.stack(halves)


def shares(segments: Sequence[Mapping[str, Any]], frame: int) -> list[tuple[Mapping[str, Any], float]]:
    """The segments that a frame lies in, and how far in each; the shares add up to 1."""
    found: list[tuple[Mapping[str, Any], float]] = [(segments[0], 1.0)]
    for segment in segments[1:]:
        # The first frame of a segment that fades in lies just beyond the middle of the fade.
        past = frame - segment["first"] + 0.5
        share = float(np.clip(past / segment["fade"] + 0.5, 0, 1)) if segment["fade"] else float(past > 0)
        found = [*((one, own * (1 - share)) for one, own in found), (segment, share)]
    return [(one, own) for one, own in found if own]


def apply(image: Image, fitted: Mapping[str, Any], frame: int) -> Image:
    """Colours of a new face [h, w, 3] on a frame through what `fit` returned."""
    gains: ArrayLike = 1.0
    if fitted["gains"]:
        gains = fitted["gains"][int(np.clip(frame - fitted["first"], 0, len(fitted["gains"]) - 1))]
    made = [
        colour.apply(image, segment, share * np.broadcast_to(gains, 3))
        for segment, share in shares(fitted["segments"], frame)
    ]
    whole = made[0]
    for other in made[1:]:
        whole = cv2.add(whole, other, dst=whole)
    return whole
