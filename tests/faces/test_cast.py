from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from understudy.errors import FaceError
from understudy.faces import geometry as g
from understudy.faces.align import five_of_mesh
from understudy.faces.cast import cast
from understudy.faces.tracks import Track


def track(name, first, last, x, size=40.0):
    n = last - first + 1
    points = np.repeat((g.CANONICAL * size + [x, 180, 0])[None], n, axis=0).astype(np.float32)
    transform = np.tile([x, 180, np.log(size), 0], (n, 1))
    none = np.zeros((n, 3))
    five = np.array([five_of_mesh(p) for p in points], np.float32)
    return Track(
        name,
        np.arange(first, last + 1),
        points,
        transform,
        none,
        none,
        np.ones(n),
        np.ones(n, bool),
        five,
        np.zeros((n, 0), np.float32),
    )


def entry(kind, talent, value=None):
    return SimpleNamespace(kind=kind, value=value, talent=talent)


def roles(tracks, *entries, **overrides):
    return cast(tracks, entries, SimpleNamespace(cast=overrides), "shot sh010")


TWO = [track("t01", 1, 50, 150, 30), track("t02", 1, 50, 400, 45)]


@pytest.mark.parametrize("kind, name", [("largest", "t02"), ("leftmost", "t01"), ("rightmost", "t02")])
def test_selectors(kind, name):
    assert roles(TWO, entry(kind, "ada")) == {name: "ada"}


def test_several_performers_and_the_rest():
    three = [*TWO, track("t03", 1, 50, 600)]
    assert roles(three, entry("everyone", "eve"), entry("track", "ada", "t02"), entry("leftmost", "bob")) == {
        "t01": "bob", "t02": "ada", "t03": "eve",
    }  # fmt: skip


def test_largest_counts_presence():
    assert roles([track("t01", 1, 50, 150, 30), track("t02", 20, 24, 400, 60)], entry("largest", "ada")) == {
        "t01": "ada"
    }


def test_largest_is_found_again_after_a_cut():
    takes = [
        track("t01", 1, 20, 100, 30),
        track("t02", 1, 20, 300, 50),
        track("t03", 21, 40, 300, 45),
        track("t04", 21, 40, 500, 20),
    ]
    assert roles(takes, entry("largest", "ada")) == {"t02": "ada", "t03": "ada"}


def test_box_takes_the_face_it_shares_most_with():
    assert roles(TWO, entry("box", "ada", (10, 300.0, 100.0, 460.0, 260.0))) == {"t02": "ada"}


def test_overrides_have_the_last_word():
    assert roles(TWO, entry("largest", "ada"), t02="bob") == {"t02": "bob"}


@pytest.mark.parametrize(
    "entries, overrides, message",
    [
        ([entry("track", "ada", "t09")], {},
         "shot sh010: track t09 does not exist; the tracks are: t01 (1-50), t02 (1-50)"),
        ([entry("box", "ada", (10, 0.0, 0.0, 9.0, 9.0))], {},
         "box 0,0,9,9 on frame 10 touches no face; the faces there are: t01 "),
        ([entry("box", "ada", (99, 0.0, 0.0, 9.0, 9.0))], {},
         "box 0,0,9,9 on frame 99 touches no face; the faces there are: none"),
        ([entry("largest", "ada"), entry("rightmost", "bob")], {},
         "t02 would become both ada (largest) and bob (rightmost)"),
        ([], {"t05": "ada"}, "the overrides cast track t05, which does not exist; the tracks are: t01"),
    ],
)  # fmt: skip
def test_refusals(entries, overrides, message):
    with pytest.raises(FaceError) as refusal:
        roles(TWO, *entries, **overrides)
    assert message in str(refusal.value)


def test_no_tracks_at_all():
    with pytest.raises(FaceError, match="no face was found in the shot, so largest is nobody"):
        roles([], entry("largest", "ada"))
