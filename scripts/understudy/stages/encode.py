"""Stage `encode`: the movies of a shot, and what a person wants beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from understudy.media.movies import encode as encode_movie
from understudy.media.movies import suffix
from understudy.media.yuv import Codes
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record
from understudy.stages.finished import finished
from understudy.stages.plates import frames_of


def encode(job: Job) -> Facts:
    """Encode every movie that the shot's deliveries ask for from its finished frames."""
    movies = job.settings["movies"]
    plate, frames = frames_of(job)
    out = job.folder.parent  # the half-made payload lies in the shot's results already
    sweep(out, job.records("stills"))
    fit = job.record("fit")
    for name in fit.files:
        shutil.copyfile(fit.path(name), job.folder / name)
    made = {}
    (job.folder / "movie").mkdir()
    with finished(frames, job.records("finished")) as done:

        def pictures() -> Iterator[np.ndarray | Codes]:
            for frame in job.frames:
                yield done.coded(frame)
                job.tick(1)

        for name, codec in sorted(movies.items()):
            path = job.folder / "movie" / f"{job.shot}_{name}{suffix(codec, plate)}"
            made[f"movie/{path.name}"] = encode_movie(path, pictures(), plate, job.frames[0], job.frames[-1], codec)
    for path in (out / "movie").glob(f"{job.shot}_*"):
        if f"movie/{path.name}" not in made:
            path.unlink()
    return {"movies": made}


def sweep(out: Path, stills: Sequence[Record]) -> None:
    """Remove finished frames and mattes that an earlier range or format left behind: frames in, frames out."""
    kept = {record.folder / name for record in stills for name in record.files}
    for folder in (out / "frames", out / "matte"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path not in kept and re.fullmatch(r".+\.\d{4,}\.\w+", path.name):
                path.unlink()
