"""What is measured on a finished face, always against the plate's own face.

Images are crops of one frame, float32 ``[h, w, 3]``, display RGB, 0..1 nominal. Mattes are float32 ``[h,
w]``, 0..1. Points are float32 ``[468, 2 or 3]`` in pixels of the crop, pixel centres at .5. Every number is a
plain finite ``float``, or ``None`` where there is nothing to measure it on, so a row goes to JSON as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import reduced
from understudy.comp.skin import texture
from understudy.comp.skin.patches import LAID, patches, polygon
from understudy.faces.geometry import OVAL, iod
from understudy.qc.texture import skin_around, texture_index

Array = NDArray[np.floating]
Number = float | None

STEP: Final = 1.0 / 255.0
"""One step of 8 bit: what is added to differences, so that flat pictures compare as equal."""
JITTER_WINDOW: Final = 9
SMALLEST_EYES: Final = 60.0
FEWEST: Final = 64
"""Pixels below which a mean says nothing."""
SAMPLE_IOD: Final = 40.0
"""Means over large areas are taken on a copy in which the eyes are about this many pixels apart."""


def contour(matte: Array) -> tuple[Array, Array]:
    """The matte's .5 line: places ``[n, 2]`` (x, y; pixel centres at .5) and unit normals ``[n, 2]``.

    Parts that run along the crop's border are left out: there the crop ends, not the matte.
    """
    height, width = matte.shape
    inside = (matte > 0.5).astype(np.uint8)
    lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    places: list[Array] = []
    normals: list[Array] = []
    for line in lines:
        xy = line[:, 0, :].astype(np.float64)
        if len(xy) < 16:
            continue
        tangent = np.roll(xy, -4, axis=0) - np.roll(xy, 4, axis=0)
        length = np.hypot(tangent[:, 0], tangent[:, 1])
        off_border = (xy > 4).all(axis=1) & (xy[:, 0] < width - 5) & (xy[:, 1] < height - 5)
        kept = np.flatnonzero(off_border & (length > 0))
        tangent = tangent[kept] / length[kept, None]
        places.append(xy[kept] + 0.5)
        normals.append(np.stack([-tangent[:, 1], tangent[:, 0]], axis=1))
    if not places:
        return np.empty((0, 2)), np.empty((0, 2))
    return np.concatenate(places), np.concatenate(normals)


def _difference(image: Array, places: Array, offset: Array) -> float:
    """Mean absolute difference of ``image`` between ``places + offset`` and ``places - offset``."""
    ends = np.stack([places + offset, places - offset]).astype(np.float32) - np.float32(0.5)
    values = cv2.remap(image, ends[..., 0], ends[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(values[0] - values[1]).mean())


def seam(plate: Array, result: Array, matte: Array, distance: float) -> Number:
    """How much more the picture changes across the matte's edge than along it, over the same on the plate.

    1 is an edge that nobody sees; ``distance`` is half the length, in pixels, over which the change is taken.
    One 8-bit step is added to each change, so that flat pictures compare as equal.
    """
    places, normals = contour(matte)
    if len(places) < 16:
        return None
    every = max(1, len(places) // 512)
    places, normals = places[::every], normals[::every]
    across = normals * distance
    along = np.stack([normals[:, 1], -normals[:, 0]], axis=1) * distance

    def ratio(image: Array) -> float:
        return (_difference(image, places, across) + STEP) / (_difference(image, places, along) + STEP)

    return ratio(result) / ratio(plate)


def delta_e(first: Array, second: Array) -> float:
    """CIEDE2000 between two CIE L*a*b* colours ``[3]``, after Sharma, Wu and Dalal (2005)."""
    l1, a1, b1 = (float(value) for value in first)
    l2, a2, b2 = (float(value) for value in second)
    c_mean7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - math.sqrt(c_mean7 / (c_mean7 + 25.0**7)))
    c1, c2 = math.hypot(a1 * stretch, b1), math.hypot(a2 * stretch, b2)
    h1 = math.degrees(math.atan2(b1, a1 * stretch)) % 360 if c1 else 0.0
    h2 = math.degrees(math.atan2(b2, a2 * stretch)) % 360 if c2 else 0.0
    turn = h2 - h1 if c1 and c2 else 0.0
    turn -= 360 * round(turn / 360) if abs(turn) > 180 else 0
    if not (c1 and c2):
        h_mean = h1 + h2
    elif abs(h1 - h2) > 180:
        h_mean = (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    else:
        h_mean = (h1 + h2) / 2
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    tone = (
        1
        - 0.17 * math.cos(math.radians(h_mean - 30))
        + 0.24 * math.cos(math.radians(2 * h_mean))
        + 0.32 * math.cos(math.radians(3 * h_mean + 6))
        - 0.20 * math.cos(math.radians(4 * h_mean - 63))
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / math.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * tone
    bend = math.radians(60 * math.exp(-(((h_mean - 275) / 25) ** 2)))
    r_t = -2 * math.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)) * math.sin(bend)
    d_l, d_c = (l2 - l1) / s_l, (c2 - c1) / s_c
    d_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn) / 2) / s_h
    return math.sqrt(max(0.0, d_l**2 + d_c**2 + d_h**2 + r_t * d_c * d_h))


def lab(image: Array) -> Array:
    """CIE L*a*b* (D65) of display RGB taken as sRGB, clipped to 0..1: float32 ``[h, w, 3]``."""
    return cv2.cvtColor(np.clip(image, 0, 1, dtype=np.float32), cv2.COLOR_RGB2LAB)


def colour_distance(plate: Array, result: Array, matte: Array, eyes_px: float) -> Number:
    """CIEDE2000 from the skin inside the matte's edge to the skin just outside, minus the same on the plate.

    Inside is up to .5 IOD from the .5 line, outside up to .3 IOD; ``eyes_px`` is the IOD in pixels. What is
    skin is told from the plate, so hair, collar and background do not count. ``None`` where no skin is left
    outside.
    """
    inside = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((matte <= 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    near = np.flatnonzero((matte > 0.95) & (inside <= 0.5 * eyes_px))
    beyond = np.flatnonzero((matte < 0.05) & (outside <= 0.3 * eyes_px))
    if len(near) < FEWEST:
        return None

    def tones(image: Array, where: NDArray[np.intp]) -> Array:
        return lab(np.take(image.reshape(-1, 1, 3), where, axis=0))[:, 0]

    skin_old, around_old = tones(plate, near), tones(plate, beyond)
    tone = np.median(skin_old, axis=0)
    alike, alike_around = (np.linalg.norm(colours - tone, axis=1) < 15.0 for colours in (skin_old, around_old))
    if min(int(alike.sum()), int(alike_around.sum())) < FEWEST:
        return None
    skin_new, around_new = tones(result, near[alike]), tones(result, beyond[alike_around])
    before = delta_e(skin_old[alike].mean(axis=0), around_old[alike_around].mean(axis=0))
    return delta_e(skin_new.mean(axis=0), around_new.mean(axis=0)) - before


def sample_step(points: Array) -> int:
    """Side of the blocks of pixels that become one pixel where large areas are looked at, see `SAMPLE_IOD`."""
    return max(1, round(float(iod(points)) / SAMPLE_IOD))


def frame(plate: Array, result: Array, matte: Array, points: Array) -> dict[str, Number]:
    """All numbers of one face on one frame.

    Parameters
    ----------
    plate, result:
        The same box of the plate and of the finished frame, float32 ``[h, w, 3]`` display RGB.
    matte:
        What was laid over the plate, float32 ``[h, w]``, 0..1.
    points:
        The performer's mesh on this frame, ``[468, 2 or 3]``, in pixels of the box.

    Returns
    -------
    The numbers of :func:`understudy.qc.texture.texture_index`, ``seam`` (ratio, 1 = invisible),
    ``colour_distance`` (CIEDE2000 above the plate's), ``coverage`` (share of the face's oval under the
    matte), ``luma_ratio`` (natural log of mean luma, result over plate, under the matte: see :func:`flicker`)
    and ``untouched`` (largest difference where the matte is zero; must be 0 for a lossless deliverable).
    """
    plate, result, matte = (np.ascontiguousarray(image, np.float32) for image in (plate, result, matte))
    eyes_px = float(iod(points))
    step = sample_step(points)
    small_plate, small_result, small_matte = (reduced(image, step) for image in (plate, result, matte))
    oval = polygon(np.asarray(points, np.float64)[:, :2] / step, OVAL, small_matte.shape)
    face_pixels = int(oval.sum())

    covered = float(small_matte.sum(dtype=np.float64))
    ratio: Number = None
    if covered > 1:
        before, after = (
            float(np.sum(texture.luma(image) * small_matte, dtype=np.float64)) / covered
            for image in (small_plate, small_result)
        )
        ratio = math.log(max(after, STEP) / max(before, STEP))

    area = patches(points, (matte.shape[0], matte.shape[1])) & (matte > LAID)
    beside = skin_around(lab(small_plate), small_matte, 0.3 * eyes_px / step).astype(np.uint8)
    height, width = beside.shape
    wide = cv2.resize(beside, (width * step, height * step), interpolation=cv2.INTER_NEAREST)
    around = wide[: matte.shape[0], : matte.shape[1]].view(bool)
    return {
        **texture_index(plate, result, area, texture.extent(points), around, points),
        "seam": seam(plate, result, matte, max(1.5, 0.02 * eyes_px)),
        "colour_distance": colour_distance(small_plate, small_result, small_matte, eyes_px / step),
        "coverage": float(small_matte[oval].mean(dtype=np.float64)) if face_pixels else None,
        "luma_ratio": ratio,
        "untouched": _largest_change(plate, result, matte == 0),
    }


def _largest_change(plate: Array, result: Array, where: NDArray[np.bool_]) -> float:
    """Largest difference of two pictures [h, w, 3] at some of their pixels [h, w]; 0 where there are none."""
    if not where.any():
        return 0.0
    # As pictures of one channel, three times as wide, OpenCV compares them at a third of the cost.
    area = cv2.merge([where.view(np.uint8)] * 3)
    first, second, mask = (image.reshape(len(image), -1) for image in (plate, result, area))
    return float(cv2.norm(first, second, cv2.NORM_INF, mask))


def _numbers(values: Array, lost: int) -> list[Number]:
    """Values with ``lost`` ends on either side, as JSON numbers."""
    return [None] * lost + [float(value) for value in values] + [None] * lost


def rms(values: Sequence[Number]) -> Number:
    """Root mean square of what is known, ``None`` of nothing."""
    known = [value for value in values if value is not None]
    return math.sqrt(sum(value * value for value in known) / len(known)) if known else None


def median(values: Sequence[Number]) -> Number:
    """Median of what is known, ``None`` of nothing."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def spread(values: Sequence[Number]) -> Number:
    """Standard deviation of what is known, ``None`` of fewer than two."""
    known = [value for value in values if value is not None]
    return float(np.std(known)) if len(known) > 1 else None


