from __future__ import annotations

from pathlib import Path

import pytest

from understudy.errors import ConfigError
from understudy.tables import nearest, read_table

COLUMNS = ("id", "day", "notes")


def _read(folder: Path, data: bytes) -> list[tuple[int, dict[str, str]]]:
    (folder / "t.tsv").write_bytes(data)
    return [(row.line, row.cells) for row in read_table(folder / "t.tsv", "list", COLUMNS, ("id",))]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("separator", [b"\t", b";", b","])
def test_cells_are_the_text_that_was_typed(tmp_path: Path, mark: bytes, end: bytes, separator: bytes) -> None:
    lines = [[b"id", b"day", b"notes"], [b"0010", b"NO", b"1E10"], [b" x ", b"03/04", '"ü""q"""'.encode()]]
    data = mark + end.join(separator.join(cells) for cells in lines) + end
    assert _read(tmp_path, data) == [
        (2, {"id": "0010", "day": "NO", "notes": "1E10"}),
        (3, {"id": "x", "day": "03/04", "notes": 'ü"q"'}),
    ]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    data = b'# a list\n\nid,notes\n\n1,"two\nlines"\n# 2,x\n3\n , \n'
    assert _read(tmp_path, data) == [(5, {"id": "1", "notes": "two\nlines"}), (8, {"id": "3", "notes": ""})]


def test_quotes_inside_a_cell_are_text(tmp_path: Path) -> None:
    assert _read(tmp_path, b'id\tnotes\na\t5" lens\n') == [(2, {"id": "a", "notes": '5" lens'})]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "the list is empty"),
        (b"\n\n# only words\n", "the list is empty"),
        ("id\tday\n".encode("utf-16"), "the list is not UTF-8 text"),
        ("id\tday\n".encode("utf-16-le"), "the list holds zero bytes"),
        ("id\nö\n".encode("latin-1"), "line 2: the list is not UTF-8 text (byte 4)"),
        (b"id\tdya\n", "line 1: unknown column 'dya'\n  -> did you mean 'day'?"),
        (b"id day\n", "line 1: unknown column 'id_day'"),
        (b"id,day,id\n", "line 1: column 'id' stands twice"),
        (b"day\n", "line 1: column 'id' is missing"),
        (b"id,day\n1,2,3\n", "line 2: 3 cells under 2 columns"),
        (b'id,day\n1,2\n3,"4\n', "line 3: the list cannot be read as a table"),
    ],
)
def test_refusals(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, data)
    assert message in str(caught.value)
    assert "\n  -> " in str(caught.value)


def test_the_nearest_names() -> None:
    assert (
        nearest("astronut", ["hopper", "astronaut"]) == "did you mean 'astronaut'? allowed: astronaut, hopper"
    )
    assert nearest("x", []) == "there are none yet"
    many = [f"sh{i:03d}" for i in range(500)]
    assert nearest("sh0100", many).startswith("did you mean 'sh") and len(nearest("sh0100", many)) < 100
    assert nearest("zzz", many).endswith("and 476 more")
