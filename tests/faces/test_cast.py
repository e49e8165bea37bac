from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from understudy.errors import FaceError
from understudy.faces import geometry as g
from understudy.faces.align import five_of_mesh
from understudy.faces.cast import References, cast
from understudy.faces.identity import unit
from understudy.faces.tracks import Track


def track(name, first, last, x, size=40.0, embedding=None):
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
        np.zeros((n, 0), np.float32) if embedding is None else np.tile(embedding, (n, 1)).astype(np.float32),
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


# Three people's pictures, at right angles to one another.
ANNA, BEN, EVE = np.eye(8)[:3]


def like(person, other=BEN, cosine=0.7):
    """Somebody of that cosine to one person, the rest of the way to another."""
    return cosine * person + np.sqrt(1 - cosine**2) * other


def alike(tracks, *entries, **overrides):
    pictures = References({"anna.png": ANNA, "ben.png": BEN, "anna2.png": like(ANNA, EVE, 0.8)})
    return cast(tracks, entries, SimpleNamespace(cast=overrides), "shot sh010", pictures)


ANNA_IS = entry("like", "mara", "anna.png")
BEN_IS = entry("like", "bob", "ben.png")


def test_performers_are_known_by_picture():
    two = [
        track("t01", 1, 50, 150, embedding=like(BEN, EVE)),
        track("t02", 1, 50, 400, embedding=like(ANNA, EVE)),
    ]
    assert alike(two, ANNA_IS, BEN_IS) == {"t01": "bob", "t02": "mara"}
    assert alike(two, ANNA_IS) == {"t02": "mara"}
    assert alike(two, ANNA_IS, entry("everyone", "eve")) == {"t01": "eve", "t02": "mara"}
    assert alike(two, ANNA_IS, t01="eve") == {"t01": "eve", "t02": "mara"}


def test_the_best_match_wins_and_the_lookalike_stays():
    """Both pass the threshold; only the better one is replaced, where thresholds alone would take both."""
    two = [
        track("t01", 1, 50, 150, embedding=like(ANNA, EVE, 0.5)),
        track("t02", 1, 50, 400, embedding=like(ANNA, EVE, 0.8)),
    ]
    assert alike(two, ANNA_IS) == {"t02": "mara"}


def test_a_performer_may_have_a_track_for_each_stretch():
    parts = [
        track("t01", 1, 50, 150, embedding=like(ANNA, EVE, 0.6)),
        track("t02", 60, 99, 400, embedding=like(ANNA, EVE, 0.8)),
        track("t03", 60, 99, 200, embedding=like(EVE, BEN, 0.9)),
    ]
    assert alike(parts, ANNA_IS) == {"t01": "mara", "t02": "mara"}


def test_one_talent_per_track_best_pair_first():
    """Both are most like Anna; the surer one is her, the other is Ben, whom he resembles less."""
    two = [
        track("t01", 1, 50, 150, embedding=unit(0.9 * ANNA + 0.4 * EVE)),
        track("t02", 1, 50, 400, embedding=unit(0.7 * ANNA + 0.6 * BEN)),
    ]
    assert alike(two, ANNA_IS, BEN_IS) == {"t01": "mara", "t02": "bob"}


def test_frames_that_look_like_somebody_else_do_not_flip_a_track():
    n, blink = 60, 15
    one = track("t01", 1, n, 150, embedding=like(ANNA, EVE))
    one.embeddings[:blink] = like(BEN, EVE, 0.9)
    one.embeddings[blink : 2 * blink] = np.nan
    assert alike([one], ANNA_IS) == {"t01": "mara"}
    with pytest.raises(FaceError, match=r"no track is like ben.png: t01 0.0"):
        alike([one], BEN_IS)


def test_what_cannot_be_told_apart_is_asked():
    twins = [
        track("t01", 1, 50, 150, embedding=like(ANNA, EVE, 0.72)),
        track("t02", 1, 50, 400, embedding=like(ANNA, EVE, 0.70)),
    ]
    with pytest.raises(
        FaceError, match=r"anna.png is like track t01 \(0.72\) hardly more than anna.png is like track t02"
    ):
        alike(twins, ANNA_IS)
    torn = [track("t01", 1, 50, 150, embedding=unit(ANNA + BEN))]
    with pytest.raises(FaceError, match="cast one of them by name, for example t01=mara"):
        alike(torn, ANNA_IS, BEN_IS)


def test_two_pictures_of_one_performer():
    one = [track("t01", 1, 50, 150, embedding=unit(ANNA + 0.3 * EVE))]
    assert alike(one, ANNA_IS, entry("like", "mara", "anna2.png")) == {"t01": "mara"}


def test_nobody_is_like_the_picture():
    two = [
        track("t01", 1, 50, 150, embedding=like(EVE, BEN)),
        track("t02", 1, 50, 400, embedding=like(ANNA, EVE, 0.35)),
    ]
    with pytest.raises(
        FaceError, match=r"no track is like anna.png: t01 0.00, t02 0.35, where 0.4 is needed"
    ):
        alike(two, ANNA_IS)
    with pytest.raises(FaceError, match=r"set detect\.recogniser"):
        alike(TWO, ANNA_IS)
    with pytest.raises(FaceError, match=r"no face was found in the shot, so like anna\.png is nobody"):
        alike([], ANNA_IS)
