"""Y'CbCr planes to R'G'B' and back, by the tags: all maths on arrays.

One matrix multiplication in float32 and one rounding each way. Chroma is left-sited (the default of H.264,
HEVC and ProRes): co-sited with even columns, and halfway between two rows in 4:2:0. The formulas are ITU-R
BT.601, BT.709 and BT.2020. swscale is not used: 4:2:0 to 16-bit RGB overflows there, chroma is not sited as
tagged, and its 16-bit scale ends below 65535.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
    "bt2020nc": (0.2627, 0.0593),
}
"""Matrix name as ffmpeg says it -> weights of red and blue in luma."""


def to_rgb(
    y: np.ndarray, cb: np.ndarray, cr: np.ndarray, *, depth: int, matrix: str, full: bool
) -> np.ndarray:
    """Convert planes to RGB.

    y is [h, w], cb and cr are [h, w], [h, ceil(w/2)] or [ceil(h/2), ceil(w/2)], integers of `depth` (8..16)
    bits, full or studio range. Returns [h, w, 3]: uint8 for 8-bit planes, else uint16 scaled so that white is
    65535. Clips what lies outside of RGB; rounds once.
    """
    height, width = y.shape
    scale = 8 if cb.shape != y.shape else 1
    kind = np.float32 if depth > 12 else np.uint16
    luma = np.multiply(y, scale, dtype=kind)
    chroma = [plane.astype(kind) for plane in (cb, cr)]
    if scale == 8:
        chroma = [_upsample(plane, height, width) for plane in chroma]
    white = 255 if depth == 8 else 65535
    rgb = cv2.transform(cv2.merge([luma, *chroma]), _to_rgb_matrix(depth, matrix, full, scale, white))
    if kind is np.float32:
        return np.rint(np.clip(rgb, 0, white)).astype(np.uint16)
    return cv2.convertScaleAbs(rgb) if depth == 8 else rgb


def from_rgb(
    rgb: np.ndarray, *, depth: int, matrix: str, full: bool, subsampling: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert uint8 or uint16 RGB [h, w, 3] to planes (y, cb, cr) of `depth` bits.

    `subsampling` is "420", "422" or "444". 4:2:0 needs even sizes,
    4:2:2 an even width. Chroma is low-passed (1 2 1) across columns and averaged over two rows, so that it comes out
    left-sited. Planes are uint8 for depth 8, else uint16.
    """
    white = 255 if rgb.dtype == np.uint8 else 65535
    spare = 16 - depth
    bits = {"420": 3, "422": 2, "444": 0}[subsampling]
    matrix_rows = _from_rgb_matrix(depth, matrix, full, white)
    # Luma is rounded at once; chroma keeps what 16 bits hold until it has been averaged.
    matrix_rows[1:] *= 1 << spare
    # cv2.transform works in 10-bit fixed point on uint8, in float on uint16.
    y, *chroma = cv2.split(cv2.transform(rgb.astype(np.uint16), matrix_rows))
    top, kind = (1 << depth) - 1, np.uint8 if depth == 8 else np.uint16
    cb, cr = (_round_shift(_downsample(plane, subsampling), spare + bits, top).astype(kind) for plane in chroma)
    return np.minimum(y, top).astype(kind), cb, cr


def _to_rgb_matrix(depth: int, matrix: str, full: bool, scale: int, white: int) -> np.ndarray:
    red, blue = LUMA[matrix]
    green = 1 - red - blue
    low, span, chroma_span, middle = _levels(depth, full)
    core = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    gain = core / [span, chroma_span, chroma_span]
    bias = -gain @ [low, middle, middle]
    return (np.column_stack([gain / scale, bias]) * white).astype(np.float32)


def _from_rgb_matrix(depth: int, matrix: str, full: bool, white: int) -> np.ndarray:
    red, blue = LUMA[matrix]
    green = 1 - red - blue
    low, span, chroma_span, middle = _levels(depth, full)
    luma = np.array([red, green, blue])
    rows = [
        luma * span,
        (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)) * chroma_span,
        (np.array([1, 0, 0]) - luma) / (2 * (1 - red)) * chroma_span,
    ]
    return np.column_stack([np.array(rows) / white, [low, middle, middle]]).astype(np.float32)


def _levels(depth: int, full: bool) -> tuple[float, float, float, float]:
    """Return black, luma span, chroma span and neutral chroma in codes."""
    if full:
        top = (1 << depth) - 1
        return 0, top, top, 1 << (depth - 1)
    step = 1 << (depth - 8)
    return 16 * step, 219 * step, 224 * step, 128 * step


def _upsample(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return 8 times the bilinear interpolation of a left-sited plane [h or h/2, w/2], exactly."""
    padded = cv2.copyMakeBorder(plane, 1, 1, 0, 1, cv2.BORDER_REPLICATE)
    if plane.shape[0] == height:
        rows = padded[1:-1] << 2 if padded.dtype == np.uint16 else padded[1:-1] * 4
    else:
        rows = np.empty((2 * plane.shape[0], padded.shape[1]), padded.dtype)
        near = padded[1:-1] * 3
        np.add(near, padded[:-2], out=rows[::2])
        np.add(near, padded[2:], out=rows[1::2])
    wide = np.empty((rows.shape[0], 2 * plane.shape[1]), padded.dtype)
    np.multiply(rows[:, :-1], 2, out=wide[:, ::2])
    np.add(rows[:, :-1], rows[:, 1:], out=wide[:, 1::2])
    return wide[:height, :width]


def _downsample(plane: np.ndarray, subsampling: str) -> np.ndarray:
    """Return the low-passed plane as uint32, times 8 (4:2:0), 4 (4:2:2) or 1 (4:4:4)."""
    if subsampling == "444":
        return plane.astype(np.uint32)
    rows = np.add(plane[::2], plane[1::2], dtype=np.uint32) if subsampling == "420" else plane.astype(np.uint32)
    even, odd = rows[:, ::2], rows[:, 1::2]
    total = even * 2 + odd
    total[:, 1:] += odd[:, :-1]
    total[:, 0] += even[:, 0]
    return total


def _round_shift(values: np.ndarray, bits: int, top: int) -> np.ndarray:
    return np.minimum((values + ((1 << bits) >> 1)) >> bits, top)
