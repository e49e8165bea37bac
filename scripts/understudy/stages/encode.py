"""Stage `encode`: the movies of a shot, and what a person wants beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import numpy as np

from understudy.media import stills
from understudy.media.colour import quantise
from understudy.media.movies import encode as encode_movie
from understudy.media.movies import suffix
from understudy.runtime.job import Job
from understudy.runtime.records import Facts, Record
from understudy.stages.finished import finished_files
from understudy.stages.plates import plate_of


def encode(job: Job) -> Facts:
    """Encode every movie that the shot's deliveries ask for from its finished frames."""
    plate, records = plate_of(job), job.records("finished")
    sweep(records)
    fit = job.record("fit")
    for name in fit.files:
        shutil.copyfile(fit.path(name), job.folder / name)
    made = {}
    (job.folder / "movie").mkdir()
    still, files = finished_files(records)

    def frames() -> Iterator[np.ndarray]:
        for path in files:
            array = stills.read_back(path)
            yield array if array.dtype.kind == "u" else quantise(still.display(array, plate), "uint16")
            job.tick(1)

    for name, codec in sorted(job.settings["movies"].items()):
        path = job.folder / "movie" / f"{job.shot}_{name}{suffix(codec, plate)}"
        made[f"movie/{path.name}"] = encode_movie(path, frames(), plate, job.frames[0], job.frames[-1], codec)
    for path in (records[0].folder / "movie").glob(f"{job.shot}_*"):
        if f"movie/{path.name}" not in made:
            path.unlink()
    return {"movies": made}


def sweep(records: list[Record]) -> None:
    """Remove finished frames and mattes that an earlier range or format left behind: frames in, frames out."""
    kept = {record.folder / name for record in records for name in record.files}
    for folder in {record.folder / kind for record in records for kind in ("frames", "matte")}:
        for path in folder.iterdir() if folder.is_dir() else ():
            if path not in kept and re.fullmatch(r".+\.\d{4,}\.\w+", path.name):
                path.unlink()
