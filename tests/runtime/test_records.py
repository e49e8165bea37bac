"""Records: a payload is taken when it holds, made again when it does not, and never half there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.errors import DeliverableError
from understudy.runtime.records import Task, collect, file_hash, fulfil, read_record, text_digest, verify


def task(folder: Path, **changes) -> Task:
    given = {
        "stage": "detect",
        "record": folder / "detect" / "0001-0008.json",
        "subject": {"shot": "sh010", "frames": [1, 8]},
        "settings": {"min_score": 0.5},
        "code": "abc",
        "inputs": {},
    }
    return Task(**(given | changes))


def work(folder: Path) -> dict:
    (folder / "sub").mkdir()
    (folder / "faces.jsonl").write_text("one\n")
    (folder / "sub" / "page.bin").write_bytes(b"\0" * 100)
    return {"faces": 1}


def never(folder: Path) -> dict:
    raise AssertionError("the work should not have been done again")


def test_work_is_done_once_and_recorded(tmp_path):
    record, reused = fulfil(task(tmp_path), work)
    assert not reused
    assert record.facts == {"faces": 1}
    assert sorted(record.files) == ["faces.jsonl", "sub/page.bin"]
    assert record.path("faces.jsonl").read_text() == "one\n"
    assert record.folder.name == f"0001-0008.{record.digest[:16]}"
    again, reused = fulfil(task(tmp_path), never)
    assert reused
    assert again == record


def test_the_payload_outlives_its_record(tmp_path):
    """Snakemake deletes a job's outputs before it runs the job again."""
    fulfil(task(tmp_path), work)
    text = task(tmp_path).record.read_bytes()
    task(tmp_path).record.unlink()
    _, reused = fulfil(task(tmp_path), never)
    assert reused
    assert task(tmp_path).record.read_bytes() == text


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"min_score": 0.6}},
        {"code": "abd"},
        {"subject": {"shot": "sh010", "frames": [1, 9]}},
        {"stage": "track"},
    ],
)
def test_whatever_the_result_depends_on_makes_new_work(tmp_path, change):
    first, _ = fulfil(task(tmp_path), work)
    second, reused = fulfil(task(tmp_path, **change), work)
    assert not reused
    assert second.digest != first.digest
    assert second.folder != first.folder


def test_going_back_to_earlier_settings_finds_the_earlier_payload(tmp_path):
    fulfil(task(tmp_path), work)
    fulfil(task(tmp_path, settings={"min_score": 0.9}), work)
    _, reused = fulfil(task(tmp_path), never)
    assert reused


def test_an_input_record_counts_by_what_it_made_not_by_how(tmp_path):
    upstream = tmp_path / "a" / "x.json"
    fulfil(task(tmp_path, record=upstream), work)
    fulfil(task(tmp_path, inputs={"faces": [upstream]}), work)
    fulfil(task(tmp_path, record=upstream, code="other code, same bytes"), work)
    _, reused = fulfil(task(tmp_path, inputs={"faces": [upstream]}), never)
    assert reused


def test_a_file_that_is_no_record_counts_by_its_bytes(tmp_path):
    plate = tmp_path / "plate.json"
    plate.write_text('{"first": 1}')
    one, _ = fulfil(task(tmp_path, inputs={"plate": [plate]}), work)
    plate.write_text('{"first": 2}')
    two, _ = fulfil(task(tmp_path, inputs={"plate": [plate]}), work)
    assert one.digest != two.digest


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_damage_is_noticed_by_whoever_reads_and_mended_by_the_next_run(tmp_path, damage):
    record, _ = fulfil(task(tmp_path), work)
    victim = record.folder / "sub" / "page.bin"
    if damage == "truncate":
        victim.write_bytes(b"\0" * 99)
    elif damage == "flip":
        victim.write_bytes(b"\0" * 99 + b"\1")
    else:
        victim.unlink()
    with pytest.raises(DeliverableError, match=r"page\.bin is missing or damaged\n  -> run `snakemake verify`"):
        read_record(task(tmp_path).record).path("sub/page.bin")
    with pytest.raises(DeliverableError, match=r"page\.bin is missing or damaged\n  -> run `snakemake verify`"):
        read_record(task(tmp_path).record).read("sub/page.bin")
    mended, reused = fulfil(task(tmp_path), work)
    assert not reused
    assert not mended.damaged()
    assert mended.read("sub/page.bin").tobytes() == victim.read_bytes()


