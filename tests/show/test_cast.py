from __future__ import annotations

import pytest

from understudy.errors import ConfigError
from understudy.show.cast import CastEntry, parse_cast

TALENTS = {"mara", "ben", "largest", "t02", "a.b-c"}


@pytest.mark.parametrize(
    "cell, expected",
    [
        ("mara", [("largest", None, "mara")]),
        ("  leftmost=mara   rightmost=ben ", [("leftmost", None, "mara"), ("rightmost", None, "ben")]),
        ("everyone=mara t02=ben", [("everyone", None, "mara"), ("track", "t02", "ben")]),
        ("t01=mara t02=mara", [("track", "t01", "mara"), ("track", "t02", "mara")]),
        ("box:812,220,1010,470@1012=ben", [("box", (1012, 812.0, 220.0, 1010.0, 470.0), "ben")]),
        ("box:0,.5,1,1@1=ben", None),
        ("box:0,0.5,10.25,7@0=a.b-c", [("box", (0, 0.0, 0.5, 10.25, 7.0), "a.b-c")]),
        ("like:refs/anna.png=mara", [("like", "refs/anna.png", "mara")]),
        ("like:a=b.jpg=mara t02=ben", [("like", "a=b.jpg", "mara"), ("track", "t02", "ben")]),
        ("like:=mara", None),
        ("t03=t02 largest=largest", [("track", "t03", "t02"), ("largest", None, "largest")]),
    ],
)
def test_cells(cell: str, expected: list[tuple[object, ...]] | None) -> None:
    if expected is None:
        with pytest.raises(ConfigError, match="is no performer"):
            parse_cast(cell, TALENTS, where="here")
    else:
        assert list(parse_cast(cell, TALENTS, where="here")) == [CastEntry(*entry) for entry in expected]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cell, message",
    [
        ("", "cast is empty"),
        ("t02", "names no talent"),
        ("largest", "names no talent"),
        ("box:1,2,3,4@5", "names no talent"),
        ("like:refs/anna.png", "names no talent"),
        ("like:a.png=mara like:a.png=ben", "like:a.png is cast twice"),
        ("mara=", "'mara' is no performer"),
        ("=mara", "'' is no performer"),
        ("largest=mara=ben", "'largest=mara' is no performer"),
        ("LARGEST=mara", "'LARGEST' is no performer"),
        ("t02=mara t02=ben", "t02 is cast twice"),
        ("mara largest=mara", "largest is cast twice"),
        ("box:1,1,2,2@3=ben box:1,1,2,2@3=mara", "is cast twice"),
        ("box:1,5,2,5@3=ben", "the box has no area"),
        ("box:-1,5,2,7@3=ben", "is no performer"),
        ("$(touch X)", "there is no talent '$(touch'"),
    ],
)
def test_refusals(cell: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_cast(cell, TALENTS, where="shots.tsv, line 3")
    assert message in str(caught.value)
    assert str(caught.value).startswith("shots.tsv, line 3: ")
