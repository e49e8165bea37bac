"""The small decisions between the rooms: which boxes, which samples, which files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.errors import DeliverableError, PlateError
from understudy.faces.tracks import Track
from understudy.media import crops, stills
from understudy.media.colour import unit
from understudy.media.frames import Frames
from understudy.media.plate import Plate
from understudy.runtime.records import Record, Task, fulfil, read_record
from understudy.show.plan import Stamp, current
from understudy.stages.align import STEP, box_of, cuts_of
from understudy.stages.crops import Cut, read_cuts, write_cuts
from understudy.stages.encode import sweep
from understudy.stages.faces import Faces
from understudy.stages.finished import finished
from understudy.stages.hero import owing
from understudy.stages.ingest import ingest
from understudy.stages.match import chosen
from understudy.stages.review import by_stage
from understudy.stages.swap import atlas_of
from understudy.stages.tracks import seed_of
from understudy.stages.verdict import verdict

SIZE = (200, 100)
MakePlate = Callable[..., Plate]


def track(name: str, first: int, count: int, x: float = 90.0) -> Track:
    """A face of 40 x 40 pixels that moves a pixel a frame."""
    square = np.array([[0, 0, 0], [40, 0, 0], [40, 40, 0], [0, 40, 0]], np.float32)
    points = np.stack([square + np.array([x + step, 30, 0]) for step in range(count)]).astype(np.float32)
    ones = np.ones(count)
    return Track(
        id=name,
        frames=np.arange(first, first + count),
        points=points,
        transform=np.zeros((count, 4)),
        pose=np.zeros((count, 3)),
        light=np.zeros((count, 3)),
        score=ones,
        seen=np.ones(count, bool),
        five=np.repeat(points[:, :1, :2], 5, axis=1),
        embeddings=np.zeros((count, 0), np.float32),
    )


def test_a_box_holds_the_face_and_its_pad():
    points = np.array([[50.4, 40.2], [81.9, 77.0]])
    x0, y0, x1, y1 = box_of(points, 0.25, 400, 300)
    assert (x1 - x0) % STEP == (y1 - y0) % STEP == 0
    assert x0 <= 50.4 - 0.25 * 31.5 + 1
    assert x1 >= 81.9 + 0.25 * 31.5 - 1
    assert y0 <= 40.2 - 0.25 * 36.8 + 1
    assert y1 >= 77.0 + 0.25 * 36.8 - 1


def test_a_box_is_clipped_to_the_frame():
    assert box_of(np.array([[-30.0, -30.0], [30.0, 30.0]]), 0.5, 400, 300)[:2] == (0, 0)
    assert box_of(np.array([[380.0, 280.0], [440.0, 340.0]]), 0.5, 400, 300)[2:] == (400, 300)


def test_a_face_outside_the_frame_has_no_box():
    assert box_of(np.array([[-90.0, 10.0], [-50.0, 60.0]]), 0.1, 400, 300) is None


def test_cuts_go_frame_by_frame_and_page_by_page():
    cuts = cuts_of([track("t01", 5, 3), track("t02", 6, 4, 20.0)], range(4, 9), {"pad": 0.2, "templates": []}, SIZE)
    assert [(cut.frame, cut.track, cut.index) for cut in cuts] == [
        (5, "t01", 0), (6, "t01", 1), (6, "t02", 0), (7, "t01", 2), (7, "t02", 1), (8, "t02", 2),
    ]  # fmt: skip
    assert [cut.page for cut in cuts] == list(range(6))


def test_chunks_cut_the_same_boxes():
    tracks = [track("t01", 1, 20)]
    pad = {"pad": 0.2, "templates": []}
    whole = {(c.frame, c.box) for c in cuts_of(tracks, range(1, 21), pad, SIZE)}
    parts = {(c.frame, c.box) for r in (range(1, 8), range(8, 21)) for c in cuts_of(tracks, r, pad, SIZE)}
    assert whole == parts


def test_a_frame_of_the_contact_sheet_says_what_its_largest_face_owes():
    small, large = track("t01", 1, 3), track("t02", 2, 3)
    object.__setattr__(large, "points", large.points * 8)
    # 320 pixels over 128: 20 log10 2.5.
    assert owing([small, large], 2, 128) == ["8 dB debt"]
    assert owing([small, large], 1, 128) == []
    assert owing([small, large], 2, None) == owing([small], 9, 128) == []


def task(folder: Path, first: int, last: int, **changes: Any) -> Task:
    subject = {"shot": "a", "frames": [first, last]}
    record = folder / "work" / f"{first}.json"
    return Task("stills", record, subject, changes, "code", {}, folder / "out")


def written(
    folder: Path, first: int, last: int, kinds: tuple[str, ...] = ("tiff",), matte: bool = True
) -> Record:
    """Write a chunk of finished frames and its record."""

    def work(scratch: Path) -> dict[str, Any]:
        for frame in range(first, last + 1):
            image = np.full((4, 4, 3), frame % 256, np.uint8)
            for kind in kinds:
                (scratch / "frames").mkdir(exist_ok=True)
                stills.write(
                    scratch / "frames" / f"a.{frame:04d}{stills.suffix(kind)}", image, kind=kind, depth=8
                )
            if matte:
                (scratch / "matte").mkdir(exist_ok=True)
                stills.write(scratch / "matte" / f"a.{frame:04d}.tif", image, kind="tiff", depth=8)
        return {}

    return fulfil(task(folder, first, last, kinds=list(kinds), matte=matte), work)[0]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_index_comes_back(tmp_path: Path):
    cuts = [Cut(0, 7, "t01", 3, (1, 2, 33, 34)), Cut(1, 8, "t02", 0, (0, 0, 16, 16))]
    made, _ = fulfil(task(tmp_path, 7, 8), lambda folder: write_cuts(folder, cuts) or {})
    assert read_cuts(made) == cuts
    assert cuts[0].region == (slice(2, 34), slice(1, 33))
    assert cuts[0].corner.tolist() == [1, 2, 0]


def test_a_face_over_a_part_of_its_crop_is_that_part_of_it():
    rng = np.random.Generator(np.random.PCG64(8))
    crop, near = rng.random((90, 120, 3)).astype(np.float32), (slice(20, 80), slice(31, 101))
    cut = Cut(0, 7, "t01", 3, (100, 50, 220, 140))
    assert cut.part(near).box == (131, 70, 201, 130)
    turned, restored = np.array([[0.8, 0.1, -20.0], [-0.1, 0.8, -5.0]]), [rng.random((64, 64, 3)).astype(np.float32)]
    for place, size in ((np.eye(2, 3), (90, 120)), (turned, (56, 64))):
        pages = [rng.integers(0, 65536, (*size, 3)).astype(np.uint16)]
        mattes = [rng.integers(0, 65536, size).astype(np.uint16)]
        faces = Faces(pages, mattes, [place], restored, [turned])
        whole, part = faces.of(cut).over(crop), faces.of(cut, near).over(crop[near])
        inner = np.s_[14:-14, 14:-14]
        assert part.swapped[inner] == pytest.approx(whole.swapped[near][inner], abs=2e-3)
        assert part.change is not None and whole.change is not None
        if size == (90, 120):
            assert np.array_equal(part.swapped, whole.swapped[near])


def test_unit_scales_whole_numbers_only():
    assert unit(np.array([0, 13107, 65535], np.uint16)).tolist() == pytest.approx([0, 0.2, 1])
    assert unit(np.array([0.5, 3.0], np.float16)).tolist() == [0.5, 3.0]


def test_a_finished_frame_is_the_plates_own_where_nothing_was_changed(tmp_path: Path, make_plate: MakePlate):
    plate = make_plate(first=1, last=3, path=str(tmp_path / "a.%04d.png"))
    rng = np.random.Generator(np.random.PCG64(4))
    images = {frame: rng.integers(0, 256, (30, 40, 3)).astype(np.uint8) for frame in (1, 2, 3)}
    for frame, image in images.items():
        stills.write(plate.frame_path(frame), image, kind="png", depth=8)
    weight = np.zeros((10, 12), np.uint16)
    weight[2:5, 3:9] = 20000
    pixels = np.full((10, 12, 3), 77, np.uint8)

    def work(folder: Path) -> dict[str, Any]:
        crops.write(folder / "patches.tif", [pixels])
        crops.write(folder / "weights.tif", [weight])
        write_cuts(folder, [Cut(0, 2, "t01", 1, (20, 15, 32, 25))])
        return {}

    record, _ = fulfil(task(tmp_path, 1, 3), work)
    with finished(Frames(plate), [record]) as made:
        assert np.array_equal(made.read(1), images[1])
        assert not made.matte(1).any()
        changed = made.matte(2) > 0
        assert changed.sum() == 18
        assert (made.read(2)[changed] == 77).all()
        assert np.array_equal(made.read(2)[~changed], images[2][~changed])
        assert np.array_equal(made.coded(2), made.read(2))
    record.path("patches.tif").write_bytes(b"")
    with pytest.raises(DeliverableError, match=r"patches\.tif is missing or damaged") as refused:
        finished(Frames(plate), [record]).__enter__()
    assert "snakemake verify" in refused.value.fix


def test_what_an_earlier_range_or_format_left_is_swept(tmp_path: Path):
    written(tmp_path, 1, 3, ("png",))
    written(tmp_path, 9, 10, ("png", "tiff"))
    record = written(tmp_path, 9, 10)
    (tmp_path / "out" / "frames" / "notes.txt").write_text("a person's own")
    sweep(tmp_path / "out", [record])
    assert names(tmp_path / "out") == [
        "frames/a.0009.tif", "frames/a.0010.tif", "frames/notes.txt", "matte/a.0009.tif", "matte/a.0010.tif",
    ]  # fmt: skip


def test_a_shot_that_is_delivered_as_a_movie_alone_keeps_no_frames(tmp_path: Path):
    written(tmp_path, 1, 2)
    sweep(tmp_path / "out", [])
    assert names(tmp_path / "out") == []


def test_mattes_no_longer_delivered_are_swept(tmp_path: Path):
    written(tmp_path, 1, 2)
    sweep(tmp_path / "out", [written(tmp_path, 1, 2, matte=False)])
    assert names(tmp_path / "out") == ["frames/a.0001.tif", "frames/a.0002.tif"]


def test_samples_are_spread_over_the_frames_that_were_seen():
    face = track("t01", 1, 100)
    face.seen[20:] = False
    assert chosen(face, range(1, 101), 5) == [1, 6, 11, 15, 20]
    assert chosen(face, range(50, 61), 3) == [50, 55, 60]
    assert chosen(face, range(200, 210)) == []


def test_seeds_depend_on_shot_track_and_frame():
    seeds = {seed_of(shot, name, frame) for shot in "ab" for name in ("t01", "t02") for frame in (1, 2)}
    assert len(seeds) == 8
    assert seed_of("a", "t01", 1) == seed_of("a", "t01", 1)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_ingest_writes_the_plate_and_its_stamp(tmp_path: Path):
    folder = tmp_path / "seq"
    folder.mkdir()
    for frame in range(1001, 1004):
        stills.write(folder / f"a.{frame}.png", np.zeros((30, 40, 3), np.uint8), kind="png", depth=8)
    record, stamp = tmp_path / "plate.json", tmp_path / "plate.stamp"
    ingest(folder, record, stamp)
    plate = Plate.from_dict(json.loads(record.read_text()))
    assert (plate.first, plate.last, plate.width, plate.height) == (1001, 1003, 40, 30)
    known = Stamp.read(stamp)
    assert (known.kind, known.first, known.last) == ("sequence", 1001, 1003)
    assert current(stamp, folder)
    stills.write(folder / "a.1004.png", np.zeros((30, 40, 3), np.uint8), kind="png", depth=8)
    assert not current(stamp, folder)


def test_a_refused_plate_leaves_neither(tmp_path: Path):
    (tmp_path / "a.mov").write_bytes(b"")
    with pytest.raises(PlateError, match="the file is empty"):
        ingest(tmp_path / "a.mov", tmp_path / "plate.json", tmp_path / "plate.stamp")
    assert names(tmp_path) == ["a.mov"]


def test_the_page_shows_settings_by_stage_and_models_by_licence():
    row = {"name": "net", "file": "net.onnx", "sha256": "0" * 64, "licence": "MIT", "evidence": "its LICENSE"}
    shown = by_stage({"swap": {"engine": "mesh"}, "purpose": "research", "models": [row]})
    assert shown == {"swap": {"engine": "mesh"}, "models": {"purpose": "research", "net": "MIT"}}


@pytest.mark.parametrize(("state", "bad"), [("ok", False), ("warn", False), ("fail", True)])
def test_the_verdict_tells_failures_and_counts_warnings(tmp_path: Path, state: str, bad: bool):
    flags = [{"level": "warn", "first": 1, "last": 2, "track": "t01", "reason": "dim", "action": "look"}] * 2
    if bad:
        worst = {
            "level": "fail",
            "first": 7,
            "last": 9,
            "track": "t01",
            "reason": "no face",
            "action": "add roto",
        }
        flags.append(worst)

    def work(folder: Path) -> dict[str, Any]:
        path = folder / "out" / "a" / "qc.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"state": state, "flags": flags}))
        return {}

    asked = Task("qc", tmp_path / "qc.json", {"shot": "a", "frames": [1, 9]}, {}, "c", {}, tmp_path / "show")
    fulfil(asked, work)
    read_record(tmp_path / "qc.json")
    words, failed = verdict([tmp_path / "qc.json"])
    assert failed is bad
    assert words.startswith(f"a: {state}, 2 warnings\n")
    assert ("  frames 7-9 t01: no face\n    -> add roto" in words) is bad


def test_what_a_picture_is_worth_is_the_word_of_the_engines_own_recogniser(tmp_path: Path):
    picture = tmp_path / "a.png"
    stills.write(picture, np.zeros((8, 8, 3), np.uint8), kind="png", depth=8)

    def work(folder: Path) -> dict[str, Any]:
        arrays = {"points0": np.zeros((468, 3)), "light0": np.zeros(3), "five0": np.zeros((5, 2))}
        for name, worth in (("one", 0.2), ("other", 0.9)):
            arrays |= {f"vectors.{name}": np.ones((1, 4)), f"quality.{name}": np.array([worth])}
        np.savez(folder / "atlas.npz", **arrays)
        return {"talent": "mara", "pictures": [str(picture)]}

    record, _ = fulfil(Task("talent", tmp_path / "atlas.json", {"talent": "mara"}, {}, "c", {}), work)
    assert atlas_of(record, ["one"]).quality.tolist() == [0.2]
    assert atlas_of(record, ["other"]).quality.tolist() == [0.9]
    assert set(atlas_of(record, ["one"]).embeddings) == {"one", "other"}
    assert len(atlas_of(record).quality) == 0
