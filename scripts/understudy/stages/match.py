"""Stage `match`: one fit of colour, texture and grain for each cast track of a shot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from understudy.comp.match import Sample, fit, tones_of
from understudy.comp.tone.colour import to_cdl, to_cube
from understudy.comp.tone.segments import NOTICE, STRIDE, bends, judged
from understudy.comp.tone.tones import Tones, ratio
from understudy.faces.tracks import Track
from understudy.media.colour import to_display, unit
from understudy.media.plate import Plate
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record
from understudy.stages.crops import opened, read_cuts
from understudy.stages.faces import new_faces
from understudy.stages.plates import plate_of
from understudy.stages.tracks import Tracks, cast_of, moment_of

SAMPLES = 12
LEAST_LIGHT = 0.02
"""Luma below which changes of light are noise."""


def chosen(track: Track, frames: Iterable[int], count: int = SAMPLES) -> list[int]:
    """Frames to fit on: spread evenly over the frames where the track was really seen (or all, if none was)."""
    wanted = set(frames)
    own = [int(f) for f in track.frames if int(f) in wanted]
    seen = [f for f in own if track.seen[f - int(track.frames[0])]] or own
    if not seen:
        return []
    picks = np.unique(np.linspace(0, len(seen) - 1, min(count, len(seen))).round().astype(int))
    return [seen[int(pick)] for pick in picks]


def fits_of(
    samples: dict[str, list[Sample]], settings: dict[str, Any], seen: Mapping[str, Sequence[Tones]] | None = None
) -> dict[str, dict[str, Any]]:
    """Track id to fit, for the tracks that have samples; ``seen`` as for `match.fit`."""
    return {name: fit(own, settings, (seen or {}).get(name, ())) for name, own in sorted(samples.items()) if own}


def write_colour(folder: Path, shot: str, fits: Mapping[str, Mapping[str, Any]]) -> None:
    """Write every track's colour as one CDL, a correction per lighting segment, and a cube per segment.

    The first segment goes by the track's name; those after it have the frame that they begin on in theirs.
    """
    for track, fitted in fits.items():
        named = {
            f"{track}.{segment['first']:07d}" if number else track: segment
            for number, segment in enumerate(fitted["colour"]["segments"])
        }
        cdl = to_cdl({f"{shot}.{name}": segment for name, segment in named.items()})
        (folder / f"{track}.cdl").write_text(cdl, encoding="utf-8")
        for name, segment in named.items():
            (folder / f"{name}.cube").write_text(to_cube(segment, f"{shot}.{name}"), encoding="utf-8")


def first_look(track: Track, frames: Iterable[int]) -> set[int]:
    """Frames on which colour is judged first: every few, and all where the track's light jumps or flashes."""
    own = [int(f) for f in track.frames]
    level = np.log(np.maximum(track.light[:, :1], LEAST_LIGHT))
    off = np.flatnonzero(np.abs(np.diff(level[:, 0], n=2)) / 2 > NOTICE) + 1
    near = {own[int(k)] + step for k in off for step in range(-STRIDE, STRIDE + 1)}
    return {f for f in own if f % STRIDE == 0 or f in near} & set(frames)


def second_look(seen: Sequence[Tones], frames: Iterable[int]) -> set[int]:
    """Frames between those of ``seen`` that have to be judged too; see `segments.bends`."""
    known = judged(seen)
    at = [one.frame for one in known]
    level = np.array([ratio(one.face, one.plate, one.weight) for one in known]).reshape(-1, 3)
    between = (range(a + 1, b) for a, b, bent in zip(at, at[1:], bends(at, level), strict=False) if bent)
    return set(chain.from_iterable(between)) & set(frames)


def looked_at(
    job: Job, plate: Plate, cast: Tracks, wanted: set[tuple[str, int]]
) -> Iterator[tuple[str, Sample]]:
    """Tracks and frames of a shot, read from the chunks one by one."""
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
                yield cut.track, Sample(crop, made.of(cut).over(crop), unit(layers[cut.page]), moment)


def beside(
    job: Job, plate: Plate, cast: Tracks, sampled: set[tuple[str, int]]
) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """The plate's crop of the frame after each sampled one, or before it at a track's end, with its points.

    Whatever chunk it lies in: by track and sampled frame.
    """
    wanted = {(name, frame): frame + (1 if frame + 1 in cast[name].frames else -1) for name, frame in sampled}
    near = {(name, other) for (name, _), other in wanted.items()}
    found = {}
    for source in job.records("crops"):
        cuts = [cut for cut in read_cuts(source) if (cut.track, cut.frame) in near]
        with opened(source, "crops.tif", cuts) as crops:
            for cut in cuts:
                points = cut.inside(cast[cut.track].points)
                found[cut.track, cut.frame] = to_display(crops[cut.page], plate), points
    # On a short track one frame may lie beside two.
    return {(name, frame): found[name, other] for (name, frame), other in wanted.items() if (name, other) in found}


def match(job: Job) -> Facts:
    """Fit each cast track: texture and grain on a few frames spread over the shot, colour on as many as it takes.

    Writes the fit, and its colour as CDL and cube.
    """
    plate = plate_of(job)
    cast, _ = cast_of(job)
    sampled = {(name, frame) for name, track in cast.items() for frame in chosen(track, job.frames)}
    wanted = set(sampled)
    if job.settings["steady"]:
        wanted |= {(name, frame) for name, track in cast.items() for frame in first_look(track, job.frames)}
    samples: dict[str, list[Sample]] = {name: [] for name in cast}
    seen: dict[str, list[Tones]] = {name: [] for name in cast}
    near = beside(job, plate, cast, sampled)
    for name, sample in looked_at(job, plate, cast, wanted):
        seen[name].append(tones_of(sample, job.settings))
        place = name, sample.moment.frame
        if place in sampled:
            samples[name].append(replace(sample, beside=near.get(place)))
    if job.settings["steady"]:
        missed = {(name, frame) for name, own in seen.items() for frame in second_look(own, job.frames)} - wanted
        for name, sample in looked_at(job, plate, cast, missed):
            seen[name].append(tones_of(sample, job.settings))
    in_order = {name: sorted(own, key=lambda one: one.frame) for name, own in seen.items()}
    fits = fits_of(samples, job.settings, in_order)
    (job.folder / "fit.json").write_text(json.dumps(fits, indent=1, sort_keys=True), encoding="utf-8")
    write_colour(job.folder, job.shot, fits)
    return {"tracks": sorted(fits)}
