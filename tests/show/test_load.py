# ruff: noqa: E501  (one case per line reads best)
from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.errors import ClearanceError, ConfigError, PlateError, UnderstudyError
from understudy.show.cast import CastEntry
from understudy.show.load import Show, load_show
from understudy.show.settings import settings_at

Load = Callable[..., Show]


def test_a_show_is_read(folder: Path, load: Load) -> None:
    show = load()
    assert list(show.shots) == ["sh010", "sh020", "0030"]
    shot = show.shots["sh010"]
    assert (shot.first, shot.last, shot.priority, shot.row, shot.notes) == (1001, 1048, 5, 2, "first")
    assert shot.plate == folder / "plates/a.mov"
    assert shot.cast == (CastEntry("largest", None, "mara"),)
    assert show.shots["sh020"].first is None and show.shots["sh020"].priority == 0
    assert show.shots["0030"].delivery == ("review", "final")
    assert show.talents["mara"].pictures == (folder / "pictures/mara.png",)
    assert show.project == "film"
    assert show.work == folder / "results/film/work"
    assert show.talents_of("sh020") == ["ben", "mara"]


def test_deliveries_are_complete(load: Load) -> None:
    assert load().deliveries == {
        "review": {
            "frames": {"format": "tiff", "depth": None},
            "matte": False,
            "movies": [{"name": "h264", "codec": "h264", "crf": 20, "preset": "medium"}],
        },
        "final": {"frames": {"format": "exr", "depth": 16}, "matte": True, "movies": []},
    }


def test_settings_come_from_the_nearest_layer(load: Load) -> None:
    show = load()
    gentle, bare = show.settings("sh010"), show.settings("sh020")
    assert gentle["swap"]["shape"] == bare["swap"]["shape"] == 0.4  # show
    assert gentle["matte"]["feather"] == 0.1 and gentle["matte"]["erode"] == 0.05  # inherited, own
    assert gentle["track"]["smooth"] == 2 and bare["track"]["smooth"] != 2  # shot
    assert gentle["composite"]["ranges"] == [
        {"frames": [[1010, 1012], [1020, 1020]], "set": {"opacity": 0.5}}
    ]
    assert settings_at(gentle["composite"], 1011)["opacity"] == 0.5
    assert settings_at(gentle["composite"], 1013)["opacity"] == 1.0
    assert "ranges" not in bare["composite"]
    assert json.loads(json.dumps(gentle)) == gentle
    gentle["swap"]["shape"] = 9
    gentle["composite"]["ranges"][0]["set"]["opacity"] = 9
    assert show.settings("sh010")["swap"]["shape"] == 0.4
    assert show.settings("sh010")["composite"]["ranges"][0]["set"]["opacity"] == 0.5


def test_overrides_win_over_the_look(folder: Path, load: Load) -> None:
    text = "exclude: 1001-1002\nranges:\n  - {frames: 1020-1021, settings: {composite: {opacity: 0.25}}}\n"
    (folder / "config/overrides/sh010.yaml").write_text(text, encoding="utf-8")
    show = load()
    composite = show.settings("sh010")["composite"]
    assert [settings_at(composite, frame)["opacity"] for frame in (1012, 1020, 1021, 1022)] == [
        0.5,
        0.25,
        0.25,
        1.0,
    ]
    assert show.overrides("sh010").exclude == ((1001, 1002),)
    assert show.overrides("sh020").exclude == ()


def test_keys_of_the_overrides_win_setting_by_setting(folder: Path, load: Load) -> None:
    looks = folder / "config/looks.yaml"
    text = "\n    keys:\n      - {frame: 1030, settings: {matte: {feather: 0.3, erode: 0.2}}}"
    before = looks.read_text(encoding="utf-8")
    assert "\n    ranges:" in before
    looks.write_text(before.replace("\n    ranges:", f"{text}\n    ranges:"), encoding="utf-8")
    keys = "keys:\n  - {frame: 1041, settings: {matte: {erode: 0.4}}}\n  - {frame: 1031, settings: {matte: {erode: 0}}}\n"
    (folder / "config/overrides/sh010.yaml").write_text(keys, encoding="utf-8")
    matte = load().settings("sh010")["matte"]
    assert matte["keys"] == {"feather": [[1030, 0.3]], "erode": [[1031, 0], [1041, 0.4]]}
    assert settings_at(matte, 1036)["erode"] == pytest.approx(0.2)
    (folder / "config/overrides/sh010.yaml").write_text(keys.replace("1041", "2041"), encoding="utf-8")
    with pytest.raises(ConfigError, match="a key of settings names frame 2041, but shot sh010 has frames 1001-1048"):
        load()


