"""Grain: measured on the plate's flat areas, made again where the new face lacks it.

The model is Gaussian noise: how strong it is by luma, how its three colour components hang together, and the
autocovariance of each. (The parametric part of AV1's film grain, Norkin and Birkbeck 2018, with a free spectrum.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image, gaussian, weighted
from understudy.comp.texture import luma

F64 = NDArray[np.float64]

LAG: Final = 5
"""Largest shift, in pixels, at which grain still hangs together."""
BINS: Final = 8
"""Luma bins over 0..1."""
BLOCK: Final = 8
"""Side in pixels of the blocks that are judged flat or not."""
LEAST: Final = 0.0025
"""Sigma of luma below which a plate has no grain worth adding: under a code value of 8 bit."""
MOST: Final = 0.03
"""Largest sigma of luma that is added: above it a plate's noise would be taken for dirt on the new face."""
APART: Final = 3
"""Shift in pixels at which grains no longer hang together; what does is shading or a codec's blocks."""
TOGETHER: Final = 0.2
"""Autocovariance at `APART` from which a residual is not grain: film grain has less than .1, codecs over .25."""
TILE: Final = 512
"""Side in pixels of the noise that every frame's grain is cut from; it goes on from its other side without a seam."""
DETREND: Final = 4.0
"""Sigma in pixels of the blur that is taken off as picture."""


def residual(image: Image) -> Image:
    """What a plain area holds beside its own shading, [h, w, 3]."""
    return image - gaussian(image, DETREND)


def flat(image: Image, weight: Image) -> NDArray[np.bool_]:
    """Pixels [h, w] of the flattest blocks where ``weight`` allows: no edges, no clipped values."""
    grey = luma(image)
    slope = gaussian(grey, DETREND)
    edges = np.hypot(cv2.Sobel(slope, cv2.CV_32F, 1, 0), cv2.Sobel(slope, cv2.CV_32F, 0, 1))
    h, w = (n // BLOCK * BLOCK for n in grey.shape)
    if not h or not w:
        return np.zeros(grey.shape, bool)

    def worst(values: NDArray[Any]) -> NDArray[Any]:
        return values[:h, :w].reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK).max(axis=(1, 3))

    barred = worst((weight < 0.5) | (grey < 0.02) | (grey > 0.98))
    steep = worst(edges)
    if barred.all():
        return np.zeros(grey.shape, bool)
    chosen = ~barred & (steep <= max(float(np.quantile(steep[~barred], 0.3)), 1e-6))
    found = np.zeros(grey.shape, bool)
    found[:h, :w] = np.kron(chosen, np.ones((BLOCK, BLOCK), bool))
    return found


def autocovariance(noise: F64, known: NDArray[np.bool_]) -> F64:
    """Sum of products at shifts up to `LAG` of each channel of noise [h, w, c], per pair of pixels that are both known.

    Returns [2 LAG + 1, 2 LAG + 1, c].
    """
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    height, width = known[box].shape
    below, beside = cv2.getOptimalDFTSize(height + LAG) - height, cv2.getOptimalDFTSize(width + LAG) - width
    lags = np.arange(-LAG, LAG + 1)

    def products(values: Image) -> F64:
        padded = cv2.copyMakeBorder(values, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        spectrum = cv2.dft(padded, nonzeroRows=height)
        sums = cv2.idft(cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True), flags=cv2.DFT_SCALE)
        return sums[np.ix_(lags, lags)].astype(np.float64)

    there = known[box].astype(np.float32)
    pairs = np.maximum(products(there), 1)
    return np.stack([products(part * there) / pairs for part in cv2.split(noise[box].astype(np.float32))], axis=-1)


def measure(samples: Sequence[tuple[Image, Image]]) -> dict[str, Any] | None:
    """Grain model of pictures [h, w, 3] with mattes [h, w] of where to look; None where there is no flat area.

    Returns
    -------
    ``sigma`` of luma in `BINS` bins of luma (gaps filled from the neighbours), ``mix`` 3x3 (columns: RGB of the three
    components for a luma sigma of one), ``covariance`` of each component, normalised to 1 at shift 0. JSON types.
    """
    parts = []
    for image, weight in samples:
        where = flat(image, weight)
        if where.sum() >= 4 * BLOCK**2:
            parts.append((residual(image).astype(np.float64), where, luma(image)))
    if not parts:
        return None
    noise = np.concatenate([part[where] for part, where, _ in parts])
    level = np.concatenate([grey[where] for _, where, grey in parts])
    values, axes = np.linalg.eigh(np.cov(noise.T) + 1e-12 * np.eye(3))
    whole_shape = np.sum([autocovariance(part @ axes, where) for part, where, _ in parts], axis=0)
    shapes = [whole_shape[..., k] / max(float(whole_shape[LAG, LAG, k]), 1e-12) for k in range(3)]
    bright = noise @ np.array([0.2126, 0.7152, 0.0722])
    bins = np.minimum((level * BINS).astype(int), BINS - 1)
    filled = [k for k in range(BINS) if np.sum(bins == k) >= BLOCK**2]
    # The median of squares is that of the grain even where a few blocks hold an edge; .6745 is the normal's.
    sigma = [float(np.median(np.abs(bright[bins == k]))) / 0.6745 for k in filled]
    whole = max(float(np.sqrt(bright.var())), 1e-9)
    return {
        "sigma": np.interp(np.arange(BINS), filled, sigma).tolist() if filled else [whole] * BINS,
        "mix": np.asarray(axes * np.sqrt(values) / whole).tolist(),
        "covariance": [shape.tolist() for shape in shapes],
    }


