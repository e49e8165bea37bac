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

from understudy.arrays import rise
from understudy.comp.resample import Image, gaussian, weighted
from understudy.comp.skin.texture import luma

F64 = NDArray[np.float64]

LAG: Final = 5
"""Largest shift, in pixels, at which grain still hangs together."""
BINS: Final = 8
"""Luma bins over 0..1."""
BLOCK: Final = 8
"""Side in pixels of the blocks that are judged flat or not."""
WIDER: Final = 2.0
"""Sigma in pixels of the blur that leaves a picture's texture and little of its grain."""
FLATTEST: Final = 0.3
"""Part of the blocks that are taken for flat, by their edges and again by their texture."""
FEWEST: Final = 0.02
"""Part of the flat pixels that a bin must have to be measured."""
ROUNDING: Final = 1e-6
"""Variance of the rounding to 8 bit, of display values."""
CHANCES: Final = 3.0
"""What is so many times as rough as the smoothest blocks may be so by chance: grain alone differs by as much."""
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
FINEST: Final = 1.0
"""Sigma in pixels of the blur below which detail is compared with grain."""
CHANCE: Final = 0.1
"""Share of the plate's grain in a face below which it is chance."""
PASSED: Final = 0.08
"""Part of its power, after `DETREND` is taken off, below which a frequency is not brought back."""
WINDOW: Final = 4.0
"""Sigma in pixels of the window in which a residual is judged to be grain."""
STRONG: Final = (1.6, 2.6)
"""Variance of a residual, as a multiple of the grain's, from which it is less and less, and not at all, grain."""
DIRECTED: Final = (0.45, 0.75)
"""The same for the coherence of its structure tensor; grain alone has about .2."""
LEAST_WEIGHT: Final = 0.05
"""Weight in the picture below which grain is not raised any further to make up for it."""


def residual(image: Image) -> Image:
    """What a plain area holds beside its own shading, [h, w, 3]."""
    return image - gaussian(image, DETREND)


def flat(image: Image, weight: Image) -> NDArray[np.bool_]:
    """Pixels [h, w] of the flattest blocks where ``weight`` allows: no edges, little texture, no clipped values.

    Flat is what has little that is wider than grain, for what is finest in it: grain has as much everywhere, however
    strong it is.
    """
    grey = luma(image)
    slope = gaussian(grey, DETREND)
    edges = np.hypot(cv2.Sobel(slope, cv2.CV_32F, 1, 0), cv2.Sobel(slope, cv2.CV_32F, 0, 1))
    wide, fine = (gaussian(np.square(band), BLOCK / 2) for band in (gaussian(grey, WIDER) - slope, finest(grey)))
    rough = wide / (fine + np.float32(ROUNDING))
    h, w = (n // BLOCK * BLOCK for n in grey.shape)
    if not h or not w:
        return np.zeros(grey.shape, bool)

    def worst(values: NDArray[Any]) -> NDArray[Any]:
        return values[:h, :w].reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK).max(axis=(1, 3))

    chosen = ~worst((weight < 0.5) | (grey < 0.02) | (grey > 0.98))
    steep, rough = worst(edges), worst(rough)
    if chosen.any():
        chosen &= steep <= max(float(np.quantile(steep[chosen], FLATTEST)), 1e-6)
        least, some = np.quantile(rough[chosen], (0.05, FLATTEST))
        chosen &= rough <= max(float(some), CHANCES * float(least), 1e-12)
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


def undo_detrend(covariance: F64) -> tuple[F64, float]:
    """Autocovariance [2 LAG + 1, 2 LAG + 1] of grain, 1 at shift 0, of that of its `residual`, and its sigma over that.

    Taking the blur of `DETREND` off has let the finest frequencies pass and held back the widest.
    """
    side, lags = 64, np.arange(-LAG, LAG + 1)
    padded = np.zeros((side, side))
    padded[np.ix_(lags, lags)] = covariance
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    passed = np.square(1 - np.exp(-2 * np.square(np.pi * DETREND) * (x * x + y * y)))
    power = np.fft.rfft2(padded).real / np.maximum(passed, PASSED)
    whole = np.fft.irfft2(power, (side, side))[np.ix_(lags, lags)]
    variance = max(float(whole[LAG, LAG]), 1e-12)
    return whole / variance, float(np.sqrt(variance / max(float(covariance[LAG, LAG]), 1e-12)))


