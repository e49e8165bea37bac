"""The demo's plates as pure functions: two public-domain portraits, filmed by a camera that never was.

A shot is a portrait (or two) that moves under a camera with pan, zoom, roll and a little shake, before an
out-of-focus extension of its own background; then light that changes, for one shot a hand that passes before
the face, and grain. Every transform is a formula, so the truth of every frame is known.

Images are display-encoded (sRGB) float32 RGB, 0..1. Points are (x, y) in pixels with pixel centres at .5.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Matrix = NDArray[np.float64]

RATE = 24000 / 1001
SUPERSAMPLE = (
    2  # the frame is drawn at twice its size and averaged: anti-aliasing, and positions finer than 1/64 px
)
FEATHER = 80.0  # width, in portrait pixels, of a portrait's way into the background
REFERENCE_HEIGHT = 540  # the plans below are written for this height and scale with the frame


@dataclass(frozen=True)
class Wave:
    """A slow swing ``amount * sin(2 pi t / period + phase)``, t in seconds."""

    amount: float
    period: float
    phase: float = 0.0

    def at(self, seconds: float) -> float:
        return self.amount * math.sin(2.0 * math.pi * seconds / self.period + self.phase)


@dataclass(frozen=True)
class Performer:
    """One portrait in the frame.

    ``anchor`` is the point of the portrait (its pixels) that stands at ``place`` (frame pixels at the
    reference height) when nothing moves; ``scale`` is frame pixels per portrait pixel there. ``push`` is the
    zoom over the whole shot: 0.1 ends 10 % larger than it began.
    """

    portrait: str
    anchor: tuple[float, float]
    place: tuple[float, float]
    scale: float
    push: float = 0.0
    pan: tuple[float, float] = (0.0, 0.0)
    sway: tuple[Wave, Wave] = (Wave(0.0, 1.0), Wave(0.0, 1.0))
    roll: Wave = Wave(0.0, 1.0)


@dataclass(frozen=True)
class Hand:
    """A hand on its forearm that crosses the frame from ``start`` to ``end`` (frame pixels) and out again."""

    start: tuple[float, float]
    end: tuple[float, float]
    angle: float
    size: float
    enters: float = 0.2
    leaves: float = 0.8


@dataclass(frozen=True)
class Plan:
    """All that makes a shot: change a number here and plate and truth follow together."""

    performers: tuple[Performer, ...]
    frames: int
    first: int
    gain: tuple[Wave, Wave, Wave] = (Wave(0.0, 1.0), Wave(0.0, 1.0), Wave(0.0, 1.0))
    hand: Hand | None = None
    grain: float = 0.008
    shake: float = 0.5


PLANS: dict[str, Plan] = {
    "sh010": Plan(
        performers=(
            Performer(
                "hopper",
                anchor=(256.0, 230.0),
                place=(490.0, 232.0),
                scale=1.30,
                push=0.14,
                pan=(-50.0, 14.0),
                sway=(Wave(9.0, 2.3), Wave(5.0, 1.7, 1.0)),
                roll=Wave(3.2, 2.6, 0.4),
            ),
        ),
        frames=60,
        first=1,
        gain=(Wave(0.10, 2.9), Wave(0.11, 2.9), Wave(0.13, 2.9, 0.2)),
    ),
    "sh020": Plan(
        performers=(
            Performer(
                "astronaut",
                anchor=(226.0, 138.0),
                place=(440.0, 236.0),
                scale=1.95,
                push=-0.08,
                pan=(52.0, 8.0),
                sway=(Wave(8.0, 1.9, 0.7), Wave(6.0, 2.6)),
                roll=Wave(-2.6, 2.2),
            ),
        ),
        frames=48,
        first=1001,
        gain=(Wave(0.16, 3.1, 2.0), Wave(0.14, 3.1, 2.0), Wave(0.10, 3.1, 2.2)),
        grain=0.006,
    ),
    "sh030": Plan(
        performers=(
            Performer(
                "hopper",
                anchor=(256.0, 230.0),
                place=(252.0, 248.0),
                scale=1.04,
                push=0.05,
                pan=(22.0, -6.0),
                sway=(Wave(5.0, 2.1), Wave(4.0, 1.6, 0.5)),
                roll=Wave(2.2, 2.4),
            ),
            Performer(
                "astronaut",
                anchor=(226.0, 138.0),
                place=(726.0, 226.0),
                scale=1.42,
                push=0.05,
                pan=(22.0, -6.0),
                sway=(Wave(4.0, 2.6, 1.2), Wave(5.0, 1.8)),
                roll=Wave(-1.8, 2.0, 0.3),
            ),
        ),
        frames=60,
        first=1,
        gain=(Wave(0.06, 2.6), Wave(0.06, 2.6), Wave(0.05, 2.6)),
        hand=Hand(start=(-40.0, 800.0), end=(196.0, 418.0), angle=30.0, size=64.0),
    ),
}


@cache
def portrait(name: str) -> Image:
    """The portrait ``hopper`` or ``astronaut`` as it lies in the installed package, [h, w, 3] float32.

    The hopper portrait (US Navy) comes with matplotlib, the astronaut (NASA) with scikit-image; both are
    public domain.
    """
    if name == "astronaut":
        import skimage.data

        pixels = skimage.data.astronaut()
    elif name == "hopper":
        import matplotlib.cbook

        path = Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
        pixels = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    else:
        raise KeyError(f"no portrait {name!r}: hopper, astronaut")
    image = pixels.astype(np.float32) / np.float32(255.0)
    image.flags.writeable = False
    return image


def seed(shot: str, frame: int, what: str) -> int:
    """A seed that depends on its three words and on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{shot}/{frame}/{what}".encode()).digest()[:8], "big")


