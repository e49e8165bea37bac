"""How stages come by the finished frames of a shot."""

from __future__ import annotations

from pathlib import Path

from understudy.media.delivery import Still
from understudy.runtime.records import Record


def finished_files(records: list[Record]) -> tuple[Still, list[Path]]:
    """The finished frames of a shot in order, each checked against its record, and their format."""
    still = Still(*records[0].facts["stills"][0])
    found: list[Path] = []
    for record in records:
        first, last = record.subject["frames"]
        shot = record.subject["shot"]
        found += [record.path(f"frames/{shot}.{frame:04d}{still.suffix}") for frame in range(first, last + 1)]
    return still, found
