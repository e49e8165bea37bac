"""Which of the talent's pictures is used on which frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def choose(cost: F64, switch: float) -> NDArray[np.intp]:
    """Cheapest sequence of pictures over a shot (Viterbi, 1967).

    Parameters
    ----------
    cost:
        [frames, pictures], what each picture costs on each frame.
    switch:
        What a change of picture costs.

    Returns
    -------
    One picture per frame. Of equally cheap ones the first picture wins, and no change beats a change.
    """
    frames, pictures = cost.shape
    back = np.zeros((frames, pictures), np.intp)
    best = cost[0].astype(np.float64)
    same = np.arange(pictures)
    for i in range(1, frames):
        cheapest = int(np.argmin(best))
        change = best[cheapest] + switch < best
        back[i] = np.where(change, cheapest, same)
        best = cost[i] + np.where(change, best[cheapest] + switch, best)
    path = np.empty(frames, np.intp)
    path[-1] = int(np.argmin(best))
    for i in range(frames - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path


def crossfade(path: NDArray[np.intp], pictures: int, length: int) -> F64:
    """Weight of each picture on each frame, [frames, pictures]; rows sum to one.

    Each change of picture is spread over `length` frames around it (a running mean, odd lengths are centred
    on the change); at the ends of the shot the first and the last choice are taken to go on.
    """
    hard = np.zeros((len(path), pictures))
    hard[np.arange(len(path)), path] = 1.0
    if length <= 1:
        return hard
    before, after = length // 2, length - 1 - length // 2
    padded = np.concatenate([np.repeat(hard[:1], before, axis=0), hard, np.repeat(hard[-1:], after, axis=0)])
    total = np.cumsum(np.concatenate([np.zeros((1, pictures)), padded]), axis=0)
    return (total[length:] - total[:-length]) / length
