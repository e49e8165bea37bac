"""Skin texture as band energies, and the filter that brings one skin's to another's.

Bands are differences of Gaussians of display luma. Their limits are stated on a face of 512 pixels, so that a number
means the same on a close-up and on a wide shot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.comp.resample import Image, gaussian

F64 = NDArray[np.float64]

FACE: Final = 512.0
SIGMAS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Limits of the five bands, in pixels of a face of 512."""
RESOLVED: Final = 0.4
"""Sigma in plate pixels up to which a Gaussian passes all that pixels can hold: a band that ends below it is empty."""
GAIN: Final = (0.5, 1.6)
"""Least and largest gain of a band: more would draw pores that are not there, or wax."""
WEIGHTS: Final = (1.0, 2.0, 1.0)
"""Weights of the three finest resolved bands in the texture index."""
FLOOR: Final = (1 / 255) ** 2 / 12
"""Energy of rounding to 8 bit, added to both sides of every ratio: less is not visible, and zero has no logarithm."""
CRISPER: Final = 1.5
"""Excess in dB that is left to a face that is crisper than the plate: its likeness lives in these bands."""
SOFTEST: Final = 4.0
"""Largest defocus that is solved for, in plate pixels."""


def luma(image: Image) -> Image:
    """Rec. 709 luma [h, w] of display RGB [h, w, 3]."""
    return image @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def extent(points: NDArray[np.floating]) -> float:
    """The longer side, in pixels, of the face's box."""
    return float(np.ptp(points[:, :2], axis=0).max())


def limits(size: float) -> list[float]:
    """Sigmas in plate pixels that bound the resolved bands of a face of ``size`` pixels: 0, then upwards."""
    sigmas = [sigma * size / FACE for sigma in SIGMAS[1:]]
    return [0.0, *(sigma for sigma in sigmas if sigma >= RESOLVED)]


def bands(image: Image, sigmas: Sequence[float]) -> list[Image]:
    """Differences of Gaussians of an image [h, w], one fewer than ``sigmas``; with the last blur they add up to it."""
    blurred = [gaussian(image, sigma) for sigma in sigmas]
    return [fine - coarse for fine, coarse in zip(blurred, blurred[1:], strict=False)]


def energies(image: Image, weight: Image, sigmas: Sequence[float]) -> F64:
    """Mean square of each band of display RGB [h, w, 3], weighted by a matte [h, w]."""
    total = max(float(weight.sum()), 1e-9)
    return np.array([float((band * band * weight).sum()) / total for band in bands(luma(image), sigmas)])


def index(result: ArrayLike, plate: ArrayLike) -> tuple[float, list[float]]:
    """Texture index in dB, and each band's, of energies finest first: negative is too soft, positive over-enhanced.

    The index is the mean of the three finest bands, weighted 1, 2, 1.
    """
    ratio = 10 * np.log10((np.asarray(result, np.float64) + FLOOR) / (np.asarray(plate, np.float64) + FLOOR))
    weights = np.array(WEIGHTS[: len(ratio)])
    mean = float(ratio[: len(weights)] @ weights / weights.sum()) if len(ratio) else 0.0
    return mean, ratio.tolist()


def softness(face: ArrayLike, plate: ArrayLike) -> float:
    """How much crisper a face is than the plate, in dB: the fine bands' excess over that of the widest."""
    excess, ratio = index(face, plate)
    return excess - ratio[-1] if len(ratio) > 1 else 0.0


def defocus(faces: Sequence[tuple[Image, Image, float]], target: Sequence[F64]) -> float:
    """Sigma in plate pixels of the Gaussian that leaves the faces crisper than the plate by no more than `CRISPER`.

    A blur tilts the spectrum, a codec or make-up that smooths skin does not tilt that of eyes and brows: so this is
    judged on the whole face, against its own widest band (after Elder and Zucker 1998).

    Parameters
    ----------
    faces:
        (luma [h, w], matte [h, w], extent in pixels) of each sample.
    target:
        Band energies of the plate on the same samples.
    """
    tried = np.concatenate([[0.0], np.geomspace(0.35, SOFTEST, 12)])
    excess = np.zeros(len(tried))
    for k, sigma in enumerate(tried):
        gaps = []
        for (image, weight, size), wanted in zip(faces, target, strict=True):
            soft = bands(gaussian(image, float(sigma)), limits(size))
            total = max(float(weight.sum()), 1e-9)
            gaps.append(
                softness([float((band * band * weight).sum()) / total for band in soft], wanted) - CRISPER
            )
        excess[k] = np.median(gaps)
    enough = np.flatnonzero(excess <= 0)
    if not len(enough):
        return float(tried[-1])
    j = int(enough[0])
    if j == 0:
        return 0.0
    share = excess[j - 1] / (excess[j - 1] - excess[j])
    return float(tried[j - 1] + share * (tried[j] - tried[j - 1]))


def gains(face: ArrayLike, plate: ArrayLike) -> list[float]:
    """Amplitude gain of each band that brings the face's energies to the plate's, clamped to `GAIN`."""
    ratio = (np.asarray(plate, np.float64) + FLOOR) / (np.asarray(face, np.float64) + FLOOR)
    return np.clip(np.sqrt(ratio), *GAIN).tolist()


def apply(image: Image, texture: Mapping[str, Any], size: float, where: Image) -> Image:
    """Display RGB [h, w, 3] through a fitted texture filter: defocus, then a gain per band of luma on the skin.

    ``texture`` has ``sigma`` in plate pixels and ``gains``, coarsest band last, as many as there are bands in `SIGMAS`;
    ``size`` is the face's extent in pixels, ``where`` a matte [h, w] of the skin: eyes,
    brows and mouth keep their contrast.
    """
    soft = gaussian(image, texture["sigma"])
    sigmas = limits(size)
    own = texture["gains"][len(SIGMAS) - len(sigmas) :]
    # The widest band carries form, not texture.
    keep = len(own) - 1
    if keep < 1 or max(abs(gain - 1) for gain in own[:keep]) < 0.02:
        return soft
    parts = bands(luma(soft), sigmas[: keep + 1])
    added = sum((np.float32(gain - 1) * part for gain, part in zip(own, parts, strict=False)), np.float32(0))
    return soft + (np.asarray(added, np.float32) * where)[..., None]
