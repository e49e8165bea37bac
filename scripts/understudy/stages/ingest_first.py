"""The phase before the main graph: ingest the plates that are new or changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.errors import PlateError
from understudy.runtime.records import write_text
from understudy.show.load import Show
from understudy.show.plan import current


def ingest_first(show: Show, config: Mapping[str, Any], snakefile: Path) -> None:
    """Run the ingest workflow for the selected shots whose plates have no current ``plate.json``.

    It is a graph of its own because the number of chunks must be known before the main graph is planned, and because a
    re-made ``plate.json`` inside that graph would re-run everything below it.

    Raises
    ------
    PlateError
        When a plate was refused; what is wrong with it has been printed.
    """
    due = [
        shot.id for shot in show.shots.values() if not current(show.work / shot.id / "plate.stamp", shot.plate)
    ]
    if not due:
        return
    plates = {shot: str(show.shots[shot].plate) for shot in due}
    request = show.work / f".ingest-{os.getpid()}.json"
    write_text(request, json.dumps({"work": str(show.work), "plates": plates}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--configfile", str(request)]
    command += ["--cores", str(len(os.sched_getaffinity(0))), "--nolock", "--rerun-incomplete", "--keep-going"]
    command += ["--quiet", "progress", "rules", "host", "--workflow-profile", "none"]
    command += ["--forceall", "--rerun-triggers", "mtime"]
    print(f"ingest: {len(due)} new or changed plate{'s' * (len(due) > 1)}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, check=False)
    finally:
        request.unlink(missing_ok=True)
    if done.returncode:
        broken = [shot for shot in due if not current(show.work / shot / "plate.stamp", show.shots[shot].plate)]
        raise PlateError(
            f"plates refused for {', '.join(broken)} (the reasons are above)",
            where="ingest",
            fix='mend them, or leave the shots out with --config only="..."',
        )