def gains(plan: Plan, index: int) -> tuple[float, float, float]:
    """Factor on the linear light of R, G, B of the frame at ``index`` (0 = first)."""
    seconds = index / RATE
    red, green, blue = (1.0 + wave.at(seconds) for wave in plan.gain)
    return red, green, blue


def shake(plan: Plan, index: int) -> tuple[float, float]:
    """The operator's hand, in frame pixels at the reference height: two sines per axis, out of step."""
    seconds = index / RATE
    x = Wave(plan.shake, 0.53).at(seconds) + Wave(plan.shake * 0.6, 0.37, 1.1).at(seconds)
    y = Wave(plan.shake, 0.47, 0.4).at(seconds) + Wave(plan.shake * 0.6, 0.31, 2.0).at(seconds)
    return x, y


def matrix(plan: Plan, performer: Performer, index: int, height: int) -> Matrix:
    """Where the portrait lies: the 2x3 transform from its pixels to those of the frame at ``index``."""
    unit = height / REFERENCE_HEIGHT
    seconds = index / RATE
    way = _ease(index / max(1, plan.frames - 1))
    scale = performer.scale * (1.0 + performer.push * way) * unit
    angle = math.radians(performer.roll.at(seconds))
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    jolt = shake(plan, index)
    target = [
        unit
        * (performer.place[axis] + performer.pan[axis] * way + performer.sway[axis].at(seconds) + jolt[axis])
        for axis in (0, 1)
    ]
    return np.hstack([linear, (np.array(target) - linear @ np.array(performer.anchor))[:, None]])


def hand_pose(plan: Plan, index: int, height: int) -> tuple[float, float, float, float] | None:
    """The hand's palm centre x, y, size in frame pixels and angle in degrees; None while it is away."""
    hand = plan.hand
    if hand is None:
        return None
    part = index / max(1, plan.frames - 1)
    if not hand.enters < part < hand.leaves:
        return None
    way = math.sin(math.pi * (part - hand.enters) / (hand.leaves - hand.enters)) ** 0.8
    unit = height / REFERENCE_HEIGHT
    x, y = (unit * (a + (b - a) * way) for a, b in zip(hand.start, hand.end, strict=True))
    return x, y, hand.size * unit, hand.angle + 10.0 * math.sin(2.0 * math.pi * part)


def hand_matte(plan: Plan, index: int, size: tuple[int, int]) -> Image:
    """How much of each pixel the hand covers, [h, w] float32 0..1; ``size`` is (width, height)."""
    drawn = _draw_hand(plan, index, size)
    return np.zeros((size[1], size[0]), np.float32) if drawn is None else _shrink(drawn[1])


def render(shot: str, index: int, size: tuple[int, int] = (960, 540), *, grain: bool = True) -> Image:
    """The finished frame at ``index`` of a shot: [h, w, 3] display-encoded; ``size`` is (width, height)."""
    plan = PLANS[shot]
    frame = _background(plan, index, size)
    for performer in plan.performers:
        picture = portrait(performer.portrait)
        placed = matrix(plan, performer, index, size[1])
        cover = _warp(_window(picture.shape[0], picture.shape[1]), placed, size, cv2.BORDER_CONSTANT)[
            ..., None
        ]
        frame += cover * (_warp(picture, placed, size, cv2.BORDER_REPLICATE) - frame)
    drawn = _draw_hand(plan, index, size)
    if drawn is not None:
        colour, cover = drawn
        frame += cover[..., None] * (colour - frame)
    frame = _shrink(frame)
    lit = encode(decode(np.clip(frame, 0.0, 1.0)) * np.array(gains(plan, index), np.float32))
    if grain:
        lit = lit + _grain(lit, plan.grain, seed(shot, plan.first + index, "grain"))
    return np.clip(lit, 0.0, 1.0).astype(np.float32)


