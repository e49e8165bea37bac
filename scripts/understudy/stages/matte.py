"""Stage `matte`: the matte layers of one chunk and their combination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from understudy.comp.matte import layers
from understudy.faces.files import read_tracks
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display, unit
from understudy.media.plate import Plate
from understudy.media.roto import Roto
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, opened, read_cuts, to_page
from understudy.stages.plates import plate_of


def layers_of(
    cut: Cut,
    track: Track,
    image: Callable[[], np.ndarray],
    engine: np.ndarray,
    roto: list[Roto],
    settings: dict[str, Any],
) -> dict[str, np.ndarray]:
    """The matte layers of one crop (see `understudy.comp.matte.layers`), imported roto included."""
    points = track.points[cut.index] - cut.corner
    given = [(source.mode, source.read(cut.frame)[cut.region]) for source in roto]
    return layers(points, engine.shape, engine, image, given, settings_at(settings, cut.frame))


def _display(images: Sequence[np.ndarray] | crops.Reader, page: int, plate: Plate) -> np.ndarray:
    return to_display(images[page], plate)


def matte(job: Job) -> Facts:
    """Build and store the layers, 16-bit grey, page by page with the chunk's crops."""
    source, faces, plate = job.record("crops"), job.record("faces"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"mattes": 0}
    tracks = {track.id: track for track in read_tracks(job.record("tracks").folder)[0]}
    roto = [Roto(pattern, channel, mode, plate) for pattern, channel, mode in job.settings["roto"]]
    with (
        opened(source, "crops.tif", cuts) as images,
        opened(faces, "engine.tif", cuts) as engines,
        crops.Writer(job.folder / "matte.tif") as mattes,
        crops.Writer(job.folder / "face.tif") as hulls,
    ):
        for cut in cuts:
            image = partial(_display, images, cut.page, plate)
            made = layers_of(cut, tracks[cut.track], image, unit(engines[cut.page]), roto, job.settings)
            mattes.add(to_page(made["matte"]))
            hulls.add(to_page(made["face"]))
            job.tick(1)
    return {"mattes": len(cuts), "roto": bool(roto)}
