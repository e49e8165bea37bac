"""Stage `hero`: the few most telling frames of a shot, rendered before the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from understudy.comp.match import Sample
from understudy.comp.paste import same
from understudy.engines.base import NewFace
from understudy.faces.files import read_tracks
from understudy.faces.geometry import iod
from understudy.media import stills
from understudy.media.colour import to_display
from understudy.media.patches import lay
from understudy.media.proxy import proxy
from understudy.media.roto import Roto
from understudy.qc.sheet import choose_heroes
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.settings import settings_at
from understudy.stages.align import cuts_of
from understudy.stages.composite import finish_frame
from understudy.stages.crops import Cut, cut_out
from understudy.stages.enhance import Restorers
from understudy.stages.faces import Restored, engine_matte, face_of
from understudy.stages.match import fits_of
from understudy.stages.matte import Seers, layers_of
from understudy.stages.networks import device_of
from understudy.stages.plates import frames_of
from understudy.stages.swap import Performers

HEROES = 6

Face = Callable[[np.ndarray, float], np.ndarray]


def _face(new: NewFace, restored: Restored | None, crop: np.ndarray, share: float) -> np.ndarray:
    return face_of(crop, new, restored, share)


def hero(job: Job) -> Facts:
    """Choose frames by size, turn, score and light; take them through the stages that a chunk goes through.

    The fit is made on the chosen frames only, so colour may differ a little from the finished shot's.
    """
    tracks, roles = read_tracks(job.record("tracks").folder)
    cast = [track for track in tracks if track.id in roles]
    if not cast:
        return {"shot": job.shot, "frames": [], "why": []}
    stages = job.settings["stages"]
    heroes = choose_heroes(
        np.concatenate([track.frames for track in cast]),
        np.concatenate([[iod(points) for points in track.points] for track in cast]),
        np.concatenate([track.pose[:, 0] for track in cast]),
        np.concatenate([track.score for track in cast]),
        np.concatenate([track.light[:, 0] for track in cast]),
        HEROES,
    )
    numbers = [chosen.frame for chosen in heroes]
    plate, frames = frames_of(job, numbers)
    images = {number: frames.read(number) for number in numbers}
    device = device_of(job, half=stages["swap"]["precision"] == "half")
    performers = Performers(stages["swap"], cast, roles, job.records("talents"), job.weights, device)
    restorers = Restorers(stages["enhance"], job.weights, device) if stages["enhance"]["model"] else None
    seers = Seers(job, stages["matte"])
    by_id = {track.id: track for track in cast}
    roto = [Roto(pattern, channel, mode, plate) for pattern, channel, mode in stages["matte"]["roto"]]
    made: dict[int, tuple[list[Cut], list[Face], list[np.ndarray]]] = {}
    samples: dict[str, list[Sample]] = {track.id: [] for track in cast}
    for number in numbers:
        cuts = cuts_of(cast, [number], stages["align"], (plate.width, plate.height))
        crops = [to_display(cut_out(images[number], cut), plate) for cut in cuts]
        news = performers.make(cuts, crops)
        restored = restorers.make(cuts, crops, news, by_id) if restorers else [None] * len(cuts)
        faces: list[Face] = []
        mattes = []
        for cut, crop, new, better in zip(cuts, crops, news, restored, strict=True):
            track, engine = by_id[cut.track], engine_matte(new.matte, new.transform, crop.shape[:2])
            layered = layers_of(cut, track, partial(same, crop), engine, seers, roto, stages["matte"])
            face: Face = partial(_face, new, better)
            share = settings_at(stages["match"], number)["restored"]
            samples[cut.track].append(
                Sample(crop, face(crop, share), layered["matte"], track.points[cut.index] - cut.corner)
            )
            faces.append(face)
            mattes.append(layered["matte"])
        made[number] = cuts, faces, mattes
        job.tick(1)
    fits = fits_of(samples, stages["match"])
    for number, (cuts, faces, mattes) in made.items():
        plain = images[number]
        crops = [cut_out(plain, cut) for cut in cuts]
        changed = finish_frame(crops, cuts, faces, mattes, by_id, fits, stages["composite"], plate, job.shot)
        finished = plain.copy()
        lay(finished, (0, 0), [patch for _, patch in changed])
        for kind, image in (("plate", plain), ("result", finished)):
            stills.write(job.folder / f"{kind}.{number:07d}.png", proxy(image, plate), kind="png", depth=8)
    return {"shot": job.shot, "frames": numbers, "why": [chosen.why for chosen in heroes]}
