"""Sharpening: the overshoot beside strong edges that a camera or a grade leaves, measured and repeated.

Sharpening is taken for an unsharp mask of display luma: x + amount (x - blur of x), of a radius in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.camera.grain import finest
from understudy.comp.resample import Image, gaussian
from understudy.comp.skin.texture import luma

REACH: Final = 9
"""Pixels on either side of an edge that are looked at."""
PLATEAU: Final = 5
"""Distance in pixels from which an edge's two sides are its heights."""
STEEP: Final = 0.93
"""Quantile of the gradient from which an edge is strong."""
HEIGHT: Final = 0.1
"""Least height of an edge, in display values."""
STEP: Final = 0.55
"""Height of an edge as a part of the whole span of its profile: less is a line, not a step."""
MANY: Final = 8000
"""Pixels of strong gradient, of a picture, that are looked at."""
FEWEST: Final = 60
"""Edges below which nothing is told."""
RADII: Final = (0.7, 1.0, 1.5, 2.0, 3.0)
"""Radii in pixels that are told apart."""
BLURS: Final = tuple(0.6 + 0.2 * k for k in range(12))
"""Blurs of edges, sigma in pixels, that are told apart."""
MOST: Final = 2.0
"""Largest amount that is repeated."""
SHOWN: Final = 4.0
"""What a difference of overshoot counts against one of shape: it is what is seen."""
LEAST: Final = 0.04
"""Overshoot, as a part of an edge's height, below which there is none: unsharpened pictures have up to .03."""


def unsharp(image: Image, amount: float, radius: float) -> Image:
    """Display RGB [h, w, 3] sharpened in its luma; itself where ``amount`` is 0."""
    if not amount:
        return image
    grey = luma(image)
    change = np.float32(amount) * (grey - gaussian(grey, radius))
    return cv2.add(image, cv2.merge((change, change, change)))


def profile(samples: Sequence[tuple[Image, Image]]) -> NDArray[np.float64] | None:
    """The typical step across strong edges of display RGB [h, w, 3] under mattes [h, w]: 0 on the dark side, 1 on the
    light, at ``-REACH`` to ``REACH`` pixels of the edge; None where there are too few.
    """
    found = []
    offsets = np.arange(-REACH, REACH + 1, dtype=np.float32)
    for image, weight in samples:
        grey = luma(image)
        soft = gaussian(grey, 1.0)
        x, y = (cv2.Scharr(soft, cv2.CV_32F, *axis) / 32 for axis in ((1, 0), (0, 1)))
        size = np.hypot(x, y)
        inside = weight > 0.5
        inside[:REACH] = inside[-REACH:] = False
        inside[:, :REACH] = inside[:, -REACH:] = False
        if not inside.any():
            continue
        rows, columns = np.nonzero(inside & (size >= np.quantile(size[inside], STEEP)))
        every = -(-len(rows) // MANY)
        rows, columns = rows[::every], columns[::every]
        at = columns[:, None] + x[rows, columns, None] / size[rows, columns, None] * offsets
        down = rows[:, None] + y[rows, columns, None] / size[rows, columns, None] * offsets
        slopes, values = (
            cv2.remap(one, at.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR) for one in (size, grey)
        )
        before, here, after = slopes[:, REACH - 1 : REACH + 2].T
        values = values[(here >= before) & (here > after)].astype(np.float64)
        dark, light = values[:, : REACH - PLATEAU + 1].mean(axis=1), values[:, REACH + PLATEAU :].mean(axis=1)
        height = light - dark
        kept = (height > HEIGHT) & (height > STEP * np.ptp(values, axis=1))
        found.append((values[kept] - dark[kept, None]) / height[kept, None])
    steps = np.concatenate(found) if found else np.empty((0, len(offsets)))
    return np.median(steps, axis=0) if len(steps) >= FEWEST else None


def overshoot(step: NDArray[np.float64]) -> float:
    """How far a `profile` goes beyond its two sides near the edge, as a part of its height; mean of both."""
    near = slice(REACH - PLATEAU + 1, REACH + PLATEAU)
    return float((step[near].max() - 1 - step[near].min()) / 2)


def solve(step: NDArray[np.float64]) -> tuple[float, float]:
    """Amount and radius in pixels of the unsharp mask that a `profile` shows: that of an edge of its own blur, which
    comes nearest in shape and overshoot.

    An edge of blur s is P(x / s), P the normal distribution; sharpened it is that plus amount (P(x / s) - P(x / t)),
    t^2 = s^2 + radius^2.
    """
    x = np.arange(-REACH, REACH + 1)
    amounts = np.linspace(0, MOST, 81)[:, None]

    def edge(blur: float) -> NDArray[np.float64]:
        return np.array([(1 + math.erf(at / (blur * math.sqrt(2)))) / 2 for at in x])

    best, nearest, wanted = (0.0, 0.0), np.inf, overshoot(step)
    for blur in BLURS:
        plain = edge(blur)
        for radius in RADII:
            tried = plain + amounts * (plain - edge(math.hypot(blur, radius)))
            over = np.array([overshoot(one) for one in tried])
            away = np.mean(np.square(tried - step), axis=1) + SHOWN * np.square(over - wanted)
            if away.min() < nearest:
                best, nearest = (float(amounts[away.argmin(), 0]), radius), float(away.min())
    return best


def sharpening(faces: Sequence[tuple[Image, Image, Image]]) -> tuple[float, float]:
    """Amount and radius in pixels of the unsharp mask that gives new faces the plate's overshoot; amount 0 for none.

    What a new face has of the plate's finest detail it has with its overshoot; what it overshoots by itself counts too.

    Parameters
    ----------
    faces:
        (new face, plate, matte): [h, w, 3], [h, w, 3], [h, w]. All of a plate is sharpened, so all of the crop counts.
    """
    wanted = profile([(plate, np.ones_like(matte)) for _, plate, matte in faces])
    if wanted is None or overshoot(wanted) < LEAST:
        return 0.0, 0.0
    amount, radius = solve(wanted)
    own = profile([(face, matte) for face, _, matte in faces])
    has = solve(own)[0] if own is not None and overshoot(own) >= LEAST else 0.0
    # One mask after another multiplies what they do to the finest detail.
    lacking = ((1 + amount) / (1 + has) - 1) * (1 - inherited(faces))
    return (lacking, radius) if lacking > 0.1 else (0.0, 0.0)


def inherited(faces: Sequence[tuple[Image, Image, Image]]) -> float:
    """How much of the plate's finest detail new faces hold, 0..1: a regression under the matte."""
    both = power = 0.0
    for face, plate, matte in faces:
        new, old = (finest(luma(image)) for image in (face, plate))
        both += float(np.sum(new * old * matte))
        power += float(np.sum(old * old * matte))
    return float(np.clip(both / max(power, 1e-12), 0, 1))
