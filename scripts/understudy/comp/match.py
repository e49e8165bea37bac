"""One fit of colour, texture and grain for a track, and the finish that uses it on every frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.comp.blend import blend, detail
from understudy.comp.camera import character, grain
from understudy.comp.mattes.matte import COARSE, skin
from understudy.comp.resample import Image, enlarged, reduced, warp
from understudy.comp.skin import solve, texture
from understudy.comp.skin.donor import donate
from understudy.comp.skin.patches import forehead
from understudy.comp.tone import light, segments
from understudy.comp.tone.tones import Tones, tones
from understudy.faces.geometry import STABLE, iod, similarity

LOOK: Final = ("light", "texture", "grain", *character.LOOK)
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
    donor:
        The talent's own skin, [h, w, 3], and where it is shown [h, w]; None where the look takes no texture from it.
    """

    swapped: Image
    change: Image | None = None
    donor: tuple[Image, Image] | None = None

    def within(self, box: tuple[slice, slice]) -> Laid:
        """What lies in a box."""
        return Laid(
            self.swapped[box],
            None if self.change is None else self.change[box],
            None if self.donor is None else (self.donor[0][box], self.donor[1][box]),
        )

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
        How the face moves during the frame, [2, 3] in pixels of the crop (see `comp.camera.motion`); None where it does
        not.
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
    beside:
        Plate of a frame beside it, display RGB [H, W, 3], and the performer's mesh there [468, 3]; None where that is
        not known.
    """

    crop: Image
    face: Laid
    matte: Image
    moment: Moment
    beside: tuple[Image, NDArray[np.floating]] | None = None

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


def tones_of(sample: Sample, settings: Mapping[str, Any]) -> Tones:
    """What the skin of a frame says of colour; ``settings`` as for `fit`.

    Of the face at the middle of the range: how much of it is restored is solved later, and its colour hardly depends on
    that.
    """
    blocks, step = _skin(sample.matte, sample.points), _step(sample.points)
    face = sample.face.at(float(np.mean(settings["restored"])))
    return tones(sample.moment.frame, sample.crop, face, blocks, step)


def _where(blocks: Image, matte: Image, points: NDArray[np.floating]) -> Image:
    """Where gains are laid under a matte [h, w], of open skin by blocks: there and on the forehead."""
    step = _step(points)
    whole = np.maximum(blocks, forehead(points, matte.shape, step) * reduced(matte, step))
    return np.minimum(2 * enlarged(whole, step, matte.shape), 1)


def _made(face: Laid, share: float, where: Image, points: NDArray[np.floating]) -> Image:
    """A face at a share of what restoring changes, with the donor's skin where it is given (see `_where`)."""
    if face.donor is None:
        return face.at(share)
    skin, shown = face.donor
    return donate(face.at(share), skin, where * shown, texture.extent(points))


def _toned(
    sample: Sample, face: Image, fitted: Mapping[str, Any], blocks: Image, strength: float
) -> Image:
    """A face in the plate's colour and light."""
    toned = segments.apply(face, fitted, sample.moment.frame)
    return light.relight(toned, sample.crop, blocks, _step(sample.points), iod(sample.points), strength)


def _held(sample: Sample, blocks: Image, flat: Image) -> solve.Skin | None:
    """The plate's skin of a sample; ``blocks`` is its open skin by blocks, ``flat`` the same by pixels."""
    where = _where(blocks, sample.matte, sample.points)
    return solve.skin_of(sample.crop, sample.matte, sample.points, where, flat, sample.moment.seed)


def _pairs(samples: Sequence[Sample], skins: Sequence[Image]) -> list[tuple[Image, Image, Image]]:
    """Luma of the plate's samples, and of the frames beside them as far as they are known, laid over by the face's own
    motion, with the open skin."""
    found = []
    for sample, area in zip(samples, skins, strict=True):
        if sample.beside is not None:
            image, points = sample.beside
            place = similarity(points[STABLE], sample.points[STABLE])
            there = warp(texture.luma(image), place, area.shape[::-1])
            found.append((texture.luma(sample.crop), there, area))
    return found