def _unsteadiness(fourth: Array, eyes_px: Array) -> list[Number]:
    """Lengths of fourth differences, in pixels, as local rms in IOD: see :func:`jitter`."""
    square = (fourth / np.maximum(np.asarray(eyes_px, np.float64)[2:-2], SMALLEST_EYES)) ** 2 * (6 / 70)
    # Full, then cut: numpy's "same" is as long as the window where the track is shorter.
    window, half = np.ones(JITTER_WINDOW), JITTER_WINDOW // 2
    sums, counts = (np.convolve(values, window)[half:-half] for values in (square, np.ones(len(square))))
    return _numbers(np.sqrt(sums / counts), 2)


def jitter(places: Array, eyes_px: Array) -> list[Number]:
    """Unsteadiness of a track: rms over the nine frames around each, in IOD.

    ``places`` is ``[n, k, 2 or 3]`` pixels, ``eyes_px`` ``[n]``, contiguous frames. Jitter is commonly the rms
    second difference, but a nod of .3 IOD at 2 Hz is .05 IOD by that measure, ten times the limit. So the
    *fourth* difference is taken and scaled by sqrt(6 / 70), which makes the two equal on independent noise
    (sums of squared binomials: 1 + 4 + 1 = 6 and 1 + 16 + 36 + 16 + 1 = 70) and all but blind to motion. The
    first and the last two frames have none. Eyes nearer than 60 pixels count as 60: nobody sees less than a
    third of a pixel.
    """
    if len(places) < 5:
        return [None] * len(places)
    fourth = np.diff(np.asarray(places, np.float64)[..., :2], n=4, axis=0)
    return _unsteadiness(np.sqrt(np.mean(np.sum(fourth**2, axis=2), axis=1)), eyes_px)


