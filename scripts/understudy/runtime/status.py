"""Where a show stands, read from its plan and its ledgers alone: works beside a running driver and after a dead one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.runtime.ledger import events, latest

GOING = ("started", "running")


@dataclass(frozen=True)
class Cell:
    """One stage of one shot: frames done of all frames, and whether something runs or failed."""

    done: int
    total: int
    running: bool
    failed: str


@dataclass(frozen=True)
class Status:
    """A show at one moment.

    Attributes
    ----------
    cells:
        Shot to stage to cell.
    rate:
        Frames carried from plate to finished frame per second of the run so far; None before the first.
    left:
        Seconds to go at the measured cost of each stage; None while a stage has not been measured yet.
    """

    cells: dict[str, dict[str, Cell]]
    rate: float | None
    left: float | None

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """Shot, stage and reason of everything that failed last time it ran."""
        return [
            (shot, stage, cell.failed) for shot, row in self.cells.items() for stage, cell in row.items() if cell.failed
        ]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "shots": {s: {n: vars(cell) for n, cell in row.items()} for s, row in self.cells.items()},
            "frames_per_second": self.rate,
            "seconds_left": self.left,
        }


def read_status(work: Path) -> Status:
    """Read the status of a show from its work folder.

    ``plan.json`` there (written when a run starts) says which chunks each stage of each shot has.
    """
    plan: Mapping[str, Any] = json.loads((work / "plan.json").read_text(encoding="utf-8"))
    cells: dict[str, dict[str, Cell]] = {}
    spent: dict[str, list[float]] = {}
    ends: list[tuple[float, int]] = []
    workers = 0
    for shot, stages in plan["shots"].items():
        ledger = work / shot / "ledger.jsonl"
        newest = latest(ledger)
        for event in events(ledger):
            if event["state"] == "done" and event["frames"]:
                spent.setdefault(event["stage"], []).append(event["seconds"] / event["frames"])
                if event["stage"] == "composite" and event["time"] >= plan["started"]:
                    ends.append((event["time"], event["frames"]))
        cells[shot] = {}
        for stage, chunks in stages.items():
            own = {name: newest.get((stage, name)) for name in chunks}
            going = [e for e in own.values() if e and e["state"] in GOING and e["time"] >= plan["started"]]
            workers += len(going)
            cells[shot][stage] = Cell(
                done=sum(min(e["done"], chunks[name]) for name, e in own.items() if e and e["state"] != "failed"),
                total=sum(chunks.values()),
                running=bool(going),
                failed=next((e.get("reason", "failed") for e in own.values() if e and e["state"] == "failed"), ""),
            )
    return Status(cells, _rate(plan["started"], ends), _left(cells, spent, max(workers, 1)))


def _rate(started: float, ends: list[tuple[float, int]]) -> float | None:
    if not ends:
        return None
    return sum(frames for _, frames in ends) / max(max(ends)[0] - started, 1e-3)


def _left(cells: Mapping[str, Mapping[str, Cell]], spent: Mapping[str, list[float]], workers: int) -> float | None:
    open_frames: dict[str, int] = {}
    for row in cells.values():
        for stage, cell in row.items():
            open_frames[stage] = open_frames.get(stage, 0) + cell.total - cell.done
    due = {stage: frames for stage, frames in open_frames.items() if frames}
    if any(stage not in spent for stage in due):
        return None
    return sum(frames * sum(spent[stage]) / len(spent[stage]) for stage, frames in due.items()) / workers


def write_plan(path: Path, totals: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    """Write what a run is going to do: shot to stage to chunk to frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"started": time.time(), "shots": totals}), encoding="utf-8")
