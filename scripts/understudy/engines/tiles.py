"""Pages finer than a network: split into phases, each of which is the whole face, and woven together again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.comp.resample import gaussian, shrink_sigma

F32 = NDArray[np.float32]


def split(pages: F32, phases: int) -> F32:
    """Polyphase images of pages [k, n s, n s(, c)]: [k n n, s, s(, c)].

    Image (i, j) of a page holds its rows i, i + n, i + 2 n ... and columns j, j + n ...; they follow each other row by
    row, page by page.
    """
    count, side = len(pages), pages.shape[1] // phases
    rest = pages.shape[3:]
    cut = pages.reshape(count, side, phases, side, phases, *rest)
    return np.ascontiguousarray(np.moveaxis(cut, (2, 4), (1, 2))).reshape(-1, side, side, *rest)


def join(tiles: F32, phases: int) -> F32:
    """Pages [k, n s, n s(, c)] of the polyphase images [k n n, s, s(, c)] that `split` makes."""
    side, rest = tiles.shape[1], tiles.shape[3:]
    cut = tiles.reshape(-1, phases, phases, side, side, *rest)
    return np.ascontiguousarray(np.moveaxis(cut, (1, 2), (2, 4))).reshape(
        -1, side * phases, side * phases, *rest
    )


def soften(pages: F32, phases: int) -> F32:
    """Pages [k, h, w, 3] without what `split` would alias: the Gaussian that goes before shrinking by ``phases``."""
    if phases == 1:
        return pages
    sigma = shrink_sigma(1 / phases)
    return np.stack([gaussian(page, sigma) for page in pages])
