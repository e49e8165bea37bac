"""The texture of a track, solved: how much of the restored face, and which gain of each band, leave the plate's energy.

Everything is compared as it will be seen, after regraining: the energies of the grain that will be added stand beside
the face's, and the plate's are left as they are. A face is its display luma [h, w], in the plate's colour and light.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.camera import grain
from understudy.comp.resample import Image
from understudy.comp.skin import texture
from understudy.comp.skin.patches import LAID, patches

F64 = NDArray[np.float64]

ROUNDS: Final = 4
"""Steps of a solve: each takes the miss of the one before to about its square."""
CLOSE: Final = 0.1
"""Miss of a band, in dB, that is left."""
ALIKE: Final = 0.01
"""Difference of two shares that nobody sees."""
FEWEST: Final = 64
"""Pixels of skin below which energies say nothing."""
BANDS: Final = len(texture.SIGMAS) - 2
"""Bands that are texture: all but the widest."""


@dataclass(frozen=True)
class Skin:
    """The plate's skin on one frame: what a new face is held against. Images are boxes of the crop.

    Attributes
    ----------
    box:
        Rows and columns of the crop.
    crop:
        The plate, display RGB [h, w, 3].
    area:
        Where energies are taken, float32 [h, w].
    where:
        Where gains are laid, likewise.
    flat:
        Open skin, on which grain is measured, likewise.
    size:
        Extent of the face in pixels.
    seed:
        Of the frame's grain.
    """

    box: tuple[slice, slice]
    crop: Image
    area: Image
    where: Image
    flat: Image
    size: float
    seed: int

    @cached_property
    def plate(self) -> F64:
        """Energies of the plate's bands, finest first; as many as the face is large enough for."""
        return self.energies(texture.luma(self.crop))

    @property
    def fine(self) -> int:
        """How many of the bands make the index: those that end at 4 pixels of a face of 512, three at most."""
        return min(len(self.plate) - 1, len(texture.WEIGHTS))

    def of(self, face: Image) -> Image:
        """Luma [h, w] of what of a face [H, W, 3] at the crop's pixels lies in the box."""
        return texture.luma(np.ascontiguousarray(face[self.box]))

    def bands(self, face: Image) -> list[Image]:
        """Bands of a face."""
        return texture.bands(face, texture.limits(self.size)[:-1])

    def energies(self, face: Image) -> F64:
        """Energies of a face's bands."""
        parts = self.bands(face)
        return texture.products(parts, parts, self.area)


def skin_of(
    crop: Image, matte: Image, points: NDArray[np.floating], where: Image, flat: Image, seed: int
) -> Skin | None:
    """The skin of a crop [h, w, 3] under a matte [h, w]; None where there is too little to say anything.

    ``points`` [468, 3] in pixels of the crop, the rest as of `Skin`.
    """
    area, size = patches(points, matte.shape) & (matte > LAID), texture.extent(points)
    if float(area.sum()) < FEWEST or len(texture.limits(size)) < 4:
        return None
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    # Room for the widest Gaussian, so that the box changes nothing inside the area.
    room = math.ceil(4 * texture.SIGMAS[-2] * size / texture.FACE) + 1
    box = np.s_[
        max(0, rows[0] - room) : rows[-1] + room + 1, max(0, columns[0] - room) : columns[-1] + room + 1
    ]
    plate, weight, near, open_ = (
        np.ascontiguousarray(image[box]) for image in (crop, area.astype(np.float32), where, flat)
    )
    return Skin(box, plate, weight, near, open_, size, seed)


class Grain:
    """The grain that faces will be given, and what they have of their own.

    Parameters
    ----------
    model:
        The plate's, see `grain.measure`; None where it has none.
    added:
        Whether the look adds any.
    """

    def __init__(self, model: Mapping[str, Any] | None, skins: Sequence[Skin], *, added: bool = True) -> None:
        self._model, self._skins, self._added = model, skins, added
        self.kin = 0.0, 0.0
        """What the faces' grain has to do with the plate's (see `grain.kinship`), as of the last call."""

    def __call__(self, faces: Sequence[Image]) -> list[F64]:
        """Energies of what will be added to each face [h, w]."""
        if self._model is None:
            return [np.zeros(len(skin.plate)) for skin in self._skins]
        greys = [cv2.merge((face, face, face)) for face in faces]
        pairs = [(grey, skin.crop, skin.flat) for grey, skin in zip(greys, self._skins, strict=True)]
        self.kin = grain.kinship(pairs, self._model)
        if not self._added:
            return [np.zeros(len(skin.plate)) for skin in self._skins]
        found = []
        for grey, skin in zip(greys, self._skins, strict=True):
            whole = np.ones_like(skin.area)
            made = grain.regrain(grey, whole, whole, self._model, self.kin, skin.seed)
            found.append(skin.energies(texture.luma(made - grey)))
        return found


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


