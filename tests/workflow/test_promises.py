"""The promises of the design, on shows that are really rendered."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from shows import TestShow, copy_of, kill

from understudy.media import stills
from understudy.runtime.records import read_record


def frames_of(show: TestShow, shot: str) -> list[Path]:
    return sorted((show.out / shot / "frames").iterdir())


def test_frames_in_are_frames_out(finished: TestShow):
    assert [path.name for path in frames_of(finished, "mov")] == [f"mov.{n:04d}.tif" for n in range(1, 21)]
    assert [path.name for path in frames_of(finished, "seq")] == [f"seq.{n:04d}.tif" for n in range(1001, 1015)]
    for shot, codec in (("mov", "h264"), ("seq", "h264")):
        assert len(list((finished.out / shot / "movie").glob(f"{shot}_{codec}.*"))) == 1
        assert json.loads((finished.out / shot / "qc.json").read_text())["state"] in ("ok", "warn")
        assert (finished.out / shot / "settings.json").is_file()
        assert list((finished.out / shot).glob("*.cube"))
    assert (finished.result / "review" / "index.html").is_file()


def test_pixels_are_the_plates_own_bits_where_the_matte_is_zero(finished: TestShow):
    plates = finished.folder / "plates" / "seq"
    changed = 0
    for path in frames_of(finished, "seq"):
        plate = stills.read(plates / f"{path.stem}.png")
        result = stills.read(path)
        matte = stills.read(finished.out / "seq" / "matte" / path.name)[..., 0]
        assert np.array_equal(plate[matte == 0], result[matte == 0])
        changed += np.count_nonzero((plate != result).any(axis=2))
        assert matte.any(), f"{path.name}: no face was laid in"
    assert changed > 1000


@pytest.mark.parametrize(("chunk", "cores"), [(500, 1), pytest.param(48, 4, marks=pytest.mark.slow)])
def test_neither_chunks_nor_cores_change_a_pixel(fresh: TestShow, finished: TestShow, chunk: int, cores: int):
    fresh.config["chunk"] = chunk
    fresh.write()
    fresh.run(cores=cores)
    assert fresh.hashes() == finished.hashes()


def disturb(show: TestShow, rng: random.Random, kills: int, spread: float) -> None:
    """Start the show and kill it in the midst of its work, so many times; one that got to its end begins anew."""
    cut = 0
    for _ in range(3 * kills):
        process = show.start()
        time.sleep(rng.uniform(0.5, spread))
        if process.poll() is None:
            cut += 1
        else:
            shutil.rmtree(show.folder / "render", ignore_errors=True)
        kill(process, group=rng.random() < 0.5)
        if cut == kills:
            return
    raise AssertionError(f"only {cut} of {3 * kills} starts were cut off: the moments are too late")


@pytest.mark.parametrize(("kills", "spread"), [(2, 12.0), pytest.param(20, 5.0, marks=pytest.mark.slow)])
def test_a_killed_show_is_finished_by_the_same_command(
    fresh: TestShow, finished: TestShow, kills: int, spread: float
):
    rng = random.Random(kills)
    disturb(fresh, rng, kills, spread)
    fresh.run()
    assert fresh.hashes() == finished.hashes()
    assert not list(fresh.result.rglob("*.part-*"))


def test_a_second_driver_is_refused(fresh: TestShow):
    first = fresh.start()
    try:
        lock = fresh.work / "driver.lock"
        for _ in range(300):
            if lock.is_file() and lock.stat().st_size:
                break
            time.sleep(0.1)
        second = fresh.run(check=False)
    finally:
        kill(first, group=True)
    assert second.returncode
    assert "another run is working on this show" in second.stdout


@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted"])
def test_verify_finds_damage_and_the_next_run_mends_it(tmp_path: Path, finished: TestShow, damage: str):
    show = copy_of(finished, tmp_path, rendered=True)
    victim = show.out / "seq" / "frames" / "seq.1005.tif"
    data = bytearray(victim.read_bytes())
    if damage == "truncated":
        victim.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    else:
        victim.unlink()
    checked = show.run("verify", check=False)
    assert checked.returncode
    assert "seq.1005.tif" in checked.stdout
    show.run()
    assert show.hashes() == finished.hashes()
    assert "every record holds" in show.run("verify").stdout


def test_a_record_says_what_it_was_made_from(finished: TestShow):
    record = read_record(finished.work / "seq" / "swap" / "0001001-0001007.json")
    assert record.basis["settings"]["engine"] == "mesh"
    assert set(record.basis["inputs"]) >= {"crops", "tracks", "talents"}
    assert record.facts == {"faces": 7}
