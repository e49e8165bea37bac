"""One fit of colour, texture and grain for a track, and the finish that uses it on every frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.comp import character, colour, grain, light, texture
from understudy.comp.blend import blend, detail
from understudy.comp.matte import COARSE, skin
from understudy.comp.resample import Image, enlarged, reduced
from understudy.faces.geometry import iod

SPECULAR: Final = 0.98
"""Quantile of luma above which skin shines and is left out of the colour fit."""
FEWEST: Final = 24
"""Blocks of skin below which nothing is fitted."""
LOOK: Final = ("light", "texture", "grain", "restored", *character.LOOK)
"""Settings that the fit hands on to `finish`, which takes its own where it is given them."""


@dataclass(frozen=True)
class Laid:
    """A new face at a crop's own pixels.

    Attributes
    ----------
    swapped:
        The engine's, float32 display RGB [h, w, 3].
    change:
        What restoring changes of it at full strength, [h, w, 3]; None where the look restores nothing.
    """

    swapped: Image
    change: Image | None = None

    def at(self, share: float) -> Image:
        """The face with a share of what restoring changes."""
        return self.swapped if self.change is None or not share else self.swapped + np.float32(share) * self.change


@dataclass(frozen=True)
class Moment:
    """One frame of a track, as the finish must know it.

    Attributes
    ----------
    frame:
        The plate's own number.
    points:
        The performer's mesh [468, 3] in pixels of the crop.
    seed:
        Of everything random; from shot, track and frame.
    motion:
        How the face moves during the frame, [2, 3] in pixels of the crop (see `comp.motion`); None where it does not.
    corner:
        Where the crop's upper left corner lies on the plate, (x, y) in pixels.
    """

    frame: int
    points: NDArray[np.floating]
    seed: int = 0
    motion: NDArray[np.float64] | None = None
    corner: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Sample:
    """One frame of a track to fit on.

    Attributes
    ----------
    crop:
        Plate, float32 display RGB [h, w, 3].
    matte:
        float32 [h, w].
    """

    crop: Image
    face: Laid
    matte: Image
    moment: Moment

    @property
    def points(self) -> NDArray[np.floating]:
        """The performer's mesh [468, 3] in pixels of the crop."""
        return self.moment.points


def _step(points: NDArray[np.floating]) -> int:
    """Pixels on a side of the blocks on which a face's low frequencies are judged."""
    return max(1, round(iod(points) / COARSE))


def _skin(matte: Image, points: NDArray[np.floating]) -> Image:
    """Open skin under a matte, by blocks."""
    step = _step(points)
    return skin(points, matte.shape, step) * reduced(matte, step)


def _moments(
    samples: Sequence[Sample], faces: Sequence[Image], skins: Sequence[Image]
) -> dict[str, tuple[Any, Any]] | None:
    """Moments of the face's and the plate's skin by blocks, without highlights; None where there is no skin."""
    weight = np.concatenate([area.reshape(-1) for area in skins])
    if weight.sum() < FEWEST:
        return None
    found = {}
    for name, images in (("face", faces), ("crop", [sample.crop for sample in samples])):
        blocks = [
            reduced(image, _step(sample.points)).reshape(-1, 1, 3)
            for sample, image in zip(samples, images, strict=True)
        ]
        pixels = np.concatenate(blocks)
        shine, pixels = texture.luma(pixels)[:, 0], pixels[:, 0]
        counted = weight * (shine <= np.quantile(shine[weight > 0.5 * weight.max()], SPECULAR))
        found[name] = colour.moments(pixels, counted)
    return found


def _texture(samples: Sequence[Sample], faces: Sequence[Image], skins: Sequence[Image]) -> dict[str, Any]:
    """Band gains that bring faces in the plate's colour and character to the plate's texture, and the index before."""
    sizes = [texture.extent(sample.points) for sample in samples]
    count = len(texture.SIGMAS) - 1
    rows, before = np.full((len(samples), count), np.nan), []
    for k, (sample, face, area, size) in enumerate(zip(samples, faces, skins, sizes, strict=True)):
        sigmas = texture.limits(size)
        wanted = texture.energies(sample.crop, area, sigmas)
        own = texture.energies(face, area, sigmas)
        before.append(texture.index(own, wanted)[0])
        got = texture.gains(own, wanted)
        rows[k, count - len(got) :] = got
    known = ~np.isnan(rows).all(axis=0)
    gains = np.ones(count)
    gains[known] = np.nanmedian(rows[:, known], axis=0)
    return {"gains": gains.tolist(), "index_before": float(np.median(before))}


