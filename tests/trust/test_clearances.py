from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
import yaml

from understudy.errors import ClearanceError, ConfigError
from understudy.trust.clearances import Clearance, check, load_clearances

HEAD = "id;talent;project;uses;from;until;document;Approved By\n"
DAY = datetime.date(2026, 6, 1)


@dataclasses.dataclass(frozen=True)
class Person:
    id: str = "mara"
    clearance: str = "c1"


ONE = Clearance(
    "c1", "mara", "film", ("face_replacement",), DAY, DAY, "paper 7", "legal", "clearances.tsv, line 2"
)


def test_the_list_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.tsv"
    path.write_text(
        HEAD + "c1;mara;film;stills, face_replacement;2026-01-01;open;paper 7;legal\n", encoding="utf-8"
    )
    assert load_clearances(path)["c1"] == Clearance(
        "c1",
        "mara",
        "film",
        ("stills", "face_replacement"),
        datetime.date(2026, 1, 1),
        None,
        "paper 7",
        "legal",
        f"{path}, line 2",
    )


@pytest.mark.parametrize(
    "row, message",
    [
        ("c1;;film;x;2026-01-01;open;p;a", "line 2: column 'talent' is empty"),
        ("c1;m;film;x;20260101;open;p;a", "line 2: column 'from': '20260101' is no day"),
        ("c1;m;film;x;2026-W01-1;open;p;a", "line 2: column 'from': '2026-W01-1' is no day"),
        ("c1;m;film;x;2026-13-01;open;p;a", "line 2: column 'from': '2026-13-01' is no day"),
        ("c1;m;film;x;open;2026-01-01;p;a", "line 2: column 'from': 'open' is no day"),
        ("c1;m;film;x;2026-01-01;forever;p;a", "line 2: column 'until': 'forever' is no day"),
        ("c1;m;film;x;2026-01-02;2026-01-01;p;a", "line 2: until 2026-01-01 is before from 2026-01-02"),
        ("c1;m;f;x;2026-01-01;open;p;a\nc1;m;g;x;2026-01-01;open;p;a", "line 3: clearance 'c1' stands twice"),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "c.tsv"
    path.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_clearances(path)
    assert f"{path}, {message}" in str(caught.value)


def test_a_clearance_that_holds_is_returned() -> None:
    assert check("sh010", Person(), {"c1": ONE}, "film", DAY) is ONE


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"talent": "ben"}, "it is for the talent 'ben'"),
        ({"project": "Film"}, "it is for the project 'Film', not 'film'"),
        ({"uses": ("face_replacement_stills",)}, "it allows face_replacement_stills, not face_replacement"),
        ({"first": DAY + datetime.timedelta(1)}, "it starts on 2026-06-02, and today is 2026-06-01"),
        ({"last": DAY - datetime.timedelta(1)}, "it expired on 2026-05-31, and today is 2026-06-01"),
        ({"approved_by": ""}, "nobody has approved it"),
    ],
)
def test_a_clearance_that_does_not_hold(changes: dict[str, object], reason: str) -> None:
    one = dataclasses.replace(ONE, **changes)  # type: ignore[arg-type]
    with pytest.raises(ClearanceError) as caught:
        check("sh010", Person(), {"c1": one}, "film", DAY)
    words = str(caught.value)
    assert words.startswith("shot sh010, talent mara: clearance 'c1' does not hold: ") and reason in words
    assert "clearances.tsv, line 2" in words


def test_no_clearance_at_all() -> None:
    with pytest.raises(
        ClearanceError, match=r"shot sh010, talent mara: there is no clearance 'c1'\n  -> there are none yet"
    ):
        check("sh010", Person(), {}, "film", DAY)


def test_the_schema_says_the_same_as_the_reader(root: Path, tmp_path: Path) -> None:
    schema = yaml.safe_load((root / "config/schemas/clearances.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "c.tsv"
    path.write_text("\t".join(schema["properties"]) + "\n", encoding="utf-8")
    assert load_clearances(path) == {}
    for column in schema["properties"]:
        path.write_text("\t".join(set(schema["properties"]) - {column}) + "\n", encoding="utf-8")
        if column in schema["required"]:
            with pytest.raises(ConfigError, match=f"column '{column}' is missing"):
                load_clearances(path)
        else:
            assert load_clearances(path) == {}