def test_overrides_may_cast_a_talent(folder: Path, load: Load) -> None:
    (folder / "config/overrides/sh010.yaml").write_text("cast: {t02: ben}\n", encoding="utf-8")
    assert load().talents_of("sh010") == ["ben", "mara"]
    (folder / "pictures/ben.png").unlink()
    with pytest.raises(PlateError, match=r"ben\.png is missing"):
        load(only="sh010")


@pytest.mark.parametrize(
    "only, chosen",
    [
        ("", ["sh010", "sh020", "0030"]),
        ("sh020", ["sh020"]),
        ("sh*", ["sh010", "sh020"]),
        ("0030,sh01?", ["sh010", "0030"]),
        ("sh0[2-9]0", ["sh020"]),
    ],
)
def test_only_chooses_shots(load: Load, only: str, chosen: list[str]) -> None:
    show = load(only=only)
    assert list(show.shots) == chosen
    assert list(show.all_shots) == ["sh010", "sh020", "0030"]


def test_what_is_not_chosen_may_be_missing(folder: Path, load: Load) -> None:
    (folder / "plates/a.mov").unlink()
    assert list(load(only="sh020").shots) == ["sh020"]


@pytest.mark.parametrize(
    "plate", ["plates/seq/b.####.exr", "plates/seq/b.%d.exr", "plates/seq/b.#.exr", "plates/seq"]
)
def test_sequences_are_named_in_several_ways(folder: Path, load: Load, plate: str) -> None:
    _edit(folder, "shots.tsv", "plates/seq/b.%04d.exr", plate)
    assert load().shots["sh020"].plate == folder / plate


def test_ids_that_look_like_other_things_survive(folder: Path, load: Load) -> None:
    (folder / "config/shots.tsv").write_bytes(
        b"\xef\xbb\xbfShot ; PLATE;cast;Delivery;in;out;notes\r\n"
        b'0010;plates/a.mov;NO;review;0101;0102;"a; b""c"""\r\n'
        b"\r\n# a comment\r\n"
        b"1E10;plates/a.mov;largest=NO;review\r\n"
        b"TRUE;plates/a.mov;NO;review;;;=1+1\r\n"
    )
    (folder / "config/talent.yaml").write_text(
        "NO: {name: 'No', pictures: [pictures/ben.png], clearance: 1E10}\n"
    )
    (folder / "config/clearances.tsv").write_text(
        "id,talent,project,uses,from,until,document,Approved By\n"
        "1E10,NO,0007,face_replacement,2026-01-01,open,7,0\n"
    )
    (folder / "config/looks.yaml").write_text("shots: {0010: {settings: {swap: {shape: 0.7}}}}\n")
    show = load(project="0007")
    assert list(show.shots) == ["0010", "1E10", "TRUE"]
    assert (show.shots["0010"].first, show.shots["0010"].notes) == (101, 'a; b"c"')
    assert show.shots["TRUE"].notes == "=1+1" and show.shots["TRUE"].row == 6
    assert show.settings("0010")["swap"]["shape"] == 0.7


def test_the_shipped_configuration_is_a_template_without_shots(root: Path) -> None:
    config = yaml.safe_load((root / "config/config.yaml").read_text(encoding="utf-8"))
    show = load_show(config, root, today=datetime.date(2026, 1, 1))
    assert show.all_shots == {} and show.shots == {}
    assert {"blazeface_full_range", "face_mesh_468"} <= set(show.models)
    assert list(show.deliveries) == ["review", "final"]


def test_an_empty_configuration_has_the_shipped_defaults(root: Path) -> None:
    show = load_show({}, root, today=datetime.date(2026, 1, 1))
    shipped = yaml.safe_load((root / "config/config.yaml").read_text(encoding="utf-8"))
    loaded = load_show(shipped, root, today=datetime.date(2026, 1, 1))
    assert (show.name, show.root, show.chunk, show.store) == (
        loaded.name,
        loaded.root,
        loaded.chunk,
        loaded.store,
    )


