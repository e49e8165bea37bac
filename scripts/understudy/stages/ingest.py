"""Stage `ingest`: what a plate is, measured once, before anything is planned."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from understudy.media.plate import probe
from understudy.runtime.records import write_text
from understudy.show.plan import Stamp, watched


def ingest(plate: Path, record: Path, stamp: Path) -> None:
    """Measure a plate and write ``plate.json`` and the stamp that planning reads.

    The stamp is taken before the plate is read: a plate that changes meanwhile is measured again next time.

    Raises
    ------
    PlateError
        When the plate is damaged or of a kind that is not supported.
    """
    before = watched(plate).stat()
    found = probe(plate)
    write_text(record, json.dumps(found.to_dict(), indent=1, sort_keys=True))
    known = Stamp(found.kind, found.first, found.last, before.st_size, before.st_mtime_ns)
    write_text(stamp, json.dumps(asdict(known)))
