"""Flags: which frames, which words, which exit status."""

from __future__ import annotations

import pytest

from understudy.qc.flags import Limits, bounds, failed, flags, state

SHOT = {"first": 1001, "last": 1010}


def rows(**changes: dict[int, object]) -> list[dict[str, object]]:
    """Ten faultless rows; ``changes`` gives a number other values on some frames."""
    made: list[dict[str, object]] = [
        {
            "frame": frame,
            "track": "t01",
            "seen": True,
            "score": 0.9,
            "matte": True,
            "roto": False,
            "texture_index": -0.5,
            "seam": 1.0,
            "colour_distance": 0.3,
            "coverage": 0.95,
            "jitter": 0.001,
            "flicker": 0.0005,
            "occlusion": 0.01,
            "untouched": 0.0,
        }
        for frame in range(1001, 1011)
    ]
    for name, values in changes.items():
        for row in made:
            row[name] = values.get(int(str(row["frame"])), row[name])
    return made


def test_nothing_to_say_of_a_clean_shot():
    assert flags(rows(), SHOT) == []
    assert state([]) == "ok"


def test_texture_that_does_not_stick_is_a_flag_of_the_whole_track():
    pairs = {"warping_plate": {1003: 2e-4, 1007: 2e-4}, "warping_error": {1003: 2.1e-4, 1007: 2.3e-4}}
    calm = rows()
    for row in calm:
        row.update({name: values.get(int(str(row["frame"]))) for name, values in pairs.items()})
    assert flags(calm, SHOT) == []
    for row in calm:
        row["warping_error"] = 3e-4 if row["warping_error"] else None
    (found,) = flags(calm, SHOT)
    assert (found["kind"], found["level"], found["first"], found["last"]) == ("unsteady texture", "warn", 1001, 1010)
    assert found["value"] == pytest.approx(1.5, abs=0.01)
    assert "1.49 times as large" in found["reason"] and "steady.window" in found["action"]


def test_neighbours_are_joined_and_the_worst_named():
    found = flags(rows(texture_index={1003: -3.4, 1004: -4.2, 1005: -3.1, 1008: -3.5}), SHOT)
    soft = [flag for flag in found if flag["kind"] == "too soft"]
    assert soft == [
        {
            "first": 1003,
            "last": 1005,
            "worst": 1004,
            "track": "t01",
            "whole": False,
            "kind": "too soft",
            "level": "warn",
            "value": -4.2,
            "reason": "the new skin is softer than the plate's: -4.2 dB at worst (frame 1004)",
            "action": "use sharper or larger talent pictures, or raise the look's texture settings",
        },
        {
            "first": 1008,
            "last": 1008,
            "worst": 1008,
            "track": "t01",
            "whole": False,
            "kind": "too soft",
            "level": "warn",
            "value": -3.5,
            "reason": "the new skin is softer than the plate's: -3.5 dB",
            "action": "use sharper or larger talent pictures, or raise the look's texture settings",
        },
    ]


@pytest.mark.parametrize(
    ("number", "value", "kind", "level", "reason"),
    [
        ("score", 0.31, "low score", "warn", "the landmarks are uncertain: score 0.31"),
        ("texture_index", -6.5, "too soft", "fail", "the new skin is softer than the plate's: -6.5 dB"),
        (
            "texture_index",
            2.4,
            "over-enhanced",
            "warn",
            "the new skin has more texture than the plate's: +2.4 dB",
        ),
        (
            "texture_index",
            3.2,
            "over-enhanced",
            "fail",
            "the new skin has more texture than the plate's: +3.2 dB",
        ),
        (
            "seam",
            1.44,
            "seam visible",
            "warn",
            "the matte's edge shows: 1.44 times the plate's contrast across it",
        ),
        (
            "seam",
            2.5,
            "seam visible",
            "fail",
            "the matte's edge shows: 2.50 times the plate's contrast across it",
        ),
        (
            "colour_distance",
            2.3,
            "colour off",
            "warn",
            "the new skin does not match the skin around it: CIEDE2000 2.3 above the plate's",
        ),
        ("jitter", 0.0061, "jitter", "warn", "the face is unsteady: 0.0061 of the distance between the eyes"),
        ("jitter", 0.0125, "jitter", "fail", "the face is unsteady: 0.0125 of the distance between the eyes"),
        (
            "flicker",
            0.035,
            "brightness pop",
            "warn",
            "the face's brightness jumps where the plate's does not: 0.035 (log)",
        ),
        ("coverage", 0.4, "little coverage", "warn", "only 40% of the face lies under the matte"),
        (
            "occlusion",
            0.32,
            "occluded",
            "warn",
            "something seems to be in front of the face and is painted over: 32% of it",
        ),
        ("seen", False, "filled", "warn", "the face was not seen: its place comes from the frames around"),
        ("matte", False, "matte missing", "fail", "the matte is empty: nothing was replaced"),
        (
            "untouched",
            0.02,
            "plate changed",
            "fail",
            "pixels outside the matte differ from the plate, by up to 0.0200",
        ),
    ],
)
def test_each_reason(number, value, kind, level, reason):
    found = [flag for flag in flags(rows(**{number: {1006: value}}), SHOT) if not flag["whole"]]
    assert [(flag["kind"], flag["level"], flag["reason"]) for flag in found] == [(kind, level, reason)]
    assert (found[0]["first"], found[0]["last"], found[0]["worst"]) == (1006, 1006, 1006)
    assert found[0]["action"]