def _edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "config" / file
    text = path.read_text(encoding="utf-8")
    assert old in text or not old
    path.write_text(text.replace(old, new, 1) if old else new, encoding="utf-8")


ROW = "sh010\tplates/a.mov\t1001\t1048\tlargest=mara\tgentle\treview\t5\tfirst"

LISTS = [
    # shot list: file, what to replace (all if empty), by what, place and message
    ("shots.tsv", "", "", "shots.tsv", "the shot list is empty"),
    ("shots.tsv", "shot\t", "shott\t", "line 1", "unknown column 'shott'\n  -> did you mean 'shot'?"),
    ("shots.tsv", "notes\n", "shot\n", "line 1", "column 'shot' stands twice"),
    ("shots.tsv", "\tcast\t", "\tnotes\t", "line 1", "column 'notes' stands twice"),
    ("shots.tsv", "shot\tplate\tin\tout\tcast", "shot\tplate\tin\tout\tlook", "line 1", "column 'look' stands twice"),
    ("shots.tsv", "", "shot;cast\n", "line 1", "columns plate, delivery are missing"),
    ("shots.tsv", "first\n", "first\tmore\n", "line 2", "10 cells under 9 columns"),
    ("shots.tsv", "first\n", '"never closed\n', "line 2", "cannot be read as a table"),
    ("shots.tsv", "sh020\t", "sh010\t", "line 3", "shot 'sh010' stands twice (first in line 2)"),
    ("shots.tsv", "sh020\t", "SH010\t", "line 3", "'sh010' and 'SH010' differ only in upper and lower case"),
    ("shots.tsv", "sh010\t", "\t", "line 2", "column 'shot': is empty"),
    ("shots.tsv", "sh010\t", "../../x\t", "line 2", "column 'shot': '../../x' is not allowed\n  -> Name of the shot"),
    ("shots.tsv", "sh010\t", "a$(touch X)b\t", "line 2", "column 'shot': 'a$(touch X)b' is not allowed"),
    ("shots.tsv", "sh010\t", "..\t", "line 2", "column 'shot': '..' is not allowed"),
    ("shots.tsv", "sh010\t", "-rf\t", "line 2", "column 'shot': '-rf' is not allowed"),
    ("shots.tsv", "sh010\t", "größe\t", "line 2", "column 'shot': 'größe' is not allowed"),
    ("shots.tsv", "sh010\t", "x" * 129 + "\t", "line 2", "column 'shot': 'xxx"),
    ("shots.tsv", "plates/a.mov", "", "line 2", "column 'plate': is empty"),
    ("shots.tsv", "1001\t", "01:00:00:00\t", "line 2", "column 'in': '01:00:00:00' is not allowed"),
    ("shots.tsv", "1001\t", "1e3\t", "line 2", "column 'in': '1e3' is not allowed"),
    ("shots.tsv", "1001\t", "-5\t", "line 2", "column 'in': '-5' is not allowed"),
    ("shots.tsv", "1048\t", "1000\t", "line 2 (shot sh010)", "out 1000 is before in 1001"),
    ("shots.tsv", "\t5\t", "\thigh\t", "line 2", "column 'priority': 'high' is not allowed"),
    ("shots.tsv", "gentle", "gentel", "line 2 (shot sh010)", "there is no look 'gentel'\n  -> did you mean 'gentle'?"),
    ("shots.tsv", "review\t5", "reviw\t5", "line 2 (shot sh010)", "there is no delivery 'reviw'\n  -> did you mean 'review'?"),
    ("shots.tsv", "review\t5", "\t5", "line 2", "column 'delivery': is empty"),
    ("shots.tsv", "review final", "final final", "line 4 (shot 0030)", "delivery 'final' stands twice"),
    ("shots.tsv", "largest=mara", "", "line 2", "column 'cast': is empty"),
    ("shots.tsv", "largest=mara", "largest=marra", "line 2 (shot sh010)", "no talent 'marra'\n  -> did you mean 'mara'?"),
    ("shots.tsv", "largest=mara", "biggest=mara", "line 2 (shot sh010)", "'biggest' is no performer"),
    ("shots.tsv", "largest=mara", "largest", "line 2 (shot sh010)", "cast 'largest' names no talent"),
    ("shots.tsv", "largest=mara", "largest=mara ben", "line 2 (shot sh010)", "largest is cast twice"),
    ("shots.tsv", "largest=mara", "t1=mara", "line 2 (shot sh010)", "'t1' is no performer"),
    ("shots.tsv", "largest=mara", "box:1,2,3@4=mara", "line 2 (shot sh010)", "'box:1,2,3@4' is no performer"),
    ("shots.tsv", "largest=mara", "box:9,2,3,4@5=mara", "line 2 (shot sh010)", "the box has no area"),
    ("shots.tsv", "", ROW, "line 1", "unknown column 'sh010'"),
    # talents
    ("talent.yaml", "name: Mara", "nmae: Mara", "line 2 (mara.nmae)", "unknown key 'nmae'\n  -> did you mean 'name'?"),
    ("talent.yaml", "  name: Mara\n", "", "line 1 (mara)", "'name' is missing"),
    ("talent.yaml", "name: Mara", "name:", "line 2 (mara.name)", "nothing stands here"),
    ("talent.yaml", "[pictures/mara.png]", "[]", "line 3 (mara.pictures)", "0 entries stand here"),
    ("talent.yaml", "[pictures/mara.png]", "a.png", "line 3 (mara.pictures)", "'a.png' stands where a list belongs"),
    ("talent.yaml", "[pictures/mara.png]", "[a, a]", "line 3 (mara.pictures)", "an entry stands twice"),
    ("talent.yaml", "mara:", "../mara:", "line 1 (../mara)", "the key '../mara' is not allowed"),
    ("talent.yaml", "ben:", "Mara:", "line 5", "talents 'mara' and 'Mara' differ only in upper and lower case"),
    ("talent.yaml", "", "- mara\n", "talent.yaml, line 1", "['mara'] stands where keys belong"),
    # looks
    ("looks.yaml", "swap: {shape: 0.4}", "swpa: {shape: 0.4}", "line 3 (show.settings.swpa)", "did you mean 'swap'?"),
    ("looks.yaml", "shape: 0.4", "shap: 0.4", "line 3 (show.settings.swap.shap)", "did you mean 'shape'?"),
    ("looks.yaml", "shape: 0.4", "shape: 1.4", "line 3 (show.settings.swap.shape)", "1.4 is out of range\n  -> allowed: from 0 to 1"),
    ("looks.yaml", "shape: 0.4", "shape: much", "line 3 (show.settings.swap.shape)", "'much' is not a number"),
    ("looks.yaml", "shape: 0.4", "shape: .inf", "line 3 (show.settings.swap.shape)", "'.inf' is not a number"),
    ("looks.yaml", "shape: 0.4", "shape: {a: 1}", "line 3 (show.settings.swap.shape)", "a mapping stands where one value belongs"),
    ("looks.yaml", "shape: 0.4", "eyes: talnt", "line 3 (show.settings.swap.eyes)", "did you mean 'talent'?"),
    ("looks.yaml", "swap: {shape: 0.4}", "matte: {brow_limit: yes}", "line 3", "'yes' is neither true nor false"),
    ("looks.yaml", "swap: {shape: 0.4}", "matte: {combine: [{replace: hul}]}", "line 3", "'hul' is not allowed"),
    ("looks.yaml", "smooth: 2", "max_gap: 2.5", "line 12", "'2.5' is not a whole number"),
    ("looks.yaml", "inherits: natural", "inherits: naturel", "line 8 (looks.gentle.inherits)", "there is no look 'naturel'"),
    ("looks.yaml", "  natural:\n", "  natural:\n    inherits: gentle\n", "looks", "looks inherit in a circle: natural <- gentle <- natural"),
    ("looks.yaml", "sh010:", "sh011:", "line 11 (shots.sh011)", "there is no shot 'sh011'\n  -> did you mean 'sh010'"),
    ("looks.yaml", "1010-1012,1020", "1010:1012", "line 14", "':' means a range to some programs"),
    ("looks.yaml", "1010-1012,1020", "1010-1060", "line 14", "names frame 1060, but shot sh010 has frames 1001-1048"),
    ("looks.yaml", "composite: {opacity", "track: {smooth", "line 14", "track.smooth is decided once per shot"),
    (
        "looks.yaml",
        "settings: {composite: {opacity: 0.5}}}\n",
        "settings: {}}\n      - {frames: 1020-1030, settings: {}}\n",
        "line 15 (shots.sh010.ranges.1.frames)",
        "overlap (frame 1020)",
    ),
    # models
    ("models.yaml", "role: detector", "role: dtector", "line 2 (blazeface_full_range.role)", "did you mean 'detector'?"),
    ("models.yaml", "0" * 64, "0" * 63, "line 4 (blazeface_full_range.sha256)", "64 hexadecimal digits"),
    ("models.yaml", "file: net.tflite", "file: ../net.tflite", "line 3 (blazeface_full_range.file)", "'../net.tflite' is not allowed"),
    ("models.yaml", "member: a/net.tflite", "path: b", "line 5 (blazeface_full_range.sources.0)", "a source is one of"),
    ("models.yaml", "wheel: name==1.0, member: a/net.tflite", "url: 'http://a/b'", "line 5", "begins with https://"),
    # clearances
    ("clearances.tsv", "contract 1", "", "line 2", "column 'document' is empty"),
    ("clearances.tsv", "2026-01-01\t2026-12-31", "01.01.2026\t2026-12-31", "line 2", "column 'from': '01.01.2026' is no day"),
    ("clearances.tsv", "2026-12-31", "2026-02-30", "line 2", "column 'until': '2026-02-30' is no day"),
    ("clearances.tsv", "2026-12-31", "2025-12-31", "line 2", "until 2025-12-31 is before from 2026-01-01"),
    ("clearances.tsv", "c2\t", "c1\t", "line 3", "clearance 'c1' stands twice"),
]  # fmt: skip


