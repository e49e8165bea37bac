"""Motion blur: what a shutter does to a face that moves, measured on the plate and repeated on the new face.

A motion is a similarity [2, 3] in pixels, centres at .5: where a point of the face goes from the beginning of a frame's
time to its end, the frame in its middle. A shutter is the part of that time for which it is open, 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, gaussian
from understudy.comp.skin.texture import luma

Matrix = NDArray[np.float64]

LEAST: Final = 0.5
"""Way in pixels, with the shutter open, below which nothing is blurred."""
APART: Final = 0.8
"""Most pixels from one moment's place of the face to the next's."""
FINE: Final = (1.0, 2.0)
"""Sigmas in pixels of the two blurs between which gradients lose energy."""
TELLING: Final = 2.0
"""Way in pixels, with the shutter open as far as it may, from which a frame can tell the shutter."""
MOVING: Final = 3
"""Frames, those of the longest way, that are asked."""
SLOWER: Final = 0.7
"""Way, as a part of a moving frame's, up to which the slowest frame is sharp enough to measure that against."""
NODES: Final = 3
"""Shutters, besides a closed one, on which a face is tried; between them the answer is read off."""
CLOSED: Final = 1.0
"""Way in pixels, in the shutter found, below which it is taken for closed: a measurement errs by about as much."""


def part(motion: Matrix, share: float) -> Matrix:
    """The motion [2, 3] in a share of its time: a power of it, so that a turn stays on its arc."""
    turn, shift = complex(motion[0, 0], motion[1, 0]), complex(motion[0, 2], motion[1, 2])
    turned = turn**share
    moved = shift * (share if abs(turn - 1) < 1e-9 else (turned - 1) / (turn - 1))
    return np.array([[turned.real, -turned.imag, moved.real], [turned.imag, turned.real, moved.imag]])


def seen_from(motion: Matrix, corner: tuple[float, float]) -> Matrix:
    """The same motion in the pixels of a box whose upper left corner is at (x, y)."""
    moved = motion.copy()
    moved[:, 2] += motion[:, :2] @ corner - np.asarray(corner)
    return moved


def way(motion: Matrix, points: NDArray[np.floating]) -> float:
    """The longest way of any of the points [n, 2 or 3] during the motion, in pixels."""
    flat = np.asarray(points, np.float64)[:, :2]
    return float(np.linalg.norm(flat @ motion[:, :2].T + motion[:, 2] - flat, axis=1).max())


def blurred(image: Image, motion: Matrix, shutter: float, points: NDArray[np.floating]) -> Image:
    """An image [h, w, 3] through an open shutter: the mean of what is seen at moments spread over its time.

    The moments are `APART` pixels apart where the face moves most, and a turn blurs as a turn does. They are made by
    doubling, for what is seen at twice as many moments is that at the first half and the same moved on. The image
    itself where the face moves less than `LEAST`.
    """
    length = shutter * way(motion, points)
    if length < LEAST:
        return image
    doublings = max(1, int(np.ceil(np.log2(length / APART))))
    step = shutter / 2**doublings
    seen = _moved(image, part(motion, (step - shutter) / 2))
    for k in range(doublings):
        seen = cv2.addWeighted(seen, 0.5, _moved(seen, part(motion, step * 2**k)), 0.5, 0)
    return seen


def _moved(image: Image, motion: Matrix) -> Image:
    """An image [h, w, 3] after a motion; what comes in from outside repeats its edge."""
    m = motion.copy()
    m[:, 2] += m[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(
        image, m, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def direction(image: Image, weight: Image, motion: Matrix) -> float:
    """How much softer an image [h, w, 3] is along a motion than across it, under a matte; grows less with blur.

    The log of how much of the gradients' energy along the motion a further blur takes away, less that across it: where
    the face moves most counts most. A scale's loss at an edge tells the edge's own blur (Elder and Zucker 1998); the
    difference between the two directions leaves out defocus, and most of what makes one face differ from another.
    """
    grey = luma(image)
    height, width = grey.shape
    across, down = np.arange(width, dtype=np.float32) + 0.5, (np.arange(height, dtype=np.float32) + 0.5)[:, None]
    m = motion.astype(np.float32)
    u = (m[0, 0] - 1) * across + m[0, 1] * down + m[0, 2]
    v = m[1, 0] * across + (m[1, 1] - 1) * down + m[1, 2]
    energies = []
    for sigma in FINE:
        soft = gaussian(grey, sigma)
        x, y = (cv2.Scharr(soft, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
        energies.append([float(np.sum(weight * np.square(part))) + 1e-9 for part in (x * u + y * v, x * v - y * u)])
    (along, beside), (along_soft, beside_soft) = energies
    return float(np.log(along / along_soft) - np.log(beside / beside_soft))


@dataclass(frozen=True)
class Seen:
    """A face on a frame: display RGB [h, w, 3], its matte [h, w], its motion [2, 3] and its points [n, 2 or 3]."""

    image: Image
    matte: Image
    motion: Matrix
    points: NDArray[np.floating]

    @property
    def way(self) -> float:
        """The longest way of any point during the frame, in pixels."""
        return way(self.motion, self.points)


def open_for(blurry: Seen, sharp: Seen, most: float) -> float:
    """The shutter, up to ``most``, through which a sharp face must be seen to be as soft along a motion as a blurry."""
    apart = (blurry.points.mean(axis=0) - sharp.points.mean(axis=0))[:2]
    motion = seen_from(blurry.motion, (float(apart[0]), float(apart[1])))
    tried = most * np.arange(NODES + 1) / NODES
    seen = [
        direction(blurred(sharp.image, motion, float(one), sharp.points), sharp.matte, motion) for one in tried
    ]
    # A longer shutter cannot leave more along the motion; where it seems to, noise speaks.
    falling = np.minimum.accumulate(seen)
    return float(np.interp(-direction(blurry.image, blurry.matte, blurry.motion), -falling, tried))


def shutter(plates: Sequence[Seen], faces: Sequence[Seen], most: float) -> float:
    """The shutter through which new faces must be seen to be blurred along their motion as the plate is.

    A box of length L has the variance L^2 / 12, and variances add: the result is the root of the plate's square less
    the square of what the new face has inherited. 0 where the face lacks none (a closed shutter, a network that saw the
    blurred plate). Each is measured against itself on the frame where it moves least, for two people's features differ
    in direction as much as a blur makes them; where it never moves less, nothing is known, and 0.

    Parameters
    ----------
    plates, faces:
        The same frames, before and after.
    most:
        Largest shutter that may be found.
    """
    order = sorted(range(len(plates)), key=lambda k: -plates[k].way)
    slowest = plates[order[-1]].way if order else 0.0
    fast = [k for k in order[:MOVING] if plates[k].way >= max(TELLING / max(most, 1e-9), slowest / SLOWER)]
    if not fast:
        return 0.0
    rest = order[-1]
    squares = []
    for k in fast:
        own, inherited = (open_for(row[k], row[rest], most) ** 2 for row in (plates, faces))
        # The slowest frame has its own part of the blur.
        squares.append((own - inherited) / (1 - (slowest / plates[k].way) ** 2))
    found = min(float(np.sqrt(max(float(np.median(squares)), 0.0))), most)
    return found if found * float(np.median([plates[k].way for k in fast])) >= CLOSED else 0.0
