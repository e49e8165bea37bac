"""Ledger, status, driver lock and code digests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from understudy.errors import UnderstudyError
from understudy.runtime import code
from understudy.runtime.ledger import Ledger, events, latest
from understudy.runtime.lock import hold
from understudy.runtime.status import read_status, write_plan
from understudy.show.schema import schema


def test_events_are_appended_and_a_half_line_waits(tmp_path):
    path = tmp_path / "ledger.jsonl"
    one = Ledger(path, "swap", "0001-0008", 8)
    one(3)
    one.write("done")
    Ledger(path, "swap", "0009-0016", 8).write("failed", "no space left")
    with path.open("a") as stream:
        stream.write('{"stage": "ma')
    assert [event["state"] for event in events(path)] == ["started", "done", "started", "failed"]
    newest = latest(path)
    assert newest["swap", "0001-0008"]["done"] == 8
    assert newest["swap", "0009-0016"]["reason"] == "no space left"


def test_status_counts_frames_and_names_failures(tmp_path):
    write_plan(tmp_path / "plan.json", {"sh010": {"swap": {"0001-0008": 8, "0009-0016": 8}, "qc": {"qc": 16}}})
    ledger = tmp_path / "sh010" / "ledger.jsonl"
    Ledger(ledger, "swap", "0001-0008", 8).write("done")
    Ledger(ledger, "swap", "0009-0016", 8).write("failed", "disk full")
    status = read_status(tmp_path)
    cell = status.cells["sh010"]["swap"]
    assert (cell.done, cell.total, cell.failed) == (8, 16, "disk full")
    assert status.left is None  # qc has not been measured yet
    assert status.failures == [("sh010", "swap", "disk full")]
    json.dumps(status.to_dict())


def test_time_left_is_open_frames_at_measured_cost(tmp_path):
    write_plan(tmp_path / "plan.json", {"a": {"swap": {"x": 10, "y": 30}}})
    ledger = tmp_path / "a" / "ledger.jsonl"
    Ledger(ledger, "swap", "x", 10).write("started")
    event = next(events(ledger)) | {"state": "done", "done": 10, "seconds": 5.0}
    ledger.write_text(json.dumps(event) + "\n")
    assert read_status(tmp_path).left == pytest.approx(30 * 0.5)


def test_the_lock_dies_with_its_holder(tmp_path, root):
    lock = tmp_path / "driver.lock"
    program = (
        f"import sys; sys.path.insert(0, {str(root / 'scripts')!r})\n"
        f"from pathlib import Path; from understudy.runtime.lock import hold\n"
        f"hold(Path({str(lock)!r})); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline() == b"held\n"
    with pytest.raises(UnderstudyError, match=rf"another run is working on this show \(process {holder.pid} on"):
        hold(lock)
    holder.kill()
    holder.wait()
    hold(lock)


def test_code_of_a_stage_covers_what_it_imports_and_nothing_else():
    names = {str(path.relative_to(code.LIBRARY)) for path in code.modules_of("composite")}
    assert {"stages/composite.py", "comp/match.py", "media/patches.py", "show/settings.py"} <= names
    assert not any(name.startswith("runtime/") for name in names)
    assert "engines/mesh.py" not in names
    assert "engines/mesh.py" in {str(path.relative_to(code.LIBRARY)) for path in code.modules_of("swap")}
    # Whoever made the faces, restoring them is the same; and pixels go into a movie whoever found the faces.
    assert "engines/load.py" not in {str(path.relative_to(code.LIBRARY)) for path in code.modules_of("enhance")}
    assert "faces/detect.py" not in {str(path.relative_to(code.LIBRARY)) for path in code.modules_of("encode")}


def test_every_engine_has_its_module():
    assert list(code.ENGINES) == schema("settings")["properties"]["swap"]["properties"]["engine"]["enum"]
    assert all((code.LIBRARY / "engines" / f"{module}.py").is_file() for module in code.ENGINES.values())


def test_an_edit_changes_the_digest_of_the_stages_it_reaches(tmp_path, monkeypatch):
    import shutil

    copy = tmp_path / "understudy"
    shutil.copytree(code.LIBRARY, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "LIBRARY", copy)
    code._imports.cache_clear()
    code.code_of.cache_clear()
    before = {stage: code.code_of(stage) for stage in ("detect", "composite", "encode")}
    target = copy / "comp" / "match.py"
    target.write_text(target.read_text() + "\n# a change\n")
    code._imports.cache_clear()
    code.code_of.cache_clear()
    after = {stage: code.code_of(stage) for stage in before}
    monkeypatch.undo()
    code._imports.cache_clear()
    code.code_of.cache_clear()
    assert {stage for stage in before if before[stage] != after[stage]} == {"composite"}
    assert Path(copy).is_dir()
