"""The two networks, the two portraits and moving pictures made of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import matplotlib.cbook
import numpy as np
import pytest
import skimage.data

SETTINGS = {
    "threshold": 0.5, "tiles": "auto", "min_faces": 1, "refine": 2,
    "max_gap": 12, "max_jump": 0.35, "cut": 0.35, "smooth": 1.0, "smooth_shape": 0.5, "min_length": 5,
}  # fmt: skip


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="session")
def hopper() -> np.ndarray:
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Shot:
    frames: list[np.ndarray]
    matrices: np.ndarray  # [n, 2, 3], picture to frame, pixel centres at .5


def centred(matrix: np.ndarray) -> np.ndarray:
    """The matrix for OpenCV, whose pixel centres are whole numbers."""
    half = np.array([0.5, 0.5])
    return np.column_stack([matrix[:, :2], matrix[:, :2] @ half + matrix[:, 2] - half])


def move(
    picture: np.ndarray, places: np.ndarray, size: tuple[int, int] = (640, 360), noise: float = 2.0
) -> Shot:
    """A shot of a picture moved by similarities: rows of (x, y, scale, angle) of the astronaut's nose, with noise."""
    rng = np.random.Generator(np.random.PCG64(7))
    frames, matrices = [], []
    for x, y, scale, angle in places:
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[c, -s], [s, c]])
        matrix = np.column_stack([turn, np.array([x, y]) - turn @ [225.0, 120.0]])
        frame = cv2.warpAffine(
            picture, centred(matrix), size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        ).astype(np.float32)
        frame += rng.normal(0, noise, frame.shape).astype(np.float32)
        frames.append(np.clip(np.round(frame), 0, 255).astype(np.uint8))
        matrices.append(matrix)
    return Shot(frames, np.array(matrices))


@pytest.fixture
def settings() -> dict:
    return dict(SETTINGS)


@pytest.fixture(scope="session")
def shoot():
    """The function `move`."""
    return move
