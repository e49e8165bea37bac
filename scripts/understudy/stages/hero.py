"""Stage `hero`: the few most telling frames of a shot, rendered before the rest."""

from __future__ import annotations

from understudy.media import stills
from understudy.media.proxy import proxy
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.stages.render import Few, heroes_of
from understudy.stages.tracks import cast_of


def hero(job: Job) -> Facts:
    """Choose frames by size, turn, score and light; take them through the stages that a chunk goes through."""
    heroes = heroes_of(list(cast_of(job)[0].values()))
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
    return {"shot": job.shot, "frames": numbers, "why": [chosen.why for chosen in heroes]}
