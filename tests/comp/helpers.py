"""Pictures and faces whose numbers are known."""

from __future__ import annotations

import numpy as np

from understudy.faces.geometry import CANONICAL


def face(unit: float = 60.0, x: float = 100.0, y: float = 95.0) -> np.ndarray:
    """The mean face, its eyes ``unit`` pixels apart, its origin at (x, y)."""
    return (CANONICAL * unit + [x, y, 0]).astype(np.float32)


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


MATTE = {"erode": 0.04, "feather": 0.09, "brow_limit": True, "hold_back": 0.0}
MATCH = {"colour": "mkl", "light": 1.0, "texture": True, "grain": "synthetic"}
COMPOSITE = {"blend": "multiband", "opacity": 1.0}
