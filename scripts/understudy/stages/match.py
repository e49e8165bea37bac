"""Stage `match`: one fit of colour, texture and grain for each cast track of a shot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from understudy.comp.colour import to_cdl, to_cube
from understudy.comp.match import Sample, fit
from understudy.faces.tracks import Track
from understudy.media.colour import to_display, unit
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record
from understudy.stages.crops import opened, read_cuts
from understudy.stages.faces import new_faces
from understudy.stages.plates import plate_of
from understudy.stages.tracks import cast_of, moment_of

SAMPLES = 12


def chosen(track: Track, frames: Iterable[int], count: int = SAMPLES) -> list[int]:
    """Frames to fit on: spread evenly over the frames where the track was really seen (or all, if none was)."""
    wanted = set(frames)
    own = [int(f) for f in track.frames if int(f) in wanted]
    seen = [f for f in own if track.seen[f - int(track.frames[0])]] or own
    if not seen:
        return []
    picks = np.unique(np.linspace(0, len(seen) - 1, min(count, len(seen))).round().astype(int))
    return [seen[int(pick)] for pick in picks]


def fits_of(samples: dict[str, list[Sample]], settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Track id to fit, for the tracks that have samples."""
    return {name: fit(own, settings) for name, own in sorted(samples.items()) if own}


def match(job: Job) -> Facts:
    """Fit each cast track on a few frames spread over the shot; write the fit, and its colour as CDL and cube."""
    plate = plate_of(job)
    cast, _ = cast_of(job)
    wanted = {(name, frame) for name, track in cast.items() for frame in chosen(track, job.frames)}
    samples: dict[str, list[Sample]] = {name: [] for name in cast}
    made_by = job.records("faces")
    restored: Sequence[Record | None] = job.records("restored") or [None] * len(made_by)
    steadied: Sequence[Record | None] = job.records("steadied") or [None] * len(made_by)
    chunks = zip(job.records("crops"), made_by, restored, steadied, job.records("mattes"), strict=True)
    for source, faces, enhanced, steady, mattes in chunks:
        cuts = [cut for cut in read_cuts(source) if (cut.track, cut.frame) in wanted]
        with (
            opened(source, "crops.tif", cuts) as crops,
            new_faces(faces, enhanced, cuts, steady) as made,
            opened(mattes, "matte.tif", cuts) as layers,
        ):
            for cut in cuts:
                crop = to_display(crops[cut.page], plate)
                moment = moment_of(job.shot, cut, cast[cut.track])
                samples[cut.track].append(Sample(crop, made.of(cut).over(crop), unit(layers[cut.page]), moment))
    fits = fits_of(samples, job.settings)
    (job.folder / "fit.json").write_text(json.dumps(fits, indent=1, sort_keys=True), encoding="utf-8")
    for name, found in fits.items():
        if "colour" in found:
            (job.folder / f"{name}.cdl").write_text(to_cdl(found["colour"], f"{job.shot}.{name}"), encoding="utf-8")
            (job.folder / f"{name}.cube").write_text(to_cube(found["colour"], f"{job.shot}.{name}"), encoding="utf-8")
    return {"tracks": sorted(fits)}
