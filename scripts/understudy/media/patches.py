"""What was changed of a frame: boxes of finished pixels, and how far each pixel was changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from understudy.arrays import put

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels of the frame, right and bottom exclusive."""


@dataclass(frozen=True)
class Patch:
    """A box of finished pixels.

    Attributes
    ----------
    pixels:
        [h, w, 3] in the plate's type and encoding.
    weight:
        uint16 [h, w]; where it is 0, the plate's own pixel stands.
    """

    box: Box
    pixels: np.ndarray
    weight: np.ndarray


def lay(canvas: np.ndarray, corner: tuple[int, int], patches: Iterable[Patch]) -> None:
    """Lay the changed pixels of patches, in their order, over a part of their frame.

    Parameters
    ----------
    canvas:
        [h, w, 3 or more] in the plate's type, changed in place; only its first three channels are.
    corner:
        x and y of the canvas in the frame.
    """
    for patch in patches:
        there, here = _common(canvas, corner, patch)
        put(canvas[there][..., :3], patch.pixels[here], patch.weight[here] > 0)


def lay_weight(canvas: np.ndarray, corner: tuple[int, int], patches: Iterable[Patch]) -> None:
    """Raise a uint16 canvas [h, w] to the patches' weights, in place."""
    for patch in patches:
        there, here = _common(canvas, corner, patch)
        np.maximum(canvas[there], patch.weight[here], out=canvas[there])


def _common(
    canvas: np.ndarray, corner: tuple[int, int], patch: Patch
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """What a canvas and a patch have in common, in rows and columns of each; nothing where they lie apart."""
    (left, top), (x0, y0, x1, y1) = corner, patch.box
    low_x, low_y = max(x0, left), max(y0, top)
    high_x = max(low_x, min(x1, left + canvas.shape[1]))
    high_y = max(low_y, min(y1, top + canvas.shape[0]))
    there = slice(low_y - top, high_y - top), slice(low_x - left, high_x - left)
    return there, (slice(low_y - y0, high_y - y0), slice(low_x - x0, high_x - x0))