def test_a_run_has_the_level_of_its_worst_frame():
    found = flags(rows(seam={1003: 1.4, 1004: 2.4, 1005: 1.5}), SHOT)
    assert [(flag["first"], flag["last"], flag["worst"], flag["level"]) for flag in found] == [
        (1003, 1005, 1004, "fail")
    ]


def test_a_roto_matte_answers_the_occlusion():
    assert flags(rows(occlusion={1006: 0.32}, roto={1006: True}), SHOT) == []


def test_frames_without_a_face_and_frames_left_alone():
    some = [row for row in rows() if row["frame"] not in (1004, 1005, 1008)]
    found = flags(some, SHOT | {"excluded": [1008, 1009]})
    assert [(flag["kind"], flag["level"], flag["first"], flag["last"]) for flag in found] == [
        ("no face", "warn", 1004, 1005),
        ("excluded", "info", 1008, 1009),
    ]
    assert found[0]["reason"] == "no cast face was found: the plate is passed through"
    assert found[1]["reason"] == "left as shot by the shot's override file"


def test_what_is_left_alone_is_not_judged():
    assert state(flags(rows(seam={1005: 9.0}), SHOT | {"excluded": [1005]})) == "ok"


def test_a_shot_without_any_face_fails():
    found = flags([], SHOT)
    assert [(flag["kind"], flag["level"], flag["first"], flag["last"]) for flag in found] == [
        ("no face", "fail", 1001, 1010)
    ]


def test_tracks_are_not_joined_with_each_other():
    two = rows(seam={1005: 1.5}) + [row | {"track": "t02"} for row in rows(seam={1006: 1.6})]
    found = flags(two, SHOT)
    assert [(flag["track"], flag["first"], flag["last"]) for flag in found] == [
        ("t01", 1005, 1005),
        ("t02", 1006, 1006),
    ]


def test_flicker_is_said_of_the_whole_track():
    found = flags(rows(flicker=dict.fromkeys(range(1001, 1011), 0.005)), SHOT)
    assert [(flag["kind"], flag["level"], flag["whole"]) for flag in found] == [("flicker", "warn", True)]
    assert (found[0]["first"], found[0]["last"]) == (1001, 1010)
    assert found[0]["reason"] == "the face's brightness flickers: rms 0.0050 (log)"
    found = flags(rows(texture_index={frame: -1.0 + 2 * (frame % 2) for frame in range(1001, 1011)}), SHOT)
    assert [flag["reason"] for flag in found] == ["the skin's texture comes and goes: it varies by 1.0 dB"]


def test_limits_come_from_settings_and_may_change_with_the_frame():
    loose, strict = Limits.of({"seam": 3, "engine": "mesh"}), Limits()
    assert loose.seam == 3.0 and loose.colour == strict.colour
    found = flags(
        rows(seam=dict.fromkeys(range(1001, 1011), 1.5)), SHOT, lambda f: loose if f < 1006 else strict
    )
    assert [(flag["first"], flag["last"]) for flag in found] == [(1006, 1010)]


def test_unknown_numbers_are_not_judged():
    assert flags([{"frame": 1001 + i, "track": "t01", "seam": None} for i in range(10)], SHOT) == []


def test_the_state_is_the_worst_level_and_decides_the_exit():
    assert state([{"level": "info"}]) == "ok"
    assert state([{"level": "info"}, {"level": "warn"}]) == "warn"
    assert state([{"level": "fail"}, {"level": "warn"}]) == "fail"
    assert not failed([{"state": "ok"}, {"state": "warn"}])
    assert failed([{"state": "ok"}, {"state": "fail"}])


def test_bounds_are_the_limits_of_the_flags():
    known = bounds(Limits())
    assert known["texture_index"] == {"low": [-3.0, -6.0], "high": [2.0, 3.0]}
    assert known["seam"] == {"low": None, "high": [1.3, 2.0]}
    assert known["score"] == {"low": [0.5, None], "high": None}
