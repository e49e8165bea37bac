"""The target `wedge`, through the real command: a sheet per shot, whatever its cells share made once."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from shows import TestShow, add_sequence, new_show

from understudy.runtime.records import read_record
from understudy.stages.wedge import LEAST

WEDGE = "match.light=0,1 composite.opacity=0,0.5,1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, store) -> TestShow:
    show = new_show(tmp_path_factory.mktemp("wedge"), store)
    for shot in ("one", "two"):
        add_sequence(show, shot, 4, (320, 180), "hopper")
    show.write()
    show.run("wedge", "--config", "only=one", f"wedge={WEDGE}")
    return show


def test_a_sheet_for_every_selected_shot_and_one_run_of_the_engine(made: TestShow):
    assert [path.name for path in sorted((made.result / "review" / "wedge").iterdir())] == ["one.png"]
    facts = read_record(made.work / "one" / "wedge.json").facts
    assert facts["cells"] == 6
    assert facts["made"] == {"faces": 1, "mattes": 1, "fits": 2}
    assert not (made.work / "one" / "swap").exists()


def test_the_cells_are_what_they_say(made: TestShow):
    """Without opacity a cell is the plate; each of the others is a picture of its own."""
    sheet = cv2.imread(str(made.result / "review" / "wedge" / "one.png"))
    wide, tall, top = LEAST, 180, 44
    columns = [16 + place * (wide + 16) for place in range(4)]
    assert sheet.shape[1] == columns[-1] + wide + 16
    first = [sheet[top : top + tall, x : x + wide].astype(int) for x in columns]
    assert np.array_equal(first[1], first[0])
    half, whole = (np.abs(picture - first[0]).max(axis=2) for picture in first[2:])
    assert whole.max() > 30 and (whole[half > 2] > 0).all()
    assert half.sum() == pytest.approx(whole.sum() / 2, rel=0.15)


def test_the_same_wedge_runs_nothing_and_another_only_itself(made: TestShow):
    assert made.planned("wedge", "--config", "only=one", f"wedge={WEDGE}") == set()
    again = made.planned("wedge", "--config", "only=one", "wedge=matte.feather=0.02,0.1")
    assert again == {"cells", "wedge"}


@pytest.mark.parametrize(
    ("wedge", "words"),
    [
        ("wedge=match.light=0,7", ["configuration, wedge (match.light): 7 is out of range", "from 0 to 1"]),
        ("only=one", ["no wedge is asked for", '--config wedge="match.light=0,0.5,1']),
    ],
)
def test_a_bad_wedge_is_refused_in_words(made: TestShow, wedge: str, words: list[str]):
    done = made.run("wedge", "--config", wedge, check=False)
    assert done.returncode
    for word in words:
        assert word in done.stdout
