"""Blends that keep more of the plate, or of the face's own colour, than those of `blend`, in float.

Both give the face [h, w, 3] that is to be laid over the plate where the matte is.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.pyramid import collapse, gaussian_pyramid, laplacian_pyramid
from understudy.comp.resample import Image, weighted
from understudy.comp.skin.texture import soft

REACH: Final = 0.1
"""How far from the matte's edge, in IOD, a screened blend's correction has fallen to 1/e: hair and collar lie there."""
KEPT: Final = 2
"""Coarsest levels, the rest among them, that a light-preserving blend takes from the plate."""
WIDER: Final = 4
"""How many times as wide as `blend.multiband`'s its coarsest level is: light is coarser than what makes a face."""
CONTRAST: Final = (0.8, 1.25)
"""Least and largest gain of a band's contrast: what is more is not contrast, but wrinkles and the rims of glasses."""
WINDOW: Final = 0.3
"""Sigma, in IOD, of the window in which a band's contrast is taken."""
FLOOR: Final = (1 / 255) ** 2 / 12
"""Energy of rounding to 8 bit, added to both contrasts: less is not seen."""


CROSS: Final = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def screened(
    plate: Image, face: Image, matte: Image, reach: float, *, tolerance: float = 2e-5, rounds: int = 400
) -> Image:
    """Screened Poisson blend (Bhat et al. 2008): the face's gradients, and its own colour away from the edge.

    Minimises |grad f - grad face|^2 + |f - a|^2 / reach^2 where the matte is above 0, with f = plate around it and a
    the face laid over the plate by the matte. With a long ``reach`` (in pixels) that is Poisson's equation, with a
    short one f is a.
    """
    given = weighted(cv2.subtract(plate, face), 1 - matte)
    return cv2.add(face, screened_membrane(given, matte > 0, reach, tolerance, rounds))


def screened_membrane(
    given: Image, inside: NDArray[np.bool_], reach: float, tolerance: float, rounds: int
) -> Image:
    """What u - reach^2 Laplace(u) = given is solved by inside a region, with u = given [h, w, 3] around it.

    Conjugate gradients on the five-point equation, started from half the resolution's solution; the crop's border
    counts as outside. Ends at a residual of ``tolerance`` (rms per pixel) or after ``rounds``.
    """
    open_area = inside.astype(np.float32)
    open_area[[0, -1]] = 0
    open_area[:, [0, -1]] = 0
    h, w = inside.shape
    start = given
    if min(h, w) >= 32:
        half = (-(-w // 2), -(-h // 2))
        share = cv2.resize(open_area, half, interpolation=cv2.INTER_AREA)
        small = cv2.resize(given, half, interpolation=cv2.INTER_AREA)
        coarse = screened_membrane(small, share > 0.5, reach / 2, tolerance, rounds)
        start = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR)
    found = weighted(given, 1 - open_area) + weighted(start, open_area)
    screen = 1 / max(reach, 1e-3) ** 2

    def system(field: Image) -> Image:
        around = cv2.filter2D(field, -1, CROSS, borderType=cv2.BORDER_CONSTANT)
        return weighted(cv2.addWeighted(field, 4 + screen, around, -1, 0), open_area)

    residual = weighted(given, open_area) * np.float32(screen) - system(found)
    step, energy = residual.copy(), float(np.vdot(residual, residual))
    goal = (tolerance * (1 + screen)) ** 2 * float(open_area.sum()) * given.shape[2]
    for _ in range(rounds):
        if energy <= goal:
            break
        turned = system(step)
        length = energy / float(np.vdot(step, turned))
        found = cv2.scaleAdd(step, length, found)
        residual = cv2.scaleAdd(turned, -length, residual)
        before, energy = energy, float(np.vdot(residual, residual))
        step = cv2.scaleAdd(step, energy / before, residual)
    return found


def keep_light(plate: Image, face: Image, matte: Image, levels: int, window: float) -> Image:
    """Light-preserving multi-band blend (Naruniec et al. 2020): the face's detail in the plate's light.

    The coarsest `KEPT` levels are the plate's; the others are the face's, with the plate's contrast around each place
    (Gaussian of sigma ``window``, in pixels), blended band by band. ``face`` must go on smoothly beyond the matte (see
    `blend.spread`): levels reach across it.
    """
    bands, own = laplacian_pyramid(plate, levels), laplacian_pyramid(face, levels)
    weights = gaussian_pyramid(matte, levels)
    blended = []
    for level, (under, over, weight) in enumerate(zip(bands[:-KEPT], own, weights, strict=False)):
        gain = contrast(under, over, window / 2**level)
        blended.append(under + weighted(weighted(over, gain) - under, weight))
    return collapse([*blended, *bands[-KEPT:]])


def contrast(wanted: Image, band: Image, sigma: float) -> Image:
    """Gain [h, w] that gives a band [h, w, 3] the contrast of another around each place: a Gaussian of ``sigma``."""
    target, own = (soft(np.square(one).mean(axis=2), sigma) + np.float32(FLOOR) for one in (wanted, band))
    return np.clip(np.sqrt(target / own), *CONTRAST)
