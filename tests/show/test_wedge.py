from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import ConfigError, LicenceError
from understudy.show.load import Show
from understudy.show.settings import settings_at
from understudy.show.wedge import read_wedge, under

Load = Callable[..., Show]


def test_every_combination_is_a_cell_and_the_last_setting_changes_fastest() -> None:
    wedge = read_wedge("match.light=0,0.5 matte.brow_limit=true,false  composite.blend=alpha,poisson,multiband")
    assert len(wedge.cells) == 12 and wedge.across == 3
    assert wedge.cells[0].words == ("match.light=0", "matte.brow_limit=true", "composite.blend=alpha")
    assert wedge.cells[0].settings == {
        "match": {"light": 0}, "matte": {"brow_limit": True}, "composite": {"blend": "alpha"},
    }  # fmt: skip
    assert [cell.settings["composite"]["blend"] for cell in wedge.cells[:4]] == [
        "alpha", "poisson", "multiband", "alpha",
    ]  # fmt: skip
    assert wedge.cells[-1].settings["match"] == {"light": 0.5}


def test_no_wedge_is_no_cell() -> None:
    assert read_wedge("").cells == () == read_wedge("  ").cells


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("match.light", "'match.light' is no setting with its values\n  -> write e.g. --config wedge="),
        ("light=1", "'light=1' is no setting with its values"),
        ("match.lihgt=1", "there is no setting match.lihgt\n  -> did you mean 'light'?"),
        ("mtach.light=1", "mtach.light: there is no stage 'mtach'\n  -> did you mean 'match'?"),
        ("track.smooth=0,1", "track.smooth cannot be wedged: it is not among what a frame goes through once"),
        ("qc.seam=1,2", "qc.seam cannot be wedged"),
        ("matte.combine=[hull],[box]", "matte.combine is a list of steps: it cannot be wedged"),
        ("matte.occluders=a,b", "(matte.occluders): 'a' stands where a list belongs"),
        ("match.restored=[0.5,0.5,0.6]", "(match.restored): "),
        ("match.light=0,7", "(match.light): 7 is out of range\n  -> allowed: from 0 to 1."),
        ("match.light=0,", "(match.light): nothing stands here"),
        ("match.light=low", "(match.light): 'low' is not a number"),
        ("composite.blend=poison", "(composite.blend): 'poison' is not allowed\n  -> did you mean 'poisson'?"),
        ("match.texture=1", "(match.texture): '1' is neither true nor false"),
        ("match.light=0 match.light=1", "match.light stands twice"),
        ("match.light=0.5,.5", "match.light has the value 0.5 twice"),
        (
            "match.light=0,.1,.2,.3,.4 matte.erode=0,.1,.2,.3,.4 composite.opacity=0,.5,1",
            "75 combinations\n  -> ask for 64 at the most",
        ),
    ],
)
def test_refusals_name_the_setting(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_wedge(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("configuration, wedge")


def test_lists_stand_in_brackets() -> None:
    wedge = read_wedge("match.restored=[0.5,0.5],[0.7,0.8] matte.occluders=[],[xseg_1,xseg_2]")
    assert [cell.settings["match"]["restored"] for cell in wedge.cells] == [[0.5, 0.5]] * 2 + [[0.7, 0.8]] * 2
    assert [cell.settings["matte"]["occluders"] for cell in wedge.cells] == [[], ["xseg_1", "xseg_2"]] * 2
    assert wedge.cells[0].words == ("match.restored=[0.5,0.5]", "matte.occluders=[]")


def test_a_cells_value_holds_on_every_frame() -> None:
    settings: dict[str, Any] = {
        "match": {
            "light": 0.8,
            "restored": 0.7,
            "keys": {"light": [[1, 0.0], [9, 1.0]], "restored": [[1, 0.2]]},
            "ranges": [{"frames": [[3, 3]], "set": {"light": 0.1, "grain": "none"}}],
        }
    }
    (cell,) = read_wedge("match.light=0.5").cells
    made = under(settings, cell)["match"]
    assert [settings_at(made, frame)["light"] for frame in (0, 3, 5, 99)] == [0.5] * 4
    assert settings_at(made, 3) == {"light": 0.5, "restored": 0.2, "grain": "none"}
    assert settings["match"]["keys"]["light"] == [[1, 0.0], [9, 1.0]]


def test_a_wedges_models_are_held_against_roles_and_purpose_and_are_fetched(load: Load, root: Path) -> None:
    cards = str(root / "config/models.yaml")
    with pytest.raises(ConfigError, match=r"(?s)wedge enhance\.model=xseg_1: enhance\.model: xseg_1 is an occluder"):
        load(models=cards, purpose="research", wedge="enhance.model=xseg_1")
    with pytest.raises(LicenceError, match=r"(?s)wedge enhance\.model=codeformer.*may not be used for the purpose"):
        load(models=cards, wedge="enhance.model=codeformer")
    show = load(models=cards, purpose="research", wedge="enhance.model=gfpgan_1.4,codeformer")
    assert {"gfpgan_1.4", "codeformer"} <= set(show.models_needed())
    assert [settings["enhance"]["model"] for settings in show.wedged("sh010")] == ["gfpgan_1.4", "codeformer"]
    assert show.settings("sh010")["enhance"]["model"] == ""