def fit(samples: Sequence[Sample], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fit a track: constant over the shot, so that nothing can pump.

    Parameters
    ----------
    samples:
        Frames spread over the shot.
    settings:
        ``colour`` (mkl, mean, none), ``light`` 0..1, ``texture`` and ``grain`` (whether they are matched), ``restored``
        (share of what restoring changes).

    Returns
    -------
    JSON types: ``colour`` (see `colour.solve`), ``character`` (see `character.fit`), ``texture`` (``gains``,
    ``index_before`` in dB), ``grain``
    (the plate's model or None, see `grain.measure`), ``kin`` (the new face's, see `grain.kinship`), ``look``
    (settings for `finish`).
    """
    blocks = [_skin(sample.matte, sample.points) for sample in samples]
    made = [sample.face.at(settings["restored"]) for sample in samples]
    found = _moments(samples, made, blocks)
    still = np.zeros(3), np.eye(3)
    solved = (
        colour.solve(settings["colour"], found["face"], found["crop"])
        if found
        else colour.solve("none", still, still)
    )
    skins = [
        (enlarged(area, _step(sample.points), sample.matte.shape) * (sample.matte > 0.9)).astype(np.float32)
        for sample, area in zip(samples, blocks, strict=True)
    ]
    faces = []
    for sample, raw, area in zip(samples, made, blocks, strict=True):
        toned = colour.apply(raw, solved["matrix"])
        faces.append(
            light.relight(
                toned, sample.crop, area, _step(sample.points), iod(sample.points), settings["light"]
            )
        )
    lens = character.fit([(sample, face) for sample, face in zip(samples, faces, strict=True)], skins, settings)
    faces = [
        character.apply(face, lens, sample.moment, (0, 0), settings)
        for sample, face in zip(samples, faces, strict=True)
    ]
    plain = [np.maximum(area, sample.matte == 0) for sample, area in zip(samples, skins, strict=True)]
    noise = grain.measure([(sample.crop, area) for sample, area in zip(samples, plain, strict=True)])
    if not grain.visible(noise):
        noise = None
    fine = _texture(samples, faces, skins)
    kin = 0.0, 0.0
    if noise is not None:
        sizes = [texture.extent(sample.points) for sample in samples]
        shaped = [
            texture.apply(face, fine, size, area)
            for face, size, area in zip(faces, sizes, skins, strict=True)
        ]
        plates = [sample.crop for sample in samples]
        kin = grain.kinship(list(zip(shaped, plates, skins, strict=True)), noise)
    return {
        "colour": solved,
        "character": lens,
        "texture": fine,
        "grain": noise,
        "kin": list(kin),
        "look": {name: settings[name] for name in LOOK},
    }


def finish(
    crop: Image,
    face: Laid,
    matte: Image,
    moment: Moment,
    fitted: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Image, Image]:
    """Make the new face sit in the plate: colour, light, texture, blend, grain.

    Parameters
    ----------
    crop:
        Plate, float32 display RGB [h, w, 3].
    matte:
        float32 [h, w].
    fitted:
        What `fit` returned for the track.
    settings:
        ``blend`` (multiband, poisson, alpha), ``opacity`` 0..1, and any of ``light``, ``texture``, ``grain``,
        ``restored``, which otherwise are those of the fit.

    Returns
    -------
    Result, display RGB float32 [h, w, 3], and weight float32 [h, w], exactly 0 where the matte is:
    ``crop + weight (result - crop)`` is the picture.
    """
    look = {**fitted["look"], **settings}
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    result, weight = crop.copy(), np.zeros_like(matte)
    if not len(rows) or not look["opacity"]:
        return result, weight
    points = moment.points
    unit, size = iod(points), texture.extent(points)
    room = max(8, round(0.3 * unit))
    box = (
        slice(max(rows[0] - room, 0), rows[-1] + 1 + room),
        slice(max(columns[0] - room, 0), columns[-1] + 1 + room),
    )
    near = points - np.array([box[1].start, box[0].start, 0])[: points.shape[1]]
    plate, laid = np.ascontiguousarray(crop[box]), np.ascontiguousarray(matte[box])
    new = colour.apply(face.at(look["restored"])[box], fitted["colour"]["matrix"])
    blocks, step = _skin(laid, near), _step(near)
    if look["light"]:
        new = light.relight(new, plate, blocks, step, unit, look["light"])
    new = character.apply(new, fitted["character"], moment, (box[1].start, box[0].start), look)
    if look["texture"]:
        new = texture.apply(
            new, fitted["texture"], size, np.minimum(2 * enlarged(blocks, step, laid.shape), 1)
        )
    mixed, own = blend(look["blend"], plate, new, laid, unit)
    result[box], weight[box] = mixed, own * np.float32(look["opacity"])
    if look["grain"] != "none" and fitted["grain"] is not None:
        touched = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        part = weight[touched]
        result[touched] = grain.regrain(
            result[touched],
            detail(look["blend"], matte[touched], part),
            part,
            fitted["grain"],
            fitted["kin"],
            moment.seed,
            crop[touched] if look["grain"] == "plate" else None,
        )
    return result, weight
