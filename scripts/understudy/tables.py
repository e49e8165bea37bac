"""Tables in which every cell is text: `0010`, `NO` and `1E10` stay what a person typed."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import ConfigError

_MOST_BYTES = 64_000_000
_SEPARATORS = "\t;,"


@dataclass(frozen=True)
class Row:
    """One row: the line of the file it begins on (from 1), and its cells by column, stripped."""

    line: int
    cells: dict[str, str]


def nearest(name: str, allowed: Collection[str], *, most: int = 24) -> str:
    """Words that help with a name that is not among the allowed ones.

    >>> nearest("astronut", ["astronaut", "hopper"])
    "did you mean 'astronaut'? allowed: astronaut, hopper"
    """
    if not allowed:
        return "there are none yet"
    close = difflib.get_close_matches(name, list(allowed)[:10_000], n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(repr(word) for word in close)}? " if close else ""
    if len(allowed) <= most:
        return f"{hint}allowed: {', '.join(sorted(allowed))}"
    shown = ", ".join(sorted(allowed)[:most])
    return hint.rstrip() if close else f"allowed: {shown} and {len(allowed) - most} more"


def text_of(path: Path, what: str, most_bytes: int) -> str:
    """Text of a UTF-8 file, with or without a byte order mark.

    Parameters
    ----------
    path:
        The file.
    what:
        What the file is, for messages: ``"shot list"``.
    most_bytes:
        Longer files are refused.

    Raises
    ------
    ConfigError
        If the file is missing, unreadable, too long or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"the {what} is missing",
            where=str(path),
            fix="create the file, or correct its path in the configuration",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the {what} cannot be read ({error.strerror})",
            where=str(path),
            fix="check the file and its permissions",
        ) from error
    if len(data) > most_bytes:
        raise ConfigError(
            f"the {what} is longer than {most_bytes / 1e6:g} MB",
            where=str(path),
            fix="check that this is the right file",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"the {what} is not UTF-8 text (byte {error.start + 1})",
            where=f"{path}, line {line}",
            fix="save it as UTF-8 (a spreadsheet calls it 'CSV UTF-8')",
        ) from None
    if "\0" in text:
        raise ConfigError(
            f"the {what} holds zero bytes: it is a binary file or UTF-16",
            where=str(path),
            fix="save it as UTF-8 text",
        )
    return text


def read_table(path: Path, what: str, columns: Collection[str], required: Collection[str]) -> list[Row]:
    """Read a table with one header row, parted by tabs, semicolons or commas.

    Lines that are empty or begin with ``#`` are passed over. Case and blanks in a column's name make no
    difference (``Approved by`` is ``approved_by``). A row may be shorter than the header: the cells it lacks
    are empty.

    Parameters
    ----------
    path:
        The file.
    what:
        What the file is, for messages: ``"shot list"``.
    columns:
        Columns that may be there.
    required:
        Columns that must be there.

    Raises
    ------
    ConfigError
        Naming file and line, if the file or its header cannot be used or a row is longer than the header.
    """
    records = _records(path, what)
    line, head = next(records, (1, []))
    if not head:
        raise ConfigError(
            f"the {what} is empty", where=str(path), fix=f"begin it with the columns {', '.join(columns)}"
        )
    names = [_column(name) for name in head]
    where = f"{path}, line {line}"
    for name in names:
        if name not in columns:
            raise ConfigError(f"unknown column {name!r}", where=where, fix=nearest(name, columns))
        if names.count(name) > 1:
            raise ConfigError(f"column {name!r} stands twice", where=where, fix="delete one of them")
    lacking = [name for name in required if name not in names]
    if lacking:
        raise ConfigError(
            f"column {lacking[0]!r} is missing"
            if len(lacking) == 1
            else f"columns {', '.join(lacking)} are missing",
            where=where,
            fix=f"add it; the columns are {', '.join(columns)}, parted by tabs, semicolons or commas",
        )
    rows = []
    for line, cells in records:
        if len(cells) > len(names):
            raise ConfigError(
                f"{len(cells)} cells under {len(names)} columns",
                where=f"{path}, line {line}",
                fix='put a cell that holds the separator into "double quotes"',
            )
        padded = [*(cell.strip() for cell in cells), *[""] * (len(names) - len(cells))]
        rows.append(Row(line, dict(zip(names, padded, strict=True))))
    return rows


def _column(name: str) -> str:
    return "_".join(name.strip().lower().split())


def _records(path: Path, what: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each record that is neither empty nor a comment, the header first."""
    text = text_of(path, what, _MOST_BYTES)
    header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    separator = next((mark for mark in _SEPARATORS if mark in header), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(
            f"the {what} cannot be read as a table ({error})",
            where=f"{path}, line {line}",
            fix='look for a "quote" that is not closed; inside a quoted cell a quote is written twice',
        ) from None
