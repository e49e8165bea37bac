"""Stage `wedge`: the same frames under every combination of some settings, side by side, at 100 %."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from understudy.errors import DeliverableError
from understudy.faces.geometry import iod
from understudy.media import stills
from understudy.media.proxy import proxy
from understudy.qc.sheet import BACKGROUND, contact
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, text_digest
from understudy.stages.align import box_of
from understudy.stages.render import Few, heroes_of
from understudy.stages.tracks import Tracks, cast_of

FACES, MATTES, FITS = ("align", "swap", "enhance"), ("matte",), ("match",)
"""Stages that decide what is made once for all cells in which their settings, and those before, are the same."""
FRAMES, PICTURES = 3, 64
"""Most frames of a shot on a sheet, and most pictures, beside the plate's, where there is more than one."""
COLUMNS = 6
"""Most cells in a row, beside the plate."""
AROUND, LEAST = 0.2, 240
"""Room around a face, as a part of its extent, and least side of a picture in pixels, for the words below it."""

Cell = dict[str, Any]


def groups(cells: Sequence[Cell], order: Sequence[int], stages: Sequence[str]) -> Iterator[list[int]]:
    """Places of the cells that have the same settings of some stages."""
    keys = {place: text_digest([cells[place]["stages"][stage] for stage in stages]) for place in order}
    for _, same in groupby(sorted(order, key=lambda place: (keys[place], place)), key=keys.__getitem__):
        yield list(same)


def closeup(cast: Tracks, frame: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns around the largest cast face of a frame of ``size`` (width, height)."""
    there = [track for track in cast.values() if track.frames[0] <= frame <= track.frames[-1]]
    points = max((track.points[frame - int(track.frames[0])] for track in there), key=iod)
    x0, y0, x1, y1 = box_of(points, AROUND, *size) or (0, 0, *size)
    sides = []
    for low, high, most in ((y0, y1, size[1]), (x0, x1, size[0])):
        side = min(max(high - low, LEAST), most)
        first = min(max((low + high - side) // 2, 0), most - side)
        sides.append(slice(first, first + side))
    return sides[0], sides[1]


def wedge(job: Job) -> Facts:
    """Render the cells, whatever several of them share once, and lay them out on one sheet.

    The fit is made on the frames that `hero` renders; those that are shown are the first of them.
    """
    cells: list[Cell] = job.settings["cells"]
    cast, _ = cast_of(job)
    tracks = list(cast.values())
    if not tracks:
        raise DeliverableError(
            "no cast face was found", where=f"shot {job.shot}, wedge", fix="check the column cast of the shot list"
        )
    few = Few(job, [chosen.frame for chosen in heroes_of(tracks)])
    shown = [chosen.frame for chosen in heroes_of(tracks, min(FRAMES, max(1, PICTURES // len(cells))))]
    boxes = {number: closeup(cast, number, (few.plate.width, few.plate.height)) for number in shown}
    pictures: dict[tuple[int, int], np.ndarray] = {}
    made_of = {"faces": 0, "mattes": 0, "fits": 0}
    for alike in groups(cells, range(len(cells)), FACES):
        made = few.given(cells[alike[0]]["models"]).faces(cells[alike[0]]["stages"])
        made_of["faces"] += 1
        for laid in groups(cells, alike, MATTES):
            mattes = few.given(cells[laid[0]]["models"]).mattes(cells[laid[0]]["stages"], made)
            made_of["mattes"] += 1
            for fitted in groups(cells, laid, FITS):
                fits = few.fits(cells[fitted[0]]["stages"], made, mattes)
                made_of["fits"] += 1
                for place in fitted:
                    for number in shown:
                        image = few.finished(number, cells[place]["stages"], made, mattes, fits)
                        pictures[number, place] = proxy(image[boxes[number]], few.plate)
                    job.tick(1)
    plates = {number: proxy(few.images[number][boxes[number]], few.plate) for number in shown}
    sheet = laid_out(job.shot, cells, job.settings["across"], plates, pictures)
    stills.write(job.folder / f"{job.shot}.png", sheet, kind="png", depth=8)
    return {"shot": job.shot, "frames": shown, "cells": len(cells), "made": made_of}


def laid_out(
    shot: str,
    cells: Sequence[Cell],
    across: int,
    plates: dict[int, np.ndarray],
    pictures: dict[tuple[int, int], np.ndarray],
) -> np.ndarray:
    """The sheet, uint8 RGB: for each frame the plate, and beside it the values of the last setting, row by row.

    Parameters
    ----------
    across:
        Number of the last setting's values.
    plates, pictures:
        By frame, and by frame and place of the cell.
    """
    columns = min(across, COLUMNS)
    nothing = np.full((1, 1, 3), BACKGROUND // 2, np.uint8), ""
    shown = []
    for number, plate in plates.items():
        for first in range(0, len(cells), across):
            for start in range(first, first + across, columns):
                row = range(start, min(start + columns, first + across))
                shown.append((plate, f"plate {number}"))
                shown += [(pictures[number, place], "\n".join(cells[place]["words"])) for place in row]
                shown += [nothing] * (columns - len(row))
    room = tuple(max(plate.shape[axis] for plate in plates.values()) for axis in (1, 0))
    names = ", ".join(words.partition("=")[0] for words in cells[0]["words"])
    return contact(shown, 1 + columns, f"{shot}  {names}", (room[0], room[1]), enlarge=1.0)
