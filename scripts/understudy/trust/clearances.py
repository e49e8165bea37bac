"""Clearances: who may be used, for which project, for what and until when."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from understudy.errors import ClearanceError, ConfigError
from understudy.tables import nearest, read_table

USE = "face_replacement"
"""The use that a clearance must allow for a talent to be put on a performer."""

_REQUIRED = ("id", "talent", "project", "uses", "from", "until", "document")
_COLUMNS = (*_REQUIRED, "approved_by")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Cleared(Protocol):
    """What is asked of a talent here."""

    @property
    def id(self) -> str:
        """The talent's id."""

    @property
    def clearance(self) -> str:
        """Id of the clearance that the talent refers to."""


@dataclass(frozen=True)
class Clearance:
    """One permission.

    Attributes
    ----------
    id, talent, project:
        As in the list.
    uses:
        What is allowed.
    first, last:
        First and last day; ``last`` is ``None`` for no end.
    document:
        Where the signed paper is kept.
    approved_by:
        Who in the studio checked it; empty while nobody has.
    where:
        File and line, for messages.
    """

    id: str
    talent: str
    project: str
    uses: tuple[str, ...]
    first: datetime.date
    last: datetime.date | None
    document: str
    approved_by: str
    where: str


def load_clearances(path: Path) -> dict[str, Clearance]:
    """Read the list of clearances, by id.

    Raises
    ------
    ConfigError
        Naming file and line: a table that cannot be read, an empty cell (only ``approved_by`` may be), an id
        that stands twice, a day that does not exist or a last day before the first.
    """
    found: dict[str, Clearance] = {}
    for row in read_table(path, "list of clearances", _COLUMNS, _REQUIRED):
        where = f"{path}, line {row.line}"
        empty = [column for column in _REQUIRED if not row.cells[column]]
        if empty:
            raise ConfigError(
                f"column {empty[0]!r} is empty", where=where, fix="fill it in, or delete the row"
            )
        one = Clearance(
            id=row.cells["id"],
            talent=row.cells["talent"],
            project=row.cells["project"],
            uses=tuple(use.strip() for use in row.cells["uses"].split(",")),
            first=_day(row.cells["from"], "from", where),
            last=None if row.cells["until"] == "open" else _day(row.cells["until"], "until", where),
            document=row.cells["document"],
            approved_by=row.cells.get("approved_by", ""),
            where=where,
        )
        if one.id in found:
            raise ConfigError(
                f"clearance {one.id!r} stands twice (first in {found[one.id].where})",
                where=where,
                fix="give every clearance an id of its own",
            )
        if one.last is not None and one.last < one.first:
            raise ConfigError(
                f"until {one.last} is before from {one.first}", where=where, fix="correct one of them"
            )
        found[one.id] = one
    return found


def _day(text: str, column: str, where: str) -> datetime.date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError("not year-month-day")
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        also = ", or open for no end" if column == "until" else ""
        raise ConfigError(
            f"column {column!r}: {text!r} is no day ({error})",
            where=where,
            fix=f"write it like 2026-01-31{also}",
        ) from None


def check(
    shot: str, talent: Cleared, clearances: Mapping[str, Clearance], project: str, day: datetime.date
) -> Clearance:
    """The clearance that lets a talent be used on a shot of a project on a day.

    Raises
    ------
    ClearanceError
        Naming shot, talent and the first thing that does not hold.
    """
    where = f"shot {shot}, talent {talent.id}"
    if talent.clearance not in clearances:
        raise ClearanceError(
            f"there is no clearance {talent.clearance!r}",
            where=where,
            fix=nearest(talent.clearance, clearances),
        )
    one = clearances[talent.clearance]
    reason = _reason(one, talent.id, project, day)
    if reason:
        raise ClearanceError(
            f"clearance {one.id!r} does not hold: {reason}",
            where=where,
            fix=f"get a clearance and enter it ({one.where}), or cast another talent; nothing was rendered",
        )
    return one


def _reason(one: Clearance, talent: str, project: str, day: datetime.date) -> str:
    if one.talent != talent:
        return f"it is for the talent {one.talent!r}"
    if one.project != project:
        return f"it is for the project {one.project!r}, not {project!r}"
    if USE not in one.uses:
        return f"it allows {', '.join(one.uses)}, not {USE}"
    if day < one.first:
        return f"it starts on {one.first}, and today is {day}"
    if one.last is not None and day > one.last:
        return f"it expired on {one.last}, and today is {day}"
    if not one.approved_by:
        return "nobody has approved it (column 'approved_by' is empty)"
    return ""
