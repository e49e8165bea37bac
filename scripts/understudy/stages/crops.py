"""What stages hand each other between `align` and `composite`: one crop per frame and cast track."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from understudy.faces.geometry import to_frame
from understudy.media import crops
from understudy.runtime.records import Record

Pages = Sequence[np.ndarray] | crops.Reader

AT_ONCE = 1 << 23
"""Most pixels of crops that are held at a time."""


@dataclass(frozen=True)
class Cut:
    """Where a crop was cut: it is a box of the frame at the frame's own pixels.

    Attributes
    ----------
    index:
        Position of the frame within its track.
    box:
        x0, y0, x1, y1 in whole pixels of the frame, right and bottom exclusive.
    """

    page: int
    frame: int
    track: str
    index: int
    box: tuple[int, int, int, int]

    @property
    def corner(self) -> np.ndarray:
        """x0, y0, 0: what frame points lose to become crop points."""
        return np.array([self.box[0], self.box[1], 0.0], np.float32)

    def inside(self, points: np.ndarray) -> np.ndarray:
        """A track's points [n, k, 2 or 3], one row a frame: those of this frame [k, 2 or 3], in pixels of the crop."""
        return points[self.index] - self.corner[: points.shape[-1]]

    def place(self, transform: np.ndarray) -> np.ndarray:
        """Face space to pixels of the crop [2, 3], of a track's ``transform`` [n, 4]."""
        matrix = to_frame(transform[self.index])
        matrix[:, 2] -= self.corner[:2]
        return matrix

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns of the frame."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)

    def part(self, near: tuple[slice, slice]) -> Cut:
        """The same page cut down to some of its rows and columns."""
        (x0, y0, _, _), (rows, columns) = self.box, near
        return replace(self, box=(x0 + columns.start, y0 + rows.start, x0 + columns.stop, y0 + rows.stop))


def cut_out(image: np.ndarray, cut: Cut) -> np.ndarray:
    """The crop [h, w, 3] of a frame, without its alpha."""
    return np.ascontiguousarray(image[cut.region][..., :3])


def blocks(cuts: Sequence[Cut], most: int) -> Iterator[list[Cut]]:
    """Cuts in their order, so many at a time as go through a network together and fit into memory."""
    block: list[Cut] = []
    pixels = 0
    for cut in cuts:
        x0, y0, x1, y1 = cut.box
        size = (x1 - x0) * (y1 - y0)
        if block and (len(block) >= most or pixels + size > AT_ONCE):
            yield block
            block, pixels = [], 0
        block.append(cut)
        pixels += size
    if block:
        yield block


def write_cuts(folder: Path, cuts: Iterable[Cut]) -> None:
    """Write the index of a crop store, one page a line."""
    text = "".join(json.dumps(asdict(cut), separators=(",", ":")) + "\n" for cut in cuts)
    (folder / "index.jsonl").write_text(text, encoding="utf-8")


def read_cuts(record: Record) -> list[Cut]:
    """Read the index of a crop store, in the order of its pages."""
    lines = record.path("index.jsonl").read_text(encoding="utf-8").splitlines()
    return [Cut(**{**row, "box": tuple(row["box"])}) for row in map(json.loads, lines)]


@contextmanager
def opened(record: Record, name: str, cuts: Sequence[Cut]) -> Iterator[Pages]:
    """The pages of a crop store of a payload, checked once and read one by one; none where there are no cuts."""
    if cuts:
        with crops.Reader(record.path(name)) as pages:
            yield pages
    else:
        yield ()


def to_page(image: np.ndarray, *, floating: bool = False) -> np.ndarray:
    """A display image or matte as a page: float16 for faces of a float plate, else uint16, rounded."""
    if floating:
        return image.astype(np.float16)
    return np.rint(np.clip(image, 0.0, 1.0) * 65535.0).astype(np.uint16)
