"""The two networks that every installation has: BlazeFace full-range (detector) and FaceMesh (468 landmarks).

Both are MediaPipe's ``.tflite`` files, run as they are by LiteRT on one thread, so that a result never depends on
how many cores there are. Pre- and post-processing here follow Bazarevsky et al. 2019 (BlazeFace) and Kartynnik et
al. 2019 (FaceMesh); constants were checked against the networks' own outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ModelError
from understudy.faces.boxes import Detection, Picture, sized, unit_float, weighted_nms

DETECTOR_SIZE = 192
DETECTOR_GRID = 48
MESH_SIZE = 192
MESH_POINTS = 468


class _Network:
    """A ``.tflite`` file with one image in and known outputs."""

    def __init__(self, path: Path, size: int, outputs: tuple[tuple[int, ...], ...]) -> None:
        # Every stage that reads faces comes by this module; only those that look for them need LiteRT.
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        except ValueError as error:
            raise ModelError(
                f"{path} is no TFLite network: {error}", fix="delete it, then run: snakemake models"
            ) from error
        self._interpreter.allocate_tensors()
        (entry,) = self._interpreter.get_input_details()
        exits = self._interpreter.get_output_details()
        shapes = tuple(tuple(int(n) for n in exit_["shape"]) for exit_ in exits)
        if tuple(entry["shape"]) != (1, size, size, 3) or sorted(shapes) != sorted(outputs):
            raise ModelError(
                f"{path} takes {tuple(map(int, entry['shape']))} and gives {shapes};"
                f" a network that takes {(1, size, size, 3)} and gives {outputs} is needed",
                fix="correct the model's card",
            )
        self._entry = entry["index"]
        self._exits = [exits[shapes.index(shape)]["index"] for shape in outputs]

    def __call__(self, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._interpreter.set_tensor(self._entry, image[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._exits]


class BlazeFace:
    """BlazeFace full-range: faces from about 1/20 of the picture's long side up, within 45 degrees of upright.

    A `Detector`. Its six keys are the performer's right eye, left eye, nose tip, mouth, right ear, left ear.
    """

    def __init__(self, path: Path) -> None:
        cells = DETECTOR_GRID**2
        self._network = _Network(path, DETECTOR_SIZE, ((1, cells, 16), (1, cells, 1)))
        self._anchors = anchors()

    def __call__(self, picture: Picture, min_score: float) -> list[Detection]:
        """Faces in an RGB picture ([h, w, 3] uint8, or float32 display values 0..1), best first."""
        square, scale, offset = letterbox(picture, DETECTOR_SIZE)
        boxes, logits = self._network(square * np.float32(2) - np.float32(1))
        scores = sigmoid(logits[:, 0])
        keep = np.flatnonzero(scores >= min_score)
        raw = boxes[keep].astype(np.float64).reshape(-1, 8, 2)
        raw[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[keep, None] * DETECTOR_SIZE
        # Rows of raw: centre, size, six keys; all in pixels of the square now.
        centre, size, keys = raw[:, 0], raw[:, 1], raw[:, 2:]
        found = np.concatenate([centre - size / 2, centre + size / 2, keys.reshape(-1, 12)], axis=1)
        merged = weighted_nms(found, scores[keep], overlap=0.3)
        return [
            Detection(
                score,
                ((row[:4].reshape(2, 2) - offset) / scale).reshape(4),
                (row[4:].reshape(6, 2) - offset) / scale,
            )
            for score, row in merged
        ]


class FaceMesh:
    """FaceMesh: 468 points of the one face in a crop, and how sure it is that there is one."""

    def __init__(self, path: Path) -> None:
        self._network = _Network(path, MESH_SIZE, ((1, 1, 1, 3 * MESH_POINTS), (1, 1, 1, 1)))

    def __call__(self, crop: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Points [468, 3] in pixels of the crop (pixel centres at .5; z in the same unit) and confidence 0..1.

        ``crop`` is [192, 192, 3] float32 RGB, display values 0..1, upright face.
        """
        points, logit = self._network(crop)
        return points.reshape(MESH_POINTS, 3).astype(np.float64), float(sigmoid(logit.reshape(1))[0])


def anchors() -> NDArray[np.float64]:
    """Anchor centres [2304, 2] as fractions of the square: one per cell of a 48 x 48 grid, row by row."""
    axis = (np.arange(DETECTOR_GRID) + 0.5) / DETECTOR_GRID
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The logistic function, its argument limited to +-100 as in the networks' training."""
    limited: NDArray[np.float64] = np.clip(logits.astype(np.float64), -100.0, 100.0)
    return 1.0 / (1.0 + np.exp(-limited))


def letterbox(
    picture: Picture, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """The whole picture in the middle of a black square, area-averaged: (square, scale [2], offset [2]).

    A point p of the picture lies at ``p * scale + offset`` in the square; the two scales differ by rounding. Area
    averaging makes the result
    independent of how much larger the picture is.
    """
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    square = np.zeros((size, size, 3), np.float32)
    square[top : top + inner[1], left : left + inner[0]] = unit_float(sized(picture, inner))
    return square, np.array([inner[0] / width, inner[1] / height]), np.array([left, top], np.float64)
