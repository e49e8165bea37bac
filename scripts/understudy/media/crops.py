"""Crop stores: multi-page TIFF, zstd with a predictor, one page per face and frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tifffile

from understudy.errors import DeliverableError, PlateError

_KINDS = ("uint8", "uint16", "float16", "float32")


def write(path: Path, pages: Iterable[np.ndarray]) -> None:
    """Write pages [h, w] or [h, w, 3|4] of uint8, uint16, float16 or float32 to one file.

    Same pages, same bytes. Sizes and types may differ from page to page. Raises DeliverableError for an empty store or
    any other type.
    """
    count = 0
    with tifffile.TiffWriter(path, bigtiff=True) as store:
        for count, page in enumerate(pages, start=1):
            if page.dtype.name not in _KINDS or page.ndim not in (2, 3) or page.size == 0:
                raise DeliverableError(
                    f"page {count} is {page.dtype} {page.shape};"
                    f" a crop store holds images of {', '.join(_KINDS)}",
                    where=str(path),
                )
            store.write(
                np.ascontiguousarray(page),
                photometric="minisblack" if page.ndim == 2 else "rgb",
                extrasamples=("unassalpha",) if page.ndim == 3 and page.shape[2] == 4 else None,
                compression="zstd",
                compressionargs={"level": 1},
                predictor="horizontal" if page.dtype.kind == "u" else "floatingpoint",
                rowsperstrip=page.shape[0],
                software=False,
                metadata=None,
                contiguous=False,
            )
    if not count:
        raise DeliverableError("a crop store needs at least one page", where=str(path))


def read(path: Path, pages: Sequence[int] | None = None) -> list[np.ndarray]:
    """Return the named pages (from 0; all without `pages`) as they were written.

    Raises PlateError where the file is damaged or has no such page.
    """
    try:
        with tifffile.TiffFile(path) as store:
            wanted = range(len(store.pages)) if pages is None else pages
            return [store.pages[index].asarray(maxworkers=1) for index in wanted]
    except (OSError, IndexError, ValueError, RuntimeError, tifffile.TiffFileError) as error:
        raise PlateError(
            f"the crop store cannot be read ({error})",
            where=str(path),
            fix="delete it and run the same command again",
        ) from error
