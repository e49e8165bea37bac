"""What surrounds every stage: log, ledger, record, and errors in words."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import FaceError
from understudy.runtime.job import Job, run, spoken, told
from understudy.runtime.ledger import events
from understudy.runtime.records import Facts, read_record

Given = Callable[..., Any]


def stage(job: Job) -> Facts:
    (job.folder / "made.txt").write_text(f"{job.shot} {job.settings['x']}")
    job.tick(len(job.frames))
    return {"frames": list(job.frames)}


def states(tmp_path: Path) -> list[str]:
    return [event["state"] for event in events(tmp_path / "ledger.jsonl")]


def test_a_stage_leaves_record_log_and_ledger(given: Given, tmp_path: Path):
    snakemake = given()
    run(snakemake, stage)
    record = read_record(Path(snakemake.output[0]))
    assert record.path("made.txt").read_text() == "a 1"
    assert record.facts == {"frames": [1001, 1002, 1003, 1004]}
    assert record.subject == {"shot": "a", "frames": [1001, 1004]}
    assert (tmp_path / "detect.log").read_text() == "done\n"
    assert (states(tmp_path)[0], states(tmp_path)[-1]) == ("started", "done")


def test_the_same_work_is_not_done_twice(given: Given, tmp_path: Path):
    run(given(), stage)
    Path(given().output[0]).unlink()
    run(given(), lambda job: pytest.fail("it was made already"))
    assert (tmp_path / "detect.log").read_text() == "reused\n"
    assert states(tmp_path)[-1] == "reused"


@pytest.mark.parametrize("change", [{"settings": {"x": 2}}, {"code": "d"}])
def test_other_settings_or_code_make_it_anew(given: Given, tmp_path: Path, change: dict):
    run(given(), stage)
    before = read_record(Path(given().output[0]))
    run(given(**change), stage)
    after = read_record(Path(given().output[0]))
    assert after.digest != before.digest
    assert states(tmp_path)[-1] == "done"


def test_inputs_are_given_by_name(given: Given, tmp_path: Path):
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    seen = {}

    def look(job: Job) -> Facts:
        seen.update(job.inputs)
        assert job.file("single") == tmp_path / "one"
        assert job.records("absent") == []
        return {}

    both = [str(tmp_path / "one"), str(tmp_path / "two")]
    run(given(inputs={"single": str(tmp_path / "one"), "several": both}), look)
    assert seen == {"single": [tmp_path / "one"], "several": [tmp_path / "one", tmp_path / "two"]}


def test_a_refusal_is_words_in_log_ledger_and_on_screen(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def refuse(job: Job) -> Facts:
        (job.folder / "half").write_text("half")
        raise FaceError("two faces", where="frame 1003", fix="choose one")

    with pytest.raises(SystemExit) as ended:
        run(given(), refuse)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert (
        said
        == "understudy: detect of shot a, frames 1001-1004 failed\nframe 1003: two faces\n  -> choose one\n"
    )
    assert (tmp_path / "detect.log").read_text() == "frame 1003: two faces\n  -> choose one"
    last = list(events(tmp_path / "ledger.jsonl"))[-1]
    assert (last["state"], last["reason"]) == ("failed", "frame 1003: two faces\n  -> choose one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detect", "detect.log", "ledger.jsonl"]
    assert not list((tmp_path / "detect").iterdir())


def test_a_fault_of_ours_keeps_its_traceback(given: Given, tmp_path: Path):
    def stumble(job: Job) -> Facts:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError):
        run(given(), stumble)
    assert "Traceback" in (tmp_path / "detect.log").read_text()
    assert states(tmp_path)[-1] == "failed"


def test_a_model_must_be_the_one_of_its_card(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    net = tmp_path / "store" / "net.tflite"
    net.parent.mkdir()
    net.write_bytes(b"weights")
    card = {
        "role": "landmarker", "family": "facemesh", "file": "net.tflite", "licence": "L", "evidence": "E", "uses": [],
        "sha256": hashlib.sha256(b"weights").hexdigest(),
    }  # fmt: skip
    asked: dict[str, Any] = {"models": {"mesh": card}}
    seen = {}

    def look(job: Job) -> Facts:
        seen.update(job.weights)
        return stage(job)

    run(given(**asked), look)
    assert (seen["mesh"].path, seen["mesh"].card.family) == (net, "facemesh")
    net.write_bytes(b"others")
    with pytest.raises(SystemExit):
        run(given(**asked), stage)
    said = capsys.readouterr().err
    assert f"model mesh: {net} has sha256" in said
    assert "delete the file, then run: snakemake models" in said


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.tif"), "make room on that disk"),
        (OSError("8192 requested and 4096 written"), "make room on that disk"),
        (PermissionError(errno.EACCES, "Permission denied", "x.tif"), "check the path, and the rights on it"),
    ],
)
def test_what_the_disk_refuses_gets_a_next_step(error: OSError, fix: str):
    assert told(error) == f"{error}\n  -> {fix}, then run the same command again: what is finished is kept"


def test_small_scripts_end_in_words(tmp_path: Path):
    with pytest.raises(SystemExit) as ended, spoken(tmp_path / "log", "shot a: "):
        raise FaceError("two faces", fix="choose one")
    assert ended.value.code == "understudy: shot a: two faces\n  -> choose one"
    assert (tmp_path / "log").read_text() == "two faces\n  -> choose one\n"
