"""How stages come by the tracks of a shot."""

from __future__ import annotations

import numpy as np

from understudy.comp.camera.motion import Matrix, seen_from
from understudy.comp.match import Moment
from understudy.faces.files import read_tracks
from understudy.faces.geometry import to_face, to_frame
from understudy.faces.tracks import Track
from understudy.runtime.job import Job
from understudy.runtime.records import text_digest
from understudy.stages.crops import Cut

Tracks = dict[str, Track]
"""Tracks by their ids, in the order in which `track` left them."""
Roles = dict[str, str]
"""Id of a track to the talent that it becomes, for the tracks that are cast."""


def tracks_of(job: Job) -> tuple[Tracks, Roles]:
    """All tracks of the shot, their files checked, and who of them is cast as whom.

    Raises
    ------
    DeliverableError
        When a file is missing or damaged.
    """
    record = job.record("tracks")
    for name in record.files:
        record.path(name)
    tracks, roles = read_tracks(record.folder)
    return {track.id: track for track in tracks}, roles


def cast_of(job: Job) -> tuple[Tracks, Roles]:
    """The same without the tracks that nobody is cast for."""
    tracks, roles = tracks_of(job)
    return {name: track for name, track in tracks.items() if name in roles}, roles


def seed_of(shot: str, track: str, frame: int) -> int:
    """Seed of everything random about one face on one frame."""
    return int(text_digest([shot, track, frame])[:15], 16)


def motion_of(track: Track, index: int) -> Matrix:
    """How the face moves during a frame of its track, [2, 3] in pixels of the frame; see `comp.camera.motion`."""
    first, last = max(index - 1, 0), min(index + 1, len(track.frames) - 1)
    rate = (track.transform[last] - track.transform[first]) / max(last - first, 1)
    here = track.transform[index]
    before, after = np.vstack([to_face(here - rate / 2), [0, 0, 1]]), to_frame(here + rate / 2)
    return after @ before


def moment_of(shot: str, cut: Cut, track: Track) -> Moment:
    """One frame of a track, in the pixels of its crop."""
    corner = cut.box[:2]
    motion = seen_from(motion_of(track, cut.index), corner)
    return Moment(cut.frame, cut.inside(track.points), seed_of(shot, cut.track, cut.frame), motion, corner)
