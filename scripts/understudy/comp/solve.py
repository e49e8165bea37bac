"""The texture of a track, solved: how much of the restored face, and which gain of each band, leave the plate's energy.

Everything is compared as it will be seen, after regraining: the energies of the grain that will be added stand beside
the face's, and the plate's are left as they are. A face is its display luma [h, w], in the plate's colour and light.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.comp import texture
from understudy.comp.resample import Image
from understudy.comp.skin import LAID, patches

F64 = NDArray[np.float64]
Grained = Callable[[Sequence[Image]], Sequence[Image]]
"""Gives, for the faces of all samples [h, w], what grain will be added to each."""

ROUNDS: Final = 4
"""Steps of a solve: each takes the miss of the one before to about its square."""
CLOSE: Final = 0.1
"""Miss of a band, in dB, that is left."""
FEWEST: Final = 64
"""Pixels of skin below which energies say nothing."""
BANDS: Final = len(texture.SIGMAS) - 1


@dataclass(frozen=True)
class Skin:
    """The plate's skin on one frame: what a new face is held against.

    Attributes
    ----------
    area:
        Where energies are taken, float32 [h, w].
    where:
        Where gains are laid, float32 [h, w].
    size:
        Extent of the face in pixels.
    plate:
        Energies of the plate's bands, finest first; as many as the face is large enough for.
    """

    area: Image
    where: Image
    size: float
    plate: F64

    @property
    def sigmas(self) -> list[float]:
        """Limits of the bands in pixels."""
        return texture.limits(self.size)

    def energies(self, face: Image) -> F64:
        """Energies of a face's bands."""
        return texture.products(texture.bands(face, self.sigmas), self.area)

    @property
    def known(self) -> bool:
        """Whether there is enough of it to say anything."""
        return len(self.plate) > 1 and float(self.area.sum()) >= FEWEST


def skin_of(crop: Image, matte: Image, points: NDArray[np.floating], where: Image) -> Skin:
    """The skin of a plate's crop, display RGB [h, w, 3], under a matte [h, w]; ``points`` [468, 3] in its pixels."""
    area = (patches(points, matte.shape) & (matte > LAID)).astype(np.float32)
    size = texture.extent(points)
    return Skin(area, where, size, texture.energies(crop, area, texture.limits(size)))


def nearest(square: float, slope: float, fixed: float) -> float:
    """Root within 0..1 of ``square x^2 + slope x + fixed``, the larger of two; if there is none, where it is least."""
    found = [0.0, 1.0]
    if square:
        found.append(-slope / (2 * square))
    under = slope * slope - 4 * square * fixed
    if under >= 0:
        # The form that does not cancel (Press et al., Numerical Recipes 5.6).
        half = -0.5 * (slope + math.copysign(math.sqrt(under), slope))
        found += [half / square] if square else []
        found += [fixed / half] if half else []
    miss = {x: abs((square * x + slope) * x + fixed) for x in found if 0 <= x <= 1}
    best = min(miss.values())
    return max(x for x, own in miss.items() if own <= best + 1e-12)


def share(swapped: F64, cross: F64, restored: F64, grain: F64, plate: F64) -> float:
    """How much of the restored face brings the texture index to 0, within 0..1; bands finest first.

    At a share b a band has b^2 E_e + 2 b (1 - b) C + (1 - b)^2 E_s. In units of the plate's energies the weighted sum of
    the finest three is a quadratic in b (the usual closed form). The index is a mean of logarithms, so the quadratic is
    taken again in units of the energies at the b before, which is Newton's method on the index.

    Parameters
    ----------
    swapped, restored:
        E_s of the engine's face, E_e of the restored one.
    cross:
        C, the mean product of their bands.
    grain:
        Energies of the grain that will be added.
    """
    count = min(len(texture.WEIGHTS), len(plate))
    s, c, e, n, p = (values[:count] for values in (swapped, cross, restored, grain, plate))
    weights, target = np.array(texture.WEIGHTS[:count]), p + texture.FLOOR
    square, slope, fixed = e - 2 * c + s, 2 * (c - s), s + n + texture.FLOOR
    found, unit = 0.0, target
    for _ in range(ROUNDS):
        own = weights / unit
        level = np.log(unit / target) - 1
        found = nearest(float(own @ square), float(own @ slope), float(own @ fixed + weights @ level))
        unit = (square * found + slope) * found + fixed
    return found


