"""What engines on aligned crops share: how pages are cut, their soft rim, and the picture that stands for a talent."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf

import numpy as np
from numpy.typing import NDArray

from understudy.comp.lay import take
from understudy.engines.base import FaceContext, Image, Performance, TalentAtlas
from understudy.errors import ConfigError
from understudy.faces.align import similarity
from understudy.faces.geometry import pose
from understudy.faces.identity import average

Matrix = NDArray[np.float64]


def cut(
    crops: Sequence[Image],
    context: Sequence[FaceContext],
    template: str,
    size: int,
    phases: int,
    shift: float = 0.0,
) -> tuple[Image, list[Matrix]]:
    """Aligned pages of crops, limited to 0..1 as networks expect, and where each lies.

    Parameters
    ----------
    template, size, shift:
        As `faces.align.similarity` takes them: those of the network.
    phases:
        How many times finer than the network's own pixels the page is.

    Returns
    -------
    Pages float32 [k, phases size, phases size, 3] and the transforms crop to page.
    """
    transforms = [phases * similarity(face.five, template, size, shift) for face in context]
    pages = [take(crop, transform, phases * size) for crop, transform in zip(crops, transforms, strict=True)]
    stack = np.stack(pages)
    return np.clip(stack, 0, 1, out=stack), transforms


def rim(size: int, feather: float) -> Image:
    """A matte that is 1 in the middle of a page and falls to exactly 0 at its edge, float32 [size, size].

    A box blurred by a Gaussian: with b = ``feather`` / 2 sides the box's edge lies b / 2 inside the page's and sigma is
    b / 4 (the proportions that FaceFusion made usual). It is computed from distances, so it has one shape at every
    size, and what the Gaussian leaves at the page's edge, .023, is taken off: there it would be seen as a square.
    """
    if not 0 <= feather <= 1:
        raise ConfigError(f"feather is {feather}", fix="choose a value from 0 to 1")
    if feather == 0:
        return np.ones((size, size), np.float32)
    inset, spread = feather / 4, feather / 8 * np.sqrt(2)
    at = np.append((np.arange(size) + 0.5) / size, [0.0, 0.5])
    blurred = np.array([erf((x - inset) / spread) - erf((x - 1 + inset) / spread) for x in at])
    profile = (blurred[:-2] - blurred[-2]) / (blurred[-1] - blurred[-2])
    return np.outer(profile, profile).astype(np.float32)


def worth(talent: TalentAtlas) -> NDArray[np.float64]:
    """What each of a talent's pictures counts, [n]; all alike where nobody judged them.

    Raises
    ------
    ConfigError
        The talent has no picture.
    """
    if not talent.pictures:
        raise ConfigError(
            "the talent has no picture to take a face from",
            where=f"talent {talent.id}",
            fix="name at least one picture of the talent in the talent list",
        )
    judged = np.asarray(talent.quality, np.float64)
    return judged if judged.any() else np.ones(len(talent.pictures))


def spoken(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """One person's raw vector [1, d] of several [n, d]: their direction at the mean length of those that count.

    Raw and not of length one, since a converter is fed what a recogniser gives.
    """
    one = average(vectors, weights)
    length = np.average(np.linalg.norm(vectors, axis=1), weights=one.weights)
    return (length * one.direction[None]).astype(np.float32)


def portrait(talent: TalentAtlas, track: Performance) -> int:
    """The talent's picture that suits a shot best: worth as a source times nearness to the performer's pose.

    Nearness is the mean, over the shot, of the cosines of the differences in yaw and pitch.
    """
    judged = worth(talent)
    performer = np.radians(np.asarray(track.pose, float)[:, :2])
    poses = np.radians([pose(points)[:2] for points in talent.points])
    near = np.cos(performer[None] - poses[:, None]).prod(axis=2).mean(axis=1)
    return int(np.argmax(judged * np.maximum(near, 0)))
