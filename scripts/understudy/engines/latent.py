"""From recognisers' vectors to what a swapper was trained on, family by family. Pure functions on rows, float32 [k, d].

A latent is what the swapper's ``source`` is fed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ModelError

Rows = NDArray[np.float32]


def unit(vectors: Rows) -> Rows:
    """The rows at length one."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def mapped(embeddings: Rows, emap: NDArray[np.float32]) -> Rows:
    """Inswapper's latents: unit embeddings through the file's own matrix [d, d], brought back to length one.

    The length that the matrix leaves differs from person to person by what the network never saw in training.
    """
    return unit(unit(embeddings) @ emap)


def converted(family: str, outputs: Rows) -> Rows:
    """The latents of a family that has a converter's outputs for them: GHOST as they are, the others at length one."""
    return outputs if family == "ghost" else unit(outputs)


def toward(own: Rows, others: Rows, strength: float) -> Rows:
    """Latents moved on the sphere: at strength 1 `others`, at 0 the direction of `own`, above 1 further away from it.

    Both must come out of the same function of an embedding; vectors of two spaces have no path between them. Each keeps
    its length (Shoemake 1985, slerp).

    Parameters
    ----------
    own:
        The performer's, one row.
    others:
        The talent's.

    Raises
    ------
    ModelError
        The two are opposite to each other.
    """
    if strength == 1:
        return others
    a, b = unit(own.astype(np.float64)), unit(others.astype(np.float64))
    angle = np.arccos(np.clip((a * b).sum(axis=1, keepdims=True), -1, 1))
    if (np.pi - angle < 1e-6).any():
        raise ModelError(
            "the talent's latent is the exact opposite of the performer's, and no path leads from one to the other",
            fix="set the identity's strength to 1",
        )
    apart = angle > 1e-6
    arc = np.where(apart, np.sin(angle), 1)
    moved = np.where(apart, (np.sin((1 - strength) * angle) * a + np.sin(strength * angle) * b) / arc, b)
    return (moved * np.linalg.norm(others, axis=1, keepdims=True)).astype(np.float32)
