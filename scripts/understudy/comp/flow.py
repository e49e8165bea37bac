"""What lies on the same skin on neighbouring frames, and a new face that is the mean of them.

Flow is looked for on the plate alone: what a network invents does not move as a face does. It is looked for between
pages that the track's own similarity has laid over each other already, so that only small motion is left, and every
image is resampled once, through track and flow together.

What is averaged is not the new face but what it changes of the plate, so the plate's own light, grain and motion of
this very frame go through untouched: a face that changes nothing comes out as it was, and none comes out steadier than
the plate (a face without the life of its plate sits on it like a decal).

Images are float32 display RGB [h, w, 3]. A way is float32 [h, w, 2]: for each pixel of a page the place (x, y) of the
same skin on another, pixel centres at whole numbers, as OpenCV's `remap` takes it. Results hold on one thread only:
OpenCV's flow depends on how its rows are dealt out (`runtime.job` sets one).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, enlarged, gaussian, reduced, warp, weighted
from understudy.comp.skin.texture import FACE, luma
from understudy.faces.geometry import inverse

Matrix = NDArray[np.float64]
Way = NDArray[np.float32]

SLIP: Final = 1.0
"""Pixels of a face of 512 by which a way there and back may miss its start and still count in full, see `slack`."""
FINEST: Final = 0.5
"""Pixels of the page below which the flow itself is no surer than that."""
LIKE: Final = 3.0
"""Difference of two plates, in sigmas of its noise, that halves a frame's weight, very nearly (by exp(-1/2))."""
NOISE: Final = (1 / 255, 4 / 255)
"""Least and largest sigma that is taken for noise: below, rounding decides; above, it is no noise."""
NEAR: Final = 4.0
"""Sigma, in pixels of a face of 512, over which differences of two plates are judged together."""
MAD: Final = 0.6745
"""Median of the absolute value of a normal deviate."""


@dataclass(frozen=True)
class View:
    """One frame of a face.

    Attributes
    ----------
    plate:
        The plate's page.
    new:
        The new face's page, of the same size.
    place:
        Face space to page [2, 3], as the track has it; pixel centres at .5.
    size:
        The face's extent, in pixels of the page.
    """

    plate: Image
    new: Image
    place: Matrix
    size: float

    @property
    def unit(self) -> float:
        """Pixels of the page per pixel of a face of 512."""
        return self.size / FACE


