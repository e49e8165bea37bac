"""How stages come by the finished frames of a shot: the plate's own, and what was changed of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from understudy.media import patches
from understudy.media.frames import Frames
from understudy.media.patches import Patch
from understudy.media.yuv import Codes
from understudy.runtime.records import Record
from understudy.stages.crops import Cut, Pages, opened, read_cuts


@dataclass(frozen=True)
class Finished:
    """The finished frames of a shot, or of a chunk of it."""

    _frames: Frames
    _pages: dict[int, list[tuple[Cut, Pages, Pages]]]

    def patches(self, frame: int) -> list[Patch]:
        """What was changed of a frame, in the order in which it is laid over the plate."""
        return [
            Patch(cut.box, pixels[cut.page], weights[cut.page])
            for cut, pixels, weights in self._pages.get(frame, [])
        ]

    def read(self, frame: int) -> np.ndarray:
        """A finished frame in the plate's type [h, w, channels]: the plate's own bits wherever nothing was changed."""
        image = self._frames.read(frame)
        patches.lay(image, (0, 0), self.patches(frame))
        return image

    def coded(self, frame: int) -> np.ndarray | Codes:
        """The same, as codes where the plate is a Y'CbCr movie: what nobody changed is the movie's own code."""
        return laid(self._frames.stored(frame), self.patches(frame))

    def matte(self, frame: int) -> np.ndarray:
        """Where a frame was changed, and how far: uint16 [h, w], all faces together."""
        whole = np.zeros((self._frames.plate.height, self._frames.plate.width), np.uint16)
        patches.lay_weight(whole, (0, 0), self.patches(frame))
        return whole


def laid(stored: np.ndarray | Codes, changed: Sequence[Patch]) -> np.ndarray | Codes:
    """A frame as it is stored, with patches laid over it in place."""
    if isinstance(stored, Codes):
        stored.patch(changed)
    else:
        patches.lay(stored, (0, 0), changed)
    return stored


@contextmanager
def finished(frames: Frames, composites: Sequence[Record]) -> Iterator[Finished]:
    """The finished frames of some chunks, their patch stores checked once and open meanwhile."""
    with ExitStack() as stack:
        pages: dict[int, list[tuple[Cut, Pages, Pages]]] = {}
        for record in composites:
            cuts = read_cuts(record)
            pixels, weights = (
                stack.enter_context(opened(record, name, cuts)) for name in ("patches.tif", "weights.tif")
            )
            for cut in cuts:
                pages.setdefault(cut.frame, []).append((cut, pixels, weights))
        yield Finished(frames, pages)
