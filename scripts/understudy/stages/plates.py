"""How stages come by the frames of a plate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from understudy.media.frames import Frames
from understudy.media.plate import Plate
from understudy.runtime.job import Job


def plate_of(job: Job) -> Plate:
    """The plate as ingest measured it."""
    return Plate.from_dict(json.loads(job.file("plate").read_text(encoding="utf-8")))


def frames_of(job: Job) -> tuple[Plate, Frames]:
    """The plate and a reader of its frames, which checks every file of the frame store as it reads it.

    Raises
    ------
    DeliverableError
        When a file of the frame store is missing; from the reader, when one is damaged.
    """
    plate = plate_of(job)
    stores = {store.folder: store for store in job.records("frames")}
    for store in stores.values():
        for name in store.files:
            if not (store.folder / name).is_file():
                store.path(name)

    def checked(path: Path) -> np.ndarray:
        return stores[path.parent].read(path.name)

    return plate, Frames(plate, list(stores) or None, checked)
