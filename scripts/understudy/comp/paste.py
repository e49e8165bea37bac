"""The finished crop, laid into the frame by difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Convert = Callable[[Image], NDArray]


def same(image: Image) -> Image:
    """The image as it is."""
    return image


def composite(plate: Image, old: Image, new: Image, weight: Image) -> Image:
    """``plate + weight (new - old)``, all in linear light, [h, w, 3] and [h, w]; exact where ``old`` is ``plate``."""
    return plate + weight[..., None] * (new - old)


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
        Display RGB to the plate's type and encoding; the only rounding.
    to_linear, from_linear:
        Between display values and the light in which the difference is taken.

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
    was = to_linear(old[box])
    light = composite(was, was, to_linear(new[box]), weight[box])
    out[box] = np.where(touched[box][..., None], encode(from_linear(light)), plate[box])
    return out
