"""Laplacian pyramid in float (Burt and Adelson 1983)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def gaussian_pyramid(image: Image, levels: int) -> list[Image]:
    """The image and ``levels`` halvings of it, fine to coarse."""
    found = [image]
    for _ in range(levels):
        found.append(cv2.pyrDown(found[-1]))
    return found


def expand(image: Image, like: Image) -> Image:
    """One level up, to the size of ``like``."""
    return cv2.pyrUp(image, dstsize=(like.shape[1], like.shape[0]))


def laplacian_pyramid(image: Image, levels: int) -> list[Image]:
    """``levels`` bands, fine to coarse, and the rest: `collapse` gives the image back."""
    gauss = gaussian_pyramid(image, levels)
    found = []
    for fine, coarse in zip(gauss, gauss[1:], strict=False):
        band = expand(coarse, fine)
        found.append(cv2.subtract(fine, band, dst=band))
    return [*found, gauss[-1]]


def collapse(bands: Sequence[Image]) -> Image:
    """Sum of a Laplacian pyramid."""
    whole = bands[-1]
    for band in reversed(bands[:-1]):
        whole = expand(whole, band)
        cv2.add(whole, band, dst=whole)
    return whole