def way(here: Image, there: Image, between: Matrix, step: int = 1) -> Way:
    """Where the skin of each pixel of a page lies on another page.

    Dense inverse search (Kroeger et al. 2016) on 8 bit luma.

    Parameters
    ----------
    here, there:
        Luma [h, w] of the two plates' pages; they may differ in size.
    between:
        [2, 3], from here to there, as the track moves; pixel centres at .5.
    step:
        Side of the blocks of pixels that become one where the flow is looked for.
    """
    height, width = here.shape
    brought = warp(there, inverse(between), (width, height), cv2.INTER_LINEAR)
    pair = [np.rint(np.clip(reduced(image, step), 0, 1) * 255).astype(np.uint8) for image in (here, brought)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    still = np.zeros((*pair[0].shape, 2), np.float32)
    flow = enlarged(search.calc(pair[0], pair[1], still), step, here.shape)
    turn, shift = between[:, :2], between[:, 2]
    whole = np.column_stack([turn, shift + turn @ (0.5, 0.5) - 0.5])
    return cv2.transform(cv2.scaleAdd(flow, step, grid(here.shape)), whole)


def grid(shape: tuple[int, ...]) -> Way:
    """The way of a page (h, w) to itself."""
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    return np.dstack([x, y])


def along(image: Image, there: Way, interpolation: int = cv2.INTER_LINEAR) -> Image:
    """An image of the other page, or a way or matte of it, seen from the page where a way begins."""
    return cv2.remap(image, there, None, interpolation, borderMode=cv2.BORDER_REPLICATE)


def slack(size: float) -> float:
    """Pixels by which a way there and back may miss its start, on a face of ``size`` pixels."""
    return max(SLIP * size / FACE, FINEST)


def seen(there: Way, back: Way, most: float) -> Image:
    """How far each pixel of a page shows on the other what it shows here, 0 to 1, [h, w]: there and back again.

    A miss of ``most`` pixels counts in full; one of twice that, and what lies beyond the other page, not at all.
    """
    miss = along(back, there) - grid(there.shape)
    inside = cv2.inRange(there, (0, 0), (back.shape[1] - 1, back.shape[0] - 1)) > 0
    return np.clip(2 - cv2.magnitude(*cv2.split(miss)) / np.float32(most), 0, 1) * inside


def alike(here: Image, there: Image, sigma: float) -> Image:
    """How far two plates agree, 0 to 1, [h, w]: exp(-blur(d^2) / (2 s^2)), d^2 the mean over the channels.

    The plates are [h, w, 3], or luma [h, w]. s is `LIKE` times the noise of one plate, read off the median of their
    difference: what covers less than half of the page does not move it. ``sigma`` is the blur's, in pixels.
    """
    apart = cv2.absdiff(here, there)
    noise = float(np.median(apart[::4, ::4])) / (MAD * np.sqrt(2))
    limit = LIKE * float(np.clip(noise, *NOISE))
    square = apart * apart
    if square.ndim == 3:
        square = cv2.transform(square, np.full((1, 3), 1 / 3, np.float32))
    square = gaussian(square, sigma)
    return cv2.exp(square * np.float32(-0.5 / limit**2))


def blended(now: View, others: Sequence[tuple[View, Way, Image, int]], decay: float) -> Image:
    """The new face of a frame, what it changes of the plate being the mean of its own and its neighbours' changes.

    new = P + sum_k w_k warp(E_k - P_k) / sum_k w_k, with w_k = decay^|k| alike_k seen_k and w_0 = 1, where P are plates
    and E new faces.

    Parameters
    ----------
    others:
        Neighbours: the view, the way to it, how far it is seen [h, w], and how many frames away it is.
    """
    total, weights = now.new - now.plate, np.ones(now.plate.shape[:2], np.float32)
    for other, there, visible, away in others:
        weight = alike(now.plate, along(other.plate, there), NEAR * now.unit) * visible
        weight *= np.float32(decay**away)
        change = along(other.new - other.plate, there, cv2.INTER_CUBIC)
        cv2.add(total, weighted(change, weight, change), dst=total)
        weights += weight
    return now.plate + weighted(total, np.reciprocal(weights), total)


@dataclass(frozen=True)
class _Step:
    """From one frame to the next, in both directions: way, and how far it is seen."""

    on: tuple[Way, Image]
    back: tuple[Way, Image]


def _step(first: View, second: View) -> _Step:
    onto = second.place @ np.vstack([inverse(first.place), [0, 0, 1]])
    grey = luma(first.plate), luma(second.plate)
    steps = [max(1, round(view.unit)) for view in (first, second)]
    on = way(grey[0], grey[1], onto, steps[0])
    back = way(grey[1], grey[0], inverse(onto), steps[1])
    return _Step((on, seen(on, back, slack(first.size))), (back, seen(back, on, slack(second.size))))


def _joined(first: tuple[Way, Image], second: tuple[Way, Image]) -> tuple[Way, Image]:
    """One way after another, and how far both are seen."""
    return along(second[0], first[0]), first[1] * along(second[1], first[0])


def steadied(views: Iterable[View], window: int, decay: float) -> Iterator[Image]:
    """The new faces of consecutive frames, each with those up to ``window`` frames to either side, see `blended`.

    Flow is looked for between frames that follow each other, once in each direction; further ways are chains of these.
    At the ends there are fewer neighbours. Never more than 2 ``window`` + 2 views are held.
    """
    held: deque[View] = deque()
    steps: deque[_Step] = deque()
    start = 0  # how many of those held lie before the one whose turn it is
    source = iter(views)
    while True:
        while len(held) <= start + window and (view := next(source, None)) is not None:
            if held:
                steps.append(_step(held[-1], view))
            held.append(view)
        if start == len(held):
            return
        on = [step.on for step in list(steps)[start : start + window]]
        back = [step.back for step in list(steps)[:start][::-1]]
        others = [
            (held[start + sign * (k + 1)], *reduce(_joined, ways[: k + 1]), k + 1)
            for sign, ways in ((1, on), (-1, back))
            for k in range(len(ways))
        ]
        yield blended(held[start], others, decay)
        if start < window:
            start += 1
        else:
            held.popleft()
            if steps:
                steps.popleft()
