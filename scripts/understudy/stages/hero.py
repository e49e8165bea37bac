"""Stage `hero`: the few most telling frames of a shot, rendered before the rest."""

from __future__ import annotations

from collections.abc import Iterable

from understudy.comp.skin.texture import extent
from understudy.faces.tracks import Track
from understudy.media import stills
from understudy.media.proxy import proxy
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.models import MOST_DEBT, debt
from understudy.stages.render import Few, heroes_of
from understudy.stages.tracks import cast_of


def hero(job: Job) -> Facts:
    """Choose frames by size, turn, score and light; take them through the stages that a chunk goes through."""
    tracks = list(cast_of(job)[0].values())
    heroes = heroes_of(tracks)
    numbers = [chosen.frame for chosen in heroes]
    if numbers:
        stages, few = job.settings["stages"], Few(job, numbers)
        made = few.faces(stages)
        mattes = few.mattes(stages, made)
        fits = few.fits(stages, made, mattes)
        for number in numbers:
            result = few.finished(number, stages, made, mattes, fits)
            for kind, image in (("plate", few.images[number]), ("result", result)):
                path = job.folder / f"{kind}.{number:07d}.png"
                stills.write(path, proxy(image, few.plate), kind="png", depth=8)
            job.tick(1)
    why = [", ".join([chosen.why, *owing(tracks, chosen.frame, job.settings["network"])]) for chosen in heroes]
    return {"shot": job.shot, "frames": numbers, "why": why}


def owing(tracks: Iterable[Track], frame: int, network: int | None) -> list[str]:
    """The resolution debt of the largest face on a frame, in words, where it is worth a warning."""
    there = [track.points[frame - int(track.frames[0])] for track in tracks if frame in track.frames]
    owed = debt(max(map(extent, there)), network) if there else None
    return [f"{owed:.0f} dB debt"] if owed is not None and owed > MOST_DEBT else []
