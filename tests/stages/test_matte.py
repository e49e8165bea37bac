"""Stage `matte` on a little shot: the layers on disk, and that no result depends on where a shot is cut into chunks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import generated
from little import FIRST, SIDE, UNIT, LittleShot
from understudy.comp.mattes.steady import edge_motion
from understudy.faces.geometry import to_face
from understudy.media import crops, stills
from understudy.media.plate import Plate
from understudy.runtime.cards import Weights, model_card
from understudy.runtime.job import Job
from understudy.runtime.records import Task, fulfil
from understudy.show.mattes import ANYWHERE
from understudy.stages.crops import Cut, write_cuts
from understudy.stages.stills import stills as deliver

CHUNKS = 7, 48, 500


@pytest.fixture
def shaking(tmp_path: Path, cards: dict[str, Any]) -> tuple[LittleShot, dict[str, Weights]]:
    """The shot, and an occluder whose edge shakes by about .04 IOD with the light."""
    shot = LittleShot(tmp_path)
    path = generated.shaky(tmp_path / "shaky.onnx", shot.mean(), 8.0)
    return shot, {"xseg_1": Weights(model_card("xseg_1", generated.card_for(cards["xseg_1"], path)), path)}


def motion(shot: LittleShot, pages: list[np.ndarray]) -> float:
    places = []
    for k, params in enumerate(shot.track().transform):
        matrix = to_face(params)
        # From the crop's pixels, which begin at its box.
        places.append(np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ shot.box(k)[:2]]))
    return edge_motion([page / np.float32(65535) for page in pages], places)


def test_steadied_mattes_do_not_depend_on_the_chunks(shaking: tuple[LittleShot, dict[str, Weights]]) -> None:
    shot, weights = shaking
    made = [
        shot.mattes(chunk, 1, weights, ("matte", "unoccluded"), occluders=["xseg_1"], steady=1)
        for chunk in CHUNKS
    ]
    for other in made[1:]:
        for name, pages in made[0].items():
            assert len(pages) == shot.frames
            assert all(np.array_equal(a, b) for a, b in zip(pages, other[name], strict=True)), name


def test_a_shaking_network_is_steadied(shaking: tuple[LittleShot, dict[str, Weights]]) -> None:
    shot, weights = shaking
    plain, steadied = (
        motion(
            shot,
            shot.mattes(500, steady, weights, ("unoccluded",), occluders=["xseg_1"], steady=steady)[
                "unoccluded"
            ],
        )
        for steady in (0, 2)
    )
    hull = motion(shot, shot.mattes(500, 0)["matte"])
    assert plain > 0.04
    assert steadied < plain / 3
    assert hull < 0.002


def test_the_colour_tests_mattes_do_not_depend_on_the_chunks(tmp_path: Path) -> None:
    shot = LittleShot(tmp_path, covered=range(20, 33))
    made = [
        shot.mattes(chunk, ANYWHERE, None, ("matte", "occlusion"), hold_back=1.0, steady=1)
        for chunk in CHUNKS
    ]
    for other in made[1:]:
        for name, pages in made[0].items():
            assert all(np.array_equal(a, b) for a, b in zip(pages, other[name], strict=True)), name
    # It is held back while it is there, and nowhere else; before and after it nothing jumps.
    middle = SIDE // 2 + 20, 70 + 20
    held = np.array([page[middle[1], middle[0]] for page in made[0]["occlusion"]]) / 65535
    assert (held[20:33] > 0.8).all() and not held[:16].any() and not held[37:].any()
    clear = np.array([page[60, 45] for page in made[0]["occlusion"]])
    assert not clear.any()


def test_only_layers_that_exist_lie_on_disk(tmp_path: Path) -> None:
    shot = LittleShot(tmp_path, frames=3)
    steps = [{"replace": "hull"}, {"hold": "eyes"}, {"min": "difference"}]
    names = ("matte", "hull", "eyes", "difference")
    made = shot.mattes(3, 0, None, names, combine=steps, difference=0.02)
    hull, eyes, difference = (made[name][1] / 65535 for name in ("hull", "eyes", "difference"))
    assert np.abs(made["matte"][1] / 65535 - np.minimum(hull * (1 - eyes), difference)).max() < 1e-4
    # The face is a tenth darker: .06 of red, which is more than twice the threshold.
    assert difference[80, 80] == 1


def test_a_roto_is_laid_on_after_all_else_with_an_edge_of_its_own(tmp_path: Path) -> None:
    shot = LittleShot(tmp_path, frames=3)
    drawn = np.zeros((240, 240), np.uint8)
    drawn[:, 120:] = 255
    for k in range(3):
        stills.write(tmp_path / f"r.{FIRST + k}.png", drawn, kind="png", depth=8)
    entry = {
        "pattern": str(tmp_path / "r.%04d.png"),
        "channel": "R",
        "mode": "hold",
        "erode": 0.1,
        "feather": 0.2,
    }
    made = shot.mattes(3, 0, None, ("matte", "hull", "roto"), roto=[entry])
    x0, _, x1, _ = shot.box(1)
    t = np.clip((np.arange(x0, x1) + 0.5 - 120 - 0.1 * UNIT) / (0.2 * UNIT), 0, 1)
    wanted = (made["hull"][1][80] / 65535) * (1 - t * t * (3 - 2 * t))
    assert np.abs(made["matte"][1][80] / 65535 - wanted).max() < 0.02


def test_the_matte_is_delivered_on_every_frame_black_where_nothing_was_changed(
    tmp_path: Path, make_plate: Callable[..., Plate]
) -> None:
    plate = make_plate(first=1, last=3, path=str(tmp_path / "a.%04d.png"))
    for frame in (1, 2, 3):
        stills.write(plate.frame_path(frame), np.full((30, 40, 3), 90, np.uint8), kind="png", depth=8)
    (tmp_path / "plate.json").write_text(json.dumps(plate.to_dict()))

    def work(folder: Path) -> dict[str, Any]:
        crops.write(folder / "patches.tif", [np.full((10, 12, 3), 7, np.uint8)])
        crops.write(folder / "weights.tif", [np.full((10, 12), 20000, np.uint16)])
        write_cuts(folder, [Cut(0, 2, "t01", 1, (20, 15, 32, 25))])
        return {}

    subject = {"shot": "a", "frames": [1, 3]}
    fulfil(Task("composite", tmp_path / "c.json", subject, {}, "code", {}), work)
    settings = {"deliveries": {"review": {"frames": None, "matte": True}}}
    inputs = {"plate": [tmp_path / "plate.json"], "finished": [tmp_path / "c.json"]}
    folder = tmp_path / "made"
    folder.mkdir()
    deliver(Job(folder, subject, settings, inputs, lambda _: None))
    mattes = {path.name: stills.read(path)[..., 0] for path in sorted((folder / "matte").iterdir())}
    assert list(mattes) == ["a.0001.tif", "a.0002.tif", "a.0003.tif"]
    assert all(matte.shape == (30, 40) and matte.dtype == np.uint16 for matte in mattes.values())
    assert not mattes["a.0001.tif"].any() and not mattes["a.0003.tif"].any()
    assert (mattes["a.0002.tif"] == 20000).sum() == 120
