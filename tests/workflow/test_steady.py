"""The stage `steady` in the workflow: what it makes is the same however a shot is cut into chunks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neural import cards_of, neural_show, write_looks
from shows import TestShow, add_movie, copy_of

import generated
from understudy.media import crops, stills
from understudy.runtime.records import Record, read_record

pytestmark = pytest.mark.slow
FRAMES = 15
RESTORED: dict[str, Any] = {"enhance": {"model": "gfpgan_1.4"}, "match": {"restored": [0.8, 0.8]}}
LOOKS: dict[str, dict[str, Any]] = {
    "restored": RESTORED,
    "steadied": RESTORED | {"steady": {"window": 2}},
    "mesh": {"steady": {"window": 1}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path, store: Path) -> TestShow:
    """Three shots of one plate in chunks of seven, of which the last has one frame."""
    folder = tmp_path_factory.mktemp("steady")
    cards = cards_of(folder, root, store, {"gfpgan_1.4": generated.restorer})
    show = neural_show(folder, cards, LOOKS, add_movie, frames=FRAMES)
    show.config["chunk"] = 7
    show.write()
    show.run()
    return show


def records(show: TestShow, shot: str, stage: str) -> list[Record]:
    return [read_record(path) for path in sorted((show.work / shot / stage).glob("???????-???????.json"))]


def pages(show: TestShow, shot: str, stage: str, name: str) -> list[np.ndarray]:
    return [page for record in records(show, shot, stage) for page in crops.read(record.path(name))]


def test_one_chunk_gives_the_same_frames(made: TestShow, tmp_path: Path) -> None:
    other = copy_of(made, tmp_path, rendered=False)
    write_looks(other, LOOKS)
    other.config["chunk"] = 500
    other.write()
    other.run()
    assert len(records(made, "steadied", "steady")) == 3
    assert len(records(other, "steadied", "steady")) == 1
    assert other.hashes() == made.hashes()


def test_only_a_look_that_asks_goes_through_it_and_only_what_is_laid_in_changes(made: TestShow) -> None:
    assert not (made.work / "restored" / "steady").exists()
    raw, held = (pages(made, "steadied", stage, "restored.tif") for stage in ("enhance", "steady"))
    assert len(raw) == FRAMES
    for before, after in zip(raw, held, strict=True):
        assert (before.dtype, before.shape) == (after.dtype, after.shape)
        assert not np.array_equal(before, after)
    # Where the engine's own pages are steadied, those are what is replaced.
    assert {path.name for path in records(made, "mesh", "steady")[0].folder.iterdir()} == {"faces.tif"}
    for frame in (1, 8, FRAMES):
        plain, steady = (
            stills.read(made.out / shot / "frames" / f"{shot}.{frame:04d}.tif").astype(int)
            for shot in ("restored", "steadied")
        )
        assert 0 < np.abs(plain - steady).max() < 64


def test_what_ran_is_in_the_plan_and_in_the_ledger(made: TestShow) -> None:
    plan = json.loads((made.work / "plan.json").read_text())
    assert "steady" in json.dumps(plan)
    lines = (made.work / "steadied" / "ledger.jsonl").read_text().splitlines()
    done = [event for event in map(json.loads, lines) if event["stage"] == "steady" and event["state"] == "done"]
    assert sum(event["done"] for event in done) == FRAMES
