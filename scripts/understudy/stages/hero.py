"""Stage `hero`: the few most telling frames of a shot, rendered before the rest."""

from __future__ import annotations

from functools import partial

import numpy as np

from understudy.comp.match import Sample
from understudy.comp.paste import same
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
from understudy.stages.align import cuts_of
from understudy.stages.composite import finish_frame
from understudy.stages.crops import Cut, cut_out
from understudy.stages.match import fits_of
from understudy.stages.matte import layers_of
from understudy.stages.plates import frames_of
from understudy.stages.swap import Faces

HEROES = 6


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
    engine = Faces(stages["swap"], cast, roles, job.records("talents"))
    by_id = {track.id: track for track in cast}
    roto = [Roto(pattern, channel, mode, plate) for pattern, channel, mode in stages["matte"]["roto"]]
    made: dict[int, tuple[list[Cut], list[np.ndarray], list[np.ndarray]]] = {}
    samples: dict[str, list[Sample]] = {track.id: [] for track in cast}
    for number in numbers:
        cuts = cuts_of(cast, [number], stages["align"], (plate.width, plate.height))
        crops = [to_display(cut_out(images[number], cut), plate) for cut in cuts]
        pairs = engine.make(cuts, crops)
        mattes = []
        for cut, crop, (face, engine_matte) in zip(cuts, crops, pairs, strict=True):
            track = by_id[cut.track]
            matte = layers_of(cut, track, partial(same, crop), engine_matte, roto, stages["matte"])["matte"]
            mattes.append(matte)
            samples[cut.track].append(Sample(crop, face, matte, track.points[cut.index] - cut.corner))
        made[number] = cuts, [face for face, _ in pairs], mattes
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
