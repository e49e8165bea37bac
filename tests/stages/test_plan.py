"""Which chunks there are, and what each stage of each is asked to do."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.errors import ConfigError
from understudy.show.load import load_show
from understudy.show.overrides import overrides_of
from understudy.show.plan import CHUNKED, ORDER, WHOLE, Plan, Stamp, current, watched

ROOT = Path(__file__).resolve().parents[2]
MakePlan = Callable[..., Plan]
MOVIE, STILLS = Stamp("movie", 1, 50, 7, 8), Stamp("sequence", 1001, 1020, 7, 8)


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    """The plan of a show with a movie ``mov`` (frames 1-50) and a sequence ``seq`` (1001-1020)."""

    def make(
        cells: str = "\t",
        overrides: dict[str, Any] | None = None,
        looks: dict[str, Any] | None = None,
        chunk: int = 16,
    ) -> Plan:
        config = tmp_path / "config"
        (config / "overrides").mkdir(parents=True, exist_ok=True)
        (tmp_path / "p.mov").touch()
        (tmp_path / "p.png").touch()
        rows = [f"mov\tp.mov\t{cells}\tmara\t\treview\t3\tsoft", "seq\tp.mov\t\t\tt02=mara\t\tfinal\t\t"]
        header = "shot\tplate\tin\tout\tcast\tlook\tdelivery\tpriority\tnotes"
        (config / "shots.tsv").write_text("\n".join([header, *rows]))
        (config / "talent.yaml").write_text("mara: {name: Mara, pictures: [p.png], clearance: c}\n")
        head = "id\ttalent\tproject\tuses\tfrom\tuntil\tdocument\tapproved by"
        (config / "clearances.tsv").write_text(
            f"{head}\nc\tmara\tfilm\tface_replacement\t2020-01-01\topen\td\tme\n"
        )
        base = {"show": {"settings": {}}, "looks": {}, "shots": {}}
        (config / "looks.yaml").write_text(yaml.safe_dump(base | (looks or {})))
        if overrides:
            (config / "overrides" / "mov.yaml").write_text(yaml.safe_dump(overrides))
        deliveries = {
            "review": {
                "frames": {"format": "tiff"},
                "movies": [{"codec": "h264"}, {"codec": "prores_4444", "name": "master"}],
            },
            "final": {"matte": True, "frames": {"format": "exr"}},
        }
        models = str(ROOT / "config" / "models.yaml")
        given = {"show": "film", "chunk": chunk, "deliveries": deliveries, "models": models}
        show = load_show(given, tmp_path, today=datetime.date(2026, 1, 1))
        return Plan(show, {"mov": MOVIE, "seq": STILLS})

    return make


def test_chunks_cover_the_range_once(make_plan: MakePlan):
    plan = make_plan()
    assert plan.chunks("mov") == ["0000001-0000016", "0000017-0000032", "0000033-0000048", "0000049-0000050"]
    assert plan.chunks("seq") == ["0001001-0001016", "0001017-0001020"]
    assert plan.frames("mov", "0000049-0000050") == (49, 50)
    assert (plan.frames("mov"), plan.frames("seq")) == ((1, 50), (1001, 1020))
    assert (plan.has("extract", "mov"), plan.has("extract", "seq")) == (True, False)


def test_in_and_out_cut_the_plate(make_plan: MakePlan):
    plan = make_plan("5\t20")
    assert plan.frames("mov") == (5, 20)
    assert plan.chunks("mov") == ["0000005-0000020"]


@pytest.mark.parametrize(("cells", "named"), [("0\t", "0-50"), ("\t51", "1-51"), ("60\t70", "60-70")])
def test_in_and_out_must_lie_in_the_plate(make_plan: MakePlan, cells: str, named: str):
    with pytest.raises(ConfigError) as refused:
        make_plan(cells)
    assert refused.value.what == f"in/out {named} lies outside the plate, which has frames 1-50"
    assert refused.value.where == "shot mov (row 2 of the shot list)"


def test_every_job_is_json_and_names_its_models(make_plan: MakePlan):
    plan = make_plan()
    for stage in ORDER:
        chunk = plan.chunks("mov")[0] if stage in CHUNKED else None
        job = plan.job(stage, "mov", chunk)
        assert json.loads(json.dumps(job)) == job
        assert job["subject"] == {"shot": "mov", "frames": [1, 16] if chunk else [1, 50]}
        assert set(job["models"]) == {
            "detect": {"blazeface_full_range", "face_mesh_468"}, "track": {"face_mesh_468"}
        }.get(stage, set())  # fmt: skip
        assert set(job["settings"]["cards"]) == set(job["models"])
    assert plan.talent_job("mara")["models"].keys() == {"blazeface_full_range", "face_mesh_468"}


def test_only_results_leave_the_work_folder(make_plan: MakePlan):
    into = {stage: make_plan().job(stage, "mov")["into"] for stage in ORDER}
    assert {stage for stage, folder in into.items() if folder} == {"stills", "encode", "qc"}
    assert into["stills"] == into["encode"]
    assert into["stills"].endswith("film/out/mov")


def test_notes_and_priority_reach_no_stage_that_makes_a_picture(make_plan: MakePlan):
    plan = make_plan()
    texts = {stage: json.dumps(plan.job(stage, "mov")["settings"]) for stage in ORDER}
    assert [stage for stage in ORDER if "soft" in json.loads(texts[stage]).values()] == ["qc"]


def test_track_gets_cast_and_overrides(make_plan: MakePlan):
    plan = make_plan(
        overrides={"ignore": ["t03"], "split": [{"track": "t01", "frame": 9}], "cast": {"t02": "mara"}}
    )
    settings = plan.job("track", "mov")["settings"]
    assert settings["cast"] == [["largest", None, "mara"]]
    overrides = overrides_of(settings["overrides"])
    assert (overrides.ignore, overrides.split, overrides.cast) == (("t03",), (("t01", 9),), {"t02": "mara"})
    assert plan.job("track", "seq")["settings"]["cast"] == [["track", "t02", "mara"]]
    assert "ranges" not in settings["look"]


def test_overrides_go_only_where_they_matter(make_plan: MakePlan):
    """A frame left alone repaints nothing above the composite; roto makes nothing new above the matte."""
    plain = make_plan()
    before = {stage: plain.job(stage, "mov") for stage in ORDER}
    changed = make_plan(overrides={"exclude": "3-4,9"})
    after = {stage: changed.job(stage, "mov") for stage in ORDER}
    assert {stage for stage in ORDER if before[stage] != after[stage]} == {"composite", "qc"}
    assert after["composite"]["settings"]["exclude"] == [[3, 4], [9, 9]]
    changed = make_plan(overrides={"roto": [{"pattern": "r.%04d.png", "mode": "add"}]})
    after = {stage: changed.job(stage, "mov") for stage in ORDER}
    assert {stage for stage in ORDER if before[stage] != after[stage]} == {"matte"}
    (roto,) = after["matte"]["settings"]["roto"]
    assert roto.pop("pattern").endswith("r.%04d.png")
    assert roto == {"channel": "R", "mode": "add", "erode": 0.0, "feather": None}


def test_a_matte_reads_its_neighbours_only_where_the_look_needs_them(make_plan: MakePlan):
    def near(**matte: Any) -> list[str]:
        plan = make_plan(looks={"show": {"settings": {"matte": matte}}})
        return plan.around("mov", "0000017-0000032", plan.window("matte", "mov"))

    assert near() == near(steady=4) == ["0000017-0000032"]
    assert near(difference=0.05, steady=2) == ["0000001-0000016", "0000017-0000032", "0000033-0000048"]
    assert near(hold_back=0.5) == make_plan().chunks("mov")
    assert make_plan().window("composite", "mov") == 0


def test_only_a_look_with_a_window_has_its_faces_steadied(make_plan: MakePlan):
    plain = make_plan()
    assert not plain.has("steady", "mov")
    assert plain.window("steady", "mov") == 0
    plan = make_plan(looks={"show": {"settings": {"steady": {"window": 2}}}}, chunk=7)
    assert plan.has("steady", "mov")
    assert [plan.window(stage, "mov") for stage in ("steady", "composite")] == [2, 0]
    # Frames 6 to 16 are asked of the chunk 8 to 14, and 48 to 50 of the last, which has one frame.
    assert plan.around("mov", "0000008-0000014", 2) == ["0000001-0000007", "0000008-0000014", "0000015-0000021"]
    assert plan.around("mov", "0000050-0000050", 2) == ["0000043-0000049", "0000050-0000050"]
    assert plan.job("steady", "mov", "0000001-0000007")["settings"] == {"window": 2, "decay": 0.7, "cards": {}}
    before, after = (each.job("hero", "mov")["settings"] for each in (plain, plan))
    assert before == after, "single frames have no neighbours"


def test_the_composite_gets_the_finish_and_its_frame_ranges(make_plan: MakePlan):
    ranges = [{"frames": "3-5", "settings": {"composite": {"opacity": 0.5}}}]
    settings = make_plan(looks={"shots": {"mov": {"ranges": ranges}}}).job("composite", "mov")["settings"]
    assert {"light", "texture", "grain", "opacity"} <= settings.keys()
    assert settings["ranges"] == [{"frames": [[3, 5]], "set": {"opacity": 0.5}}]
    assert "deliveries" not in settings


def test_a_delivery_changes_what_is_written_and_nothing_above(make_plan: MakePlan):
    settings = make_plan().job("stills", "mov")["settings"]
    assert set(settings) == {"deliveries", "cards"}
    assert list(settings["deliveries"]) == ["review"]
    assert "movies" not in settings["deliveries"]["review"]


def test_a_frame_range_outside_the_shot_is_refused(make_plan: MakePlan):
    with pytest.raises(ConfigError, match="exclude names frame 51, but shot mov has frames 1-50"):
        make_plan(overrides={"exclude": "51"})


def test_encode_gets_the_movies_by_name(make_plan: MakePlan):
    movies = make_plan().job("encode", "mov")["settings"]["movies"]
    assert {name: movie["codec"] for name, movie in movies.items()} == {
        "h264": "h264",
        "master": "prores_4444",
    }
    assert make_plan().job("encode", "seq")["settings"]["movies"] == {}


def test_totals_count_every_frame_of_every_stage(make_plan: MakePlan):
    totals = make_plan().totals()
    assert list(totals["mov"]) == [stage for stage in ORDER if stage not in ("enhance", "steady")]
    assert "extract" not in totals["seq"]
    for shot, frames in (("mov", 50), ("seq", 20)):
        assert {sum(chunks.values()) for chunks in totals[shot].values()} == {frames}
    assert all(list(totals["mov"][stage]) == [stage] for stage in WHOLE)


def test_a_stamp_tells_a_changed_plate(tmp_path: Path):
    plate, stamp = tmp_path / "a.mov", tmp_path / "plate.stamp"
    plate.write_bytes(b"1234")
    assert not current(stamp, plate)
    now = plate.stat()
    known = {"kind": "movie", "first": 1, "last": 2, "size": now.st_size, "mtime_ns": now.st_mtime_ns}
    stamp.write_text(json.dumps(known))
    assert current(stamp, plate)
    os.utime(plate, ns=(0, 1))
    assert not current(stamp, plate)


def test_a_sequence_is_watched_by_its_folder(tmp_path: Path):
    assert watched(tmp_path) == tmp_path
    assert watched(tmp_path / "a.%04d.exr") == tmp_path