def measure(samples: Sequence[tuple[Image, Image]]) -> dict[str, Any] | None:
    """Grain model of pictures [h, w, 3] with mattes [h, w] of where to look; None where there is no flat area.

    Returns
    -------
    ``sigma`` of luma in `BINS` bins of luma (gaps filled from the neighbours), ``mix`` 3x3 (columns: RGB of the three
    components for a luma sigma of one), ``covariance`` of each component, normalised to 1 at shift 0, and how far the
    residual hangs ``together`` over `APART`. JSON types.
    """
    parts = []
    for image, weight in samples:
        where = flat(image, weight)
        if where.sum() >= 4 * BLOCK**2:
            parts.append((residual(image).astype(np.float64), where, gaussian(luma(image), DETREND)))
    if not parts:
        return None
    noise = np.concatenate([part[where] for part, where, _ in parts])
    level = np.concatenate([grey[where] for _, where, grey in parts])
    values, axes = np.linalg.eigh(np.cov(noise.T) + 1e-12 * np.eye(3))
    whole_shape = np.sum([autocovariance(part @ axes, where) for part, where, _ in parts], axis=0)
    most = int(np.argmax(values))
    raw = whole_shape[..., most] / max(float(whole_shape[LAG, LAG, most]), 1e-12)
    shapes, gains = zip(*(undo_detrend(whole_shape[..., k]) for k in range(3)), strict=True)
    bright = noise @ np.array([0.2126, 0.7152, 0.0722])
    bins = np.minimum((level * BINS).astype(int), BINS - 1)
    # A level that is hardly seen is seen at edges.
    filled = [k for k in range(BINS) if np.sum(bins == k) >= max(BLOCK**2, FEWEST * len(bins))]
    # The median of squares is that of the grain even where a few blocks hold an edge; .6745 is the normal's.
    sigma = [float(np.median(np.abs(bright[bins == k]))) / 0.6745 for k in filled]
    whole = max(float(np.sqrt(bright.var())), 1e-9)
    found = np.interp(np.arange(BINS), filled, sigma) if filled else np.full(BINS, whole)
    return {
        "sigma": (gains[most] * found).tolist(),
        "mix": np.asarray(axes * np.sqrt(values) / whole).tolist(),
        "covariance": [shape.tolist() for shape in shapes],
        "together": float(max(raw[LAG + APART, LAG], raw[LAG, LAG + APART])),
    }


def lively(model: Mapping[str, Any], pairs: Sequence[tuple[Image, Image, Image]]) -> dict[str, Any]:
    """A model with no more grain than there is that changes from frame to frame.

    Skin, cloth and the grain of a photograph that was filmed move with the picture; grain is another on every frame. Of
    a variance v that two frames have a correlation c of, v (1 - c) is not the picture's: grain, and what the frames
    miss each other by, so this bounds it from above.

    Parameters
    ----------
    pairs:
        (luma of a frame [h, w], of one beside it laid over it, matte of where to look). Correlation takes no harm from
        what resampling the second did to its finest detail.
    """
    found = []
    for here, there, weight in pairs:
        where = flat(cv2.merge((here, here, here)), weight)
        if where.sum() >= 4 * BLOCK**2:
            one, other = ((grey - gaussian(grey, DETREND))[where].astype(np.float64) for grey in (here, there))
            both = max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12)
            shared = float(np.clip(one @ other / both, 0, 1))
            known = float(variance_at(model, gaussian(here, DETREND))[where].mean())
            found.append((1 - shared) * float(np.mean(one**2)) / max(known, 1e-12))
    share = min(float(np.median(found)), 1.0) if found else 1.0
    return {**model, "sigma": [sigma * float(np.sqrt(share)) for sigma in model["sigma"]]}


def kernel(covariance: F64) -> NDArray[np.complex64]:
    """Square root of the spectrum of an autocovariance [2 LAG + 1, 2 LAG + 1], for `numpy.fft.rfft2` of a tile."""
    # Whole up to half of the shifts, then falling: a narrower one would add to the finest frequencies.
    fall = np.clip((LAG + 1 - np.abs(np.arange(-LAG, LAG + 1))) / ((LAG + 1) / 2), 0, 1)
    taper = fall * fall * (3 - 2 * fall)
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
    return model is not None and float(np.median(model["sigma"])) >= LEAST and model["together"] < TOGETHER


def lacking(share: Image, variance: Image, own: float, shared: float) -> tuple[Image, Image]:
    """How much of the plate's grain a picture keeps, and what variance it lacks, [h, w] each.

    The new face's grain is ``shared`` times the plate's plus its own, so a picture with a share m of the face holds
    1 - m (1 - ``shared``) of the plate's grain and m of the face's own. A face that is the plate lacks nothing.

    Parameters
    ----------
    share:
        m, of the new face's finest detail in the picture; see `blend.detail`.
    variance:
        The plate's, of luma.
    own, shared:
        See `kinship`.
    """
    kept = 1 - np.float32(1 - shared) * share
    return kept, cv2.max(variance * (1 - kept * kept) - np.square(np.float32(own) * share), 0.0)


