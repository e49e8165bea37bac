"""Stage `matte`: the matte layers of one chunk and their combination."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.comp.matte import layers
from understudy.faces.files import read_tracks
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.colour import to_display
from understudy.media.roto import Roto
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, read_cuts, read_pages, unit
from understudy.stages.plates import plate_of

KEPT = ("matte", "face")
BATCH = 16


def layers_of(
    cut: Cut, track: Track, image: np.ndarray, engine: np.ndarray, roto: list[Roto], settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The matte layers of one crop (see `understudy.comp.matte.layers`), imported roto included."""
    points = track.points[cut.index] - cut.corner
    given = [(source.mode, source.read(cut.frame)[cut.region]) for source in roto]
    return layers(points, image.shape[:2], engine, image, given, settings_at(settings, cut.frame))


def matte(job: Job) -> Facts:
    """Build and store the layers, 16-bit grey, page by page with the chunk's crops."""
    source, faces, plate = job.record("crops"), job.record("faces"), plate_of(job)
    cuts = read_cuts(source)
    if not cuts:
        return {"mattes": 0}
    tracks = {track.id: track for track in read_tracks(job.record("tracks").folder)[0]}
    roto = [Roto(pattern, channel, mode, plate) for pattern, channel, mode in job.settings["roto"]]
    kept: dict[str, list[np.ndarray]] = {name: [] for name in KEPT}
    for start in range(0, len(cuts), BATCH):
        batch = cuts[start : start + BATCH]
        pages = [cut.page for cut in batch]
        images, engines = read_pages(source, "crops.tif", pages), read_pages(faces, "engine.tif", pages)
        for cut, image, engine in zip(batch, images, engines, strict=True):
            made = layers_of(cut, tracks[cut.track], to_display(image, plate), unit(engine), roto, job.settings)
            for name in KEPT:
                kept[name].append(np.rint(np.clip(made[name], 0, 1) * 65535).astype(np.uint16))
        job.tick(len(batch))
    for name, made_pages in kept.items():
        crops.write(job.folder / f"{name}.tif", made_pages)
    return {"mattes": len(cuts), "roto": bool(roto)}