@pytest.mark.parametrize("file, old, new, where, message", LISTS)
def test_broken_files_are_refused(
    folder: Path, load: Load, file: str, old: str, new: str, where: str, message: str
) -> None:
    _edit(folder, file, old, new)
    with pytest.raises(ConfigError) as caught:
        load()
    words = str(caught.value)
    assert words.startswith(f"{folder / 'config' / file}"), words
    assert where in words and message in words, words
    assert "\n  -> " in words
    assert not (folder / "results").exists()


CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"chunck": 7}, "configuration (chunck): unknown key 'chunck'\n  -> did you mean 'chunk'?"),
    ({"chunk": 0}, "configuration (chunk): 0 is out of range\n  -> allowed: from 1 to 100000"),
    ({"chunk": "many"}, "configuration (chunk): 'many' is not a whole number"),
    ({"chunk": True}, "configuration (chunk): True is not a whole number"),
    ({"chunk": 2.5}, "configuration (chunk): 2.5 is not a whole number"),
    ({"show": "../film"}, "configuration (show): '../film' is not allowed"),
    ({"show": 10}, "configuration (show): 10 was not read as text"),
    ({"show": False}, "configuration (show): False was not read as text"),
    ({"show": "film\n"}, "configuration (show): 'film\\n' is not allowed"),
    ({"only": "sh01"}, "configuration (only): 'sh01' matches no shot\n  -> did you mean 'sh010'"),
    ({"only": "sh0* x*"}, "configuration (only): 'x*' matches no shot\n  -> allowed: 0030, sh010, sh020"),
    ({"shots": "config/none.tsv"}, "none.tsv: the shot list is missing"),
    ({"talent": "config"}, "the list of talents cannot be read"),
    ({"deliveries": {"a": {"frames": {"format": "jpg"}}}}, "(deliveries.a.frames.format): 'jpg' is not allowed"),
    ({"deliveries": {"a": {"frames": {"format": "exr", "depth": 8}}}}, "exr frames have no 8 bits\n  -> write 16 or 32"),
    ({"deliveries": {"a": {}}}, "configuration (deliveries.a): neither frames nor movies are delivered"),
    ({"deliveries": {"a/b": {"frames": {"format": "exr"}}}}, "the key 'a/b' is not allowed"),
    (
        {"deliveries": {"a": {"frames": {"format": "png"}, "movies": [{"codec": "prores_4444", "crf": 3}]}}},
        "configuration (deliveries.a.movies.0): prores_4444 has no crf",
    ),
    (
        {"deliveries": {"a": {"frames": {"format": "png"}, "movies": [{"codec": "h264"}, {"codec": "h264"}]}}},
        "configuration (deliveries.a.movies.1): two movies are named h264",
    ),
    (
        {"deliveries": {name: {"frames": {"format": "tiff", "depth": d}} for name, d in (("review", 8), ("final", 16))}},
        "deliveries 'review' and 'final' ask for tiff frames in two ways",
    ),
]  # fmt: skip


