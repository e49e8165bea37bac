"""Edges of mattes that are no polygons: moved by sub-pixel distances, or laid onto the edges of the plate.

Mattes are float32 [h, w], 0..1; an edge is where they pass .5. Distances are in pixels.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, gaussian

SMOOTH: Final = 0.7
"""Sigma, in pixels, of the blur behind which a contour is looked for."""
ALONG: Final = 0.7
"""How far along its edge a pixel of a contour speaks, in pixels: half a diagonal."""
EPSILON: Final = 1e-4
"""Variance of the guide under which an area counts as flat, in squared display values."""


def signed_distance(matte: Image, reach: float = np.inf) -> Image:
    """Distance of every pixel centre to the matte's .5 contour, positive inside, float32 [h, w].

    Each pixel beside the contour knows its place to a fraction of a pixel (interpolation along the steeper axis)
    and its direction (the gradient). Every other pixel takes the nearest of these from a distance transform, and
    measures to its piece of the contour; more than ``reach`` pixels away, the transform's own word is enough. The
    image's border is no edge; without any edge, all is as far away as the picture is large.
    """
    f = gaussian(np.clip(matte, 0, 1), SMOOTH) - np.float32(0.5)
    inside = f > 0
    beside = np.zeros(f.shape, bool)
    for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        crossed = inside[a] != inside[b]
        beside[a] |= crossed
        beside[b] |= crossed
    far = np.float32(np.hypot(*f.shape))
    if not beside.any():
        return np.where(inside, far, -far)
    rows, columns = np.nonzero(beside)
    gap, nx, ny = _contour(f, rows, columns)
    rough, labels = cv2.distanceTransformWithLabels(
        (~beside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # A pixel of the contour carries its own label.
    owner = np.zeros(labels.max() + 1, np.intp)
    owner[labels[rows, columns]] = np.arange(len(rows))
    # The contour lies up to a pixel beside the pixels that the transform measures to.
    y, x = np.nonzero(rough <= reach + 1)
    nearest = owner[labels[y, x]]
    dx, dy = (x - columns[nearest]).astype(np.float32), (y - rows[nearest]).astype(np.float32)
    nx, ny = nx[nearest], ny[nearest]
    across = dx * nx + dy * ny + gap[nearest]
    beyond = np.maximum(np.abs(dx * ny - dy * nx) - np.float32(ALONG), 0)
    rough[y, x] = np.hypot(across, beyond)
    return np.where(inside, rough, -rough)


def _contour(f: Image, rows: np.ndarray, columns: np.ndarray) -> tuple[Image, Image, Image]:
    """Signed distance of pixels beside the contour to it, and its normal (x, y; to the inside), each float32 [n]."""
    padded = cv2.copyMakeBorder(f, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    r, c = rows + 1, columns + 1
    here = padded[r, c]
    gx = (padded[r, c + 1] - padded[r, c - 1]) / 2
    gy = (padded[r + 1, c] - padded[r - 1, c]) / 2
    steep = np.maximum(np.hypot(gx, gy), np.float32(1e-6))
    nx, ny = gx / steep, gy / steep
    lying = np.abs(gx) >= np.abs(gy)
    # One step along the steeper axis, towards the contour.
    sense = np.where(here > 0, -1, 1) * np.where(np.where(lying, gx, gy) < 0, -1, 1)
    there = padded[r + np.where(lying, 0, sense), c + np.where(lying, sense, 0)]
    crossed = (there > 0) != (here > 0)
    # Blurred edges are near to logistic curves, of which the logit is a straight line.
    start, end = _logit(here), _logit(there)
    share = np.where(crossed, start / np.where(crossed, start - end, 1), 1)
    along = np.where(lying, np.abs(nx), np.abs(ny))
    gap = np.where(crossed, share * along, np.minimum(np.abs(here) / steep, 1))
    return (np.sign(here) * gap).astype(np.float32), nx, ny


def _logit(f: Image) -> Image:
    """Logit of .5 + f, its ends cut off."""
    v = np.clip(f + np.float32(0.5), np.float32(1e-3), np.float32(1 - 1e-3))
    return np.log(v / (1 - v))


def guided(matte: Image, guide: Image, radius: float) -> Image:
    """A matte whose edges lie where the guide has edges, float32 [h, w].

    The guided filter (He, Sun and Tang, ECCV 2010): in every window the matte is the guide times a factor plus an
    offset, by least squares with the factor held back by `EPSILON`; each pixel is the mean of what its windows say.
    Windows at the picture's border are smaller.

    Parameters
    ----------
    guide:
        The plate's luma [h, w], display values.
    radius:
        Half the window's side, in pixels.
    """
    size = (2 * max(1, round(radius)) + 1,) * 2
    count = cv2.boxFilter(np.ones_like(guide), -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)

    def mean(image: NDArray[np.floating]) -> Image:
        return cv2.boxFilter(image, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT) / count

    # Around its own mean the guide's squares keep their digits in single precision.
    guide = np.subtract(guide, guide.mean(), dtype=np.float32)
    middle, level = mean(guide), mean(matte)
    factor = (mean(guide * matte) - middle * level) / (mean(guide * guide) - middle * middle + np.float32(EPSILON))
    offset = level - factor * middle
    return np.clip(mean(factor) * guide + mean(offset), 0, 1)
