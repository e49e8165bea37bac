"""Shots whose light is known: a portrait under light that changes, and on it the same face under light of its own.

The new face is the performer's, so the plate itself is what a perfect match would make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from skimage import data

from shipped import MATTE
from understudy.comp.match import Laid, Moment, Sample
from understudy.comp.mattes.matte import layers
from understudy.faces.geometry import CANONICAL
from understudy.media.colour import from_linear, to_linear

CORNER, SIDE = (130, 20), 190
"""The part of the portrait that is filmed, in its own pixels."""
PLACE = np.array([[43.16, 0.74], [-0.96, 45.6], [224.42, 113.04]])
"""Mean face to portrait: fitted to eyes, corners of the mouth and chin."""
EXTENT = 108.3
"""Pixels of the portrait that the face is long."""
CAST = (1.1, 0.82, 0.62)
"""What the new face's own light makes of white."""
FRAMES = 24
ON = 13
"""Frame at which the practical is switched on."""

Light = Callable[[np.ndarray, float], np.ndarray]
"""Light by place (0 left .. 1 right) and frame: [w, 3], linear."""


def even(x: np.ndarray, t: float) -> np.ndarray:
    return np.ones((len(x), 3))


def switch(x: np.ndarray, t: float) -> np.ndarray:
    """A lamp on the left of the face is switched on."""
    lamp = np.exp(-1.5 * x)[:, None] * (1.1, 0.65, 0.3)
    return 0.35 + lamp * (t >= ON)


def mixed(x: np.ndarray, t: float) -> np.ndarray:
    """Tungsten from the left, daylight from the right, and a head that turns a little between them."""
    share = 1 / (1 + np.exp(-8 * (x - 0.5 - 0.08 * np.sin(t / 4))))[:, None]
    return 0.7 * ((1 - share) * (1.3, 0.95, 0.6) + share * (0.75, 0.95, 1.25))


def ramp(x: np.ndarray, t: float) -> np.ndarray:
    """A stop and a half, opened over the shot."""
    return np.full((len(x), 3), 2.0 ** (-1.5 + 1.5 * t / (FRAMES - 1)))


SHOTS: dict[str, Light] = {"switch": switch, "mixed": mixed, "ramp": ramp}


@dataclass(frozen=True)
class Take:
    """How a shot is filmed: the face's extent in pixels, and what the new face does.

    ``follows``: its light is the plate's, as a network's face has it, with a gain of its own on every frame of
    deviation ``flicker``. Otherwise it is that of a picture, always the same.
    """

    size: float = 160.0
    follows: bool = False
    flicker: float = 0.0
    grain: float = 0.006


def filmed(light: Light, take: Take = Take(), frames: int = FRAMES) -> list[Sample]:
    """A shot, frame by frame."""
    scale = take.size / EXTENT
    side = round(SIDE * scale)
    random = np.random.default_rng(5)
    portrait = data.astronaut().astype(np.float32) / 255
    across, down = (np.arange(side) + 0.5) / side, np.linspace(1.12, 0.88, side)[:, None, None]
    found = []
    for t in range(frames):
        sway = scale * np.array([1.5 * np.sin(t / 3), 1.0 * np.cos(t / 4)])
        shift = sway - scale * np.array(CORNER)
        matrix = np.array([[scale, 0, shift[0] + scale / 2 - 0.5], [0, scale, shift[1] + scale / 2 - 0.5]])
        still = cv2.warpAffine(portrait, matrix, (side, side), flags=cv2.INTER_CUBIC)
        bare = to_linear(np.clip(still, 0, 1))
        lit = light(across, t).astype(np.float32)[None]
        grain = random.normal(0, take.grain, (side, side, 1))
        plate = np.clip(from_linear(bare * lit) + grain, 0, 1).astype(np.float32)
        own = bare * (lit if take.follows else 0.8 * down) * CAST * (1 + 2.4 * take.flicker * random.normal())
        face = from_linear(own.astype(np.float32))
        points = np.c_[np.c_[CANONICAL[:, :2], np.ones(468)] @ PLACE * scale + shift, CANONICAL[:, 2] * 43 * scale]
        points = points.astype(np.float32)
        matte = layers(points, (side, side), None, lambda: plate, {}, [], MATTE)["matte"]  # noqa: B023
        found.append(Sample(plate, Laid(face), matte, Moment(t, points, t)))
    return found
