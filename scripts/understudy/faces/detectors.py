"""Face detectors by their cards: RetinaFace and SCRFD, RetinaFace with priors, YOLO-face, YuNet; alone or together.

A network sees the picture in the upper left corner of a black square, shrunk by area averaging where it is larger and
never enlarged, in the colour order that it was trained on (its card says which). What it answers is decoded by its
family, in pixels of that square with pixel centres at whole numbers as the tools have them that the networks come
from; `CardDetector` brings it into the picture and to centres at .5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.errors import ConfigError, ModelError
from understudy.faces.boxes import Detection, Image, Picture, best, turned_back, unit_float, whole
from understudy.runtime.network import Network

# Two boxes that share more than this are one face, whichever network, size or angle they come from. Twins that are left
# are found out by their landmarks.
SAME_BOX = 0.4

# Pixels of the square that one cell covers, level by level.
STRIDES = (8, 16, 32)
# Sides of the two prior boxes of each of those levels.
PRIORS = ((16, 32), (64, 128), (256, 512))

Outputs = Sequence[NDArray[np.float32]]


class Raw(NamedTuple):
    """What a network says of its square: scores [n], boxes [n, 4], five points [n, 5, 2]; nothing is left out yet."""

    scores: NDArray[np.float64]
    boxes: NDArray[np.float64]
    keys: NDArray[np.float64]


class CardDetector:
    """The detectors of one or more cards, as one `Detector`.

    Parameters
    ----------
    sizes:
        Sides of the square in pixels, each one more look.
    margin:
        0..100: black put around the picture for faces that fill it; 100 is half of its side on each side.
    angles:
        Of 0, 90, 180 and 270 degrees, each one more look at the picture turned counter-clockwise by so much.

    Raises
    ------
    ConfigError
        A network takes none of the sizes.
    ModelError
        A card's family is not one of a detector.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        sizes: Sequence[int],
        margin: float = 0.0,
        angles: Sequence[int] = (0,),
    ) -> None:
        self._looks = [
            (network, _decoder(network), side) for network in networks for side in _sides(network, sizes)
        ]
        self._margin, self._quarters = margin, [angle // 90 for angle in angles]

    def __call__(self, picture: Picture, min_score: float) -> list[Detection]:
        """Faces in an RGB picture ([h, w, 3] uint8, or float32 display values 0..1), best first; five keys each."""
        image = whole(picture)
        height, width = image.shape[:2]
        pad = np.round(np.array([width, height]) * self._margin / 200).astype(int)
        padded = (
            cv2.copyMakeBorder(image, pad[1], pad[1], pad[0], pad[0], cv2.BORDER_CONSTANT)
            if pad.any()
            else image
        )
        found: list[Detection] = []
        for quarters in self._quarters:
            turned = np.ascontiguousarray(np.rot90(padded, quarters))
            for network, decode, side in self._looks:
                square, scale = canvas(turned, side)
                raw = decode(list(network(image=square[None]).values()), side)
                for index in np.flatnonzero(raw.scores >= min_score):
                    box = (raw.boxes[index].reshape(2, 2) / scale + 0.5).reshape(4)
                    keys = raw.keys[index] / scale + 0.5
                    here = Detection(float(raw.scores[index]), box, keys)
                    here = turned_back(here, quarters, padded.shape[1], padded.shape[0])
                    found.append(Detection(here.score, here.box - np.tile(pad, 2), here.keys - pad))
        return best(found, SAME_BOX)


def canvas(image: Image, side: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The picture in the upper left corner of a black square: (float32 [side, side, 3] 0..1, scale [2]).

    A point p of the picture lies at ``p * scale`` in the square; the two scales differ by rounding, and are 1 where
    the picture fits as it is.
    """
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA) if scale < 1 else image
    square = np.zeros((side, side, 3), np.float32)
    square[: inner[1], : inner[0]] = unit_float(small)
    return square, np.array([inner[0] / width, inner[1] / height])


def decode_retinaface(outputs: Outputs, side: int, strides: Sequence[int] = STRIDES, anchors: int = 2) -> Raw:
    """RetinaFace and SCRFD: distances from anchors, in units of the stride (Guo et al. 2021, InsightFace's form).

    ``outputs`` are scores of each stride, then boxes, then points, each with ``anchors`` rows for every cell, row by
    row of the square. An anchor lies at the cell's upper left corner; a box is left, top, right and bottom from there.
    """
    n = len(strides)
    parts = []
    for level, stride in enumerate(strides):
        centre = np.repeat(_corners(side, stride), anchors, axis=0)
        score, box, keys = (outputs[level + n * kind].astype(np.float64) for kind in range(3))
        reach = box.reshape(-1, 4) * stride
        parts.append(
            Raw(
                score.reshape(-1),
                np.hstack([centre - reach[:, :2], centre + reach[:, 2:]]),
                centre[:, None] + keys.reshape(-1, 5, 2) * stride,
            )
        )
    return _joined(parts)


def decode_priors(outputs: Outputs, side: int) -> Raw:
    """RetinaFace in its first form: offsets from prior boxes, divided by .1 and .2 (Deng et al. 2019; SSD's coding).

    ``outputs`` are offsets [n, 4], probabilities [n, 2] of no face and face, points [n, 10]. Priors are squares in
    every cell's middle, `PRIORS` pixels wide.
    """
    centre = np.vstack([np.repeat(_corners(side, stride) + stride / 2, 2, axis=0) for stride in STRIDES])
    cells = [(side // stride) ** 2 for stride in STRIDES]
    size = np.concatenate([np.tile(pair, n) for pair, n in zip(PRIORS, cells, strict=True)])[:, None]
    box, score, keys = (output.astype(np.float64) for output in outputs)
    middle = centre + box.reshape(-1, 4)[:, :2] * 0.1 * size
    half = np.exp(box.reshape(-1, 4)[:, 2:] * 0.2) * size / 2
    return Raw(
        score.reshape(-1, 2)[:, 1],
        np.hstack([middle - half, middle + half]),
        centre[:, None] + keys.reshape(-1, 5, 2) * 0.1 * size[:, None],
    )


def decode_yoloface(outputs: Outputs, side: int) -> Raw:
    """YOLO-face 8: one tensor of 20 rows, in pixels: centre, size, score, and (x, y, belief) of five points."""
    table = outputs[0].reshape(20, -1).T.astype(np.float64)
    middle, half = table[:, :2], table[:, 2:4] / 2
    return Raw(
        table[:, 4], np.hstack([middle - half, middle + half]), table[:, 5:].reshape(-1, 5, 3)[:, :, :2]
    )


def decode_yunet(outputs: Outputs, side: int) -> Raw:
    """YuNet (Wu, Peng and Yu 2023), as OpenCV decodes it: a face's score is the root of class times objectness.

    ``outputs`` are classes of each stride, then objectness, boxes, points; one row for every cell.
    """
    parts = []
    for level, stride in enumerate(STRIDES):
        corner = _corners(side, stride)
        kind, there, box, keys = (outputs[level + 3 * part].astype(np.float64) for part in range(4))
        box = box.reshape(-1, 4)
        middle, half = corner + box[:, :2] * stride, np.exp(box[:, 2:]) * stride / 2
        parts.append(
            Raw(
                np.sqrt(np.clip(kind, 0, 1) * np.clip(there, 0, 1)).reshape(-1),
                np.hstack([middle - half, middle + half]),
                corner[:, None] + keys.reshape(-1, 5, 2) * stride,
            )
        )
    return _joined(parts)


def _corners(side: int, stride: int) -> NDArray[np.float64]:
    """Upper left corners (x, y) of the cells of a square, row by row."""
    axis = np.arange(side // stride) * float(stride)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _joined(parts: Sequence[Raw]) -> Raw:
    return Raw(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _decoder(network: Network) -> Callable[[Outputs, int], Raw]:
    """The decoder of a network's family, fitted to its card."""
    card = network.card
    if card.family not in DECODERS:
        raise ModelError(
            f"{card.name} is of family {card.family}, which is no detector's",
            fix=f"its card may say {', '.join(DECODERS)}; or choose another detector",
        )
    decoder, count = DECODERS[card.family]
    if card.family == "retinaface":
        extras = card.settings
        strides, anchors = extras.get("strides", STRIDES), extras.get("anchors", 2)
        decoder, count = partial(decode_retinaface, strides=strides, anchors=anchors), 3 * len(strides)
    if len(card.outputs) != count:
        raise ModelError(
            f"the card of {card.name} has {len(card.outputs)} outputs; family {card.family} has {count}, in the order"
            " of the file, with five points for each face",
            fix="list all of the file's outputs on the card, or choose another detector",
        )
    return decoder


def _sides(network: Network, sizes: Sequence[int]) -> list[int]:
    """Those of the sizes that a network can take."""
    card, extras, tensor = network.card, network.card.settings, network.card.inputs["image"]
    fixed = tensor.shape[2 if tensor.layout == "nchw" else 1]
    offered = [fixed] if fixed else extras.get("sizes", sizes)
    fit = [size for size in sizes if size in offered]
    if not fit:
        raise ConfigError(
            f"detector {card.name} takes {' or '.join(map(str, offered))} pixels, and the sizes asked for are"
            f" {', '.join(map(str, sizes))}",
            fix=f"add {offered[-1]} to detect.sizes, or choose another detector",
        )
    return fit


# Family to its decoder and the number of a file's outputs.
DECODERS: Mapping[str, tuple[Callable[[Outputs, int], Raw], int]] = MappingProxyType(
    {
        "retinaface": (decode_retinaface, 9),
        "retinaface_priors": (decode_priors, 3),
        "yoloface": (decode_yoloface, 1),
        "yunet": (decode_yunet, 12),
    }
)
