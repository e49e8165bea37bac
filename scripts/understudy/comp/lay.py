"""Between the crop of a plate and the page that a network works on: taken without aliasing, laid back by difference.

A page is a square (or any rectangle) that a transform [2, 3] cuts out of a crop: pixels of the crop to pixels of the
page, pixel centres at .5. Images are float32 display RGB [h, w, 3], mattes float32 [h, w].
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, gaussian, warp

Matrix = NDArray[np.float64]
Box = tuple[slice, slice]

DETAIL: Final = 3.0
"""Sigma, in pixels of the page, below which a change is one of detail and not of colour or light."""
REDRAWN: Final = 0.03
"""Change of detail (display values, rms) at which what is finer than a page fades away under it to a third."""


def take(crop: Image, transform: Matrix, size: int | tuple[int, int]) -> Image:
    """The page of a crop, [h, w(, 3)]: Lanczos-4 behind a low-pass, so that a close-up may shrink as far as it must.

    ``size`` is the page's side, or its width and height. Beyond the crop its edge is repeated.
    """
    width, height = (size, size) if isinstance(size, int) else size
    return warp(crop, transform, (width, height))


def lay(crop: Image, page: Image, transform: Matrix, matte: Image) -> tuple[Image, Image]:
    """A page that a network changed, and its matte, at the crop's own pixels.

    What is laid is the difference to `take` of the crop: where the network changed nothing, nothing is resampled, and
    what it only tinted keeps the pores and the grain that a coarse page has no room for. Where it drew something else,
    the plate's finest edges go: they are the outlines of what is no longer there, and would show as a ghost (the rims
    of glasses on a face without).

    Parameters
    ----------
    page:
        [h, w, 3] as `take` cut it with ``transform``, changed.
    matte:
        [h, w] of the page.

    Returns
    -------
    Face [H, W, 3] and matte [H, W] of the crop's size; where the page is the crop, the page's own arrays. Outside the
    page the face is the crop's bits and the matte 0; a page that equals `take` of the crop gives the crop's bits
    everywhere.
    """
    if _whole(page, transform, crop.shape):
        return page, matte
    height, width = page.shape[:2]
    face, laid = crop.copy(), np.zeros(crop.shape[:2], np.float32)
    box, inside = covered(transform, (height, width), crop.shape[:2])
    if not inside.size:
        return face, laid
    old = take(crop, transform, (width, height))
    change = page - old
    laid_change = _back(change, transform, box, cv2.INTER_LANCZOS4)
    if abs(np.linalg.det(transform[:, :2])) < 1:
        finer = crop[box] - _back(old, transform, box, cv2.INTER_LANCZOS4)
        laid_change -= _back(redrawn(change), transform, box, cv2.INTER_LINEAR)[..., None] * finer
    face[box] += laid_change * inside[..., None]
    laid[box] = np.clip(_back(matte, transform, box, cv2.INTER_LINEAR), 0, 1) * inside
    return face, laid


def add(face: Image, change: Image, transform: Matrix) -> Image:
    """A face [H, W, 3] at a crop's pixels with the change of a page [h, w, 3] added where the page lies."""
    added = face.copy()
    box, inside = covered(transform, change.shape[:2], face.shape[:2])
    if inside.size:
        added[box] += _back(change, transform, box, cv2.INTER_LANCZOS4) * inside[..., None]
    return added


def redrawn(change: Image) -> Image:
    """How far a page's change [h, w, 3] is one of what is drawn there, 0 to 1, [h, w]; exactly 0 where there is none.

    1 - exp(-(d / `REDRAWN`)^2), d the change's local strength above the frequencies of `DETAIL`.
    """
    detail = change - gaussian(change, DETAIL)
    power = gaussian(np.max(detail**2, axis=2), DETAIL)
    return -np.expm1(-power / np.float32(REDRAWN**2))


def back(matte: Image, transform: Matrix, shape: tuple[int, int]) -> Image:
    """A page's matte [h, w] at a crop's pixels, float32 of ``shape`` (H, W); 0 outside the page."""
    if _whole(matte, transform, shape):
        return matte
    laid = np.zeros(shape, np.float32)
    box, inside = covered(transform, matte.shape[:2], shape)
    if inside.size:
        laid[box] = np.clip(_back(matte, transform, box, cv2.INTER_LINEAR), 0, 1) * inside
    return laid


def covered(
    transform: Matrix, page: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[Box, NDArray[np.bool_]]:
    """The box of a crop (H, W) that a page (h, w) lies in, and which of its pixels have their centre on the page."""
    m = np.asarray(transform, np.float64)
    corners = np.array([[0, 0], [page[1], 0], [page[1], page[0]], [0, page[0]]])
    corners = (corners - m[:, 2]) @ np.linalg.inv(m[:, :2]).T
    limit = np.array(shape[1::-1])
    x0, y0 = np.clip(np.floor(corners.min(axis=0)), 0, limit).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)), 0, limit).astype(int)
    x, y = np.arange(x0, x1) + 0.5, np.arange(y0, y1)[:, None] + 0.5
    inside = np.ones((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
    for row, length in zip(m, page[1::-1], strict=True):
        at = row[0] * x + row[1] * y + row[2]
        inside &= (at >= 0) & (at <= length)
    return (slice(y0, y1), slice(x0, x1)), inside


def _whole(page: Image, transform: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether a page is its crop, pixel for pixel."""
    return page.shape == shape and np.array_equal(transform, np.eye(2, 3))


def _back(image: Image, transform: Matrix, box: Box, interpolation: int) -> Image:
    """A page's image at the pixels of a box of the crop."""
    inverse = cv2.invertAffineTransform(np.asarray(transform, np.float64))
    rows, columns = box
    inverse[:, 2] -= columns.start, rows.start
    size = columns.stop - columns.start, rows.stop - rows.start
    return warp(np.ascontiguousarray(image), inverse, size, interpolation)