def crop_jitter(transform: Array, eyes_px: Array) -> list[Number]:
    """Like :func:`jitter`, of the crop; ``transform`` is ``[n, 4]``: centre x, y, log scale, angle (radians).

    A change (dx, dy, ds, da) moves the points of a circle of radius r by ``dx^2 + dy^2 + r^2 (ds^2 + da^2)``
    in the mean square; r is 1 IOD, so that the number compares with that of the points.
    """
    if len(transform) < 5:
        return [None] * len(transform)
    values = np.array(transform, np.float64)
    values[:, 3] = np.unwrap(values[:, 3])
    x, y, scale, angle = np.diff(values, n=4, axis=0).T
    radius = np.asarray(eyes_px, np.float64)[2:-2]
    return _unsteadiness(np.sqrt(x**2 + y**2 + radius**2 * (scale**2 + angle**2)), eyes_px)


def flicker(luma_ratio: Sequence[Number]) -> list[Number]:
    """Absolute second difference of ``luma_ratio``: brightness that jumps where the plate's does not.

    ``None`` at the ends and beside frames that have no ratio.
    """
    values = np.array([math.nan if value is None else value for value in luma_ratio], np.float64)
    if len(values) < 3:
        return [None] * len(values)
    second = np.abs(np.diff(values, n=2))
    return [None, *(None if math.isnan(value) else float(value) for value in second), None]


def per_frame(rows: Sequence[Mapping[str, object]], first: int, last: int) -> dict[str, list[Number]]:
    """Rows of one track as one list per number, for the frames ``first`` .. ``last``: what the page takes.

    A row has ``frame`` and numbers; a number that no row has is left out.
    """
    strips: dict[str, list[Number]] = {}
    for row in rows:
        place = int(row["frame"]) - first  # type: ignore[call-overload]
        if not 0 <= place <= last - first:
            continue
        for name, value in row.items():
            if name != "frame" and isinstance(value, int | float) and not isinstance(value, bool):
                strips.setdefault(name, [None] * (last - first + 1))[place] = float(value)
    return strips
