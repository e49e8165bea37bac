"""What every room does with arrays of pixels."""

from __future__ import annotations

import numpy as np


def put(canvas: np.ndarray, pixels: np.ndarray, where: np.ndarray) -> None:
    """Copy whole pixels into a canvas, in place.

    Parameters
    ----------
    canvas, pixels:
        [h, w, c] of one type, pixels of each without gaps.
    where:
        bool [h, w]: which pixels. As one value each they are copied twenty times as fast as channel by channel.
    """
    whole = np.dtype((np.void, canvas.dtype.itemsize * canvas.shape[2]))
    np.copyto(canvas.view(whole)[..., 0], pixels.view(whole)[..., 0], where=where)


def rise(t: np.ndarray) -> np.ndarray:
    """From 0 at 0 to 1 at 1, cubic, with slope zero at both ends and level beyond them."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
