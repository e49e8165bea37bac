"""What `swap` and `enhance` hand on: pages of new faces with where they lie, and a face put together from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.comp.lay import add, back, lay, take
from understudy.comp.match import Laid
from understudy.comp.resample import weighted
from understudy.engines.base import NewFace
from understudy.media.colour import unit
from understudy.runtime.records import Record
from understudy.stages.crops import Cut, Pages, opened

Matrix = NDArray[np.float64]
Box = tuple[slice, slice]
"""Rows and columns of a crop."""
WHOLE: Box = (slice(None), slice(None))


@dataclass(frozen=True)
class Restored:
    """A restored face at full strength: float32 display RGB [s, s, 3], and where it lies, crop to page [2, 3]."""

    image: np.ndarray
    transform: Matrix


def before_restoring(crop: np.ndarray, new: NewFace, transform: Matrix, side: int) -> np.ndarray:
    """What a restorer sees [side, side, 3]: the plate's crop with the new face in it, aligned for the restorer."""
    laid, matte = lay(crop, new.image, new.transform, new.matte)
    return _blended(crop, laid, matte, transform, side)


def _blended(crop: np.ndarray, laid: np.ndarray, matte: np.ndarray, transform: Matrix, side: int) -> np.ndarray:
    """The crop with a laid face in it by its matte, as a page [side, side, 3]."""
    return take(crop + weighted(laid - crop, matte), transform, side)


@dataclass(frozen=True)
class Face:
    """A new face: the engine's page, and where the look has any the restored one and a donor's at the crop's pixels."""

    new: NewFace
    restored: Restored | None = None
    donor: NewFace | None = None

    def over(self, crop: np.ndarray) -> Laid:
        """The face at the crop's own pixels [h, w, 3]."""
        laid, matte = lay(crop, self.new.image, self.new.transform, self.new.matte)
        skin = None if self.donor is None else (self.donor.image, self.donor.matte)
        if self.restored is None:
            return Laid(laid, donor=skin)
        page, place = self.restored.image, self.restored.transform
        before = _blended(crop, laid, matte, place, page.shape[0])
        return Laid(laid, add(np.zeros_like(laid), page - before, place), skin)


def write_transforms(folder: Path, transforms: Sequence[Matrix]) -> None:
    """Write where the pages of a store lie: a line each, two rows of three numbers, crop to page."""
    text = "".join(json.dumps(np.asarray(one).tolist()) + "\n" for one in transforms)
    (folder / "pages.jsonl").write_text(text, encoding="utf-8")


def read_transforms(record: Record) -> list[Matrix]:
    """Read what `write_transforms` wrote, in the order of the pages."""
    lines = record.path("pages.jsonl").read_text(encoding="utf-8").splitlines()
    return [np.array(json.loads(line), np.float64) for line in lines]


@dataclass(frozen=True)
class Faces:
    """New faces of a chunk, restored where the look says so."""

    _images: Pages
    _mattes: Pages
    _places: list[Matrix]
    _restored: Pages
    _restored_places: list[Matrix]
    _donors: tuple[Pages, Pages] | None = None

    def new(self, cut: Cut, near: Box) -> NewFace:
        """The engine's page of a cut, for a box of its crop."""
        image, matte, place = self._images[cut.page], self._mattes[cut.page], self._places[cut.page]
        if np.array_equal(place, np.eye(2, 3)):
            return NewFace(unit(image[near]), unit(matte[near]), place)
        return NewFace(unit(image), unit(matte), _seen_from(place, near))

    def matte(self, cut: Cut) -> np.ndarray:
        """The engine's matte of a cut at its crop's pixels [h, w]."""
        x0, y0, x1, y1 = cut.box
        return back(unit(self._mattes[cut.page]), self._places[cut.page], (y1 - y0, x1 - x0))

    def top(self, cut: Cut) -> tuple[np.ndarray, Matrix]:
        """The page of a cut that is laid in last, restored or else the engine's, and where it lies, crop to page."""
        if self._restored_places:
            return unit(self._restored[cut.page]), self._restored_places[cut.page]
        return unit(self._images[cut.page]), self._places[cut.page]

    def of(self, cut: Cut, near: Box = WHOLE) -> Face:
        """The new face of a cut, over a box of its crop."""
        restored = donor = None
        if self._restored_places:
            image, place = self.top(cut)
            restored = Restored(image, _seen_from(place, near))
        if self._donors is not None:
            skin, shown = (unit(pages[cut.page][near]) for pages in self._donors)
            donor = NewFace(skin, shown, np.eye(2, 3))
        return Face(self.new(cut, near), restored, donor)


def _seen_from(place: Matrix, near: Box) -> Matrix:
    """A transform from a crop to a page, as one from a box of the crop."""
    corner = [side.start or 0 for side in reversed(near)]
    return np.column_stack([place[:, :2], place[:, 2] + place[:, :2] @ corner])


@contextmanager
def new_faces(
    swap: Record, enhance: Record | None, cuts: Sequence[Cut], steady: Record | None = None
) -> Iterator[Faces]:
    """The new faces of a chunk, their stores checked once and open meanwhile; steadied pages stand for those of old."""
    with ExitStack() as stack:
        plain = swap if enhance is not None else steady or swap
        images = stack.enter_context(opened(plain, "faces.tif", cuts))
        mattes = stack.enter_context(opened(swap, "engine.tif", cuts))
        places = read_transforms(swap) if cuts else []
        restored: Pages = ()
        restored_places: list[Matrix] = []
        if enhance is not None and cuts:
            restored = stack.enter_context(opened(steady or enhance, "restored.tif", cuts))
            restored_places = read_transforms(enhance)
        donors = None
        if cuts and "donor.tif" in swap.files:
            skins, shown = (stack.enter_context(opened(swap, name, cuts)) for name in ("donor.tif", "shown.tif"))
            donors = skins, shown
        yield Faces(images, mattes, places, restored, restored_places, donors)