def share(swapped: F64, cross: F64, restored: F64, added: F64, plate: F64) -> float:
    """How much of the restored face brings the texture index to 0, within 0..1; bands finest first.

    At a share b a band has b^2 E_e + 2 b (1 - b) C + (1 - b)^2 E_s. In units of the plate's energies their weighted sum
    is a quadratic in b, whose root is the first answer. The index is a mean of logarithms, so the quadratic is taken
    again in units of the energies at the answer before, which is Newton's method on the index.

    Parameters
    ----------
    swapped, restored:
        E_s of the engine's face, E_e of the restored one.
    cross:
        C, the mean product of their bands.
    added:
        Energies of the grain that will be added.
    """
    weights, target = np.array(texture.WEIGHTS[: len(plate)]), plate + texture.FLOOR
    square, slope = restored - 2 * cross + swapped, 2 * (cross - swapped)
    fixed = swapped + added + texture.FLOOR
    found, unit = 0.0, target
    for _ in range(ROUNDS):
        own = weights / unit
        level = np.log(unit / target) - 1
        found = nearest(float(own @ square), float(own @ slope), float(own @ fixed + weights @ level))
        unit = (square * found + slope) * found + fixed
    return found


def wanted(pairs: Sequence[tuple[Image, Image]], skins: Sequence[Skin], grained: Grain) -> float | None:
    """Share of the restored face that a track asks for, the median of its samples' (see `share`); None without skin.

    ``pairs`` are the engine's faces and the restored ones. What grain is lacking depends on the share: it is asked for
    half of the restored face first, then for the share that was found, until the two agree.
    """
    parts = [(skin.bands(soft), skin.bands(hard)) for (soft, hard), skin in zip(pairs, skins, strict=True)]
    energies = [
        [texture.products(one, other, skin.area) for one, other in ((own, own), (own, hard), (hard, hard))]
        for (own, hard), skin in zip(parts, skins, strict=True)
    ]
    if not skins:
        return None
    at = 0.5
    for _ in range(2 * ROUNDS):
        grains = grained([cv2.addWeighted(soft, 1 - at, hard, at, 0) for soft, hard in pairs])
        rows = zip(energies, grains, skins, strict=True)
        found = float(
            np.median([share(*(part[: skin.fine] for part in (*own, added, skin.plate))) for own, added, skin in rows])
        )
        if abs(found - at) < ALIKE:
            break
        at = (at + found) / 2
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


def levels(faces: Sequence[Image], skins: Sequence[Skin], grained: Grain) -> dict[str, Any]:
    """Faces with the grain that they will be given, against the plate: ``index`` and ``bands`` (finest first) in dB.

    Medians over the samples; None where nothing is known.
    """
    made = [skin.energies(face) for face, skin in zip(faces, skins, strict=True)]
    return _levels(made, grained(faces), skins)


def _levels(made: Sequence[F64], grains: Sequence[F64], skins: Sequence[Skin]) -> dict[str, Any]:
    found = [
        texture.index(own + added, skin.plate, skin.fine)
        for own, added, skin in zip(made, grains, skins, strict=True)
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


def tune(faces: Sequence[Image], skins: Sequence[Skin], grained: Grain, limits: Sequence[float]) -> Tuned:
    """Gain of each band at which face and grain have the plate's energies, within ``limits``.

    The more of the plate's band is grain, the nearer to 1 its limits are.

    Bands overlap, so a gain of one moves its neighbours' energies, and what grain is lacking depends on all of them:
    the gains are applied, measured and corrected until they are close.
    """
    gains = np.ones(BANDS)
    before: dict[str, Any] = {}
    for step in range(ROUNDS):
        shaped = [gained(face, gains.tolist(), skin) for face, skin in zip(faces, skins, strict=True)]
        made, grains = [skin.energies(face) for face, skin in zip(shaped, skins, strict=True)], grained(shaped)
        found = _levels(made, grains, skins)
        before = before or found
        missing = median(
            [
                spread(texture.gains(own, skin.plate - added, (0, math.inf)))
                for own, added, skin in zip(made, grains, skins, strict=True)
            ]
        )
        # A band of which grain is most has nothing to win by a gain, and what is drawn there is not the plate's.
        rooms = [
            spread((1 - added / (skin.plate + texture.FLOOR)).tolist())
            for added, skin in zip(grains, skins, strict=True)
        ]
        room = np.clip(np.nan_to_num(median(rooms), nan=1.0), 0, 1)
        least, most = (limit**room for limit in limits)
        better = np.clip(gains * np.nan_to_num(missing, nan=1.0), least, most)
        if step == ROUNDS - 1 or np.abs(20 * np.log10(better / gains)).max() < CLOSE:
            break
        gains = better
    return Tuned(gains.tolist(), before, found)


def gained(face: Image, gains: Sequence[float], skin: Skin) -> Image:
    """A face with band gains on its skin."""
    added = texture.gained(face, gains, skin.size)
    return face if added is None else face + added * skin.where
