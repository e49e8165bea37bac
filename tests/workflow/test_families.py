"""One run per family of models, from shot list to movie, with generated networks whose effect on a pixel is known.

All families are shots of one show, so that they share the start of snakemake. The looks switch off what would follow
the network (colour, light, texture, grain, the blend), so that a finished pixel tells what the network was fed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from neural import ARCFACE, EMBEDDED, FRAMES, Make, cards_of, change, neural_show, shift, source, unit
from shows import TestShow, add_movie

import generated
from understudy.faces.files import read_tracks
from understudy.media import stills
from understudy.media.movie import opened
from understudy.media.plate import Plate
from understudy.runtime.records import read_record

pytestmark = pytest.mark.slow
PROGRAM = """
import sys
from pathlib import Path
import cv2
given, made = map(Path, sys.argv[1:3])
for path in given.iterdir():
    crop = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    crop[..., 1] = crop[..., 1] // 2
    cv2.imwrite(str(made / path.name), crop)
"""

SWAPPERS: dict[str, Make] = {
    "inswapper_128": generated.inswapper,
    "hyperswap_1a_256": generated.hyperswap,
    "ghost_1_256": lambda path: generated.normalised(path, 256),
    "simswap_256": lambda path: generated.normalised(path, 256, *generated.IMAGENET, decoded=False),
    "hififace_unofficial_256": lambda path: generated.normalised(path, 256),
    "uniface_256": lambda path: generated.by_image(path, 256, signed=True),
    "blendswap_256": lambda path: generated.by_image(path, 112),
}
FEEDERS: dict[str, Make] = {
    ARCFACE: generated.recogniser,
    "crossface_ghost": generated.converter,
    "crossface_simswap": generated.converter,
    "crossface_hififace": generated.converter,
}
OTHERS: dict[str, Make] = {
    "gfpgan_1.4": generated.restorer,
    "codeformer": lambda path: generated.restorer(path, weight=True),
    "gpen_bfr_256": lambda path: generated.restorer(path, 256),
    "restoreformer_plus_plus": generated.restorer,
    "xseg_1": generated.xseg,
    "bisenet_resnet_34": generated.bisenet,
}


def looks() -> dict[str, dict[str, Any]]:
    """The look of every shot."""
    found = {name: {"swap": {"engine": "onnx", "model": name}} for name in SWAPPERS}
    found["boosted"] = {"swap": {"engine": "onnx", "model": "inswapper_128", "boost": 256}}
    found["dfm"] = {"swap": {"engine": "dfm", "model": "studio_dfm"}}
    found["vendor"] = {"swap": {"engine": "external", "model": "vendor"}}
    found["insightface"] = {"swap": {"engine": "insightface", "model": "inswapper_128"}}
    for name in ("gfpgan_1.4", "codeformer", "gpen_bfr_256", "restoreformer_plus_plus"):
        found[f"mesh.{name}"] = {"enhance": {"model": name, "fidelity": 0.25}, "match": {"restored": [0.5, 0.5]}}
    found["both"] = {
        "swap": {"engine": "onnx", "model": "inswapper_128"},
        "enhance": {"model": "gfpgan_1.4"},
        "match": {"restored": [0.8, 0.8]},
    }
    found["occluded"] = {
        "swap": {"engine": "onnx", "model": "inswapper_128"},
        "matte": {"occluders": ["xseg_1"]},
    }
    found["parsed"] = {
        "swap": {"engine": "onnx", "model": "inswapper_128"},
        "matte": {"parser": "bisenet_resnet_34", "regions": ["neck", "necklace", "cloth", "hair", "hat"]},
    }
    found["donor"] = {"swap": {"engine": "onnx", "model": "inswapper_128", "donor": True}}
    found["mesh"] = {}
    return found


def own_cards(folder: Path) -> dict[str, Any]:
    """Two models of a studio's own, whose files lie beside the show."""
    own = {"role": "swapper", "licence": "ours", "evidence": "trained here", "uses": ["commercial", "research", "test"]}
    path = generated.dfm(folder / "studio.dfm")
    program = folder / "vendor.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), "{input}", "{output}", "{source}"]
    return {
        "studio_dfm": own | {
            "family": "dfm", "file": path.name, "sources": [{"path": str(path)}], "template": "dfl_whole_face",
        },
        "vendor": own | {
            "family": "external", "file": "none", "sources": [], "template": "arcface_128", "size": 128,
            "settings": {"command": command},
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path, store: Path) -> TestShow:
    """Every family's shot, rendered."""
    folder = tmp_path_factory.mktemp("families")
    cards = cards_of(folder, root, store, SWAPPERS | FEEDERS | OTHERS)
    show = neural_show(folder, cards | own_cards(folder), looks(), add_movie)
    show.run()
    return show


def test_every_shot_came_to_its_end(made: TestShow) -> None:
    for shot in looks():
        assert len(list((made.out / shot / "frames").iterdir())) == FRAMES, shot
        with opened(made.out / shot / "movie" / f"{shot}_h264.mov") as (container, stream):
            assert sum(1 for _ in container.decode(stream)) == FRAMES, shot


def test_latents_are_made_as_each_family_was_trained(made: TestShow) -> None:
    vector = source(made)
    through = vector @ generated.conversion()
    wanted = {
        "inswapper_128": unit(vector @ generated.emap()),
        "hyperswap_1a_256": vector,
        "ghost_1_256": through,
        "simswap_256": unit(through),
        "hififace_unofficial_256": unit(through),
    }
    for shot, latent in wanted.items():
        moved = change(made, shot)
        assert np.abs(np.median(moved, axis=0) - shift(latent)).max() < 0.006, shot
    # The shifts tell the families apart: were one fed as another, its test would fail.
    shifts = [shift(latent) for latent in wanted.values()]
    apart = [np.abs(a - b).max() for k, a in enumerate(shifts) for b in shifts[:k]]
    assert sorted(apart)[1] > 0.03


def test_a_boost_changes_how_fine_it_works_and_not_what_it_does(made: TestShow) -> None:
    wanted = np.median(change(made, "inswapper_128"), axis=0)
    assert np.abs(np.median(change(made, "boosted"), axis=0) - wanted).max() < 0.006
    with_boost, without = (
        read_record(next((made.work / shot / "swap").glob("*.json"))) for shot in ("boosted", "inswapper_128")
    )
    scale = [
        np.sqrt(abs(np.linalg.det(np.array(json.loads(record.path("pages.jsonl").read_text().splitlines()[0]))[:, :2])))
        for record in (with_boost, without)
    ]
    assert scale[0] / scale[1] == pytest.approx(2, rel=1e-3)


def test_swappers_by_picture_are_shown_the_talent(made: TestShow) -> None:
    for shot in ("uniface_256", "blendswap_256"):
        moved = change(made, shot)
        spread = np.percentile(moved, [25, 75], axis=0)
        assert np.abs(np.median(moved, axis=0)).max() > 0.01, f"{shot} changed nothing"
        assert (spread[1] - spread[0]).max() < 0.02, f"{shot} did not change all pixels alike"


def test_a_deepfacelab_file_gets_its_colours_in_its_order(made: TestShow) -> None:
    moved = np.median(change(made, "dfm"), axis=0)
    np.testing.assert_allclose(moved, [0, 0, 0.2], atol=0.006)


def test_insightfaces_own_class_does_the_same(made: TestShow) -> None:
    ours, theirs = (np.median(change(made, shot), axis=0) for shot in ("inswapper_128", "insightface"))
    # It works in eight bits and truncates.
    assert np.abs(ours - theirs).max() < 0.012


def test_a_vendors_command_makes_the_face(made: TestShow) -> None:
    plate = Plate.from_dict(json.loads((made.work / "vendor" / "plate.json").read_text()))
    assert plate.last == FRAMES
    moved = change(made, "vendor")
    assert np.abs(np.median(moved[:, [0, 2]], axis=0)).max() < 0.01
    assert np.median(moved[:, 1]) < -0.15


def test_restorers_are_laid_by_their_share(made: TestShow) -> None:
    """The weave has mean 0, and what of it a plate can hold: most of a crop of 256, little of one of 512."""
    added = {
        name: change(made, f"mesh.{name}", "mesh")
        for name in ("gfpgan_1.4", "restoreformer_plus_plus", "codeformer", "gpen_bfr_256")
    }
    spread = {name: float(values.std()) for name, values in added.items()}
    assert all(abs(values.mean()) < 0.002 for values in added.values())
    assert 0.7 * 0.5 * generated.TEXTURE < spread["gpen_bfr_256"] < 0.5 * generated.TEXTURE
    assert 0.002 < spread["gfpgan_1.4"] < 0.01
    assert spread["restoreformer_plus_plus"] == pytest.approx(spread["gfpgan_1.4"], rel=0.01)
    # CodeFormer was told to keep a quarter of what there is.
    assert spread["codeformer"] / spread["gfpgan_1.4"] == pytest.approx(0.75, rel=0.1)


def test_what_is_restored_is_the_new_face(made: TestShow) -> None:
    vector = source(made)
    moved = np.median(change(made, "both"), axis=0)
    assert np.abs(moved - shift(unit(vector @ generated.emap()))).max() < 0.006
    # Four fifths of the texture here, half of it there.
    ratio = change(made, "both", "inswapper_128").std() / change(made, "mesh.gfpgan_1.4", "mesh").std()
    assert ratio == pytest.approx(0.8 / 0.5, rel=0.25)


def test_occluders_and_regions_hold_the_matte_back(made: TestShow) -> None:
    def matte(shot: str) -> np.ndarray:
        return stills.read(made.out / shot / "matte" / f"{shot}.0002.tif")[..., 0].astype(np.float64) / 65535

    whole, occluded, parsed = matte("inswapper_128"), matte("occluded"), matte("parsed")
    # The nodes of the outline's distance lie elsewhere in a larger crop.
    assert (occluded - whole).max() < 0.06
    assert (parsed - whole).max() < 0.06
    # Skin has too little blue for the generated occluder, and its red is the classes from neck to hat.
    assert occluded.sum() < 0.5 * whole.sum()
    assert 0.02 * whole.sum() < parsed.sum() < 0.98 * whole.sum()


def test_a_donor_lends_its_skin_to_a_network(made: TestShow) -> None:
    record = read_record(next((made.work / "donor" / "swap").glob("*.json")))
    assert {"faces.tif", "donor.tif", "shown.tif"} <= set(record.files)
    over, own = change(made, "donor", "inswapper_128"), change(made, "inswapper_128")
    # Detail is exchanged, colour is not.
    assert over.std() > 0.005
    assert np.abs(np.median(over, axis=0)).max() < 0.01 < np.abs(np.median(own, axis=0)).max()


def test_the_report_says_what_was_done_to_the_texture(made: TestShow) -> None:
    (track,) = json.loads((made.out / "both" / "qc.json").read_text())["tracks"]
    found = track["texture"]
    assert found["restored"]["share"] == 0.8 and found["restored"]["range"] == [0.8, 0.8]
    assert found["road"] in ("too soft", "over-enhanced", "as the plate")
    assert len(found["fit"]["gains"]) == 4 and found["texture_index"] is not None
    # A face of some 130 pixels through a network of 128.
    assert abs(found["debt"]) < 2


def test_what_ran_is_written_down(made: TestShow) -> None:
    ran = json.loads((made.out / "ghost_1_256" / "settings.json").read_text())
    assert ran["purpose"] == "test"
    names = [row["name"] for row in ran["models"]]
    assert set(names) == {*EMBEDDED, "ghost_1_256", ARCFACE, "crossface_ghost"}
    assert all(len(row["sha256"]) == 64 and row["licence"] and row["evidence"] for row in ran["models"])
    # The studio's own file gave no sha256: it was recorded at first sight.
    assert "studio.dfm" in (made.folder / "models.lock").read_text()


def test_only_what_the_looks_need_is_fetched(made: TestShow) -> None:
    held = {path.name for path in (made.folder / "store").iterdir() if path.is_file()}
    cards = yaml.safe_load((made.folder / "models.yaml").read_text())
    needed = {*SWAPPERS, *FEEDERS, *OTHERS, *EMBEDDED, "studio_dfm"}
    assert held >= {cards[name]["file"] for name in needed}
    planned = made.planned("models", "--config", "only=mesh")
    assert not any("fetch" in rule for rule in planned)


def test_tracks_carry_five_points(made: TestShow) -> None:
    record = read_record(made.work / "mesh" / "track.json")
    tracks, _ = read_tracks(record.folder)
    assert tracks[0].five.shape == (FRAMES, 5, 2)


def test_another_share_runs_no_network_again(made: TestShow) -> None:
    path = made.folder / "config" / "looks.yaml"
    text = path.read_text()
    try:
        document = yaml.safe_load(text)
        document["looks"]["both"]["settings"]["match"]["restored"] = [0.4, 0.4]
        path.write_text(yaml.safe_dump(document))
        planned = made.planned("--config", "only=both")
        assert "composite" in planned
        assert not planned & {"detect", "track", "align", "swap", "enhance", "matte"}
    finally:
        path.write_text(text)


def test_a_wedge_runs_a_network_once_for_all_cells_that_share_it(made: TestShow) -> None:
    wedge = "enhance.model=gfpgan_1.4,codeformer matte.feather=0.05,0.1 match.restored=[0.25,0.25],[0.5,0.5]"
    made.run("wedge", "--config", "only=mesh.codeformer", f"wedge={wedge}")
    facts = read_record(made.work / "mesh.codeformer" / "wedge.json").facts
    assert facts["cells"] == 8 and facts["made"] == {"faces": 2, "mattes": 4, "fits": 8}
