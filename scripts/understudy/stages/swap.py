"""Stage `swap`: the talent's face for every crop of one chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from understudy.engines.base import Engine, FaceContext, NewFace, TalentAtlas
from understudy.engines.load import load_engine
from understudy.errors import DeliverableError
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.stills import read_picture
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record
from understudy.show.settings import fixed, settings_at
from understudy.stages.crops import Cut, blocks, opened, read_cuts, to_page
from understudy.stages.faces import write_transforms
from understudy.stages.networks import device_of
from understudy.stages.plates import plate_of
from understudy.stages.tracks import Roles, Tracks, cast_of


def atlas_of(record: Record, recognisers: Sequence[str] = ()) -> TalentAtlas:
    """A talent's pictures with what was found on them."""
    with np.load(record.path("atlas.npz"), allow_pickle=False) as arrays:
        count = len(record.facts["pictures"])
        points, lights, fives = (
            tuple(arrays[f"{name}{index}"] for index in range(count)) for name in ("points", "light", "five")
        )
        vectors = {key.partition(".")[2]: arrays[key] for key in arrays.files if key.startswith("vectors.")}
        # What a picture is worth is one recogniser's word: the one that the engine is fed by, if there is one.
        judged = [f"quality.{name}" for name in recognisers if f"quality.{name}" in arrays.files]
        quality = arrays[judged[0]] if judged else ()
    pictures = tuple(read_picture(Path(path)) for path in record.facts["pictures"])
    return TalentAtlas(record.facts["talent"], pictures, points, lights, fives, vectors, quality)


class Performers:
    """Whoever plays a talent's face: one engine, prepared once for each cast track.

    Parameters
    ----------
    settings:
        Of the stage ``swap``.
    """

    def __init__(self, job: Job, settings: Mapping[str, Any], cast: Tracks, roles: Roles) -> None:
        self._settings = settings
        device = device_of(job, half=settings["precision"] == "half")
        self._engine: Engine[Any] = load_engine(settings["engine"], settings["model"], job.weights, device)
        records = {record.facts["talent"]: record for record in job.records("talents")}
        feeders = [name for name, weights in job.weights.items() if weights.card.role == "recogniser"]
        atlases = {name: atlas_of(records[name], feeders) for name in sorted(set(roles.values()))}
        self._tracks = cast
        self._talents = {name: atlases[roles[name]] for name in cast}
        self._fixed = fixed(settings)
        self._states: dict[str, Any] = {}

    def _state(self, track: str) -> Any:
        if track not in self._states:
            self._states[track] = self._engine.prepare(self._talents[track], self._tracks[track], self._fixed)
        return self._states[track]

    def _context(self, cut: Cut) -> FaceContext:
        track = self._tracks[cut.track]
        points, five = cut.inside(track.points), cut.inside(track.five)
        now = settings_at(self._settings, cut.frame)
        own = {key: value for key, value in now.items() if value != self._fixed[key]}
        return FaceContext(frame=cut.frame, points=points, index=cut.index, five=five, settings=own)

    def make(self, cuts: Sequence[Cut], images: Sequence[np.ndarray]) -> list[NewFace]:
        """A new face for every crop, in their order; those of one track go through the engine together.

        Parameters
        ----------
        images:
            Crops of ``cuts``, float32 display [h, w, 3].
        """
        made: dict[int, NewFace] = {}
        tracks = [cut.track for cut in cuts]
        order = sorted(range(len(cuts)), key=tracks.__getitem__)
        for track, places in groupby(order, key=tracks.__getitem__):
            group = list(places)
            state, contexts = self._state(track), [self._context(cuts[place]) for place in group]
            faces = self._engine.swap([images[place] for place in group], state, contexts)
            made |= dict(zip(group, faces, strict=True))
        for place, cut in enumerate(cuts):
            if not np.isfinite(made[place].image).all():
                raise DeliverableError(
                    "the engine returned values that are not numbers", where=f"frame {cut.frame}, track {cut.track}"
                )
        return [made[place] for place in range(len(cuts))]


def donors_of(job: Job, settings: Mapping[str, Any], cast: Tracks, roles: Roles) -> Performers | None:
    """Whoever lends the talent's own skin to a network's face: the embedded engine, where the look asks for it."""
    return Performers(job, dict(settings) | {"engine": "mesh", "model": ""}, cast, roles) if settings["donor"] else None


def swap(job: Job) -> Facts:
    """Make faces and engine mattes, and the donor's where the look asks for it, page by page with the chunk's crops."""
    source, plate = job.record("crops"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"faces": 0}
    cast, roles = cast_of(job)
    performers, donors = Performers(job, job.settings, cast, roles), donors_of(job, job.settings, cast, roles)
    floating = plate.dtype.startswith("float")
    places = []
    with ExitStack() as stack:
        images = stack.enter_context(opened(source, "crops.tif", cuts))

        def stored(name: str) -> crops.Writer:
            return stack.enter_context(crops.Writer(job.folder / name))

        faces, mattes = stored("faces.tif"), stored("engine.tif")
        skins = (stored("donor.tif"), stored("shown.tif")) if donors else None
        for block in blocks(cuts, device_of(job).batch):
            shown = [to_display(images[cut.page], plate) for cut in block]
            for new in performers.make(block, shown):
                faces.add(to_page(new.image, floating=floating))
                mattes.add(to_page(new.matte))
                places.append(new.transform)
                job.tick(1)
            if donors and skins:
                # The embedded engine works on the crop itself, so its pages need no transforms.
                for new in donors.make(block, shown):
                    skins[0].add(to_page(new.image, floating=floating))
                    skins[1].add(to_page(new.matte))
    write_transforms(job.folder, places)
    return {"faces": len(cuts)}
