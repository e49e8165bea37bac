from __future__ import annotations

import pytest

from understudy.errors import ConfigError
from understudy.show.frames import chunk_name, chunks, holds, parse_frames, shared


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1001", ((1001, 1001),)),
        ("1001-1010,1015", ((1001, 1010), (1015, 1015))),
        (" 7 , 3 - 5 ", ((3, 5), (7, 7))),
        ("1-3,4-6", ((1, 6),)),
        ("1020-1025x2", ((1020, 1020), (1022, 1022), (1024, 1024))),
        ("1-4x1", ((1, 4),)),
        ("1-4x9", ((1, 1),)),
        ("0010-0012", ((10, 12),)),
    ],
)
def test_frames_are_read(text: str, expected: object) -> None:
    assert parse_frames(text) == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("1:10", "':' means a range to some programs"),
        ("1-10:2", "':' means a range to some programs"),
        ("1-", "cannot read '1-'"),
        ("", "cannot read ''"),
        ("1,,2", "cannot read ''"),
        ("-5", "cannot read '-5'"),
        ("1.5", "cannot read '1.5'"),
        ("1e3", "cannot read '1e3'"),
        ("١-٣", "cannot read"),
        ("10-1", "runs backwards"),
        ("1-10x0", "the step of '1-10x0' is 0"),
        ("1-5,3", "frame 3 stands twice"),
        ("12345678", "cannot read '12345678'"),
        ("1-10\n", None),
    ],
)
def test_other_forms_are_refused(text: str, message: str | None) -> None:
    if message is None:
        assert parse_frames(text) == ((1, 10),)
        return
    with pytest.raises(ConfigError) as caught:
        parse_frames(text, where="looks.yaml, line 7")
    assert message in str(caught.value)
    assert str(caught.value).startswith("looks.yaml, line 7: ")
    assert "->" in str(caught.value)


@pytest.mark.parametrize("first, last, size", [(1, 1, 1), (1001, 1048, 7), (1001, 1048, 48), (5, 100, 500)])
def test_chunks_cover_every_frame_once(first: int, last: int, size: int) -> None:
    frames = [frame for a, b in chunks(first, last, size) for frame in range(a, b + 1)]
    assert frames == list(range(first, last + 1))
    assert all(b - a + 1 <= size for a, b in chunks(first, last, size))


def test_names_of_chunks_sort_as_their_frames() -> None:
    names = [chunk_name(a, b) for a, b in chunks(990, 1_000_050, 100_003)]
    assert names == sorted(names)
    assert chunk_name(1001, 1048) == "0001001-0001048"


def test_ranges_are_compared() -> None:
    assert shared(((1, 5), (9, 9)), ((6, 8), (9, 12))) == 9
    assert shared(((1, 5),), ((6, 8),)) is None
    assert holds(((1, 5), (9, 9)), 9) and not holds(((1, 5), (9, 9)), 6)
