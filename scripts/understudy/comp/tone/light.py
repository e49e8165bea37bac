"""The plate's light, laid over the new face: a ratio of low frequencies (quotient image, Riklin-Raviv and
Shashua 2001)."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from understudy.comp.resample import Image, enlarged, gaussian, reduced

SIGMA: Final = 0.8
"""Blur in IOD: so wide that eye sockets, nose and beard of the performer are not laid over the talent as light."""
LIMITS: Final = (0.45, 2.2)
"""Least and largest ratio."""
FLOOR: Final = 0.03
"""Added to both sides of the ratio: dark and negative values stay finite and quiet."""
REACH: Final = 1e-3
"""Weight that the whole crop has beside the skin: far from any skin the ratio tends to the crop's own mean."""


def ratio(face: Image, plate: Image, weight: Image, step: int, unit: float) -> Image:
    """Plate's light over the face's, a value per block and channel [rows, columns, 3].

    Parameters
    ----------
    face, plate:
        Display RGB [h, w, 3].
    weight:
        Matte of the skin that counts (no eyes, brows, mouth, background), a value per block of ``step``
        pixels: the blur
        is a normalised convolution (Knutsson and Westin 1993), so nothing else leaks in.
    unit:
        IOD in pixels.
    """
    w = weight[..., None]
    if float(w.max()) < 0.05:
        return np.ones((*weight.shape, 3), np.float32)
    sigma = SIGMA * unit / step
    both = np.concatenate([np.maximum(reduced(image, step), 0) for image in (plate, face)], axis=2)
    mean = (both * w).sum(axis=(0, 1)) / w.sum()
    near = gaussian(w, sigma)[..., None] + np.float32(REACH)
    low = np.stack([gaussian(np.ascontiguousarray(both[..., k : k + 3] * w), sigma) for k in (0, 3)])
    low = (low + np.float32(REACH) * mean.reshape(2, 1, 1, 3)) / near
    return np.clip((low[0] + FLOOR) / (low[1] + FLOOR), *LIMITS).astype(np.float32)


def relight(face: Image, plate: Image, weight: Image, step: int, unit: float, strength: float) -> Image:
    """The new face in the plate's light; ``strength`` 0 leaves it, 1 takes all of it. See `ratio`."""
    if strength <= 0:
        return face
    gain = 1 + np.float32(strength) * (ratio(face, plate, weight, step, unit) - 1)
    return cv2.multiply(face, enlarged(gain, step, face.shape[:2]))
