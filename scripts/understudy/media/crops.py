"""Crop stores: multi-page TIFF, one page per face and frame: mattes packed (zstd with a predictor), colour as it is.

Grain does not pack: zstd takes a third off a crop or a face, and takes for it, to write and to read again two to four
times, longer than the whole of `align`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from understudy.errors import DeliverableError, PlateError

_KINDS = ("uint8", "uint16", "float16", "float32")


class Writer:
    """A new crop store, written page by page; a context manager. Same pages, same bytes.

    Attributes
    ----------
    count:
        Pages written so far.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.count = path, 0
        self._store = tifffile.TiffWriter(path, bigtiff=True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def add(self, page: np.ndarray) -> None:
        """Add a page [h, w] or [h, w, 3|4] of uint8, uint16, float16 or float32.

        Sizes and types may differ from page to page. Raises DeliverableError for any other type, and where the disk is
        full.
        """
        self.count += 1
        if page.dtype.name not in _KINDS or page.ndim not in (2, 3) or page.size == 0:
            raise DeliverableError(
                f"page {self.count} is {page.dtype} {page.shape};"
                f" a crop store holds images of {', '.join(_KINDS)}",
                where=str(self._path),
            )
        packed: dict[str, Any] = {}
        if page.ndim == 2:
            predictor = "horizontal" if page.dtype.kind == "u" else "floatingpoint"
            packed = {"compression": "zstd", "compressionargs": {"level": 1}, "predictor": predictor}
        try:
            self._store.write(
                np.ascontiguousarray(page),
                photometric="minisblack" if page.ndim == 2 else "rgb",
                extrasamples=("unassalpha",) if page.ndim == 3 and page.shape[2] == 4 else None,
                **packed,
                rowsperstrip=page.shape[0],
                software=False,
                metadata=None,
                contiguous=False,
            )
        except OSError as error:
            raise DeliverableError(
                f"page {self.count} could not be stored ({error.strerror or 'only a part of it fitted'})",
                where=str(self._path),
                fix="check space and rights on that disk",
            ) from error


class Reader:
    """The pages of a crop store, by number from 0; a context manager that keeps the file open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._refusing():
            self._store = tifffile.TiffFile(path)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def __len__(self) -> int:
        with self._refusing():
            return len(self._store.pages)

    def __getitem__(self, index: int) -> np.ndarray:
        """Return a page as it was written. Raises PlateError where the file is damaged or has no such page."""
        with self._refusing():
            page = self._store.pages[index]
            if page.compression != 1:
                return page.asarray(maxworkers=1)
            # What is not packed is there to be read: at half the cost of the general way.
            file, (start,) = self._store.filehandle, page.dataoffsets
            kind = self._store.byteorder + page.dtype.char
            return file.read_array(kind, page.size, start).reshape(page.shape)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, IndexError, ValueError, RuntimeError, tifffile.TiffFileError) as error:
            raise PlateError(
                f"the crop store cannot be read ({error})",
                where=str(self._path),
                fix="delete it and run the same command again",
            ) from error


def write(path: Path, pages: Iterable[np.ndarray]) -> None:
    """Write pages to one file, see `Writer.add`. Raises DeliverableError also for an empty store."""
    with Writer(path) as store:
        for page in pages:
            store.add(page)
    if not store.count:
        raise DeliverableError("a crop store needs at least one page", where=str(path))


def read(path: Path, pages: Sequence[int] | None = None) -> list[np.ndarray]:
    """Return the named pages (from 0; all without `pages`), see `Reader`."""
    with Reader(path) as store:
        return [store[index] for index in (range(len(store)) if pages is None else pages)]
