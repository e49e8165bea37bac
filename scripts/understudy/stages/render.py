"""A few frames of a shot, taken in one process through the stages that a chunk goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from understudy.comp.lay import back
from understudy.comp.match import Sample
from understudy.comp.paste import same
from understudy.faces.geometry import iod
from understudy.faces.tracks import Track
from understudy.media.colour import to_display
from understudy.media.patches import lay
from understudy.qc.sheet import Hero, choose_heroes
from understudy.runtime.job import Job
from understudy.stages.align import cuts_of
from understudy.stages.composite import finish_frame
from understudy.stages.crops import Cut, cut_out
from understudy.stages.enhance import Enhancer
from understudy.stages.faces import Face
from understudy.stages.features import Features
from understudy.stages.match import fits_of
from understudy.stages.matte import Seen, View, layers_of, roto_of
from understudy.stages.plates import frames_of
from understudy.stages.swap import Performers, donors_of
from understudy.stages.tracks import cast_of, moment_of

HEROES = 6

Stages = Mapping[str, dict[str, Any]]
"""Stage to its settings, from `align` to `composite`."""
Mattes = Mapping[int, list[np.ndarray]]
"""Frame to its mattes, float32 [h, w], one per cut."""
Fits = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """The new faces of one frame, with their cuts and display crops [h, w, 3]."""

    cuts: list[Cut]
    crops: list[np.ndarray]
    faces: list[Face]


def heroes_of(tracks: Sequence[Track], count: int = HEROES) -> list[Hero]:
    """The most telling frames of a shot, by size, turn, score and light; none without a track."""
    if not tracks:
        return []
    return choose_heroes(
        np.concatenate([track.frames for track in tracks]),
        np.concatenate([[iod(points) for points in track.points] for track in tracks]),
        np.concatenate([track.pose[:, 0] for track in tracks]),
        np.concatenate([track.score for track in tracks]),
        np.concatenate([track.light[:, 0] for track in tracks]),
        count,
    )


class Few:
    """Some frames of a job's shot, read once, on their way through the stages; each step is a method of its own.

    A fit is made on these frames only, so colour may differ a little from the finished shot's.
    """

    def __init__(self, job: Job, frames: Sequence[int]) -> None:
        self._job = job
        self.cast, self._roles = cast_of(job)
        self.plate, plates = frames_of(job)
        self.images = {number: plates.read(number) for number in frames}

    def given(self, models: Sequence[str]) -> Few:
        """The same frames with no more than these of the job's models."""
        other = copy(self)
        other._job = replace(self._job, weights={name: self._job.weights[name] for name in models})
        return other

    def faces(self, stages: Stages) -> dict[int, Made]:
        """Align, swap, enhance: the new faces of every frame."""
        performers = Performers(self._job, stages["swap"], self.cast, self._roles)
        donors = donors_of(self._job, stages["swap"], self.cast, self._roles)
        enhancer = Enhancer(self._job, stages["enhance"], self.cast) if stages["enhance"]["model"] else None
        made = {}
        for number, image in self.images.items():
            cuts = cuts_of(self.cast.values(), [number], stages["align"], (self.plate.width, self.plate.height))
            crops = [to_display(cut_out(image, cut), self.plate) for cut in cuts]
            news = performers.make(cuts, crops)
            restored = enhancer.make(cuts, crops, news) if enhancer else [None] * len(cuts)
            skins = donors.make(cuts, crops) if donors else [None] * len(cuts)
            faces = [Face(*pages) for pages in zip(news, restored, skins, strict=True)]
            made[number] = Made(cuts, crops, faces)
        return made

    def mattes(self, stages: Stages, made: Mapping[int, Made]) -> Mattes:
        """Matte: where the new faces are laid over the plate."""
        settings = stages["matte"]
        seen, roto = Seen(self._job, settings), roto_of(settings, self.plate)
        views = [
            self._view(cut, crop, face)
            for one in made.values()
            for cut, crop, face in zip(one.cuts, one.crops, one.faces, strict=True)
        ]
        found: dict[int, list[np.ndarray]] = {number: [] for number in made}
        for view, layers in zip(views, seen.apart(views), strict=True):
            found[view.cut.frame].append(layers_of(view, layers, roto, settings)["matte"])
        return found

    def _view(self, cut: Cut, crop: np.ndarray, face: Face) -> View:
        points, five = (cut.inside(which) for which in (self.cast[cut.track].points, self.cast[cut.track].five))
        engine = partial(back, face.new.matte, face.new.transform, crop.shape[:2])
        return View(cut, points, five, partial(same, crop), engine, partial(face.over, crop))

    def fits(self, stages: Stages, made: Mapping[int, Made], mattes: Mattes) -> Fits:
        """Match: one fit per cast track."""
        samples: dict[str, list[Sample]] = {name: [] for name in self.cast}
        for number, one in made.items():
            for cut, crop, face, matte in zip(one.cuts, one.crops, one.faces, mattes[number], strict=True):
                moment = moment_of(self._job.shot, cut, self.cast[cut.track])
                samples[cut.track].append(Sample(crop, face.over(crop), matte, moment))
        return fits_of(samples, stages["match"])

    def finished(
        self, number: int, stages: Stages, made: Mapping[int, Made], mattes: Mattes, fits: Fits
    ) -> np.ndarray:
        """Composite: one frame in the plate's type and encoding."""
        one, settings, plain = made[number], stages["composite"], self.images[number]
        features = Features(settings, self.cast)
        kept = [features.keep(matte, cut) for matte, cut in zip(mattes[number], one.cuts, strict=True)]
        crops = [cut_out(plain, cut) for cut in one.cuts]
        changed = finish_frame(
            crops, one.cuts, one.faces, kept, self.cast, fits, settings, self.plate, self._job.shot
        )
        image = plain.copy()
        lay(image, (0, 0), [patch for _, patch in changed])
        return image
