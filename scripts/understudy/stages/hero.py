"""Stage `hero`: the few most telling frames of a shot, rendered before the rest."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from understudy.comp.lay import back
from understudy.comp.match import Sample
from understudy.comp.paste import same
from understudy.comp.texture import extent
from understudy.faces.geometry import iod
from understudy.faces.tracks import Track
from understudy.media import stills
from understudy.media.colour import to_display
from understudy.media.patches import lay
from understudy.media.proxy import proxy
from understudy.qc.sheet import choose_heroes
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.models import MOST_DEBT, debt
from understudy.stages.align import cuts_of
from understudy.stages.composite import finish_frame
from understudy.stages.crops import Cut, cut_out
from understudy.stages.enhance import Enhancer
from understudy.stages.faces import Face
from understudy.stages.match import fits_of
from understudy.stages.matte import Seers, layers_of, roto_of
from understudy.stages.plates import frames_of
from understudy.stages.swap import Performers, donors_of
from understudy.stages.tracks import cast_of, moment_of

HEROES = 6


def hero(job: Job) -> Facts:
    """Choose frames by size, turn, score and light; take them through the stages that a chunk goes through.

    The fit is made on the chosen frames only, so colour may differ a little from the finished shot's.
    """
    cast, roles = cast_of(job)
    tracks = list(cast.values())
    if not tracks:
        return {"shot": job.shot, "frames": [], "why": []}
    stages = job.settings["stages"]
    heroes = choose_heroes(
        np.concatenate([track.frames for track in tracks]),
        np.concatenate([[iod(points) for points in track.points] for track in tracks]),
        np.concatenate([track.pose[:, 0] for track in tracks]),
        np.concatenate([track.score for track in tracks]),
        np.concatenate([track.light[:, 0] for track in tracks]),
        HEROES,
    )
    numbers = [chosen.frame for chosen in heroes]
    plate, frames = frames_of(job, numbers)
    images = {number: frames.read(number) for number in numbers}
    performers = Performers(job, stages["swap"], cast, roles)
    donors = donors_of(job, stages["swap"], cast, roles)
    enhancer = Enhancer(job, stages["enhance"], cast) if stages["enhance"]["model"] else None
    seers, roto = Seers(job, stages["matte"]), roto_of(stages["matte"], plate)
    made: dict[int, tuple[list[Cut], list[Face], list[np.ndarray]]] = {}
    samples: dict[str, list[Sample]] = {name: [] for name in cast}
    for number in numbers:
        cuts = cuts_of(tracks, [number], stages["align"], (plate.width, plate.height))
        crops = [to_display(cut_out(images[number], cut), plate) for cut in cuts]
        news = performers.make(cuts, crops)
        restored = enhancer.make(cuts, crops, news) if enhancer else [None] * len(cuts)
        skins = donors.make(cuts, crops) if donors else [None] * len(cuts)
        faces = [Face(*pages) for pages in zip(news, restored, skins, strict=True)]
        mattes = []
        for cut, crop, face in zip(cuts, crops, faces, strict=True):
            track, engine = cast[cut.track], back(face.new.matte, face.new.transform, crop.shape[:2])
            layered = layers_of(cut, track, partial(same, crop), engine, seers, roto, stages["matte"])
            mattes.append(layered["matte"])
            samples[cut.track].append(
                Sample(crop, face.over(crop), mattes[-1], moment_of(job.shot, cut, track))
            )
        made[number] = cuts, faces, mattes
        job.tick(1)
    fits = fits_of(samples, stages["match"])
    for number, (cuts, faces, mattes) in made.items():
        plain = images[number]
        crops = [cut_out(plain, cut) for cut in cuts]
        changed = finish_frame(crops, cuts, faces, mattes, cast, fits, stages["composite"], plate, job.shot)
        finished = plain.copy()
        lay(finished, (0, 0), [patch for _, patch in changed])
        for kind, image in (("plate", plain), ("result", finished)):
            stills.write(job.folder / f"{kind}.{number:07d}.png", proxy(image, plate), kind="png", depth=8)
    why = [", ".join([chosen.why, *owing(tracks, chosen.frame, job.settings["network"])]) for chosen in heroes]
    return {"shot": job.shot, "frames": numbers, "why": why}


def owing(tracks: Iterable[Track], frame: int, network: int | None) -> list[str]:
    """The resolution debt of the largest face on a frame, in words, where it is worth a warning."""
    there = [track.points[frame - int(track.frames[0])] for track in tracks if frame in track.frames]
    owed = debt(max(map(extent, there)), network) if there else None
    return [f"{owed:.0f} dB debt"] if owed is not None and owed > MOST_DEBT else []
