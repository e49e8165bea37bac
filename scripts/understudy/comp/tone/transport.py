"""Optimal transport of colours without a formula: one colour cloud is moved onto another along lines.

A cloud is float64 [n, 3]. Every map is given by where it takes other colours [k, 3], such as a lattice's nodes: these
ride along with the cloud, so that no scattered data has to be filled in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

QUANTILES: Final = 128
"""Points of a distribution function: fewer than there are colours, so that no single one bends the map."""
IDT_ROUNDS: Final = 20
SOT_ROUNDS, SOT_BASES = 10, 10
"""Rounds, and sets of three directions in each."""


def curve(source: F64, target: F64) -> tuple[F64, F64]:
    """The increasing map between two distributions [n] and [m]: places, and how far each is moved.

    F_target^-1(F_source(x)) - x, the optimal transport on a line. Beyond the ends the last shift goes on.
    """
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    places = np.quantile(source, shares)
    # Equal places would leave the value there open: it is that of the middle one.
    return places + 1e-9 * (shares - 0.5), np.quantile(target, shares) - places


def histogram(source: F64, target: F64, at: F64) -> F64:
    """Each channel's histogram matched on its own."""
    moved = [at[:, c] + np.interp(at[:, c], *curve(source[:, c], target[:, c])) for c in range(3)]
    return np.stack(moved, axis=1)


def sliced(source: F64, target: F64, at: F64, rounds: int, bases: int) -> F64:
    """Move a cloud by the mean of what `curve` asks for along the axes of ``bases`` random bases, ``rounds`` times.

    With one basis this is iterative distribution transfer (Pitie, Kokaram and Dahyot 2007), with many sliced optimal
    transport (Rabin et al. 2011; Bonneel et al. 2015); whole bases make a shift of all colours exact in one round.
    The bases are the same at every call.
    """
    random = np.random.Generator(np.random.PCG64(rounds))
    cloud, ride = source.copy(), at.copy()
    for _ in range(rounds):
        turned = [np.linalg.qr(random.standard_normal((3, 3)))[0] for _ in range(bases)]
        pull, tow = np.zeros_like(cloud), np.zeros_like(ride)
        for axis in np.concatenate(turned, axis=1).T:
            along = cloud @ axis
            moves = curve(along, target @ axis)
            pull += np.interp(along, *moves)[:, None] * axis
            tow += np.interp(ride @ axis, *moves)[:, None] * axis
        cloud += pull / bases
        ride += tow / bases
    return ride


def idt(source: F64, target: F64, at: F64) -> F64:
    """Iterative distribution transfer; see `sliced`."""
    return sliced(source, target, at, IDT_ROUNDS, 1)


def sot(source: F64, target: F64, at: F64) -> F64:
    """Sliced optimal transport; see `sliced`."""
    return sliced(source, target, at, SOT_ROUNDS, SOT_BASES)
