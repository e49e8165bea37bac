"""Blends of a new face into a plate, in float. All give (result, weight): ``plate + weight (result -
plate)`` is the picture.

The weight is 0, exactly, wherever the matte is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp import preserving
from understudy.comp.pyramid import collapse, expand, gaussian_pyramid, laplacian_pyramid
from understudy.comp.resample import Image, weighted
from understudy.errors import ConfigError

SUPPORT: Final = 0.15
"""Matte at which a blend that has its own transition is fully trusted."""
REACH: Final = 4
"""Pixels around a matte that the next coarser level of a pyramid is made of, and is read for."""


def support(matte: Image) -> Image:
    """Smooth weight that is 1 wherever the matte is more than a trace, and 0 exactly where it is 0."""
    t = np.minimum(matte * np.float32(1 / SUPPORT), 1)
    return t * t * (3 - 2 * t)


def spread(values: Image, weight: Image, levels: int) -> Image:
    """Fill values [h, w, 3] in smoothly where ``weight`` [h, w] is 0 (pull-push, Gortler et al. 1996)."""
    return _filled(gaussian_pyramid(weighted(values, weight), levels), gaussian_pyramid(weight, levels))


def _filled(sums: Sequence[Image], weights: Sequence[Image]) -> Image:
    """The finest level of weighted values and their weights, filled in from the coarser ones."""
    filled: Image = np.divide(sums[-1], np.maximum(weights[-1], 1e-6)[..., None], dtype=np.float32)
    for total, known in zip(reversed(sums[:-1]), reversed(weights[:-1]), strict=True):
        wide = expand(filled, known)
        # A pixel that is partly known is its known part; the rest comes from the coarser level.
        filled = cv2.add(total, weighted(wide, 1 - np.minimum(known, 1), into=wide), dst=wide)
    return filled


def levels_for(unit: float, shape: tuple[int, int]) -> int:
    """Bands of a blend for an IOD of ``unit`` pixels: the coarsest is about a quarter of it wide."""
    most = int(np.log2(max(min(shape), 2))) - 2
    return int(np.clip(round(np.log2(max(unit, 1.0) / 8)), 1, max(most, 1)))


def multiband(plate: Image, face: Image, matte: Image, levels: int) -> tuple[Image, Image]:
    """Multi-band blend (Burt and Adelson 1983): fine detail changes over a narrow edge, colour over a wide one.

    Written for the difference to the plate, which is 0 far from the face: one pyramid instead of two. What lies outside
    the matte is extrapolated from inside (see `spread`), so that the face's own surroundings cannot leak in. The finest
    level, three quarters of the work, is made around the matte only: outside, it is the coarser level, and its band 0.
    """
    trusted, result = support(matte), plate.copy()
    near = _around(matte)
    shape = (-(-matte.shape[0] // 2), -(-matte.shape[1] // 2))
    half = tuple(slice(side.start // 2, -(-side.stop // 2)) for side in near)

    def halved(fine: Image) -> Image:
        whole = np.zeros((*shape, *fine.shape[2:]), np.float32)
        whole[half] = cv2.pyrDown(fine)
        return whole

    change, weight, known = cv2.subtract(face[near], plate[near]), matte[near], trusted[near]
    sums = gaussian_pyramid(halved(weighted(change, known)), levels)
    coarser = _filled(sums, gaussian_pyramid(halved(known), levels))
    bands = laplacian_pyramid(coarser, levels - 1)
    weights = gaussian_pyramid(halved(weight), levels - 1)
    blended = collapse([weighted(band, share) for band, share in zip(bands, weights, strict=True)])
    # Change where it is known, the coarser level elsewhere, less the coarser level:
    band = cv2.subtract(change, expand(coarser[half], change), dst=change)
    weighted(band, known * weight, into=band)
    cv2.add(band, expand(blended[half], band), dst=band)
    result[near] = cv2.add(plate[near], band, dst=band)
    return result, trusted


def _around(matte: Image) -> tuple[slice, slice]:
    """The box in which a matte is not 0, and what a halving and a doubling see around it, from even places on."""
    sides = []
    for axis in (0, 1):
        length, found = matte.shape[axis], np.flatnonzero(matte.any(axis=1 - axis))
        low, high = (int(found[0]), int(found[-1])) if len(found) else (0, 0)
        sides.append(slice(max(low - REACH, 0) // 2 * 2, min((high + REACH + 2) // 2 * 2, length)))
    return sides[0], sides[1]


def membrane(
    known: NDArray[np.float64], inside: NDArray[np.bool_], tolerance: float, rounds: int
) -> NDArray[np.float64]:
    """Harmonic function [h, w, c] inside a region, with the values of ``known`` [h, w, c] around it.

    Conjugate gradients on the five-point Laplace equation, started from half the resolution's solution; the crop's
    border counts as outside. Ends at a residual of ``tolerance`` (rms per pixel) or after ``rounds``.
    """
    inside = inside.copy()
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    found = known.copy()
    if not inside.any():
        return found
    h, w = inside.shape
    if min(h, w) >= 32 and inside.sum() > 400:
        outer = (~inside).astype(np.float64)
        half = (-(-w // 2), -(-h // 2))
        weight = cv2.resize(outer, half, interpolation=cv2.INTER_AREA)
        values = cv2.resize(known * outer[..., None], half, interpolation=cv2.INTER_AREA)
        values = values.reshape(*weight.shape, -1) / np.maximum(weight, 1e-9)[..., None]
        coarse = membrane(values, weight < 0.5, tolerance, rounds)
        start = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR).reshape(known.shape)
    else:
        start = np.broadcast_to(known[~inside].mean(axis=0), known.shape)
    found[inside] = start[inside]
    mask = inside[..., None]

    def laplace(field: NDArray[np.float64]) -> NDArray[np.float64]:
        result = 4 * field
        result[1:-1, 1:-1] -= field[:-2, 1:-1] + field[2:, 1:-1] + field[1:-1, :-2] + field[1:-1, 2:]
        return result * mask

    residual = -laplace(found)
    step, energy = residual.copy(), float(np.sum(residual**2))
    goal = tolerance**2 * float(inside.sum()) * known.shape[2]
    for _ in range(rounds):
        if energy <= goal:
            break
        turned = laplace(step)
        length = energy / float(np.sum(step * turned))
        found += length * step
        residual -= length * turned
        before, energy = energy, float(np.sum(residual**2))
        step = residual + (energy / before) * step
    return found


def poisson(
    plate: Image, face: Image, matte: Image, *, tolerance: float = 2e-5, rounds: int = 400
) -> tuple[Image, Image]:
    """Gradient-domain blend (Perez, Gangnet, Blake 2003): the face's gradients, the plate's values around the matte.

    Solved as the face plus a membrane through the difference around it, which is the same equation. Deterministic.
    """
    inside = matte > 0
    correction = membrane((plate - face).astype(np.float64), inside, tolerance, rounds)
    return np.where(inside[..., None], face + correction.astype(np.float32), plate), support(matte)


def blend(mode: str, plate: Image, face: Image, matte: Image, unit: float) -> tuple[Image, Image]:
    """Blend by name: multiband, poisson, screened, keep_light or alpha; ``unit`` is the IOD in pixels."""
    match mode:
        case "multiband":
            return multiband(plate, face, matte, levels_for(unit, matte.shape))
        case "poisson":
            return poisson(plate, face, matte)
        case "screened":
            return preserving.screened(plate, face, matte, preserving.REACH * unit), support(matte)
        case "keep_light":
            levels = levels_for(preserving.WIDER * unit, matte.shape)
            wide = cv2.add(plate, spread(cv2.subtract(face, plate), support(matte), levels + 1))
            window = preserving.WINDOW * unit
            return preserving.keep_light(plate, wide, matte, levels, window), support(matte)
        case "alpha":
            return face, matte
        case _:
            known = "multiband, poisson, screened, keep_light, alpha"
            raise ConfigError(f"blend {mode!r} is not known", fix=f"use one of: {known}")


def detail(mode: str, matte: Image, weight: Image) -> Image:
    """Share of the new face's finest detail in the picture [h, w], of a blend's ``weight`` [h, w]."""
    return matte * weight if mode in ("multiband", "keep_light") else weight