def kernel(covariance: F64) -> NDArray[np.complex64]:
    """Square root of the spectrum of an autocovariance [2 LAG + 1, 2 LAG + 1], for `numpy.fft.rfft2` of a tile."""
    taper = np.hanning(2 * LAG + 3)[1:-1]
    padded = np.zeros((TILE, TILE))
    lags = np.arange(-LAG, LAG + 1)
    padded[np.ix_(lags, lags)] = covariance * np.outer(taper, taper)
    return np.sqrt(np.maximum(np.fft.rfft2(padded).real, 0)).astype(np.complex64)


@lru_cache(maxsize=4)
def tiles(covariances: bytes, mix: bytes) -> tuple[Image, Image]:
    """Two independent tiles [TILE, TILE, 3] of grain, for a luma sigma of the root of a half.

    ``covariances`` and ``mix`` are the bytes of a model's, float64: the same few are asked for on every frame.
    """
    random = np.random.Generator(np.random.PCG64(TILE))
    shapes = [kernel(shape) for shape in np.frombuffer(covariances).reshape(3, 2 * LAG + 1, 2 * LAG + 1)]

    def drawn(shape: NDArray[np.complex64]) -> NDArray[np.float32]:
        # White noise is white in its spectrum too, and drawn there costs no transform.
        white = random.standard_normal((TILE, TILE // 2 + 1, 2), np.float32).view(np.complex64)[..., 0]
        white[:, [0, -1]] *= np.float32(np.sqrt(2))
        return np.fft.irfft2(white * (np.float32(TILE / 2) * shape), (TILE, TILE)).astype(np.float32)

    colours = np.frombuffer(mix).reshape(3, 3).astype(np.float32)
    one, other = (cv2.transform(cv2.merge([drawn(shape) for shape in shapes]), colours) for _ in range(2))
    return one, other


def _spans(starts: Sequence[int], length: int) -> list[tuple[slice, list[slice]]]:
    """Pieces of ``length`` pixels, and where each lies on tiles that repeat and are read from ``starts`` on."""
    seams = {edge - start for start in starts for edge in range(TILE, start + length, TILE)}
    return [
        (slice(low, high), [slice((start + low) % TILE, (start + low) % TILE + high - low) for start in starts])
        for low, high in pairwise(sorted({0, *seams, length}))
    ]


def synthesise(model: Mapping[str, Any], shape: tuple[int, int], seed: int) -> Image:
    """Grain [h, w, 3] of the model's colour and spectrum, for a luma sigma of one; the same for the same seed.

    The sum of two tiles, each from a place of the seed's own: noise as good as new, of which one pair of frames in
    130,000 has half in common.
    """
    covariances, mix = (np.asarray(model[name], np.float64).tobytes() for name in ("covariance", "mix"))
    random = np.random.Generator(np.random.PCG64(seed))
    one, other = tiles(covariances, mix)
    tops, lefts = zip(*(random.integers(0, TILE, 2).tolist() for _ in (one, other)), strict=True)
    whole = np.empty((*shape, 3), np.float32)
    for rows, (y, v) in _spans(tops, shape[0]):
        for columns, (x, u) in _spans(lefts, shape[1]):
            cv2.add(one[y, x], other[v, u], dst=whole[rows, columns])
    return whole


def variance_at(model: Mapping[str, Any], level: Image) -> Image:
    """Variance of the grain's luma at luma ``level`` [h, w]; its sigma is linear between the bins' centres."""
    centres = (np.arange(BINS) + 0.5) / BINS
    sigma = np.interp(np.linspace(0, 1, 256), centres, np.minimum(model["sigma"], MOST))
    return cv2.LUT(cv2.convertScaleAbs(cv2.max(level, 0.0), alpha=255), np.square(sigma).astype(np.float32))


def visible(model: Mapping[str, Any] | None) -> bool:
    """Whether a model is of grain, and of grain worth adding."""
    if model is None or float(np.median(model["sigma"])) < LEAST:
        return False
    power = np.square(np.asarray(model["mix"])).sum(axis=0)
    shape = np.asarray(model["covariance"])[int(np.argmax(power))]
    return float(max(shape[LAG + APART, LAG], shape[LAG, LAG + APART])) < TOGETHER


def regrain(image: Image, matte: Image, model: Mapping[str, Any], own: float, seed: int) -> Image:
    """Add what grain a blend lacks.

    Parameters
    ----------
    image:
        Display RGB [h, w, 3]: plate where the matte is 0, new face where it is 1.
    matte:
        Share m of the new face [h, w]. The blend's own grain has variance (1 - m)^2 s^2 + m^2 own^2.
    model:
        The plate's grain, sigma s; see `measure`.
    own:
        Sigma of the luma of the grain that the new face has already.
    """
    lacking = matte * (variance_at(model, luma(image)) * (2 - matte) - np.float32(own * own) * matte)
    added = synthesise(model, matte.shape, seed)
    weighted(added, cv2.sqrt(cv2.max(lacking, 0.0)), into=added)
    return cv2.add(image, added, dst=added)
