"""Texture of the new skin against the plate's: the signed index, what tells of invented detail, and a track's road.

Images are crops of one frame, float32 ``[h, w, 3]``, display RGB. Both are compared as they are seen, the new skin with
its grain and the plate with its own: no noise floor is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image
from understudy.comp.skin import texture
from understudy.comp.skin.patches import eyes

Array = NDArray[np.floating]
Area = NDArray[np.bool_]
Number = float | None

COARSEST: Final = 8.0
"""Largest sigma of a texture band, pixels of a face of 512: what is coarser is form, not skin."""
BANDS: Final = ("texture_1", "texture_2", "texture_4", "texture_8")
"""Names of the bands, by their coarser limit in pixels of a face of 512."""
NUMBERS: Final = ("texture_index", *BANDS, "texture_around", "texture_eyes", "texture_spikes")
FEWEST: Final = 64
"""Pixels below which energies say nothing."""
ALIKE: Final = 15.0
"""Distance in L*a*b* from the face's skin up to which what lies around it is skin."""
GOOD: Final = (-1.5, 1.0)
"""Index between which a face is on neither road, in dB."""
DEBT: Final = 6.0
"""Resolution debt in dB from which it is told."""
CRISP_EYES, SPIKY = 2.0, 1.0
"""Excess of the eyes' index over the skin's in dB, and of kurtosis, from which a restorer's hand shows."""


def texture_index(
    plate: Array,
    result: Array,
    area: Area,
    face_px: float,
    around: Area | None = None,
    points: Array | None = None,
) -> dict[str, Number]:
    """Texture index: fine band energy of the new skin over the plate's at the same pixels, in dB.

    Negative is too soft, positive over-enhanced.

    Parameters
    ----------
    area:
        The skin that is compared.
    face_px:
        The face's extent in pixels. A face that is too small for the finest bands has fewer (its finest begins at 0);
        one below some 50 pixels has none.
    around:
        Skin outside the matte, which a viewer compares the new one with.
    points:
        The performer's mesh in pixels of the crop.

    Returns
    -------
    ``texture_index``, the mean of the three finest bands up to 4 pixels, weighted 1, 2, 1; the bands ``texture_1`` ..
    ``texture_8``, named by their coarser limit in pixels of a face of 512; ``texture_around``, the index of the
    result's skin over the skin around it; ``texture_eyes``, by how much the eyes' index is above the skin's;
    ``texture_spikes``, by how much the kurtosis of the finest band is above the plate's (what a network invents is
    sparse and spiky). All but the last in dB.
    """
    numbers: dict[str, Number] = dict.fromkeys(NUMBERS)
    coarsest = COARSEST * face_px / texture.FACE
    sigmas = [sigma for sigma in texture.limits(face_px) if sigma <= coarsest]
    if int(area.sum()) < FEWEST or len(sigmas) < 3:
        return numbers
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    # Room for the widest Gaussian, so that the box cut out here changes nothing inside the area.
    room = math.ceil(4 * sigmas[-1]) + 1
    top, left = max(0, rows[0] - room), max(0, columns[0] - room)
    box = np.s_[top : rows[-1] + room + 1, left : columns[-1] + room + 1]
    new, old = (texture.bands(texture.luma(image[box]), sigmas) for image in (result, plate))
    weight = area[box].astype(np.float32)
    own = texture.products(new, new, weight)
    # The index ends at 4 pixels of a face of 512, a band before the last.
    fine = len(own) - 1
    mean, bands = texture.index(own, texture.products(old, old, weight), fine)
    numbers |= {"texture_index": mean} | dict(zip(BANDS[len(BANDS) - len(bands) :], bands, strict=True))
    numbers["texture_spikes"] = _kurtosis(new[0], area[box]) - _kurtosis(old[0], area[box])
    if around is not None and int(around[box].sum()) >= FEWEST:
        beside = around[box].astype(np.float32)
        numbers["texture_around"] = texture.index(own, texture.products(new, new, beside), fine)[0]
    if points is not None:
        seen = eyes(points[:, :2] - np.array([left, top]), weight.shape).astype(np.float32)
        if seen.sum() >= FEWEST:
            open_, before = (texture.products(each, each, seen) for each in (new, old))
            numbers["texture_eyes"] = texture.index(open_, before, fine)[0] - mean
    return numbers


def _kurtosis(band: Image, area: Area) -> float:
    """Excess kurtosis of a band on some pixels: 0 for normal noise."""
    square = np.square(band[area])
    mean = float(square.mean(dtype=np.float64))
    return float(np.mean(square * square, dtype=np.float64)) / (mean * mean) - 3 if mean > 0 else 0.0


