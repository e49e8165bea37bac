"""Stage `swap`: the talent's face for every crop of one chunk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from understudy.engines.base import Engine, FaceContext, TalentAtlas
from understudy.engines.load import load_engine
from understudy.errors import DeliverableError
from understudy.faces.files import read_tracks
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.stills import read_picture
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record, text_digest
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, opened, read_cuts, to_page
from understudy.stages.plates import plate_of


def atlas_of(record: Record) -> TalentAtlas:
    """A talent's pictures with the faces found on them."""
    with np.load(record.path("atlas.npz"), allow_pickle=False) as arrays:
        count = len(record.facts["pictures"])
        points = [arrays[f"points{index}"] for index in range(count)]
        lights = [arrays[f"light{index}"] for index in range(count)]
    pictures = [read_picture(Path(path)) for path in record.facts["pictures"]]
    return TalentAtlas(record.facts["talent"], tuple(pictures), tuple(points), tuple(lights))


class Faces:
    """New faces for cuts, whoever plays them: one engine, prepared once for each cast track.

    Parameters
    ----------
    settings:
        Of the stage ``swap``.
    """

    def __init__(
        self, settings: dict[str, Any], tracks: Sequence[Track], roles: dict[str, str], talents: list[Record]
    ) -> None:
        self._settings = settings
        self._engine: Engine = load_engine(settings["engine"])
        atlases = {record.facts["talent"]: record for record in talents}
        self._tracks = {track.id: track for track in tracks if track.id in roles}
        loaded = {name: atlas_of(atlases[name]) for name in sorted(set(roles.values()))}
        self._talents = {name: loaded[roles[name]] for name in self._tracks}
        self._states: dict[tuple[str, str], Any] = {}

    def _state(self, cut: Cut) -> Any:
        now = settings_at(self._settings, cut.frame)
        key = cut.track, text_digest(now)
        if key not in self._states:
            self._states[key] = self._engine.prepare(self._talents[cut.track], self._tracks[cut.track], now)
        return self._states[key]

    def make(self, cuts: Sequence[Cut], images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """A new face and its engine matte for every crop.

        Parameters
        ----------
        images:
            Crops of ``cuts``, float32 display [h, w, 3].
        """
        made = []
        for cut, image in zip(cuts, images, strict=True):
            points = self._tracks[cut.track].points[cut.index] - cut.corner
            context = FaceContext(frame=cut.frame, points=points, index=cut.index)
            faces, mattes = self._engine.swap([image], self._state(cut), [context])
            if not np.isfinite(faces[0]).all():
                raise DeliverableError(
                    "the engine returned values that are not numbers", where=f"frame {cut.frame}, track {cut.track}"
                )
            made.append((faces[0], mattes[0]))
        return made


def swap(job: Job) -> Facts:
    """Make faces and engine mattes, page by page with the chunk's crops."""
    source, plate = job.record("crops"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"faces": 0}
    tracks, roles = read_tracks(job.record("tracks").folder)
    engine = Faces(job.settings, tracks, roles, job.records("talents"))
    floating = plate.dtype.startswith("float")
    with (
        opened(source, "crops.tif", cuts) as images,
        crops.Writer(job.folder / "faces.tif") as faces,
        crops.Writer(job.folder / "engine.tif") as mattes,
    ):
        for cut in cuts:
            ((face, matte),) = engine.make([cut], [to_display(images[cut.page], plate)])
            faces.add(to_page(face, floating=floating))
            mattes.add(to_page(matte))
            job.tick(1)
    return {"faces": len(cuts)}
