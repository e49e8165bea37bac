"""What docs/mattes.md says in numbers: how steady edges are, what the colour-and-edge test finds, and what layers cost.

    python tests/bench/mattes.py

takes some minutes: it renders the demo's shot with a hand before a face, whose true outline is known.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("scripts", "demo", "tests", "tests/workflow")]

import yaml  # noqa: E402
from shows import LOOKS, add_sequence, new_show  # noqa: E402

import generated  # noqa: E402
import plates  # noqa: E402
from little import FIRST, LittleShot  # noqa: E402
from understudy.comp.mattes import matte  # noqa: E402
from understudy.comp.mattes.edges import guided  # noqa: E402
from understudy.comp.mattes.occlusion import face_thumb, over_crop, suspicion, suspicion_reference  # noqa: E402
from understudy.comp.mattes.steady import alike, edge_motion, steadied  # noqa: E402
from understudy.comp.resample import gaussian  # noqa: E402
from understudy.faces.files import read_tracks  # noqa: E402
from understudy.faces.geometry import CANONICAL, to_face  # noqa: E402
from understudy.media import crops  # noqa: E402
from understudy.runtime.cards import Weights, model_card  # noqa: E402
from understudy.runtime.job import keep_freed_memory  # noqa: E402
from understudy.runtime.records import read_record  # noqa: E402
from understudy.show.document import read_document  # noqa: E402
from understudy.show.schema import conform, defaults, schema  # noqa: E402
from understudy.stages.crops import read_cuts  # noqa: E402

SETTINGS: dict[str, Any] = defaults(schema("settings"))["matte"]
SIZE = 960, 540
RUNS = 15
GAINS = 2.0, 8.0
"""How much the edges of the two occluders shake (see `generated.shaky`)."""


def steadiness(folder: Path) -> None:
    """Occluders whose edge shakes a little and a lot with the light, before and after they are steadied."""
    shot = LittleShot(folder)
    card = conform(read_document(ROOT / "config" / "models.yaml", "list of models"), "models")["xseg_1"]
    networks = []
    for gain in GAINS:
        path = generated.shaky(folder / f"shaky{gain}.onnx", shot.mean(), gain)
        networks.append({"xseg_1": Weights(model_card("xseg_1", generated.card_for(card, path)), path)})
    places = []
    for k, params in enumerate(shot.track().transform):
        matrix = to_face(params)
        places.append(np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ shot.box(k)[:2]]))

    def motion(pages: list[np.ndarray]) -> float:
        return edge_motion([page / np.float32(65535) for page in pages], places)

    print("| mattes | shaking a little | shaking a lot |\n|---|---|---|")
    hull = f"{motion(shot.mattes(500, 0)['matte']):.4f}"
    print(f"| hull alone | {hull} | {hull} |")
    for steady in range(5):
        made = [
            shot.mattes(500, steady, network, ("unoccluded",), occluders=["xseg_1"], steady=steady)
            for network in networks
        ]
        shakes = " | ".join(f"{motion(one['unoccluded']):.4f}" for one in made)
        print(f"| occluder, `steady` {steady} | {shakes} |")


def failure() -> None:
    """How far a matte of .95 falls on the frame on which a network says 0, and on those beside it."""
    row = [np.full((1, 1), 0.95, np.float32) for _ in range(13)]
    row[6] = np.zeros((1, 1), np.float32)
    print("\n| `steady` | a frame on which the network fails falls to | the frames beside it to |\n|---|---|---|")
    for steady in range(5):
        made = [float(steadied(row[k - steady : k + steady + 1], [1.0] * (2 * steady + 1))[0, 0]) for k in range(4, 9)]
        print(f"| {steady} | {made[2]:.3f} | {min(made[1], made[3]):.3f} |")


def hand(folder: Path) -> None:
    """What is held back of the demo's hand, by its true outline."""
    show = new_show(folder, ROOT / "models")
    add_sequence(show, "hand", 60, SIZE, "t01=astronaut", plan="sh030")
    looks = json.loads(json.dumps(LOOKS))
    looks["show"]["settings"]["matte"] = {"hold_back": 1.0}
    (folder / "config").mkdir()
    (folder / "config" / "looks.yaml").write_text(yaml.safe_dump(looks))
    show.write()
    show.run("--until", "matte")
    work = show.work / "hand"
    tracks, roles = read_tracks(read_record(work / "track.json").folder)
    (track,) = (track for track in tracks if track.id in roles)
    found: list[tuple[float, float, float]] = []
    for name in sorted(path.name for path in (work / "matte").glob("*.json")):
        layers, cuts = read_record(work / "matte" / name), read_cuts(read_record(work / "align" / name))
        pages = [crops.read(layers.path(f"{layer}.tif")) for layer in ("occlusion", "hull")]
        for cut, occlusion, hull in zip(cuts, *pages, strict=True):
            truth = plates.hand_matte(plates.PLANS["sh030"], cut.frame - FIRST, SIZE)[cut.region]
            inside, held = hull / 65535.0, occlusion / 65535.0
            under, free = inside * (truth > 0.5), inside * (truth < 0.1)
            share = under.sum() / inside.sum()
            found.append((share, (held * under).sum() / max(under.sum(), 1), (held * free).sum() / free.sum()))
    assert len(found) == len(track.frames)
    share, caught, wrong = np.array(found).T
    print("\n| frames | number | of the hand held back | of the free face held back |\n|---|---|---|---|")
    for words, those in (
        ("a tenth of the matte or more is covered", share >= 0.1),
        ("something is covered", (share > 0) & (share < 0.1)),
        ("nothing is covered", share == 0),
    ):
        mean = f"{100 * np.average(caught[those], weights=share[those]):.0f} %" if share[those].any() else ""
        print(f"| {words} | {those.sum()} | {mean} | {100 * wrong[those].mean():.1f} % |")


