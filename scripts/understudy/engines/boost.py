"""Pixel boost: how finely a crop is cut for a network of a fixed size, and what that costs. No pixels, no imports."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.errors import ConfigError

MOST = 1024


def phases(size: int, boost: int, sides: Sequence[int] = (), where: str = "") -> int:
    """How many times finer than the network's own side the crop is cut, along each axis.

    Parameters
    ----------
    size:
        Side in pixels that the network takes.
    boost:
        Side in pixels of the crop; 0 for the network's own.
    sides:
        Those that the model's card allows (its setting ``boost``); empty for every multiple up to `MOST`.
    where:
        What a refusal names: the model, the look.

    Raises
    ------
    ConfigError
        The network's side does not divide the crop's, or the card does not allow it.
    """
    if boost == 0:
        return 1
    known = [side for side in sides or range(size, max(MOST, size) + 1, size) if side % size == 0]
    if boost not in known:
        raise ConfigError(
            f"a crop of {boost} pixels cannot be made of phases of {size}, which this network takes",
            where=where,
            fix=f"set boost to one of {', '.join(map(str, known))}",
        )
    return boost // size


def cost(size: int, boost: int, sides: Sequence[int] = (), where: str = "") -> int:
    """How many runs of the network one face takes; parameters and errors as of `phases`."""
    return phases(size, boost, sides, where) ** 2
