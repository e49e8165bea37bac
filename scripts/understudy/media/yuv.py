"""Y'CbCr planes to R'G'B' and back, by the tags: all maths on arrays.

One matrix multiplication in float32 and one rounding each way. Chroma is left-sited (the default of H.264,
HEVC and ProRes): co-sited with even columns, and halfway between two rows in 4:2:0. The formulas are ITU-R
BT.601, BT.709 and BT.2020. swscale is not used: 4:2:0 to 16-bit RGB overflows there, chroma is not sited as
tagged, and its 16-bit scale ends below 65535.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from understudy.media.patches import Box, Patch, lay, lay_weight

LUMA = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
    "bt2020nc": (0.2627, 0.0593),
}
"""Matrix name as ffmpeg says it -> weights of red and blue in luma."""

_REACH = 2
"""Pixels around a box that its chroma depends on, in either direction of the conversion."""


@dataclass(frozen=True)
class Codes:
    """A Y'CbCr picture as it is coded.

    Attributes
    ----------
    y, cb, cr:
        Planes [h, w] and [h, w], [h, ceil(w/2)] or [ceil(h/2), ceil(w/2)]; uint8 for depth 8, else uint16.
    depth:
        Bits of a code, 8 to 16.
    matrix, full:
        Name of the matrix (see `LUMA`), and whether the codes use the full range.
    """

    y: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    depth: int
    matrix: str
    full: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        height, width = self.y.shape
        return height, width

    @property
    def subsampling(self) -> str:
        """420, 422 or 444."""
        (height, width), (rows, columns) = self.y.shape, self.cb.shape
        return "444" if columns == width else "422" if rows == height else "420"

    @property
    def _steps(self) -> tuple[int, int]:
        """Pixels that a chroma sample stands for, across and down."""
        (height, width), (rows, columns) = self.y.shape, self.cb.shape
        return (width > columns) + 1, (height > rows) + 1

    def rgb(self, box: Box | None = None) -> np.ndarray:
        """The picture, or a box of it, as RGB (see `to_rgb`).

        A box of more than 8 bits may be one 65,535th away from the same place of the whole: OpenCV rounds the last
        pixels of a row in another way.
        """
        if box is None:
            return to_rgb(self.y, self.cb, self.cr, depth=self.depth, matrix=self.matrix, full=self.full)
        x0, y0, x1, y1 = box
        left, top, right, bottom = self._even(box)
        part = self._part((left, top, right, bottom)).rgb()
        return np.ascontiguousarray(part[y0 - top : y1 - top, x0 - left : x1 - left])

    def look(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """The picture as eyes and detectors see it, at a fraction of the cost of `rgb`: uint8, off by a code or two.

        Chroma is repeated, not interpolated. ``size`` (width, height) shrinks it.
        """
        size = size or (self.y.shape[1], self.y.shape[0])
        planes = [self.y, self.cb, self.cr]
        if self.depth > 8:
            planes = [cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - self.depth)) for plane in planes]
        sized = [_sized(plane, size) for plane in planes]
        return cv2.transform(cv2.merge(sized), _to_rgb_matrix(8, self.matrix, self.full, 1, 255))

    def patch(self, patches: Sequence[Patch]) -> None:
        """Lay boxes of RGB over the picture in their order, in its own planes.

        Codes that no touched pixel reaches stay as they are.
        """
        across, down = self._steps
        boxes = [self._even(patch.box) for patch in patches]
        # Every box is finished from the picture as it was, before any code of it changes.
        for (left, top, _, _), after in [(box, self.rgb(box)) for box in boxes]:
            weight = np.zeros(after.shape[:2], np.uint16)
            lay(after, (left, top), patches)
            lay_weight(weight, (left, top), patches)
            touched = weight > 0
            high, wide = -touched.shape[0] % down, -touched.shape[1] % across
            padded = np.pad(after, ((0, high), (0, wide), (0, 0)), mode="edge") if high or wide else after
            planes = from_rgb(
                padded, depth=self.depth, matrix=self.matrix, full=self.full, subsampling=self.subsampling
            )
            chroma = touched
            if across == 2:
                # A chroma sample is made of its column's neighbours as well (see `from_rgb`).
                chroma = touched.copy()
                chroma[:, :-1] |= touched[:, 1:]
                chroma[:, 1:] |= touched[:, :-1]
                chroma = chroma[:, ::2]
            if down == 2:
                chroma = chroma[::2] | np.pad(chroma[1::2], ((0, len(chroma) % 2), (0, 0)))
            reached = ((touched, 1, 1), (chroma, across, down), (chroma, across, down))
            for plane, codes, (there, sx, sy) in zip((self.y, self.cb, self.cr), planes, reached, strict=True):
                rows, columns = there.shape
                part = plane[top // sy : top // sy + rows, left // sx : left // sx + columns]
                np.copyto(part, codes[:rows, :columns], where=there)

    def _even(self, box: Box) -> Box:
        """A box grown by what its chroma depends on, to whole chroma samples or the picture's edge."""
        height, width = self.y.shape
        x0, y0, x1, y1 = box
        left, top = (max(0, (place - _REACH) // 2 * 2) for place in (x0, y0))
        right, bottom = (
            min(size, -(-(place + _REACH) // 2) * 2) for place, size in ((x1, width), (y1, height))
        )
        return left, top, right, bottom

    def sampled(self, rows: slice, columns: slice) -> Codes:
        """Some rows and columns, each pixel with a chroma of its own, repeated."""
        across, down = self._steps
        (top, bottom, by), (left, right, over) = (
            side.indices(length) for side, length in zip((rows, columns), self.shape, strict=True)
        )
        place = slice(top % down, None, by), slice(left % across, None, over)
        planes = []
        for plane in (self.cb, self.cr):
            part = plane[top // down : -(-bottom // down), left // across : -(-right // across)]
            whole = cv2.resize(part, None, fx=across, fy=down, interpolation=cv2.INTER_NEAREST)
            planes.append(whole[place][: len(range(top, bottom, by)), : len(range(left, right, over))])
        return replace(self, y=self.y[rows, columns], cb=planes[0], cr=planes[1])

    def _part(self, box: Box) -> Codes:
        left, top, right, bottom = box
        across, down = self._steps
        rows, columns = slice(top // down, -(-bottom // down)), slice(left // across, -(-right // across))
        return replace(self, y=self.y[top:bottom, left:right], cb=self.cb[rows, columns], cr=self.cr[rows, columns])


def to_sheet(codes: Codes) -> np.ndarray:
    """One gray picture of all planes: luma above, chroma below it, side by side where it is half as wide."""
    y, chroma = codes.y, (codes.cb, codes.cr)
    if codes.subsampling == "444":
        return np.vstack([y, *chroma])
    (height, width), (rows, columns) = y.shape, codes.cb.shape
    sheet = np.empty((height + rows, 2 * columns), y.dtype)
    sheet[:height, :width], sheet[:height, width:] = y, 0
    sheet[height:, :columns], sheet[height:, columns:] = chroma
    return sheet


def from_sheet(sheet: np.ndarray, size: tuple[int, int], *, depth: int, matrix: str, full: bool) -> Codes:
    """The picture that `to_sheet` laid out, by its width and height."""
    width, height = size
    below = sheet[height:]
    if len(below) == 2 * height:
        cb, cr = below[:height], below[height:]
    else:
        half = below.shape[1] // 2
        cb, cr = below[:, :half], below[:, half:]
    return Codes(sheet[:height, :width], cb, cr, depth, matrix, full)


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


def _sized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane at another size (width, height), averaged where it is larger, repeated where it is smaller."""
    (height, width), (wide, high) = plane.shape, size
    if (height, width) == (high, wide):
        return plane
    if width >= wide and height >= high:
        return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    if width != -(-wide // 2) or height not in (high, -(-high // 2)):
        return cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)
    # Doubling is what most chroma needs: by copies, at half the cost of a resampling.
    across = cv2.merge((plane, plane)).reshape(height, 2 * width)[:, :wide]
    if height == high:
        return across
    doubled = np.empty((high, wide), plane.dtype)
    doubled[::2], doubled[1::2] = across, across[: high // 2]
    return doubled


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
