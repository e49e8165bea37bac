"""Stage `composite`: the finished frames of one chunk, and their mattes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from understudy.comp.match import finish
from understudy.comp.paste import paste, same
from understudy.faces.files import read_tracks
from understudy.faces.tracks import Track
from understudy.media import stills
from understudy.media.colour import from_linear, quantise, to_display, to_linear, unit
from understudy.media.delivery import stills_of
from understudy.media.plate import Plate
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, text_digest
from understudy.show.frames import holds
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, opened, read_cuts, to_page
from understudy.stages.plates import frames_of


def seed_of(shot: str, track: str, frame: int) -> int:
    """Seed of everything random about one face on one frame."""
    return int(text_digest([shot, track, frame])[:15], 16)


def finish_frame(
    image: np.ndarray,
    cuts: Sequence[Cut],
    faces: Sequence[np.ndarray],
    mattes: Sequence[np.ndarray],
    tracks: dict[str, Track],
    fits: dict[str, dict[str, Any]],
    settings: dict[str, Any],
    plate: Plate,
    shot: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Lay the new faces of one frame into it.

    Parameters
    ----------
    image:
        The plate's frame [h, w, channels] in the plate's type; it is not changed.
    faces, mattes:
        float32, page by page with ``cuts``.

    Returns
    -------
    The finished frame in the plate's type, its pixels the plate's own bits wherever the matte is zero; and the
    matte, uint16 [h, w], of all faces together.
    """
    finished = image.copy()
    whole = np.zeros(image.shape[:2], np.uint16)
    for cut, face, matte in zip(cuts, faces, mattes, strict=True):
        now = settings_at(settings, cut.frame)
        region = finished[cut.region]
        crop = to_display(region[..., :3], plate)
        points = tracks[cut.track].points[cut.index] - cut.corner
        result, weight = finish(
            crop, face, matte, points, fits[cut.track], now, seed_of(shot, cut.track, cut.frame)
        )
        region[..., :3] = paste(
            region[..., :3],
            crop,
            result,
            weight,
            lambda light: quantise(light, plate.dtype),
            to_linear=to_linear,
            from_linear=same if plate.space == "scene_linear" else from_linear,
        )
        whole[cut.region] = np.maximum(whole[cut.region], to_page(weight))
    return finished, whole


def composite(job: Job) -> Facts:
    """Write every frame of the chunk: finished where a cast face is, the plate's own pixels where none is."""
    plate, frames = frames_of(job, job.frames)
    sources = {name: job.record(name) for name in ("crops", "faces", "mattes")}
    cuts = read_cuts(sources["crops"])
    tracks = {track.id: track for track in read_tracks(job.record("tracks").folder)[0]}
    fits = json.loads(job.record("fit").path("fit.json").read_text(encoding="utf-8"))
    formats = stills_of(job.settings["deliveries"], plate)
    with_mattes = any(delivery["matte"] for delivery in job.settings["deliveries"].values())
    (job.folder / "frames").mkdir()
    (job.folder / "matte").mkdir()
    with (
        opened(sources["faces"], "faces.tif", cuts) as faces,
        opened(sources["mattes"], "matte.tif", cuts) as mattes,
    ):
        for frame in job.frames:
            own = [] if holds(job.settings["exclude"], frame) else [cut for cut in cuts if cut.frame == frame]
            finished, matte = finish_frame(
                frames.read(frame),
                own,
                [unit(faces[cut.page]) for cut in own],
                [unit(mattes[cut.page]) for cut in own],
                tracks,
                fits,
                job.settings,
                plate,
                job.shot,
            )
            for still in formats:
                path = job.folder / "frames" / f"{job.shot}.{frame:04d}{still.suffix}"
                made = still.encode(finished, plate)
                stills.write(path, made, kind=still.kind, depth=still.depth, header=frames.header(frame))
            if with_mattes:
                path = job.folder / "matte" / f"{job.shot}.{frame:04d}.tif"
                stills.write(path, matte, kind="tiff", depth=16)
            job.tick(1)
    return {"frames": len(job.frames), "stills": [[still.kind, still.depth] for still in formats]}
