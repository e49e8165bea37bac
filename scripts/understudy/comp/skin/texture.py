"""Skin texture as band energies, and the filter that brings one skin's to another's.

Bands are differences of Gaussians of display luma. Their limits are stated on a face of 512 pixels, so that a number
means the same on a close-up and on a wide shot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.comp.resample import Image, enlarged, gaussian, reduced

F64 = NDArray[np.float64]

LUMA: Final = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
FACE: Final = 512.0
SIGMAS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Limits of the five bands, in pixels of a face of 512."""
RESOLVED: Final = 0.4
"""Sigma in plate pixels up to which a Gaussian passes all that pixels can hold: a band that ends below it is empty."""
WEIGHTS: Final = (1.0, 2.0, 1.0)
"""Weights of the three finest resolved bands in the texture index."""
FLOOR: Final = (1 / 255) ** 2 / 12
"""Energy of rounding to 8 bit, added to both sides of every ratio: less is not visible, and zero has no logarithm."""
CRISPER: Final = 3.0
"""Excess in dB that is left to features that are a little crisper than the plate's: likeness lives in these bands.
Of twice as much nothing is left (firm shrinkage, Gao and Bruce 1997): that is no likeness, but focus."""
SOFTEST: Final = 2.0
"""Largest defocus that is solved for, in plate pixels."""
HALVINGS: Final = 4
"""Halvings of the span of defocus in which the right one is looked for."""
COARSER: Final = 3.0
"""Sigma in pixels, of what is left to blur, from which a picture is blurred at a reduced size."""


def luma(image: Image) -> Image:
    """Rec. 709 luma [h, w] of display RGB [h, w, 3]."""
    return cv2.transform(image, LUMA)


def extent(points: NDArray[np.floating]) -> float:
    """The longer side, in pixels, of the face's box."""
    return float(np.ptp(points[:, :2], axis=0).max())


def limits(size: float) -> list[float]:
    """Sigmas in plate pixels that bound the resolved bands of a face of ``size`` pixels: 0, then upwards."""
    sigmas = [sigma * size / FACE for sigma in SIGMAS[1:]]
    return [0.0, *(sigma for sigma in sigmas if sigma >= RESOLVED)]