def skin_around(lab: Array, matte: Array, near: float) -> Area:
    """Skin just outside a matte [h, w]: within ``near`` pixels of it, of the colour of the skin inside, no edge of it.

    ``lab`` is the plate in CIE L*a*b* [h, w, 3].
    """
    inside = (matte > 0.95).astype(np.uint8)
    apart = cv2.subtract(lab, (*cv2.mean(lab, mask=inside)[:3], 0.0))
    square = cv2.transform(cv2.multiply(apart, apart), np.ones((1, 3), np.float32))
    kept = cv2.erode(((square < ALIKE**2) | (matte > 0.02)).astype(np.uint8), np.ones((3, 3), np.uint8))
    reach = cv2.distanceTransform((matte < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    return kept.view(bool) & (matte < 0.02) & (reach <= near)


def road(index: Number) -> str:
    """Which way a face misses the plate's texture."""
    if index is None:
        return "unknown"
    return "too soft" if index < GOOD[0] else "over-enhanced" if index > GOOD[1] else "as the plate"


def summary(
    rows: Sequence[Mapping[str, Any]], fitted: Mapping[str, Any] | None, debt: Number
) -> dict[str, Any]:
    """The texture of a track: the median of its numbers, what the fit did, and the resolution debt in dB.

    Parameters
    ----------
    rows:
        Of the track, with the numbers of `texture_index`.
    fitted:
        What `comp.match.fit` returned for the track; None where there was nothing to fit on.
    """
    numbers = {name: [row[name] for row in rows if row.get(name) is not None] for name in NUMBERS}
    found: dict[str, Any] = {name: float(np.median(own)) if own else None for name, own in numbers.items()}
    if fitted:
        blended = fitted["texture"]["blended"]["index"]
        found |= {"road": road(blended), "restored": fitted["restored"], "fit": fitted["texture"]}
        found["matched"] = fitted["look"]["texture"]
    return found | {"debt": debt}


def told(found: Mapping[str, Any], ends: Mapping[str, Any], limits: Sequence[float]) -> list[dict[str, Any]]:
    """What a person should know of a track's texture, as flags; nothing where it was on neither road.

    Parameters
    ----------
    found:
        What `summary` returned.
    ends:
        ``first``, ``last``, ``worst``, ``track``, ``whole`` of the flags.
    limits:
        ``match.gain``.
    """
    flags = []
    if found.get("road") in ("too soft", "over-enhanced"):
        index, soft = found["fit"]["blended"]["index"], found["road"] == "too soft"
        flags.append(
            dict(ends)
            | {
                "kind": "texture solved",
                "level": "info",
                "value": index,
                "reason": f"{found['road']} by {index:+.1f} dB before gains: {_done(found, limits)}",
                "action": _next(found, limits, soft),
            }
        )
    owed = found["debt"]
    if owed is not None and owed > DEBT:
        flags.append(
            dict(ends)
            | {
                "kind": "resolution debt",
                "level": "info",
                "value": owed,
                "reason": f"the network saw the face {owed:.1f} dB smaller than the plate shows it",
                "action": "raise swap.boost, or take a larger network, where the skin is too soft",
            }
        )
    hand = []
    if (found["texture_eyes"] or 0) > CRISP_EYES:
        hand.append(f"the eyes are {found['texture_eyes']:.1f} dB crisper than the skin")
    if (found["texture_spikes"] or 0) > SPIKY:
        hand.append(f"the finest detail is spikier than the plate's (kurtosis {found['texture_spikes']:+.1f})")
    if found.get("restored") and hand:
        flags.append(
            dict(ends)
            | {
                "kind": "invented detail",
                "level": "warn",
                "value": found["texture_eyes"],
                "reason": f"the restorer's hand shows: {' and '.join(hand)}",
                "action": "lower match.restored, or take a more faithful restorer",
            }
        )
    return flags


def _done(found: Mapping[str, Any], limits: Sequence[float]) -> str:
    """What the fit did, in words."""
    restored, fit = found["restored"], found["fit"]
    gains = " / ".join(f"{gain:.2f}{' (limit)' if _at_limit(gain, limits) else ''}" for gain in fit["gains"])
    words = []
    if found["matched"]:
        words += [f"band gains {gains} from fine to coarse", f"{fit['finished']['index']:+.1f} dB after them"]
    if restored:
        least, most = restored["range"]
        held = restored["share"] != restored["wanted"]
        limit = "" if not held else " (fixed)" if least == most else " (limit)"
        words.insert(0, f"blend solved at {restored['share']:.2f}{limit}")
    return ", ".join(words) if words else "nothing was done, match.texture is off"


def _next(found: Mapping[str, Any], limits: Sequence[float], soft: bool) -> str:
    """The next step of a track on one of the roads."""
    restored, fit = found["restored"], found["fit"]
    steps = []
    asked = 0.0 if not restored or restored["wanted"] is None else restored["wanted"] - restored["share"]
    if soft and asked > 0:
        steps.append("raise the upper end of match.restored")
    if not soft and asked < 0:
        steps.append("lower the lower end of match.restored")
    if soft:
        steps.append("raise swap.boost" if restored else "raise swap.boost, name a restorer in enhance.model")
    if not found["matched"]:
        steps.append("set match.texture to true")
    elif road(fit["finished"]["index"]) == "as the plate":
        return "nothing: the gains made up for it"
    elif any(_at_limit(gain, limits) for gain in fit["gains"]):
        steps.append("widen match.gain")
    return ", or ".join(steps) if steps else "lower the look's texture or grain settings"


def _at_limit(gain: float, limits: Sequence[float]) -> bool:
    return min(abs(gain - limit) for limit in limits) < 1e-6
