"""Stage `preview`: one contact sheet over the most telling frames of every shot."""

from __future__ import annotations

from pathlib import Path

from understudy.errors import DeliverableError
from understudy.media import stills
from understudy.qc.sheet import contact
from understudy.runtime.records import read_record

PAIRS = 3


def preview(records: list[Path], sheet: Path) -> None:
    """Lay plate and result of every chosen frame side by side, three pairs in a row, shot after shot."""
    cells = []
    for path in records:
        record = read_record(path)
        shot = record.facts["shot"]
        for frame, why in zip(record.facts["frames"], record.facts["why"], strict=True):
            for kind in ("plate", "result"):
                picture = stills.read(record.path(f"{kind}.{frame:07d}.png"))
                words = f"{shot} {frame}  {why}" if kind == "plate" else f"{shot} {frame}  result"
                cells.append((picture, words))
    if not cells:
        raise DeliverableError(
            "no cast face was found in any of the shots", where="preview", fix="check the column cast of the shot list"
        )
    made = contact(cells, 2 * PAIRS, "preview")
    sheet.parent.mkdir(parents=True, exist_ok=True)
    stills.write(sheet, made, kind="png", depth=8)