def truth(shot: str, frames: int | None = None, size: tuple[int, int] = (960, 540)) -> dict[str, Any]:
    """What is known of a shot, in JSON types.

    ``frames`` holds one entry per frame: its number, per performer the 2x3 ``matrix`` from portrait to frame
    pixels, ``gain`` on linear light, the outline of the ``hand`` (empty while away) and the grain's seed.
    """
    plan = PLANS[shot]
    rows = [
        {
            "frame": plan.first + index,
            "performers": [
                {"portrait": person.portrait, "matrix": matrix(plan, person, index, size[1]).tolist()}
                for person in plan.performers
            ],
            "gain": list(gains(plan, index)),
            "hand": _outline(hand_matte(plan, index, size)),
            "grain_seed": seed(shot, plan.first + index, "grain"),
        }
        for index in range(plan.frames if frames is None else frames)
    ]
    return {"shot": shot, "size": list(size), "rate": "24000/1001", "frames": rows}


def render_shot(
    shot: str, frames: int | None = None, size: tuple[int, int] = (960, 540)
) -> tuple[Iterator[Image], dict[str, Any]]:
    """The first ``frames`` frames of a shot (all by default), drawn one by one, and the truth about them."""
    count = PLANS[shot].frames if frames is None else frames
    return (render(shot, index, size) for index in range(count)), truth(shot, count, size)


def decode(display: Image) -> Image:
    """Linear light of sRGB values (IEC 61966-2-1)."""
    return np.where(
        display <= 0.04045, display / 12.92, ((np.maximum(display, 0.0) + 0.055) / 1.055) ** 2.4
    ).astype(np.float32)


def encode(linear: Image) -> Image:
    """SRGB values of linear light (IEC 61966-2-1)."""
    power = 1.055 * np.maximum(linear, 0.0) ** (1.0 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, power).astype(np.float32)


def _ease(part: float) -> float:
    """Start and stop of a camera move: 0 to 1 with no velocity at either end."""
    return part * part * (3.0 - 2.0 * part)


def _warp(image: Image, placed: Matrix, size: tuple[int, int], border: int) -> Image:
    """``image`` at ``placed`` in the supersampled frame; OpenCV's pixel centres are whole numbers, ours not."""
    k = SUPERSAMPLE
    linear = k * placed[:, :2]
    offset = k * placed[:, 2] + linear @ np.array([0.5, 0.5]) - 0.5
    shift = np.hstack([linear, offset[:, None]])
    return cv2.warpAffine(image, shift, (k * size[0], k * size[1]), flags=cv2.INTER_CUBIC, borderMode=border)


def _shrink(image: Image) -> Image:
    height, width = image.shape[0] // SUPERSAMPLE, image.shape[1] // SUPERSAMPLE
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


@cache
def _window(height: int, width: int) -> Image:
    """Cover of a portrait: 1 inside, falling smoothly to 0 at the left, right and upper edge."""
    x = np.arange(width) + 0.5
    y = np.arange(height) + 0.5
    across = np.minimum(np.clip(x / FEATHER, 0, 1), np.clip((width - x) / FEATHER, 0, 1))
    down = np.clip(y / (FEATHER * 0.5), 0, 1)
    cover = (across * across * (3 - 2 * across))[None, :] * (down * down * (3 - 2 * down))[:, None]
    return cover.astype(np.float32)


@cache
def _far(name: str) -> tuple[Image, int]:
    """The portrait's surroundings far out of focus: mirrored outwards and blurred; and their reach."""
    picture = portrait(name)
    reach = 640
    wide = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    return cv2.GaussianBlur(wide, (0, 0), 26.0), reach


def _background(plan: Plan, index: int, size: tuple[int, int]) -> Image:
    """What lies behind: each performer's far layer, moving less than they do, mixed across the frame."""
    k = SUPERSAMPLE
    total = np.zeros((k * size[1], k * size[0], 3), np.float32)
    count = len(plan.performers)
    across = (np.arange(k * size[0], dtype=np.float32) + 0.5) / (k * size[0])
    for number, performer in enumerate(plan.performers):
        still, now = (matrix(plan, performer, moment, size[1]) for moment in (0, index))
        placed = 0.6 * now + 0.4 * still
        layer, reach = _far(performer.portrait)
        placed[:, 2] -= placed[:, :2] @ np.array([reach, reach])
        share = np.ones_like(across)
        if count == 2:
            ramp = np.clip((across - 0.38) / 0.24, 0.0, 1.0)
            share = ramp if number else 1.0 - ramp
        total += share[None, :, None] * _warp(layer, placed, size, cv2.BORDER_REFLECT)
    return total


