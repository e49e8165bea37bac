"""What stages hand each other between `align` and `composite`: one crop per frame and cast track."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import DeliverableError
from understudy.media import crops
from understudy.runtime.records import Record


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

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns of the frame."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)


def write_cuts(folder: Path, cuts: Iterable[Cut]) -> None:
    """Write the index of a crop store, one page a line."""
    text = "".join(json.dumps(asdict(cut), separators=(",", ":")) + "\n" for cut in cuts)
    (folder / "index.jsonl").write_text(text, encoding="utf-8")


def read_cuts(record: Record) -> list[Cut]:
    """Read the index of a crop store, in the order of its pages."""
    lines = record.path("index.jsonl").read_text(encoding="utf-8").splitlines()
    return [Cut(**{**row, "box": tuple(row["box"])}) for row in map(json.loads, lines)]


def read_pages(record: Record, name: str, pages: list[int]) -> list[np.ndarray]:
    """Some pages of a crop store of a payload."""
    if not pages:
        return []
    return crops.read(record.path(name), pages)


def unit(page: np.ndarray) -> np.ndarray:
    """A stored matte or face as float32: whole numbers are fractions of their largest value."""
    if np.issubdtype(page.dtype, np.integer):
        return page.astype(np.float32) / np.iinfo(page.dtype).max
    return page.astype(np.float32)


def to_pages(images: Iterable[np.ndarray], *, floating: bool) -> Iterable[np.ndarray]:
    """Display images as pages: float16 where the plate is a float one, else uint16, rounded."""
    for image in images:
        if floating:
            yield image.astype(np.float16)
        else:
            yield np.rint(np.clip(image, 0.0, 1.0) * 65535.0).astype(np.uint16)


def same_pages(first: list[Any], second: list[Any], what: str) -> None:
    """Raise when two stores that should go page by page do not."""
    if len(first) != len(second):
        raise DeliverableError(f"{what}: {len(first)} pages against {len(second)}", fix="run `snakemake verify`")