def kinship(samples: Sequence[tuple[Image, Image, Image]], model: Mapping[str, Any]) -> tuple[float, float]:
    """What the grain of new faces has to do with the plate's: (sigma of luma of its own, shared).

    Regression of the face's finest detail on the plate's, where the plate is flat: ``shared`` is how much of the
    plate's grain the face holds, 0..1 (1 where the face is the plate, less where a network worked on it, 0 where it was
    made from a still); what is left is its own, taken for grain of the plate's spectrum. Only the finest detail is
    looked at, for there grain is stronger than pores.

    Parameters
    ----------
    samples:
        (face, plate, matte of the skin): [h, w, 3], [h, w, 3], [h, w].
    model:
        The plate's grain; see `measure`.
    """
    parts = []
    for face, plate, weight in samples:
        where = flat(plate, weight)
        if where.any():
            grey = luma(plate)
            known = variance_at(model, grey)[where]
            parts.append([*(finest(image)[where] for image in (luma(face), grey)), known])
    if not parts:
        return 0.0, 0.0
    face, plate, variance = np.concatenate(parts, axis=1).astype(np.float64)
    found = float(np.clip(face @ plate / max(float(plate @ plate), 1e-12), 0, 1))
    shared = found if found > CHANCE else 0.0
    passed = max(float(finest(luma(synthesise(model, (TILE // 2, TILE // 2), 0))).std()), 1e-6)
    power, whole = ((float(np.median(np.abs(part))) / 0.6745) ** 2 for part in (face - shared * plate, plate))
    # No skin is so flat that its grain is seen alone; by how much the plate's is more than its grain is skin.
    pores = (1 - shared) * max(whole - float(variance.mean()) * passed**2, 0.0)
    return float(np.sqrt(max(power - pores, 0.0))) / passed, shared


def finest(grey: Image) -> Image:
    """What is finer than a Gaussian of `FINEST` in an image [h, w]."""
    return grey - gaussian(grey, FINEST)


def reusable(plate: Image, model: Mapping[str, Any]) -> tuple[Image, Image]:
    """The plate's own grain [h, w, 3], and where it is nothing but that, 0..1 [h, w].

    Grain has no direction and the model's strength; a residual with either more is a wrinkle, a lash or the edge of
    what is no longer there, and would shine through the new face. Direction is the coherence of the structure tensor
    (Bigun and Granlund 1987).
    """
    noise = residual(plate)
    grey = luma(noise)
    strength = gaussian(grey * grey, WINDOW) / cv2.max(variance_at(model, gaussian(luma(plate), DETREND)), 1e-9)
    x, y = (cv2.Scharr(gaussian(grey, 1.0), cv2.CV_32F, *along) for along in ((1, 0), (0, 1)))
    xx, xy, yy = (gaussian(product, WINDOW) for product in (x * x, x * y, y * y))
    directed = np.sqrt(np.square(xx - yy) + 4 * xy * xy) / cv2.max(xx + yy, 1e-12)
    over = [(value - low) / (high - low) for value, (low, high) in ((strength, STRONG), (directed, DIRECTED))]
    return noise, 1 - rise(np.maximum(*over))


def regrain(
    image: Image,
    share: Image,
    weight: Image,
    model: Mapping[str, Any],
    kin: tuple[float, float],
    seed: int,
    plate: Image | None = None,
) -> Image:
    """Add what grain the picture lacks.

    Parameters
    ----------
    image:
        Display RGB [h, w, 3], of which the picture takes ``weight``.
    share:
        Share of the new face's finest detail in the picture; see `blend.detail`.
    model:
        The plate's grain; see `measure`.
    kin:
        See `kinship`.
    plate:
        Display RGB [h, w, 3], where its own grain is to be used again as far as `reusable`.
    """
    variance = variance_at(model, luma(image))
    kept, missing = lacking(share, variance, *kin)
    if plate is None:
        added = synthesise(model, share.shape, seed)
        weighted(added, cv2.sqrt(missing), into=added)
    else:
        noise, alone = reusable(plate, model)
        own = np.square(np.float32(kin[0]) * share)
        again = alone * cv2.max(cv2.sqrt(cv2.max(1 - own / cv2.max(variance, 1e-9), 0.0)) - kept, 0.0)
        held = kept + again
        left = cv2.max(variance * (1 - held * held) - own, 0.0)
        added = weighted(synthesise(model, share.shape, seed), cv2.sqrt(left)) + weighted(noise, again)
    return cv2.add(image, weighted(added, 1 / cv2.max(weight, LEAST_WEIGHT), into=added), dst=added)
