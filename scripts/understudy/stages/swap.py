"""Stage `swap`: the talent's face for every crop of one chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from understudy.engines.base import Engine, FaceContext, NewFace, TalentAtlas
from understudy.engines.load import load_engine
from understudy.errors import DeliverableError
from understudy.faces.files import read_tracks
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.stills import read_picture
from understudy.runtime.cards import Weights
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record, text_digest
from understudy.runtime.sessions import Device
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, opened, read_cuts, to_page
from understudy.stages.faces import write_transforms
from understudy.stages.networks import device_of
from understudy.stages.plates import plate_of

AT_ONCE = 1 << 23
"""Most pixels of crops that are held at a time."""


def atlas_of(record: Record) -> TalentAtlas:
    """A talent's pictures with what was found on them."""
    with np.load(record.path("atlas.npz"), allow_pickle=False) as arrays:
        count = len(record.facts["pictures"])
        points, lights, fives = (
            tuple(arrays[f"{name}{index}"] for index in range(count)) for name in ("points", "light", "five")
        )
        vectors = {key.partition(".")[2]: arrays[key] for key in arrays.files if key.startswith("vectors.")}
        quality = arrays["quality"] if "quality" in arrays.files else ()
    pictures = tuple(read_picture(Path(path)) for path in record.facts["pictures"])
    return TalentAtlas(record.facts["talent"], pictures, points, lights, fives, vectors, quality)


class Performers:
    """Whoever plays a talent's face: one engine, prepared once for each cast track.

    Parameters
    ----------
    settings:
        Of the stage ``swap``.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        tracks: Sequence[Track],
        roles: Mapping[str, str],
        talents: Sequence[Record],
        weights: Mapping[str, Weights],
        device: Device,
    ) -> None:
        self._settings = settings
        self._engine: Engine[Any] = load_engine(settings["engine"], settings["model"], weights, device)
        atlases = {record.facts["talent"]: record for record in talents}
        self._tracks = {track.id: track for track in tracks if track.id in roles}
        loaded = {name: atlas_of(atlases[name]) for name in sorted(set(roles.values()))}
        self._talents = {name: loaded[roles[name]] for name in self._tracks}
        self._states: dict[tuple[str, str], Any] = {}

    def _key(self, cut: Cut) -> tuple[str, str]:
        return cut.track, text_digest(settings_at(self._settings, cut.frame))

    def _state(self, cut: Cut) -> Any:
        key = self._key(cut)
        if key not in self._states:
            now = settings_at(self._settings, cut.frame)
            self._states[key] = self._engine.prepare(self._talents[cut.track], self._tracks[cut.track], now)
        return self._states[key]

    def _context(self, cut: Cut) -> FaceContext:
        track = self._tracks[cut.track]
        points, five = track.points[cut.index] - cut.corner, track.five[cut.index] - cut.corner[:2]
        return FaceContext(frame=cut.frame, points=points, index=cut.index, five=five)

    def make(self, cuts: Sequence[Cut], images: Sequence[np.ndarray]) -> list[NewFace]:
        """A new face for every crop, in their order; those that share a state go through the engine together.

        Parameters
        ----------
        images:
            Crops of ``cuts``, float32 display [h, w, 3].
        """
        made: dict[int, NewFace] = {}
        order = sorted(range(len(cuts)), key=lambda place: self._key(cuts[place]))
        for _, places in groupby(order, key=lambda place: self._key(cuts[place])):
            group = list(places)
            state, contexts = self._state(cuts[group[0]]), [self._context(cuts[place]) for place in group]
            faces = self._engine.swap([images[place] for place in group], state, contexts)
            made |= dict(zip(group, faces, strict=True))
        for place, cut in enumerate(cuts):
            if not np.isfinite(made[place].image).all():
                raise DeliverableError(
                    "the engine returned values that are not numbers", where=f"frame {cut.frame}, track {cut.track}"
                )
        return [made[place] for place in range(len(cuts))]


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


def swap(job: Job) -> Facts:
    """Make faces and engine mattes, page by page with the chunk's crops."""
    source, plate = job.record("crops"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"faces": 0}
    tracks, roles = read_tracks(job.record("tracks").folder)
    device = device_of(job, half=job.settings["precision"] == "half")
    performers = Performers(job.settings, tracks, roles, job.records("talents"), job.weights, device)
    floating = plate.dtype.startswith("float")
    places = []
    with (
        opened(source, "crops.tif", cuts) as images,
        crops.Writer(job.folder / "faces.tif") as faces,
        crops.Writer(job.folder / "engine.tif") as mattes,
    ):
        for block in blocks(cuts, device.batch):
            for new in performers.make(block, [to_display(images[cut.page], plate) for cut in block]):
                faces.add(to_page(new.image, floating=floating))
                mattes.add(to_page(new.matte))
                places.append(new.transform)
                job.tick(1)
    write_transforms(job.folder, places)
    return {"faces": len(cuts)}