def test_failed_work_leaves_nothing(tmp_path):
    def fails(folder: Path) -> dict:
        (folder / "half").write_text("half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fulfil(task(tmp_path), fails)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list((tmp_path / "detect").iterdir()) == []


def test_what_a_dead_process_left_is_swept(tmp_path):
    record, _ = fulfil(task(tmp_path), work)
    import socket

    left = record.folder.parent / f".detect-0001-0008.feed.part-{socket.gethostname()}-99999999"
    left.mkdir()
    fulfil(task(tmp_path, code="new"), work)
    assert not left.exists()


def test_a_dead_process_that_nobody_has_asked_for_is_dead(tmp_path):
    """As a killed job's is in a container, for seconds or for ever; and one that lives keeps what it makes."""
    import socket
    import subprocess

    record, _ = fulfil(task(tmp_path), work)
    stem = record.folder.parent / f".detect-0001-0008.feed.part-{socket.gethostname()}"
    with subprocess.Popen(["sleep", "60"]) as child:
        left = stem.with_name(f"{stem.name}-{child.pid}")
        left.mkdir()
        fulfil(task(tmp_path, code="new"), work)
        assert left.exists()
        child.kill()
        while " Z " not in Path(f"/proc/{child.pid}/stat").read_text():
            pass
        fulfil(task(tmp_path, code="newer"), work)
        assert not left.exists()


def test_files_can_go_into_a_folder_of_fixed_names(tmp_path):
    out = tmp_path / "out" / "sh010"
    record, _ = fulfil(task(tmp_path, into=out), work)
    assert (out / "sub" / "page.bin").is_file()
    assert record.folder == out
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_verify_drops_what_no_longer_holds_and_names_it(tmp_path):
    whole, _ = fulfil(task(tmp_path, record=tmp_path / "a.json"), work)
    broken, _ = fulfil(task(tmp_path, record=tmp_path / "b.json"), work)
    (broken.folder / "faces.jsonl").write_text("two\n")
    found = verify(tmp_path)
    assert found == {str(tmp_path / "b.json"): [str(broken.folder / "faces.jsonl")]}
    assert (tmp_path / "a.json").is_file()
    assert not list(tmp_path.glob("b.*.receipt"))
    assert not (tmp_path / "b.json").exists()
    assert verify(tmp_path) == {}
    assert not whole.damaged()


def test_results_that_later_settings_wrote_over_are_no_damage(tmp_path):
    def other(folder: Path) -> dict:
        (folder / "faces.jsonl").write_text("another\n")
        return {}

    fulfil(task(tmp_path, into=tmp_path / "out"), work)
    fulfil(task(tmp_path, into=tmp_path / "out", code="new"), other)
    assert verify(tmp_path) == {}
    assert len(list(tmp_path.rglob("*.receipt"))) == 1


def test_collect_keeps_what_records_name(tmp_path):
    old, _ = fulfil(task(tmp_path), work)
    new, _ = fulfil(task(tmp_path, code="new"), work)
    assert collect(tmp_path) == [old.folder]
    assert not old.folder.exists()
    assert not new.damaged()


def test_a_broken_record_is_refused_in_words(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"stage": "detect"')
    with pytest.raises(DeliverableError, match="not a readable record"):
        read_record(path)


def test_hashes_are_those_of_independent_tools(tmp_path):
    """SHA-256 of the canonical text by hashlib; XXH3-128 of the empty input as published with the algorithm."""
    import hashlib

    value = {"b": [1, 2.5], "a": None}
    assert text_digest(value) == hashlib.sha256(b'{"a":null,"b":[1,2.5]}').hexdigest()
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert file_hash(empty) == "99aa06d3014798d86001c324468d497f"


def test_records_say_nothing_that_differs_between_runs(tmp_path):
    fulfil(task(tmp_path / "one"), work)
    fulfil(task(tmp_path / "two"), work)
    one, two = (json.loads(task(tmp_path / name).record.read_text()) for name in ("one", "two"))
    assert one == two
