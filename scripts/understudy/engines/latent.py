"""From a recogniser's vector to what a swapper was trained on, family by family. Pure functions on vectors [512].

`e` is the recogniser's vector as it came out of the network; a latent is what the swapper's ``source`` is fed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ModelError

Vector = NDArray[np.float32]


def unit(vector: Vector) -> Vector:
    """The vector at length one."""
    return vector / np.linalg.norm(vector)


def average(vectors: NDArray[np.float32], weights: NDArray[Any] | Sequence[float]) -> Vector:
    """One raw vector [d] of several [n, d]: the weighted mean of their directions, at their mean length.

    Raw and not of length one, since a converter is fed what a recogniser gives. ``weights`` is [n], or empty where all
    count alike.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    share = np.asarray(weights, np.float64) if len(weights) else np.ones(len(vectors))
    middle = unit(share @ (vectors / lengths[:, None]))
    return (middle * np.average(lengths, weights=share)).astype(np.float32)


def mapped(embedding: Vector, emap: NDArray[np.float32]) -> Vector:
    """Inswapper's latent: the unit embedding through the file's own matrix [512, 512], brought back to length one.

    The length that the matrix leaves differs from person to person by what the network never saw in training.
    """
    return unit(unit(embedding) @ emap)


def converted(family: str, output: Vector) -> Vector:
    """The latent of a family that has a converter's output for one: GHOST as it is, the others at length one."""
    return output if family == "ghost" else unit(output)


def toward(own: Vector, other: Vector, strength: float) -> Vector:
    """A latent moved on the sphere: at strength 1 `other`, at 0 the direction of `own`, above 1 further away from it.

    Both must come out of the same function of an embedding; vectors of two spaces have no path between them. The
    length stays that of `other` (Shoemake 1985, slerp).

    Parameters
    ----------
    own:
        The performer's.
    other:
        The talent's.
    """
    a, b = unit(own.astype(np.float64)), unit(other.astype(np.float64))
    angle = np.arccos(np.clip(a @ b, -1, 1))
    if strength == 1 or angle < 1e-6:
        return other
    if np.pi - angle < 1e-6:
        raise ModelError(
            "the talent's latent is the exact opposite of the performer's, and no path leads from one to the other",
            fix="set the identity's strength to 1",
        )
    moved = (np.sin((1 - strength) * angle) * a + np.sin(strength * angle) * b) / np.sin(angle)
    return (moved * np.linalg.norm(other)).astype(np.float32)