def _grain(image: Image, strength: float, number: int) -> Image:
    """Film grain: strongest in middle tones, a little coarser than a pixel, mostly common to channels."""
    random = np.random.Generator(np.random.PCG64(number))
    height, width = image.shape[:2]
    common = random.standard_normal((height, width, 1), dtype=np.float32)
    own = random.standard_normal((height, width, 3), dtype=np.float32)
    noise = cv2.GaussianBlur(0.8 * common + 0.6 * own, (0, 0), 0.55)
    noise /= noise.std()
    luma = image @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return noise * (strength * (0.45 + 2.2 * luma * (1.0 - luma)))[..., None]


# Fingers and arm as tapered capsules in units of the palm's half width, the hand upright, y downwards:
# (root x, root y, tip x, tip y, radius at the root, radius at the tip)
_BONES = (
    (-0.62, -0.75, -0.92, -2.35, 0.27, 0.20),
    (-0.20, -0.90, -0.28, -2.80, 0.28, 0.21),
    (0.22, -0.88, 0.32, -2.66, 0.28, 0.20),
    (0.60, -0.70, 0.90, -2.12, 0.24, 0.17),
    (-0.70, 0.55, -1.62, -0.62, 0.33, 0.22),
    (-0.30, -0.45, -0.22, 0.75, 0.62, 0.60),
    (0.30, -0.42, 0.22, 0.75, 0.60, 0.58),
    (0.0, 1.0, 0.05, 7.0, 0.62, 0.95),
)


def _draw_hand(plan: Plan, index: int, size: tuple[int, int]) -> tuple[Image, Image] | None:
    """Colour [H, W, 3] and cover [H, W] of the supersampled hand: a smooth union of capsules, shaded."""
    pose = hand_pose(plan, index, size[1])
    if pose is None:
        return None
    k = SUPERSAMPLE
    x0, y0, unit, degrees = pose
    angle = math.radians(degrees)
    grid_y, grid_x = np.mgrid[0 : k * size[1], 0 : k * size[0]].astype(np.float32)
    dx, dy = ((grid_x + 0.5) / k - x0) / unit, ((grid_y + 0.5) / k - y0) / unit
    x = math.cos(angle) * dx + math.sin(angle) * dy
    y = -math.sin(angle) * dx + math.cos(angle) * dy

    weight = np.zeros_like(x)
    relief = np.zeros_like(x)
    sharp = 14.0  # of the smooth union: the webs between the fingers are about 1 / sharp wide
    for ax, ay, bx, by, ra, rb in _BONES:
        ux, uy = bx - ax, by - ay
        along = np.clip(((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy), 0.0, 1.0)
        radius = ra + (rb - ra) * along
        distance = np.hypot(x - ax - along * ux, y - ay - along * uy)
        share = np.exp(np.clip(sharp * (radius - distance), -40.0, 40.0))
        weight += share
        relief = np.maximum(relief, np.sqrt(np.maximum(radius * radius - distance * distance, 0.0)))
    inside = np.log(np.maximum(weight, 1e-30)) / sharp
    cover = np.clip(0.5 + inside * unit * k / 3.0, 0.0, 1.0).astype(np.float32)

    relief = cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 0.06 * unit * k)
    slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3) * (unit * k / 8.0)
    slope_y = cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3) * (unit * k / 8.0)
    norm = np.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
    light = np.clip((0.45 * slope_x + 0.55 * slope_y + 0.75) / norm, 0.0, 1.3)
    shade = 0.16 + 0.86 * light
    mottle = 0.02 * (np.sin(5.1 * x + 1.3 * y) + np.sin(3.7 * y - 2.2 * x))
    skin = np.array([0.56, 0.27, 0.17], np.float32)  # linear light
    linear = skin * (shade + mottle)[..., None]
    linear[..., 0] += 0.05 * (1.0 - np.clip(light, 0.0, 1.0))  # blood shows where the light grazes
    return encode(linear.astype(np.float32)), cover


def _outline(cover: Image) -> list[list[float]]:
    """Outline of the covered area (half coverage) in frame pixels; empty when nothing is covered."""
    found, _ = cv2.findContours((cover >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return []
    largest = max(found, key=cv2.contourArea)
    simple = cv2.approxPolyDP(largest, 0.7, True)[:, 0, :]
    return [[float(x) + 0.5, float(y) + 0.5] for x, y in simple]
