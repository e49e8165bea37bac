"""Geometric resampling without aliasing, and wide blurs that cost the same at any size.

Images are float32 [h, w] or [h, w, 3]; coordinates have pixel centres at .5.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.float32]


def shrink_sigma(scale: float) -> float:
    """Sigma in source pixels of the prefilter for a scale s (target over source pixels).

    .5 sqrt(1 / s^2 - 1), 0 from s = 1 up.

    Source and target pixel are taken as Gaussians of sigma .5, so the difference of their variances is left to blur
    (Greene and Heckbert 1986).
    """
    return 0.5 * float(np.sqrt(1 / scale**2 - 1)) if scale < 1 else 0.0


def gaussian(image: Image, sigma: float | tuple[float, float]) -> Image:
    """Gaussian blur with repeated edges; ``sigma`` in pixels, one or (x, y); below .05 the axis is left alone."""
    sx, sy = (sigma, sigma) if isinstance(sigma, int | float) else sigma
    if max(sx, sy) < 0.05:
        return image
    return cv2.GaussianBlur(
        image, (0, 0), max(sx, 0.05), sigmaY=max(sy, 0.05), borderType=cv2.BORDER_REPLICATE
    )


def warp(
    image: Image, matrix: ArrayLike, size: tuple[int, int], interpolation: int = cv2.INTER_LANCZOS4
) -> Image:
    """Resample through a 2x3 matrix that maps source to target pixels.

    Parameters
    ----------
    size:
        Width and height of the result.
    interpolation:
        OpenCV's; linear for a matte, where nothing may ring.

    Returns
    -------
    float32 [height, width(, 3)], after a Gaussian prefilter along each source axis that is shrunk. Beyond the source
    its edge is repeated.
    """
    m = np.asarray(matrix, np.float64)
    back = np.linalg.inv(m[:, :2])
    # Variance a target pixel covers on the source, less what a source pixel has already.
    sx, sy = 0.5 * np.sqrt(np.maximum(np.sum(back**2, axis=1) - 1, 0))
    shift = m[:, 2] + m[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(
        gaussian(image, (float(sx), float(sy))),
        np.column_stack([m[:, :2], shift]),
        size,
        flags=interpolation,
        borderMode=cv2.BORDER_REPLICATE,
    )


def weighted(image: Image, weight: Image, into: Image | None = None) -> Image:
    """An image [h, w, 3] times a matte [h, w], left in ``into`` if given; three times as fast as by broadcasting."""
    return cv2.multiply(image, cv2.merge((weight, weight, weight)), dst=into)


def reduced(image: Image, step: int) -> Image:
    """Mean over blocks of ``step`` x ``step`` pixels; where the last ones stick out, the edge is repeated."""
    h, w = image.shape[:2]
    made = np.empty((-(-h // step), -(-w // step), *image.shape[2:]), np.float32)
    # What sticks out is done on its own: to lay an edge around the whole would be to copy it.
    for rows in _whole_and_rest(h, step):
        for columns in _whole_and_rest(w, step):
            part = image[rows, columns]
            below, beside = -part.shape[0] % step, -part.shape[1] % step
            if below or beside:
                part = cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REPLICATE)
            y, x, size = rows.start // step, columns.start // step, (part.shape[1] // step, part.shape[0] // step)
            made[y : y + size[1], x : x + size[0]] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return made


def _whole_and_rest(length: int, step: int) -> list[slice]:
    """The part of a side that whole blocks take, and what is left of it."""
    whole = length // step * step
    return [side for side in (slice(0, whole), slice(whole, length)) if side.stop > side.start]


def enlarged(image: Image, step: int, shape: tuple[int, int]) -> Image:
    """The inverse of `reduced` for a smooth image: linear between the blocks' centres, cut to ``shape`` (h, w)."""
    if step == 1:
        return image[: shape[0], : shape[1]]
    size = (image.shape[1] * step, image.shape[0] * step)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
