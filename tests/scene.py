"""Faces, shots and talents whose numbers are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.engines.base import FaceContext, TalentAtlas
from understudy.faces.geometry import CANONICAL

ARCFACE = "arcface_w600k_r50"
SWAP = {"boost": 0, "prefilter": True, "feather": 0.3, "strength": 1.0, "by_yaw": False, "morph": 1.0}
"""Settings of the engines that work on aligned crops."""


@dataclass(frozen=True)
class Shot:
    """A performance in which nothing moves."""

    points: np.ndarray
    pose: np.ndarray
    light: np.ndarray
    embeddings: np.ndarray


def shot(embeddings: np.ndarray | None = None, yaw: float = 0.0, frames: int = 3) -> Shot:
    points = np.repeat((CANONICAL * 60).astype(np.float32)[None], frames, axis=0)
    pose = np.zeros((frames, 3))
    pose[:, 0] = yaw
    known = np.zeros((frames, 0), np.float32) if embeddings is None else embeddings
    return Shot(points, pose, np.zeros((frames, 3)), known)


def turned(yaw: float, size: float = 60.0, at: tuple[float, float] = (100.0, 100.0)) -> np.ndarray:
    """The mean face turned to the picture's right by ``yaw`` degrees, [468, 3]."""
    a = np.radians(-yaw)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return (size * CANONICAL @ turn.T + [*at, 0]).astype(np.float32)


FIVE = np.array([(70.0, 80.0), (130.0, 80.0), (100.0, 115.0), (76.0, 145.0), (124.0, 145.0)], np.float32)


def face(frame: int = 1001, five: np.ndarray = FIVE) -> FaceContext:
    return FaceContext(frame, np.zeros((468, 3), np.float32), 0, five)


def plate(shape: tuple[int, int] = (220, 200), seed: int = 0) -> np.ndarray:
    """A crop of soft colours, well inside 0..1."""
    coarse = np.random.default_rng(seed).uniform(0.3, 0.6, (*(-(-n // 20) for n in shape), 3))
    fine = np.kron(coarse, np.ones((20, 20, 1)))[: shape[0], : shape[1]]
    padded = np.pad(fine, ((10, 10), (10, 10), (0, 0)), mode="edge")
    out = np.mean([padded[10 + d : 10 + d + shape[0], 10:-10] for d in range(-9, 10, 3)], axis=0)
    return np.ascontiguousarray(out, dtype=np.float32)


def talent(vectors: np.ndarray | None = None, recogniser: str = ARCFACE, **more: Any) -> TalentAtlas:
    """One talent with a picture for each vector."""
    count = 1 if vectors is None else len(vectors)
    return TalentAtlas(
        **{
            "id": "ada",
            "pictures": tuple(plate(seed=10 + i) for i in range(count)),
            "points": tuple(turned(0.0) for _ in range(count)),
            "fives": tuple(FIVE for _ in range(count)),
            "embeddings": {} if vectors is None else {recogniser: vectors},
            **more,
        }
    )
