"""Contact sheets, and the frames that tell most about a shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUND: Final = 24
GAP: Final = 16
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Hero:
    """A frame worth looking at first, and why."""

    frame: int
    why: str


def choose_heroes(
    frames: NDArray[np.integer],
    eyes_px: NDArray[np.floating],
    yaw: NDArray[np.floating],
    score: NDArray[np.floating],
    luma: NDArray[np.floating],
    count: int = 7,
) -> list[Hero]:
    """The most telling frames of a shot, in frame order, no frame twice.

    All arrays are ``[n]``, one entry per face and frame; several tracks may follow each other. ``eyes_px`` is
    the IOD, ``yaw`` in degrees, ``luma`` any measure of the face's brightness. Of equals the earliest frame
    is taken, and what comes first in this order is kept when there are more than ``count``: largest face,
    furthest turn to either side, lowest score, first, last, brightest, darkest. A wish whose frame is taken
    already is told by that frame.
    """
    if len(frames) == 0:
        return []
    order = np.argsort(np.asarray(frames), kind="stable")
    number, size, turn, sure, light = (
        np.asarray(values)[order] for values in (frames, eyes_px, yaw, score, luma)
    )
    wishes = [
        ("largest face", np.argmax(size)),
        ("turned most one way", np.argmax(turn)),
        ("turned most the other way", np.argmin(turn)),
        ("lowest score", np.argmin(sure)),
        ("first", np.argmin(number)),
        ("last", np.argmax(number)),
        ("brightest", np.argmax(light)),
        ("darkest", np.argmin(light)),
    ]
    chosen: dict[int, list[str]] = {}
    for why, place in wishes:
        frame = int(number[place])
        if frame in chosen:
            chosen[frame].append(why)
        elif len(chosen) < count:
            chosen[frame] = [why]
    return [Hero(frame, ", ".join(chosen[frame])) for frame in sorted(chosen)]


def text(image: NDArray[np.uint8], words: str, place: tuple[int, int], height: int, level: int = 225) -> None:
    """Write one line ``height`` pixels high into ``image``; its baseline begins at ``place`` (x, y)."""
    scale = cv2.getFontScaleFromHeight(FONT, height, 1)
    plain = words.encode("ascii", "replace").decode("ascii")
    # One thickness for both: a bolder shadow would be a wider one and run away from its words.
    for shift, grey in ((1, 0), (0, level)):
        at = (place[0] + shift, place[1] + shift)
        cv2.putText(image, plain, at, FONT, scale, (grey, grey, grey), 1, cv2.LINE_AA)


def shortened(words: str, width: int, height: int) -> str:
    """``words``, cut with dots at the end so that they are at most ``width`` pixels long."""
    scale = cv2.getFontScaleFromHeight(FONT, height, 1)

    def length(line: str) -> int:
        return cv2.getTextSize(line, FONT, scale, 1)[0][0]

    if length(words) <= width:
        return words
    kept = words
    while kept and length(kept + "...") > width:
        kept = kept[:-1]
    return kept.rstrip() + "..."


def contact(
    cells: Sequence[tuple[NDArray[np.uint8], str]],
    columns: int,
    title: str,
    cell: tuple[int, int] = (480, 270),
    enlarge: float = 2.0,
) -> NDArray[np.uint8]:
    """A contact sheet: pictures in rows on dark grey, each with its caption below, a title above.

    Parameters
    ----------
    cells:
        Pictures uint8 RGB ``[h, w, 3]`` of any size (fitted into the cell, never cropped) with their captions, of one
        line or several.
    columns:
        Pictures in a row. A sheet of plate and result pairs has an even number.
    cell:
        Width and height of the room for a picture, pixels.
    enlarge:
        How many times a smaller picture is enlarged at the most; 1 shows every pixel as it is.

    Returns
    -------
    uint8 RGB ``[h, w, 3]``.

    Raises
    ------
    ValueError
        Without a picture, or with fewer than one column.
    """
    if not cells or columns < 1:
        raise ValueError("a contact sheet needs at least one picture and one column")
    columns = min(columns, len(cells))
    line = max(11, round(cell[1] * 0.055))
    lines = max(caption.count("\n") + 1 for _, caption in cells)
    head, foot = 4 * line, round((1 + 1.6 * lines) * line)
    rows = -(-len(cells) // columns)
    width = GAP + columns * (cell[0] + GAP)
    height = head + rows * (cell[1] + foot) + GAP
    sheet = np.full((height, width, 3), BACKGROUND, np.uint8)
    big = round(1.4 * line)
    text(sheet, shortened(title, width - 2 * GAP, big), (GAP, round(2.4 * line)), big)
    for place, (picture, caption) in enumerate(cells):
        left = GAP + (place % columns) * (cell[0] + GAP)
        top = head + (place // columns) * (cell[1] + foot)
        tall, wide = picture.shape[:2]
        scale = min(cell[0] / wide, cell[1] / tall, enlarge)
        size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        fitted = cv2.resize(picture, size, interpolation=method)
        x, y = left + (cell[0] - size[0]) // 2, top + (cell[1] - size[1]) // 2
        sheet[top : top + cell[1], left : left + cell[0]] = BACKGROUND // 2
        sheet[y : y + size[1], x : x + size[0]] = fitted
        for row, words in enumerate(caption.split("\n"), 1):
            base = top + cell[1] + round(1.6 * row * line)
            text(sheet, shortened(words, cell[0], line), (left, base), line, 190)
    return sheet
