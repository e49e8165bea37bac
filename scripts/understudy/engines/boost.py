"""Pixel boost: how finely a crop is cut for a network of a fixed size, and what that costs. No pixels, no imports."""

from __future__ import annotations

from understudy.errors import ConfigError

MOST = 1024


def phases(size: int, boost: int, where: str = "") -> int:
    """How many times finer than the network's own side the crop is cut, along each axis.

    Parameters
    ----------
    size:
        Side in pixels that the network takes.
    boost:
        Side in pixels of the crop; 0 for the network's own.
    where:
        What a refusal names: the model, the look.

    Raises
    ------
    ConfigError
        The network's side does not divide the crop's, or the crop is too large.
    """
    if boost == 0:
        return 1
    if boost < size or boost % size or boost > max(MOST, size):
        sides = [n * size for n in range(1, MOST // size + 1)] or [size]
        raise ConfigError(
            f"a crop of {boost} pixels cannot be made of phases of {size}, which this network takes",
            where=where,
            fix=f"set boost to one of {', '.join(map(str, sides))}",
        )
    return boost // size


def cost(size: int, boost: int, where: str = "") -> int:
    """How many runs of the network one face takes; raises as `phases` does."""
    return phases(size, boost, where) ** 2
