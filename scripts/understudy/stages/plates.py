"""How stages come by the frames of a plate."""

from __future__ import annotations

import json
from collections.abc import Sequence

from understudy.media.frames import Frames
from understudy.media.plate import Plate
from understudy.runtime.job import Job


def plate_of(job: Job) -> Plate:
    """The plate as ingest measured it."""
    return Plate.from_dict(json.loads(job.file("plate").read_text(encoding="utf-8")))


def frames_of(job: Job, needed: Sequence[int]) -> tuple[Plate, Frames]:
    """The plate and a reader of its frames, the frame store's files checked for the frames needed.

    Raises
    ------
    DeliverableError
        When a file of the frame store is missing or damaged.
    """
    plate, wanted = plate_of(job), set(needed)
    stores = job.records("frames")
    for store in stores:
        for name in store.files:
            if int(name.partition(".")[0]) in wanted:
                store.path(name)
    return plate, Frames(plate, [store.folder for store in stores] or None)
