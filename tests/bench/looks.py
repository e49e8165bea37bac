"""What each look of the built-in engine does to a face that is near, middling or far: QC's numbers, and the cost.

    python tests/bench/looks.py
    python tests/bench/looks.py --frames 48 --keep /tmp/looks

draws three plates of one performer at 960 x 540, the eyes some 240, 120 and 30 pixels apart, renders each in every look
through the workflow, and prints a table: medians over the frames as on the review page (texture index in dB, 0 is the
plate's own; colour beside the matte in CIEDE2000 above the plate's own; seam as a multiple of the plate's own; shake of
the track in thousandths of the distance of the eyes), and milliseconds of CPU per frame, start of the process included,
of the stages whose cost a look changes. Two portraits never agree in texture and colour: only differences from look to
look tell something.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "demo"), str(ROOT / "tests" / "workflow")]

from shows import LOOKS, TestShow, new_show  # noqa: E402

import make_plates  # noqa: E402
import plates  # noqa: E402
from understudy.runtime.ledger import latest  # noqa: E402

SIZE = (960, 540)
SCALES = {"near": 2.6, "middling": 1.3, "far": 0.33}
BUILT_IN = ("video", "still", "closeup", "wide", "gentle", "previz")


def make_show(folder: Path, store: Path, frames: int) -> TestShow:
    """Three plates, and a shot of each for every look."""
    show = new_show(folder, store)
    plan = plates.PLANS["sh010"]
    for name, scale in SCALES.items():
        performer = replace(plan.performers[0], scale=scale, place=(480.0, 270.0), push=0.05)
        plates.PLANS[name] = replace(plan, performers=(performer,), frames=frames)
        plate = folder / "plates" / name
        plate.mkdir(parents=True)
        for number, image in enumerate(plates.render_shot(name, frames, SIZE)[0], 1001):
            make_plates.write_png(plate / f"{name}.{number}.png", np.clip(image, 0, 1), "uint8")
        show.rows += [f"{name}_{look}\t{plate}\t\t\tastronaut\t{look}\tmovie\t\t" for look in BUILT_IN]
    shipped = yaml.safe_load((ROOT / "config" / "looks.yaml").read_text())["looks"]
    show.config["deliveries"] = {"movie": {"matte": False, "movies": [{"codec": "h264", "preset": "ultrafast"}]}}
    show.write()
    (folder / "config" / "looks.yaml").write_text(
        yaml.safe_dump(LOOKS | {"looks": {name: shipped[name] for name in BUILT_IN}})
    )
    return show


def row(show: TestShow, shot: str) -> str:
    """One line of the table."""
    report = json.loads((show.out / shot / "qc.json").read_text())
    numbers = {}
    for name, values in report["tracks"][0]["numbers"].items():
        seen = [value for value in values if value is not None]
        numbers[name] = float(np.median(seen)) if seen else float("nan")
    events = latest(show.work / shot / "ledger.jsonl").items()
    cost = {stage: 1000 * event["cpu"] / event["frames"] for (stage, _), event in events}
    size, look = shot.split("_")
    measured = (
        f"{numbers['texture_index']:.1f} | {numbers['colour_distance']:.1f} | {numbers['seam']:.2f} |"
        f" {1000 * numbers['jitter']:.2f}"
    )
    return f"| {size} | {look} | {measured} | {cost['detect']:.0f} | {cost['composite']:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="the model store")
    parser.add_argument("--keep", type=Path, help="folder to work in and keep")
    asked = parser.parse_args()
    show = make_show(asked.keep or Path(tempfile.mkdtemp()), asked.models.absolute(), asked.frames)
    show.run(cores=1, check=False)
    print("| face | look | texture | colour | seam | shake | detect | composite |")
    print("|---|---|---|---|---|---|---|---|")
    for size in SCALES:
        for look in BUILT_IN:
            print(row(show, f"{size}_{look}"))


if __name__ == "__main__":
    main()