def soft(image: Image, sigma: float) -> Image:
    """`gaussian` of an image [h, w], a wide one at a reduced size: less than one part in 200 away from it."""
    step = int(sigma // COARSER)
    if step < 2:
        return gaussian(image, sigma)
    # What averaging over blocks and reading linearly between them blur: variances of a box and of a triangle.
    blurred = (step * step - 1) / 12 + (step * step - 1) / 6
    small = gaussian(reduced(image, step), float(np.sqrt(sigma * sigma - blurred)) / step)
    return enlarged(small, step, (image.shape[0], image.shape[1]))


def bands(image: Image, sigmas: Sequence[float]) -> list[Image]:
    """Differences of Gaussians of an image [h, w], one fewer than ``sigmas``; with the last blur they add up to it."""
    blurred = [soft(image, sigma) for sigma in sigmas]
    return [fine - coarse for fine, coarse in zip(blurred, blurred[1:], strict=False)]


def energies(image: Image, weight: Image, sigmas: Sequence[float]) -> F64:
    """Mean square of each band of display RGB [h, w, 3], weighted by a matte [h, w]."""
    parts = bands(luma(image), sigmas)
    return products(parts, parts, weight)


def products(some: Sequence[Image], others: Sequence[Image], weight: Image) -> F64:
    """Mean product of the bands [h, w] of two pictures, weighted by a matte [h, w]; of one with itself its energies."""
    total = max(float(weight.sum()), 1e-9)
    return np.array([float((a * b * weight).sum()) / total for a, b in zip(some, others, strict=True)])


def index(result: ArrayLike, plate: ArrayLike, fine: int = len(WEIGHTS)) -> tuple[float, list[float]]:
    """Texture index in dB, and each band's, of energies finest first: negative is too soft, positive over-enhanced.

    The index is the mean of the ``fine`` finest bands, three at most, weighted 1, 2, 1.
    """
    ratio = 10 * np.log10((np.asarray(result, np.float64) + FLOOR) / (np.asarray(plate, np.float64) + FLOOR))
    weights = np.array(WEIGHTS[: min(fine, len(ratio))])
    mean = float(ratio[: len(weights)] @ weights / weights.sum()) if len(ratio) else 0.0
    return mean, ratio.tolist()


def softness(face: ArrayLike, plate: ArrayLike) -> float:
    """How much crisper a face is than the plate, in dB: the fine bands' excess over that of the widest."""
    excess, ratio = index(face, plate)
    return excess - ratio[-1] if len(ratio) > 1 else 0.0


def defocus(faces: Sequence[tuple[Image, Image, float]], target: Sequence[F64], spare: float = CRISPER) -> float:
    """Sigma in plate pixels of the Gaussian that brings faces that are crisper than the plate to its focus.

    A blur tilts the spectrum of edges; a codec, make-up or youth smooths skin and leaves the edges. So this is judged
    on the features alone, against their own widest band (after Elder and Zucker 1998): smooth skin is not defocus.

    Parameters
    ----------
    faces:
        (luma [h, w], matte of eyes, brows and mouth [h, w], extent in pixels) of each sample.
    target:
        Band energies of the plate on the same samples.
    spare:
        Excess in dB that two different faces may have over each other in focus; see `CRISPER`. 0 between pictures of
        the same face.
    """

    def excess(sigma: float) -> float:
        gaps = []
        for (image, weight, size), wanted in zip(faces, target, strict=True):
            parts = bands(gaussian(image, sigma), limits(size))
            own = products(parts, parts, weight)
            gaps.append(softness(own, wanted))
        return float(np.median(gaps))

    low, high = 0.0, SOFTEST
    before = excess(low)
    left = min(max(2 * spare - before, 0.0), spare)
    if before <= left:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > left else (low, middle)
    return (low + high) / 2


def gains(face: ArrayLike, plate: ArrayLike, limits: Sequence[float]) -> list[float]:
    """Amplitude gain of each band that brings the face's energies to the plate's, clamped to ``limits``."""
    ratio = (np.maximum(plate, 0) + FLOOR) / (np.asarray(face, np.float64) + FLOOR)
    found: list[float] = np.clip(np.sqrt(ratio), limits[0], limits[1]).tolist()
    return found


def gained(grey: Image, gains: Sequence[float], size: float) -> Image | None:
    """What band gains add to luma [h, w] of a face of ``size`` pixels; None where they change nothing.

    ``gains`` has one for each band of `SIGMAS` but the widest, which carries form, finest first; those that the face is
    too small for are not used.
    """
    sigmas = limits(size)
    own = gains[len(SIGMAS) - len(sigmas) :]
    if max((abs(gain - 1) for gain in own), default=0) < 0.02:
        return None
    # Bands are differences of blurs, so their weighted sum is one of blurs; equal gains need the two outer ones only.
    shares = np.diff([0.0, *(gain - 1 for gain in own), 0.0])
    added = np.zeros_like(grey)
    for sigma, share in zip(sigmas, shares, strict=False):
        if share:
            added = cv2.scaleAdd(soft(grey, sigma), float(share), added)
    return added


def apply(image: Image, texture: Mapping[str, Any], size: float, where: Image) -> Image:
    """Display RGB [h, w, 3] through a fitted texture filter: a gain per band of luma on the skin.

    ``texture`` has ``gains`` (see `gained`); ``size`` is the face's extent in pixels, ``where`` a matte [h, w] of the
    skin: eyes, brows and mouth keep their contrast.
    """
    added = gained(luma(image), texture["gains"], size)
    if added is None:
        return image
    added *= where
    return cv2.add(image, cv2.merge((added, added, added)))
