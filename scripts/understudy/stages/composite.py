"""Stage `composite`: what is changed of the frames of one chunk, as patches over the plate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from understudy.comp.match import finish, room_of
from understudy.comp.paste import paste, same
from understudy.faces.geometry import iod
from understudy.faces.tracks import Track
from understudy.media import crops, patches
from understudy.media.colour import from_linear, quantise, to_display, to_linear, unit
from understudy.media.patches import Patch
from understudy.media.plate import Plate
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.frames import holds
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut, opened, read_cuts, to_page, write_cuts
from understudy.stages.faces import Box, Face, new_faces
from understudy.stages.features import Features
from understudy.stages.plates import plate_of
from understudy.stages.tracks import Tracks, cast_of, moment_of


def finish_frame(
    images: Sequence[np.ndarray],
    cuts: Sequence[Cut],
    faces: Sequence[Face],
    mattes: Sequence[np.ndarray],
    cast: Tracks,
    fits: dict[str, dict[str, Any]],
    settings: dict[str, Any],
    plate: Plate,
    shot: str,
) -> list[tuple[Cut, Patch]]:
    """Lay the new faces of one frame over the plate.

    Parameters
    ----------
    images:
        The plate's crops [h, w, 3] in its type, page by page with ``cuts``.
    mattes:
        float32 [h, w], likewise.

    Returns
    -------
    What is changed, no larger than it must be: each new face over the plate and over those before it. A face that
    changes nothing is left out.
    """
    made: list[tuple[Cut, Patch]] = []
    for cut, image, face, matte in zip(cuts, images, faces, mattes, strict=True):
        region = image.copy()
        patches.lay(region, cut.box[:2], [patch for _, patch in made])
        now = settings_at(settings, cut.frame)
        crop = to_display(region, plate)
        moment = moment_of(shot, cut, cast[cut.track])
        result, weight = finish(crop, face.over(crop), matte, moment, fits[cut.track], now)
        rows, columns = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
        if not len(rows):
            continue
        touched = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        pixels = paste(
            region[touched],
            crop[touched],
            result[touched],
            weight[touched],
            lambda light: quantise(light, plate.dtype),
            to_linear=to_linear,
            from_linear=same if plate.space == "scene_linear" else from_linear,
        )
        x0, y0 = cut.box[0] + int(columns[0]), cut.box[1] + int(rows[0])
        box = (x0, y0, x0 + pixels.shape[1], y0 + pixels.shape[0])
        # A weight too small for sixteen bits still changed its pixel.
        page = np.maximum(to_page(weight[touched]), (weight[touched] > 0).astype(np.uint16))
        made.append((cut, Patch(box, pixels, page)))
    return made


def around(matte: np.ndarray, cut: Cut, track: Track) -> Box | None:
    """Rows and columns of a crop in which its matte [h, w] is not 0, with `room_of`; None where it is 0 everywhere."""
    room, sides = room_of(iod(track.points[cut.index])), []
    for length, there in zip(matte.shape, (matte.any(axis=1), matte.any(axis=0)), strict=True):
        found = np.flatnonzero(there)
        if not len(found):
            return None
        sides.append(slice(max(int(found[0]) - room, 0), min(int(found[-1]) + 1 + room, length)))
    return sides[0], sides[1]


def composite(job: Job) -> Facts:
    """Finish every cast face of the chunk, page by page as far as there is something to change."""
    plate = plate_of(job)
    source = job.record("crops")
    restored, steadied = (next(iter(job.records(name)), None) for name in ("restored", "steadied"))
    cuts = [cut for cut in read_cuts(source) if not holds(job.settings["exclude"], cut.frame)]
    cast, _ = cast_of(job)
    fits = json.loads(job.record("fit").path("fit.json").read_text(encoding="utf-8"))
    changed: list[Cut] = []
    features = Features(job.settings, cast)
    with (
        opened(source, "crops.tif", cuts) as images,
        new_faces(job.record("faces"), restored, cuts, steadied) as faces,
        opened(job.record("mattes"), "matte.tif", cuts) as mattes,
        crops.Writer(job.folder / "patches.tif") as pixels,
        crops.Writer(job.folder / "weights.tif") as weights,
    ):
        for frame in job.frames:
            own = [cut for cut in cuts if cut.frame == frame]
            layers = [mattes[cut.page] for cut in own]
            boxes = [around(layer, cut, cast[cut.track]) for cut, layer in zip(own, layers, strict=True)]
            # Nothing is looked at that the finish does not look at.
            seen = [(cut, layer, near) for cut, layer, near in zip(own, layers, boxes, strict=True) if near]
            for cut, patch in finish_frame(
                [images[cut.page][near] for cut, _, near in seen],
                [cut.part(near) for cut, _, near in seen],
                [faces.of(cut, near) for cut, _, near in seen],
                [features.keep(unit(layer[near]), cut.part(near)) for cut, layer, near in seen],
                cast,
                fits,
                job.settings,
                plate,
                job.shot,
            ):
                pixels.add(patch.pixels)
                weights.add(patch.weight)
                changed.append(replace(cut, page=len(changed), box=patch.box))
            job.tick(1)
    write_cuts(job.folder, changed)
    return {"changed": len({cut.frame for cut in changed})}
