"""Stage `review`: the static page over the shots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from understudy.qc.flags import Limits, bounds
from understudy.qc.page import write
from understudy.runtime.records import Record, read_record


def review(qc: list[Path], encodes: list[Path], page: Path, show: dict[str, Any]) -> None:
    """Write the page from the records of `qc` and `encode`, shot by shot.

    Parameters
    ----------
    show:
        ``name`` of the show.
    """
    folder = page.parent
    sheet = folder / "preview.png"
    links = [{"label": "contact sheet", "path": sheet.name}] if sheet.is_file() else []
    shots = [entry(read_record(a), read_record(b)) for a, b in zip(qc, encodes, strict=True)]
    write(folder, {"name": show["name"], "made_by": "understudy", "links": links}, shots)


def entry(qc: Record, encode: Record) -> dict[str, Any]:
    """One shot as the page wants it."""
    shot = qc.subject["shot"]
    report = json.loads(qc.path(f"out/{shot}/qc.json").read_text(encoding="utf-8"))
    settings = json.loads(qc.path(f"out/{shot}/settings.json").read_text(encoding="utf-8"))
    heroes = [flag["worst"] for flag in report["flags"]] or [(report["first"] + report["last"]) // 2]
    return {
        "id": shot,
        "first": report["first"],
        "last": report["last"],
        "size": qc.facts["size"],
        "rate": qc.facts["rate"],
        "proxies": {kind: f"{shot}/{kind}/{{frame:07d}}.jpg" for kind in ("plate", "result", "matte")},
        "thumbnail": f"{shot}/result/{heroes[0]:07d}.jpg",
        "movies": [
            {"label": Path(name).name, "path": f"../out/{shot}/{name}"} for name in sorted(encode.facts["movies"])
        ],
        "state": report["state"],
        "flags": report["flags"],
        "cast": [{"performer": track, "talent": talent} for track, talent in sorted(report["cast"].items())],
        "tracks": report["tracks"],
        "bounds": bounds(Limits.of(settings["qc"])),
        "settings": by_stage(settings),
    }


def by_stage(ran: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What `settings.json` says as the page shows it: stage to name to value, the models by their licences."""
    stages = {stage: own for stage, own in ran.items() if isinstance(own, dict)}
    return stages | {"models": {"purpose": ran["purpose"], **{row["name"]: row["licence"] for row in ran["models"]}}}