@pytest.mark.parametrize("config, message", CONFIGS)
def test_broken_configuration_is_refused(load: Load, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**config)
    assert message in str(caught.value)


def test_numbers_from_the_command_line_may_be_text(load: Load) -> None:
    assert load(chunk="48").chunk == 48


CLEARANCES = [
    ("", "", "2027-01-01", "clearance 'c1' does not hold: it expired on 2026-12-31, and today is 2027-01-01"),
    ("", "", "2025-12-31", "clearance 'c1' does not hold: it starts on 2026-01-01, and today is 2025-12-31"),
    ("mara\tfilm", "mara\tother", "2026-06-01", "it is for the project 'other', not 'film'"),
    ("c1\tmara", "c1\tben", "2026-06-01", "it is for the talent 'ben'"),
    ("contract 1\tlegal", "contract 1\t", "2026-06-01", "nobody has approved it"),
    ("film\tface_replacement", "film\tstills", "2026-06-01", "it allows stills, not face_replacement"),
    ("c1\t", "c9\t", "2026-06-01", "there is no clearance 'c1'\n  -> allowed: c2, c9"),
]


@pytest.mark.parametrize("old, new, day, message", CLEARANCES)
def test_a_talent_without_a_clearance_stops_the_run(
    folder: Path, load: Load, old: str, new: str, day: str, message: str
) -> None:
    if old:
        _edit(folder, "clearances.tsv", old, new)
    with pytest.raises(ClearanceError) as caught:
        load(day=datetime.date.fromisoformat(day), only="sh010")
    assert str(caught.value).startswith("shot sh010, talent mara: ")
    assert message in str(caught.value)
    assert not (folder / "results").exists()