def shares(pairs: Sequence[tuple[Image, Image]], skins: Sequence[Skin], grained: Grained) -> list[float]:
    """`share` of each sample that has skin; ``pairs`` are the engine's faces and the restored ones."""
    grains = grained([(soft + hard) / 2 for soft, hard in pairs])
    found = []
    for (soft, hard), skin, grain in zip(pairs, skins, grains, strict=True):
        if skin.known:
            own, other = (texture.bands(face, skin.sigmas) for face in (soft, hard))
            found.append(
                share(
                    texture.products(own, skin.area),
                    texture.products(own, skin.area, other),
                    texture.products(other, skin.area),
                    skin.energies(grain),
                    skin.plate,
                )
            )
    return found


def spread(values: Sequence[float]) -> list[float]:
    """A value for each band that a face has room for as one for each that there is; NaN for the finer ones."""
    return [math.nan] * (BANDS - len(values)) + list(values)


def median(rows: Sequence[Sequence[float]]) -> list[float]:
    """Median of each band over the samples that have it; NaN for a band that none has."""
    stack = np.array(rows, np.float64).reshape(-1, BANDS)
    known = ~np.isnan(stack).all(axis=0)
    found = np.full(BANDS, np.nan)
    found[known] = np.nanmedian(stack[:, known], axis=0)
    return found.tolist()


def levels(faces: Sequence[Image], skins: Sequence[Skin], grained: Grained) -> dict[str, Any]:
    """Faces with the grain that they will be given, against the plate: ``index`` and ``bands`` (finest first) in dB.

    Medians over the samples; None where nothing is known.
    """
    return _levels(*_energies(faces, skins, grained), skins)


def _energies(
    faces: Sequence[Image], skins: Sequence[Skin], grained: Grained
) -> tuple[list[F64], list[F64]]:
    """Energies of faces, and of the grain that they will be given."""
    made = [skin.energies(face) for face, skin in zip(faces, skins, strict=True)]
    return made, [skin.energies(added) for added, skin in zip(grained(faces), skins, strict=True)]


def _levels(made: Sequence[F64], grains: Sequence[F64], skins: Sequence[Skin]) -> dict[str, Any]:
    found = [
        texture.index(own + grain, skin.plate)
        for own, grain, skin in zip(made, grains, skins, strict=True)
        if skin.known
    ]
    bands = median([spread(ratios) for _, ratios in found])
    return {
        "index": float(np.median([mean for mean, _ in found])) if found else None,
        "bands": [None if math.isnan(value) else value for value in bands],
    }


@dataclass(frozen=True)
class Tuned:
    """Gains of a track, finest band first, and the faces' `levels` without and with them."""

    gains: list[float]
    before: dict[str, Any]
    after: dict[str, Any]


def tune(
    faces: Sequence[Image], skins: Sequence[Skin], grained: Grained, limits: Sequence[float]
) -> Tuned:
    """Gain of each band, within ``limits``, at which face and grain have the plate's energies.

    Bands overlap, so a gain of one moves its neighbours' energies, and what grain is lacking depends on all of them: the
    gains are applied, measured and corrected until they are close. The widest band is form and keeps its own.
    """
    gains = np.ones(BANDS)
    before: dict[str, Any] = {}
    for step in range(ROUNDS):
        shaped = [gained(face, gains.tolist(), skin) for face, skin in zip(faces, skins, strict=True)]
        made, grains = _energies(shaped, skins, grained)
        found = _levels(made, grains, skins)
        before = before or found
        missing = median(
            [
                spread(texture.gains(own, skin.plate - grain, (0, math.inf)))
                for own, grain, skin in zip(made, grains, skins, strict=True)
                if skin.known
            ]
        )
        better = np.clip(gains * np.nan_to_num(missing, nan=1.0), *limits)
        better[-1] = 1
        if step == ROUNDS - 1 or np.abs(20 * np.log10(better / gains)).max() < CLOSE:
            break
        gains = better
    return Tuned(gains.tolist(), before, found)


def gained(face: Image, gains: Sequence[float], skin: Skin) -> Image:
    """A face with band gains on its skin."""
    added = texture.gained(face, gains, skin.size)
    return face if added is None else face + added * skin.where
