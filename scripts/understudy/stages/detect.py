"""Stage `detect`: every face of one chunk."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.faces.detect import signature
from understudy.faces.files import write_faces
from understudy.faces.tracks import FrameRow
from understudy.media.proxy import look_at
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.show.settings import settings_at
from understudy.stages.finding import Finder
from understudy.stages.plates import frames_of


def detect(job: Job) -> Facts:
    """Find box, landmarks, light and, where the look has a recogniser, vector of every face, each frame for itself."""
    plate, frames = frames_of(job)
    finder = Finder(job, job.settings)
    counts = []

    def rows() -> Iterator[FrameRow]:
        for frame in job.frames:
            image = look_at(frames.stored(frame), plate)
            faces = tuple(finder.faces(image, settings_at(job.settings, frame)))
            counts.append(len(faces))
            yield FrameRow(frame, faces, signature(image))
            job.tick(1)

    write_faces(job.folder / "faces.jsonl", rows())
    return {"faces": sum(counts), "without": [f for f, n in zip(job.frames, counts, strict=True) if not n]}
