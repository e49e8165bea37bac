"""Stage `track`: who is where over a whole shot, filled, smoothed and cast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from understudy.comp.skin.texture import extent
from understudy.faces.cast import References, cast
from understudy.faces.detect import Face, landmarks_near
from understudy.faces.files import read_faces, write_tracks
from understudy.faces.networks import FaceMesh
from understudy.faces.tracks import Track, edit, link, missing, pin, smooth, with_faces
from understudy.media.frames import Frames
from understudy.media.plate import Plate
from understudy.media.proxy import look_at
from understudy.media.stills import read_picture
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.cast import CastEntry
from understudy.show.overrides import overrides_of
from understudy.stages.finding import Finder, mesh_of
from understudy.stages.plates import frames_of, plate_of


def track(job: Job) -> Facts:
    """Link the faces of all frames, look again where a track has a hole, apply the overrides, smooth, cast."""
    plate, settings = plate_of(job), job.settings
    rows = [row for record in job.records("faces") for row in read_faces(record.path("faces.jsonl"))]
    overrides = replace(overrides_of(settings["overrides"]), source=f"overrides of shot {job.shot}")
    tracks = edit(link(rows, plate.width, plate.height, settings), overrides, overrides.source)
    holes = sorted({frame for each in tracks for frame in missing(each)})
    if holes:
        plate, frames = frames_of(job)
        mesh = mesh_of(job)
        tracks = [look_again(each, frames, plate, mesh, settings["look"]) for each in tracks]
    tracks = pin([smooth(each, settings) for each in tracks], overrides, overrides.source)
    entries = [
        CastEntry(kind, tuple(value) if isinstance(value, list) else value, talent)
        for kind, value, talent in settings["cast"]
    ]
    where = f"shot {job.shot}"
    roles = cast(tracks, entries, overrides, where=where, references=references_of(job, where))
    write_tracks(job.folder, tracks, roles)
    job.tick(len(job.frames))
    extents = {each.id: max(map(extent, each.points)) for each in tracks if each.id in roles}
    return {"tracks": [each.id for each in tracks], "cast": roles, "extents": extents}


def references_of(job: Job, where: str) -> References:
    """What the performers look like who are cast by picture."""
    written, settings = job.settings["pictures"], job.settings
    if not written:
        return References(least=settings["like"], margin=settings["margin"])
    finder = Finder(job, settings["look"])
    vectors = {}
    for name, path in zip(written, job.inputs["pictures"], strict=True):
        vector = finder.only_face(read_picture(path), path, where).embedding
        assert vector is not None  # a look without a recogniser is refused before any work
        vectors[name] = vector
    return References(vectors, settings["like"], settings["margin"])


def look_again(
    track: Track, frames: Frames, plate: Plate, landmarker: FaceMesh, settings: dict[str, Any]
) -> Track:
    """The track with what the landmark network finds in its holes, each hole from both ends inwards."""
    laid_by_mesh = settings["five"] == "mesh"
    found: dict[int, Face] = {}
    for frame in missing(track):
        near = [found[frame + step] for step in (-1, 1) if frame + step in found]
        place = frame - int(track.frames[0])
        guess, five = (near[0].points, near[0].five) if near else (track.points[place], track.five[place])
        image = look_at(frames.stored(frame), plate)
        face = landmarks_near(image, landmarker, guess, settings, None if laid_by_mesh else five)
        if face is not None:
            found[frame] = face
    return with_faces(track, found) if found else track