def fit(
    samples: Sequence[Sample], settings: Mapping[str, Any], seen: Sequence[Tones] = ()
) -> dict[str, Any]:
    """Fit a track: texture and grain are constant over the shot, so that nothing can pump.

    Parameters
    ----------
    samples:
        Frames spread over the shot.
    seen:
        Tones of every frame that the colour is fitted on, in order; without any, those of the samples are.
    settings:
        ``colour`` (see `colour.solve`), ``steady`` (whether colour follows the plate), ``light`` 0..1, ``texture`` and
        ``grain`` (whether they are matched), ``restored`` (least and largest share of what restoring changes), ``gain``
        (least and largest gain of a band).

    Returns
    -------
    JSON types: ``colour`` (see `segments.fit`), ``restored`` (``share``, what was ``wanted``, the ``range``; None where
    nothing is restored), ``character`` (see `character.fit`), ``texture`` (``gains``, and dB against the plate, see
    `solve.levels`: ``swapped`` as the engine made it, ``restored`` at full strength, ``blended``, ``finished``),
    ``grain`` (the plate's model or None, see `grain.measure`), ``kin`` (the new face's, see `grain.kinship`), ``look``
    (settings for `finish`).
    """
    blocks = [_skin(sample.matte, sample.points) for sample in samples]
    solved = segments.fit(
        seen or [tones_of(sample, settings) for sample in samples], settings["colour"], follow=settings["steady"]
    )
    strength = max(settings["light"], solved["light"])
    skins = [
        (enlarged(area, _step(sample.points), sample.matte.shape) * (sample.matte > 0.9)).astype(np.float32)
        for sample, area in zip(samples, blocks, strict=True)
    ]
    plain = [np.maximum(area, sample.matte == 0) for sample, area in zip(samples, skins, strict=True)]
    noise = grain.measure([(sample.crop, area) for sample, area in zip(samples, plain, strict=True)])
    if noise is not None:
        noise = grain.lively(noise, _pairs(samples, skins))
    noise = noise if grain.visible(noise) else None
    held = {
        k: skin
        for k, (sample, area, flat) in enumerate(zip(samples, blocks, skins, strict=True))
        if (skin := _held(sample, area, flat))
    }
    known = list(held.values())
    grained = solve.Grain(noise, known, added=settings["grain"] != "none")

    def toned(share: float, *, donor: bool) -> list[Image]:
        """The faces in the plate's colour and light, with the donor's skin or without."""
        found = []
        for sample, area in zip(samples, blocks, strict=True):
            laid = sample.face if donor else replace(sample.face, donor=None)
            made = _made(laid, share, _where(area, sample.matte, sample.points), sample.points)
            found.append(_toned(sample, made, solved, area, strength))
        return found

    share, restored, levels = 0.0, None, {}
    least, most = settings["restored"]
    if any(sample.face.change is not None for sample in samples):
        # A donor's fine bands would hide what the restorer does to them.
        ends = [toned(end, donor=False) for end in (0, 1)]
        pair = [[skin.of(faces[k]) for k, skin in held.items()] for faces in ends]
        wanted = solve.wanted(list(zip(*pair, strict=True)), known, grained)
        for name, made in zip(("swapped", "restored"), pair, strict=True):
            levels[name] = solve.levels(made, known, grained)
        share = most if wanted is None else float(np.clip(wanted, least, most))
        restored = {"share": share, "wanted": wanted, "range": [least, most]}
    faces = toned(share, donor=True)
    lens = character.fit(list(zip(samples, faces, strict=True)), skins, settings)
    shaped = {k: character.apply(faces[k], lens, samples[k].moment, (0, 0), settings) for k in held}
    tuned = solve.tune([skin.of(shaped[k]) for k, skin in held.items()], known, grained, settings["gain"])
    levels |= {"blended": tuned.before, "finished": tuned.after}
    return {
        "colour": solved,
        "restored": restored,
        "character": lens,
        "texture": {"gains": tuned.gains, **levels},
        "grain": noise,
        "kin": list(grained.kin),
        "look": {name: settings[name] for name in LOOK},
    }


def room_of(unit: float) -> int:
    """Pixels around a matte that `finish` looks at, for an IOD of ``unit`` pixels."""
    return max(8, round(0.3 * unit))


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
        which otherwise are those of the fit.

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
    room = room_of(unit)
    box = (
        slice(max(rows[0] - room, 0), rows[-1] + 1 + room),
        slice(max(columns[0] - room, 0), columns[-1] + 1 + room),
    )
    share = fitted["restored"]["share"] if fitted["restored"] else 0.0
    near = points - np.array([box[1].start, box[0].start, 0])[: points.shape[1]]
    plate, laid = np.ascontiguousarray(crop[box]), np.ascontiguousarray(matte[box])
    blocks, step = _skin(laid, near), _step(near)
    where = _where(blocks, laid, near)
    new = segments.apply(_made(face.within(box), share, where, near), fitted["colour"], moment.frame)
    if strength := max(look["light"], fitted["colour"]["light"]):
        new = light.relight(new, plate, blocks, step, unit, strength)
    new = character.apply(new, fitted["character"], moment, (box[1].start, box[0].start), look)
    if look["texture"]:
        new = texture.apply(new, fitted["texture"], size, where)
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
