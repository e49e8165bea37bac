"""Stage `extract`: the frame store of one chunk of a movie plate."""

from __future__ import annotations

from understudy.media.extract import extract as extract_frames
from understudy.runtime.job import Job
from understudy.runtime.records import Facts
from understudy.stages.plates import plate_of


def extract(job: Job) -> Facts:
    """Decode the chunk's frames, one lossless file each."""
    chunk = job.frames
    extract_frames(plate_of(job), chunk[0], chunk[-1], job.folder, progress=job.tick)
    return {"frames": len(chunk)}
