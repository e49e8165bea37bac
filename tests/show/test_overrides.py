from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.errors import ConfigError
from understudy.show.overrides import Overrides, Roto, load_overrides, override_record, overrides_of

TEXT = """\
exclude: 1001-1003,1010
ignore: [t03]
merge:
  - [t01, t04]
split:
  - {track: t02, frame: 1033}
cast: {t02: ben}
landmarks:
  1012:
    t01:
      33: [812.5, 440]
roto:
  - {pattern: roto/hand.%04d.exr, channel: A, mode: add}
  - {pattern: /abs/hair.%07d.png}
ranges:
  - frames: 1020
    settings: {composite: {opacity: 0.5}}
"""


def _load(folder: Path, text: str) -> Overrides:
    path = folder / "sh010.yaml"
    path.write_text(text, encoding="utf-8")
    return load_overrides(path, folder, {"mara", "ben"})


def test_everything_is_read(tmp_path: Path) -> None:
    found = _load(tmp_path, TEXT)
    assert found.exclude == ((1001, 1003), (1010, 1010))
    assert found.ignore == ("t03",)
    assert found.merge == (("t01", "t04"),)
    assert found.split == (("t02", 1033),)
    assert found.cast == {"t02": "ben"}
    assert found.landmarks == {1012: {"t01": {33: (812.5, 440.0)}}}
    assert found.roto == (
        Roto(tmp_path / "roto/hand.%04d.exr", "A", "add"),
        Roto(Path("/abs/hair.%07d.png"), "R", "hold"),
    )
    assert [(entry.frames, entry.settings) for entry in found.ranges] == [
        (((1020, 1020),), {"composite": {"opacity": 0.5}})
    ]


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    found = _load(tmp_path, "# nothing yet\n")
    assert found == Overrides(source=found.source)
    assert override_record(found) == override_record(Overrides())


def test_the_record_is_json_and_comes_back(tmp_path: Path) -> None:
    found = _load(tmp_path, TEXT)
    record = override_record(found)
    assert json.loads(json.dumps(record)) == record
    back = overrides_of(record)
    for name in ("ignore", "merge", "split", "cast", "landmarks"):
        assert getattr(back, name) == getattr(found, name)


@pytest.mark.parametrize(
    "text, message",
    [
        ("excludes: 1", "line 1 (excludes): unknown key 'excludes'\n  -> did you mean 'exclude'?"),
        ("exclude: 1:5", "line 1 (exclude): cannot read '1:5'"),
        ("exclude:", "line 1 (exclude): nothing stands here"),
        ("exclude: [1, 2]", "line 1 (exclude): a list stands where one value belongs"),
        ("ignore: [t1]", "line 1 (ignore.0): 't1' is not allowed\n  -> Tracks are named"),
        ("ignore: t01", "line 1 (ignore): 't01' stands where a list belongs"),
        ("merge: [[t01]]", "line 1 (merge.0): 1 entries stand here"),
        ("merge: [[t01, t02], [t02, t03]]", "line 1 (merge): track t02 is merged 2 times"),
        ("merge: [[t01, t01]]", "line 1 (merge): track t01 is merged 2 times"),
        ("split: [{track: t01}]", "line 1 (split.0): 'frame' is missing"),
        ("split: [{track: t01, frame: x}]", "line 1 (split.0.frame): 'x' is not a whole number"),
        ("split: [{track: t01, frame: -4}]", "line 1 (split.0.frame): -4 is out of range"),
        ("ignore: [t01]\ncast: {t01: ben}", "line 1 (ignore.0): track t01 is ignored and cast"),
        ("ignore: [t01]\nmerge: [[t01, t02]]", "line 1 (ignore.0): track t01 is ignored and merged"),
        ("cast: {t01: bne}", "line 1 (cast.t01): there is no talent 'bne'\n  -> did you mean 'ben'?"),
        ("cast: {x: ben}", "line 1 (cast.x): the key 'x' is not allowed"),
        ("landmarks: {1: {t01: {468: [1, 2]}}}", "(landmarks.1.t01.468): the key '468' is not allowed"),
        ("landmarks: {1: {t01: {3: [1]}}}", "(landmarks.1.t01.3): 1 entries stand here"),
        ("landmarks: {1: {t01: {3: [1, a]}}}", "(landmarks.1.t01.3.1): 'a' is not a number"),
        ("landmarks: {one: {t01: {3: [1, 2]}}}", "(landmarks.one): the key 'one' is not allowed"),
        ("landmarks: {1: {t01: {3: [1, 1e400]}}}", "(landmarks.1.t01.3.1): '1e400' is not a number"),
        ("landmarks: {01: {t01: {3: [1, 2]}}}", "(landmarks.01): the key '01' is not allowed"),
        ("roto: [{pattern: a.exr}]", "(roto.0.pattern): 'a.exr' is not allowed"),
        ("roto: [{pattern: '%04d%04d.exr'}]", "(roto.0.pattern): '%04d%04d.exr' is not allowed"),
        (
            "roto: [{pattern: a.%04d.exr, mode: hld}]",
            "(roto.0.mode): 'hld' is not allowed\n  -> did you mean 'hold'?",
        ),
        ("ranges: [{frames: 1-5, settings: {}}, {frames: '4', settings: {}}]", "overlap (frame 4)"),
        ("ranges: [{frames: 1-5, settings: {align: {pad: 1}}}]", "align.pad is decided once per shot"),
        ("ranges: [{frames: 1-5}]", "(ranges.0): 'settings' is missing"),
        ("keys: [{frame: 5}]", "(keys.0): 'settings' is missing"),
        ("keys: [{frame: 1-5, settings: {}}]", "(keys.0.frame): '1-5' is not a whole number"),
        (
            "keys:\n  - frame: 5\n    settings:\n      align: {pad: 1}",
            "line 4 (keys.0.settings.align.pad): align.pad is decided once per shot",
        ),
        (
            "keys: [{frame: 5, settings: {composite: {blend: alpha}}}]",
            "line 1 (keys.0.settings.composite.blend): composite.blend has nothing between its values: it cannot be"
            " keyed\n  -> set it on a frame range",
        ),
        ("keys: [{frame: 5, settings: {detect: {refine: 1}}}]", "detect.refine has nothing between its values"),
        ("keys: [{frame: 5, settings: {match: {light: 2}}}]", "(keys.0.settings.match.light): 2 is out of range"),
        (
            "keys:\n  - {frame: 5, settings: {match: {light: 1}}}\n  - {frame: 5, settings: {match: {light: 0}}}",
            "line 3 (keys.1.settings.match.light): match.light is keyed twice on frame 5, here and at",
        ),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "sh010.yaml"))


def test_a_file_without_a_shot_is_refused(folder: Path, load: object) -> None:
    (folder / "config/overrides/sh011.yaml").write_text("ignore: [t01]\n", encoding="utf-8")
    with pytest.raises(
        ConfigError,
        match=r"sh011\.yaml: there is no shot 'sh011'\n  -> rename the file; did you mean 'sh010'",
    ):
        load()  # type: ignore[operator]


def test_another_ending_is_not_passed_over(folder: Path, load: object) -> None:
    (folder / "config/overrides/notes.txt").write_text("not an override", encoding="utf-8")
    load()  # type: ignore[operator]
    (folder / "config/overrides/sh010.yml").write_text("ignore: [t01]\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"sh010\.yml: override files end in \.yaml\n  -> rename it to sh010\.yaml"
    ):
        load()  # type: ignore[operator]