def cost() -> None:
    """CPU of the layers of a face of 512 pixels, in a crop as `align` cuts it."""
    unit = 512 / np.ptp(CANONICAL[:, 1])
    shape = (880, 800)
    points = (CANONICAL * unit + [400, 400, 0]).astype(np.float32)
    plate = np.random.default_rng(1).random((*shape, 3), np.float32)
    vague = blobs(shape)
    thumb = face_thumb(plate, points)
    look = suspicion_reference(np.stack([thumb] * 3))
    small = vague[::10, ::10]

    def look_of(**changes: Any) -> Callable[[], Any]:
        return lambda: matte.layers(points, shape, vague, lambda: plate, {}, [], SETTINGS | changes)

    def steady(radius: int) -> Callable[[], Any]:
        rows = [np.roll(vague, 3 * k, 1) for k in range(2 * radius + 1)]
        return lambda: (steadied(rows, [1.0] * len(rows)), [alike(small, small) for _ in rows])

    base_steps = [{"replace": "hull"}, {"times": "engine"}]
    work: dict[str, Callable[[], Any]] = {
        "hull and engine (the default)": look_of(),
        "more with sides drawn in": look_of(erode_top=0.1),
        "more with `box`": look_of(combine=[*base_steps, {"min": "box"}]),
        "more with `mouth`": look_of(combine=[*base_steps, {"hold": "mouth"}]),
        "more with `lower_face`": look_of(combine=[*base_steps, {"min": "lower_face"}]),
        "a new edge for a layer": lambda: matte.redrawn(vague, 0.02, 0.06, unit),
        "`guided`, a layer": lambda: guided(vague, plate[..., 1], 0.05 * unit),
        "`steady` 1, a layer": steady(1),
        "`steady` 2, a layer": steady(2),
        "`difference`": lambda: matte.changed(plate, plate[:, ::-1], 0.02, unit),
        "`occlusion`": lambda: over_crop(suspicion(face_thumb(plate, points), look), points, shape),
    }
    print("\n| layer | CPU ms |\n|---|---|")
    base = 0.0
    for name, run in work.items():
        took = 1000 * timed(run)
        base = base or took
        print(f"| {name} | {took - base if name.startswith('more') else took:.1f} |")


def blobs(shape: tuple[int, int]) -> np.ndarray:
    """A soft matte of a few large shapes."""
    blurred = gaussian(np.random.default_rng(0).random(shape, np.float32), 60.0)
    return np.clip((blurred - blurred.mean()) / blurred.std() + 0.5, 0, 1)


def timed(run: Callable[[], Any]) -> float:
    """Median of the CPU seconds of some runs."""
    took = []
    for _ in range(RUNS):
        start = time.process_time()
        run()
        took.append(time.process_time() - start)
    return float(np.median(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    # As a stage's job does.
    cv2.setNumThreads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "little").mkdir()
        steadiness(Path(folder) / "little")
        failure()
        hand(Path(folder) / "show")
    cost()


if __name__ == "__main__":
    main()
