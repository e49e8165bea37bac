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

    def new(self, cut: Cut) -> NewFace:
        """The engine's page of a cut."""
        return NewFace(unit(self._images[cut.page]), unit(self._mattes[cut.page]), self._places[cut.page])

    def matte(self, cut: Cut) -> np.ndarray:
        """The engine's matte of a cut at its crop's pixels [h, w]."""
        x0, y0, x1, y1 = cut.box
        return back(unit(self._mattes[cut.page]), self._places[cut.page], (y1 - y0, x1 - x0))

    def of(self, cut: Cut) -> Face:
        """The new face of a cut."""
        restored = donor = None
        if self._restored_places:
            restored = Restored(unit(self._restored[cut.page]), self._restored_places[cut.page])
        if self._donors is not None:
            image, matte = (unit(pages[cut.page]) for pages in self._donors)
            donor = NewFace(image, matte, np.eye(2, 3))
        return Face(self.new(cut), restored, donor)


@contextmanager
def new_faces(swap: Record, enhance: Record | None, cuts: Sequence[Cut]) -> Iterator[Faces]:
    """The new faces of a chunk, their stores checked once and open meanwhile."""
    with ExitStack() as stack:
        images, mattes = (stack.enter_context(opened(swap, name, cuts)) for name in ("faces.tif", "engine.tif"))
        places = read_transforms(swap) if cuts else []
        restored: Pages = ()
        restored_places: list[Matrix] = []
        if enhance is not None and cuts:
            restored = stack.enter_context(opened(enhance, "restored.tif", cuts))
            restored_places = read_transforms(enhance)
        donors = None
        if cuts and "donor.tif" in swap.files:
            skins, shown = (stack.enter_context(opened(swap, name, cuts)) for name in ("donor.tif", "shown.tif"))
            donors = skins, shown
        yield Faces(images, mattes, places, restored, restored_places, donors)
