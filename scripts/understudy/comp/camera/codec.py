"""The blocks of a codec: found in a plate by the steps of its cosine transform, and put into the new face.

Codecs of the JPEG family (JPEG, Motion JPEG) round the cosine transform of blocks of 8 x 8 pixels to multiples of steps
that a quality says; a plate that came out of one still lies near those multiples (Fan and de Queiroz 2003). The new
face's luma is rounded to the same steps on the same blocks, in float. Codecs that filter their blocks away (H.264 and
later) leave no such trace; what they take away is a matter of texture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import Image

Corner = tuple[int, int]

SIDE: Final = 8
"""Side of a block in pixels."""
LUMA: Final = np.array([[0.299, 0.587, 0.114]], np.float32)
"""Rec. 601, which JPEG files use."""
STEPS: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)  # fmt: skip
"""Steps of luma at quality 50, ITU-T T.81 table K.1."""
QUALITIES: Final = tuple(range(20, 96))
ROUNDED: Final = 0.5
"""Mean square distance to the nearest step, as a part of what it is by chance, below which a picture was rounded."""
FEWEST: Final = 500
"""Coefficients, of more than half a step, that are needed to tell."""
LARGEST: Final = 2
"""Rows and columns of a block beyond the first that are looked at: finer ones are mostly rounded to nothing."""


def steps(quality: int) -> Image:
    """Steps [8, 8] of a quality 1..100, in the scaling of the Independent JPEG Group."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((STEPS * scale + 50) / 100), 1, 255).astype(np.float32)


def basis() -> Image:
    """The orthonormal cosine transform [8, 8]."""
    k, n = np.arange(SIDE)[:, None], np.arange(SIDE)
    rows = np.cos(np.pi * (2 * n + 1) * k / (2 * SIDE)) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


def transform(grey: Image, corner: Corner) -> NDArray[np.float32]:
    """Cosine transform [rows, columns, 8, 8] of an image's [h, w] blocks, in steps of 8 bit.

    ``corner`` is where the image's own corner lies on the plate, (x, y); blocks that stick out repeat the edge.
    """
    (left, up), (height, width) = (n % SIDE for n in corner), grey.shape
    padded = cv2.copyMakeBorder(
        grey, up, -(up + height) % SIDE, left, -(left + width) % SIDE, cv2.BORDER_REPLICATE
    )
    rows, columns = (n // SIDE for n in padded.shape)
    blocks = (255 * padded - 128).reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)
    turn = basis()
    return turn @ blocks @ turn.T


def quality(images: Sequence[tuple[Image, Corner]]) -> int:
    """Quality of the codec of the JPEG family that display RGB [h, w, 3] came out of; 0 if of none."""
    parts = [transform(cv2.transform(image, LUMA), corner)[1:-1, 1:-1] for image, corner in images]
    values = np.concatenate([part.reshape(-1, SIDE, SIDE) for part in parts])
    low = [(i, j) for i in range(LARGEST + 1) for j in range(LARGEST + 1) if i + j]
    known = np.stack([values[:, i, j] for i, j in low], axis=1)
    found, least = 0, ROUNDED
    for one in QUALITIES:
        step = np.array([steps(one)[i, j] for i, j in low])
        size = known / step
        counted = np.abs(size) > 0.5
        if counted.sum() < FEWEST:
            continue
        # By chance a distance is even between -.5 and .5 of a step: a mean square of a twelfth.
        away = 12 * float(np.mean(np.square(size - np.rint(size))[counted]))
        if away < least:
            found, least = one, away
    return found


def through(image: Image, corner: Corner, quality: int) -> Image:
    """Display RGB [h, w, 3] with its luma as a codec of a quality leaves it, on the plate's own blocks."""
    grey = cv2.transform(image, LUMA)
    step = steps(quality)
    turn = basis()
    blocks = turn.T @ (np.rint(transform(grey, corner) / step) * step) @ turn
    rows, columns = blocks.shape[:2]
    whole = (blocks.swapaxes(1, 2).reshape(rows * SIDE, columns * SIDE) + 128) / np.float32(255)
    (left, up), (height, width) = (n % SIDE for n in corner), grey.shape
    change = whole[up : up + height, left : left + width] - grey
    return cv2.add(image, cv2.merge((change, change, change)))


def lacking(samples: Sequence[tuple[Image, Image, Corner]]) -> int:
    """The plate's `quality` where new faces were not rounded as it was, else 0; samples are (face, plate, corner)."""
    found = quality([(plate, corner) for _, plate, corner in samples])
    has = found and quality([(face, corner) for face, _, corner in samples])
    return 0 if has else found
