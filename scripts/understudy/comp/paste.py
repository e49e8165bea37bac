"""The finished crop, laid into the frame by difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from understudy.arrays import put

Image = NDArray[np.float32]
Convert = Callable[[Image], NDArray]


def same(image: Image) -> Image:
    """The image as it is."""
    return image


def paste(
    plate: NDArray,
    old: Image,
    new: Image,
    weight: Image,
    encode: Convert,
    *,
    to_linear: Convert = same,
    from_linear: Convert = same,
) -> NDArray:
    """Lay a finished crop over the plate's own pixels.

    Parameters
    ----------
    plate:
        The region in the plate's own type and encoding, [h, w, 3].
    old, new:
        The region as it was and as it should be: float32 display RGB.
    weight:
        Matte float32 [h, w].
    encode:
        Display RGB to the plate's type and encoding, as a new array without gaps; the only rounding.
    to_linear, from_linear:
        Between display values and the light in which the difference is taken; `same` for ``from_linear`` where
        the plate is encoded as linear light.

    Returns
    -------
    A new array like ``plate``; where the weight is 0 its bits are the plate's.
    """
    touched = weight > 0
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    out = plate.copy()
    if not len(rows):
        return out
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    was, now, part = old[box], new[box], weight[box]
    # Where the weight is 1 the result is the new value, without the cost of a way to light and back.
    mixed = np.flatnonzero(touched[box] if from_linear is same else (part > 0) & (part < 1))
    pixels = encode(now)
    before, after = (np.take(image.reshape(-1, 3), mixed, axis=0) for image in (was, now))
    light = to_linear(before)
    light += np.take(part, mixed)[:, None] * (to_linear(after) - light)
    pixels.reshape(-1, 3)[mixed] = encode(from_linear(light))
    put(out[box], pixels, touched[box])
    return out
