"""What re-runs: change one thing, and look at the plan."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from shows import LOOKS, TestShow

ALWAYS = {"all", "review", "verdict"}
BELOW_COMPOSITE = {"composite", "stills", "encode", "qc"} | ALWAYS


@pytest.fixture
def show(finished: TestShow) -> Iterator[TestShow]:
    """The finished show, its configuration put back afterwards."""
    config, rows = dict(finished.config), list(finished.rows)
    looks = finished.folder / "config" / "looks.yaml"
    text = looks.read_text()
    yield finished
    finished.config, finished.rows = config, rows
    looks.write_text(text)
    finished.write()


def look(show: TestShow, settings: dict, shots: dict | None = None) -> None:
    content = LOOKS | {"show": {"settings": {"qc": LOOKS["show"]["settings"]["qc"]} | settings}, "shots": shots or {}}
    (show.folder / "config" / "looks.yaml").write_text(yaml.safe_dump(content))
    show.write()


def test_nothing_runs_again(show: TestShow):
    assert show.planned() == set()


def test_a_touched_plate_and_touched_code_run_nothing(show: TestShow, root):
    for path in [*(show.folder / "talent").iterdir(), *(root / "scripts").glob("*.py")]:
        path.touch()
    assert show.planned() == set()


def test_a_blend_runs_the_composite_and_what_follows(show: TestShow):
    look(show, {"composite": {"opacity": 0.9}})
    assert show.planned() == BELOW_COMPOSITE


def test_one_shots_setting_runs_that_shot_alone(show: TestShow):
    look(show, {}, {"seq": {"settings": {"composite": {"opacity": 0.9}}}})
    text = show.run("--dry-run").stdout
    assert "shot=seq" in text
    assert "shot=mov" not in text


def test_a_keyed_setting_runs_its_stage_of_its_shot_alone(show: TestShow):
    keys = [{"frame": 1003 + step, "settings": {"composite": {"opacity": 1 - step / 10}}} for step in (0, 6)]
    look(show, {}, {"seq": {"keys": keys}})
    text = show.run("--dry-run").stdout
    assert "rule composite" in text and "rule match" not in text and "rule swap" not in text
    assert "shot=seq" in text and "shot=mov" not in text


def test_the_talents_proportions_run_the_swap_and_no_detection(show: TestShow):
    look(show, {"swap": {"shape": 0.3}})
    assert show.planned() == {"swap", "matte", "match"} | BELOW_COMPOSITE


def test_a_threshold_of_qc_runs_qc_alone(show: TestShow):
    look(show, {"qc": {"seam": 1.9}})
    assert show.planned() == {"qc"} | ALWAYS


def test_notes_and_priority_repaint_nothing(show: TestShow):
    show.rows = [row.rsplit("\t", 2)[0] + "\t5\tsofter chin" for row in show.rows]
    show.write()
    assert show.planned() <= {"qc"} | ALWAYS


def test_two_settings_swapped_are_noticed(show: TestShow):
    """Snakemake compares flat params as a set of values; one dict per stage does not have that hole."""
    look(show, {"matte": {"erode": 0.09, "feather": 0.04}})
    assert "matte" in show.planned()


def test_only_restricts_every_target(show: TestShow):
    look(show, {"composite": {"opacity": 0.8}})
    text = show.run("--dry-run", "--config", "only=mo*").stdout
    assert "shot=mov" in text
    assert "shot=seq" not in text
