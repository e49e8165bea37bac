"""Stage `align`: the crops of one chunk's cast faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from understudy.faces.align import similarity
from understudy.faces.geometry import inverse
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.yuv import Codes
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.stages.crops import Cut, cut_out, write_cuts
from understudy.stages.plates import frames_of
from understudy.stages.tracks import cast_of

STEP = 16
UNIT = 256
"""Side of a template's crop while its corners are looked for; they do not depend on it."""


def box_of(
    points: np.ndarray, pad: float, width: int, height: int, squares: np.ndarray | None = None
) -> tuple[int, int, int, int] | None:
    """The box a face is cut out by: its extent, padded, its size in steps of 16 pixels, clipped to the frame.

    Parameters
    ----------
    points:
        float [n, 2 or 3], frame pixels.
    pad:
        Share of the face's extent added on every side.
    squares:
        Corners [k, 2], in frame pixels, of what networks will cut out of the box: it holds these too.

    Returns
    -------
    x0, y0, x1, y1 in whole pixels, or None where less than a few pixels of it lie inside the frame.
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    room = (high - low) * pad
    low, high = low - room, high + room
    if squares is not None and len(squares):
        low, high = np.minimum(low, squares.min(axis=0)), np.maximum(high, squares.max(axis=0))
    size = np.ceil((high - low) / STEP).astype(int) * STEP
    corner = np.floor((low + high) / 2 - size / 2).astype(int)
    x0, y0 = np.maximum(corner, 0).tolist()
    x1, y1 = np.minimum(corner + size, (width, height)).tolist()
    return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= STEP else None


def squares_of(five: np.ndarray, templates: Sequence[str]) -> np.ndarray:
    """Corners [4 k, 2], in frame pixels, of the crops that k templates cut for a face by its five points."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * UNIT
    back = [inverse(similarity(five, template, UNIT)) for template in templates]
    return np.concatenate([corners @ m[:, :2].T + m[:, 2] for m in back]) if back else np.empty((0, 2))


def cuts_of(
    tracks: Iterable[Track], frames: Iterable[int], settings: dict[str, Any], size: tuple[int, int]
) -> list[Cut]:
    """The crops of some frames, frame by frame, tracks in their own order within a frame.

    Parameters
    ----------
    size:
        Width and height of the frame.
    """
    tracks = list(tracks)
    found: list[Cut] = []
    for frame in frames:
        for track in tracks:
            index = frame - int(track.frames[0])
            if 0 <= index < len(track.frames):
                squares = squares_of(track.five[index], settings["templates"])
                box = box_of(track.points[index], settings["pad"], *size, squares)
                if box:
                    found.append(Cut(len(found), frame, track.id, index, box))
    return found


def align(job: Job) -> Facts:
    """Cut every cast face of the chunk out of its frame: exact copies of the plate's pixels, in the plate's type."""
    cast = list(cast_of(job)[0].values())
    plate, frames = frames_of(job)
    cuts = cuts_of(cast, job.frames, job.settings, (plate.width, plate.height))
    write_cuts(job.folder, cuts)

    def pages() -> Iterator[np.ndarray]:
        for frame, own in groupby(cuts, key=lambda cut: cut.frame):
            stored = frames.stored(frame)
            for cut in own:
                yield stored.rgb(cut.box) if isinstance(stored, Codes) else cut_out(stored, cut)
            job.tick(1)

    if cuts:
        crops.write(job.folder / "crops.tif", pages())
    return {"crops": len(cuts)}