@pytest.mark.parametrize("day", ["2026-01-01", "2026-12-31"])
def test_the_first_and_the_last_day_are_covered(load: Load, day: str) -> None:
    assert load(day=datetime.date.fromisoformat(day)).shots


def test_every_shot_without_a_clearance_is_named(load: Load) -> None:
    with pytest.raises(ClearanceError) as caught:
        load(day=datetime.date(2027, 1, 1))
    assert "2 things are wrong" in str(caught.value)
    assert "shot sh010, talent mara" in str(caught.value) and "shot sh020, talent mara" in str(caught.value)


@pytest.mark.parametrize(
    "gone, message",
    [
        ("plates/a.mov", "line 2 (shot sh010): the plate"),
        ("plates/seq/b.0001.exr", "line 3 (shot sh020): the plate"),
        ("plates/folder/x.1.png", "line 4 (shot 0030): the plate"),
        ("pictures/mara.png", "talent.yaml, line 3 (mara.pictures.0): the picture"),
    ],
)
def test_missing_files_are_named(folder: Path, load: Load, gone: str, message: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(PlateError) as caught:
        load()
    assert message in str(caught.value) and "is missing" in str(caught.value)
    assert "\n  -> " in str(caught.value)


@pytest.mark.parametrize("file, old", [("shots.tsv", "plates/a.mov"), ("talent.yaml", "pictures/mara.png")])
def test_files_that_cannot_be_reached_are_named(folder: Path, load: Load, file: str, old: str) -> None:
    _edit(folder, file, old, "x" * 300)
    with pytest.raises(PlateError, match=r"cannot be reached \(File name too long\)"):
        load(only="sh010")


def test_all_rows_that_are_wrong_are_named_together(folder: Path, load: Load) -> None:
    _edit(folder, "shots.tsv", "largest=mara", "largest=x")
    _edit(folder, "shots.tsv", "review final", "revue")
    with pytest.raises(UnderstudyError) as caught:
        load()
    words = str(caught.value)
    assert words.startswith("2 things are wrong:")
    assert "line 2 (shot sh010)" in words and "line 4 (shot 0030)" in words


def test_frames_are_checked_against_the_plate(folder: Path, load: Load) -> None:
    (folder / "config/overrides/sh020.yaml").write_text(
        "split: [{track: t01, frame: 50}]\n", encoding="utf-8"
    )
    show = load()
    show.check_frames("sh020", 1, 50)
    with pytest.raises(
        ConfigError, match=r"sh020\.yaml: split names frame 50, but shot sh020 has frames 1-49"
    ):
        show.check_frames("sh020", 1, 49)
