"""Stage `steady`: the new faces of one chunk, each blended with those of the frames around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.comp.flow import View, steadied
from understudy.comp.lay import take
from understudy.comp.skin.texture import extent
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.plate import Plate
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record
from understudy.stages.crops import Cut, Pages, opened, read_cuts, to_page
from understudy.stages.faces import Faces, new_faces
from understudy.stages.plates import plate_of
from understudy.stages.tracks import cast_of


@dataclass(frozen=True)
class Seat:
    """A face of a track on one frame, and the open stores that hold it."""

    cut: Cut
    images: Pages
    faces: Faces

    def view(self, track: Track, plate: Plate) -> View:
        """The face as `comp.flow` takes it."""
        page, transform = self.faces.top(self.cut)
        crop = to_display(self.images[self.cut.page], plate)
        place = transform @ np.vstack([self.cut.place(track.transform), [0, 0, 1]])
        larger = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
        size = extent(track.points[self.cut.index]) * larger
        return View(take(crop, transform, (page.shape[1], page.shape[0])), page, place, size)


def runs(seats: Sequence[Seat]) -> Iterator[list[Seat]]:
    """The seats of one track, in the order of its frames, as stretches without a hole."""
    run: list[Seat] = []
    for seat in seats:
        if run and seat.cut.index != run[-1].cut.index + 1:
            yield run
            run = []
        run.append(seat)
    if run:
        yield run


def pages_of(
    seats: Sequence[Seat], track: Track, plate: Plate, frames: range, settings: dict[str, Any]
) -> Iterator[np.ndarray]:
    """The steadied pages of one track on the chunk's own frames, in their order."""
    for run in runs(seats):
        views = (seat.view(track, plate) for seat in run)
        made = steadied(views, settings["window"], settings["decay"])
        yield from (page for seat, page in zip(run, made, strict=True) if seat.cut.frame in frames)


def steady(job: Job) -> Facts:
    """Steady every page that is laid in last: the restored ones, or the engine's where the look restores nothing.

    The neighbours' crops and faces are read as far as the window reaches, and never across the ends of a track: so
    never across a cut, and chunks of any size give the same pages. The engine's mattes stay as they are.
    """
    plate, (cast, _) = plate_of(job), cast_of(job)
    made_by = job.records("faces")
    restored: Sequence[Record | None] = job.records("restored") or [None] * len(made_by)
    name = "restored.tif" if job.records("restored") else "faces.tif"
    floating = plate.dtype.startswith("float") and name == "faces.tif"
    reach = job.settings["window"]
    near = range(job.frames[0] - reach, job.frames[-1] + reach + 1)
    with ExitStack() as stack:
        seats: list[Seat] = []
        for source, faces, enhanced in zip(job.records("crops"), made_by, restored, strict=True):
            cuts = [cut for cut in read_cuts(source) if cut.frame in near]
            images = stack.enter_context(opened(source, "crops.tif", cuts))
            made = stack.enter_context(new_faces(faces, enhanced, cuts))
            seats += [Seat(cut, images, made) for cut in cuts]
        own = [seat.cut for seat in seats if seat.cut.frame in job.frames]
        if not own:
            return {"faces": 0}
        tracks = {
            name: pages_of([seat for seat in seats if seat.cut.track == name], track, plate, job.frames, job.settings)
            for name, track in cast.items()
        }
        pages = stack.enter_context(crops.Writer(job.folder / name))
        for cut in own:
            pages.add(to_page(next(tracks[cut.track]), floating=floating))
            job.tick(1)
    return {"faces": len(own)}
