from __future__ import annotations

from pathlib import Path

import pytest

from understudy.errors import ConfigError
from understudy.show.document import read_document

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_scalars_stay_the_text_that_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(
        b"\xef\xbb\xbf0010: 010\r\nNO: yes\r\n10:00:00:00: 1E10\r\n1e3: 2026-01-01\r\n"
        b"empty:\r\nnone: ~\r\nquoted: 'null'\r\ntrue: [off, 0x1F, 1_000, .inf]\r\n"
    )
    assert read_document(path, "list").tree == {
        "0010": "010",
        "NO": "yes",
        "10:00:00:00": "1E10",
        "1e3": "2026-01-01",
        "empty": None,
        "none": None,
        "quoted": "null",
        "true": ["off", "0x1F", "1_000", ".inf"],
    }


def test_every_value_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# hello\na:\n  b:\n    - 1\n    - c: 2\nd: 3\n", encoding="utf-8")
    document = read_document(path, "list", name="a.yaml")
    assert document.where(("a", "b", 1, "c")) == "a.yaml, line 5 (a.b.1.c)"
    assert document.where(("a",)) == "a.yaml, line 2 (a)"
    assert document.where(("a", "nothing")) == "a.yaml, line 2 (a.nothing)"
    assert document.line(("d",)) == 6


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    assert read_document(path, "list").tree is None


@pytest.mark.parametrize(
    "data, message",
    [
        (BOMB, "line 1: anchor &a"),
        ("a: *b\n", "line 1: alias *b"),
        (
            "a: !!python/object/apply:os.system ['touch X']\n",
            "line 1: tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("a: !!int 3\n", "line 1: tag tag:yaml.org,2002:int"),
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' stands twice (first in line 1)"),
        ("a: {b: 1, b: 2}\n", "line 1: key 'b' stands twice"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document begins here"),
        ("? [a, b]\n: 1\n", "line 1: a key that is a list or a mapping"),
        ("[" * 21 + "]" * 21, "line 1: more than 20 levels"),
        ("[" * 100_000, "line 1: more than 20 levels"),
        ("a: 1\n b: 2\n", "line 2: the list is not YAML"),
        ("a: [1, 2\n", "the list is not YAML"),
        ("a:\n\t- 1\n", "line 2: the list is not YAML"),
        ("a: 'x\n", "the list is not YAML"),
        ("a: \x07\n", "the list is not YAML"),
        ("a: " + "x" * 1_000_000, "the list is longer than 1 MB"),
        (b"a: \xff\xfe\n", "line 1: the list is not UTF-8 text (byte 4)"),
        ("a: 1".encode("utf-16-le"), "the list holds zero bytes"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: str | bytes, message: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(ConfigError) as caught:
        read_document(path, "list", name="list.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("list.yaml") or str(path) in str(caught.value)
    assert "\n  -> " in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the list of talents is missing"):
        read_document(tmp_path / "none.yaml", "list of talents")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_document(tmp_path, "list of talents")
