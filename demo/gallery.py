"""Before and after of every stage, for docs/gallery.md: ``python demo/gallery.py``, once ``make demo`` has run.

Renders one frame of each of the demo's shots anew, from what its render left of plates, tracks and talents, with one
stage after the other switched on, and writes small JPEGs into docs/gallery. The plates are made of two public-domain
portraits (see ``plates.portrait``); nothing else is shown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from understudy.faces.geometry import TRIANGLES
from understudy.media.colour import quantise
from understudy.media.proxy import proxy
from understudy.runtime.job import Job
from understudy.show.load import Show, load_show
from understudy.show.plan import Plan, Stamp
from understudy.show.settings import merge
from understudy.stages.qc import save_jpeg
from understudy.stages.render import Few, heroes_of
from understudy.stages.tracks import cast_of
from understudy.stages.wedge import closeup

ROOT = Path(__file__).resolve().parents[1]
GAP = 8
CLOSE = "sh010"
"""The shot that every stage is shown on; of the others only what becomes of them."""
CHARACTER: dict[str, Any] = {"defocus": False, "shutter": 0, "sharpening": False, "codec": False}
OFF: dict[str, dict[str, Any]] = {
    "match": {"colour": "none", "light": 0.0, "texture": False, "grain": "none"} | CHARACTER,
    "composite": {"light": 0.0, "texture": False, "grain": "none", "blend": "alpha"} | CHARACTER,
}
"""Settings under which a new face is only laid over the plate by its matte."""
ON: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("colour", (("match", "colour"), ("match", "light"), ("composite", "light"))),
    ("texture", tuple((stage, name) for name in ("texture", *CHARACTER) for stage in ("match", "composite"))),
    ("blend", (("composite", "blend"),)),
    ("grain", (("match", "grain"), ("composite", "grain"))),
)
"""Pictures, in the order of the finish, and what of `OFF` is left to the look from each on."""

BEFORE = {
    "track": "plate", "swap": "plate", "matte": "plate", "laid": "plate",
    "colour": "laid", "texture": "colour", "blend": "texture", "grain": "blend",
}  # fmt: skip
"""Each picture of a stage, and the one that it is shown beside."""
FINISHED = "finished"
DETAIL = ("texture", "grain")
"""Stages of which the lower half of the face says enough."""

Picture = np.ndarray


def demo_show() -> tuple[Show, Plan]:
    """The demo's show and its plan."""
    config: Mapping[str, Any] = {}
    for file in ("config/config.yaml", "demo/config/config.yaml"):
        config = merge(config, yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))
    show = load_show(config, ROOT, today=date.today())
    missing = [shot for shot in show.shots if not (show.work / shot / "track.json").is_file()]
    if missing:
        sys.exit(f"{', '.join(missing)} of the demo are not rendered yet: run `make demo` first")
    return show, Plan(show, {shot: Stamp.read(show.work / shot / "plate.stamp") for shot in show.shots})


def job_of(show: Show, plan: Plan, shot: str) -> Job:
    """What the stage `hero` of a shot would be given."""
    asked, work = plan.job("hero", shot), show.work / shot
    stores = [work / "extract" / f"{chunk}.json" for chunk in plan.chunks(shot) if plan.has("extract", shot)]
    inputs = {
        "plate": [work / "plate.json"],
        "frames": stores,
        "tracks": [work / "track.json"],
        "talents": [show.talent_folder / talent / "atlas.json" for talent in show.talents_of(shot)],
    }
    return Job(
        Path(), asked["subject"], asked["settings"], inputs, lambda frames: None, device=asked["device"]
    )


def meshed(image: Picture, points: Sequence[Picture]) -> Picture:
    """An 8-bit picture with the meshes of its faces [468, 2] drawn over it."""
    drawn = image.copy()
    for mesh in points:
        corners = np.rint((mesh[TRIANGLES] - 0.5) * 16).astype(np.int32)
        cv2.polylines(drawn, list(corners), True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    return cv2.addWeighted(image, 0.55, drawn, 0.45, 0)


def pictures(show: Show, plan: Plan, shot: str) -> dict[str, Picture]:
    """The stages of one frame in their order, uint8 RGB [h, w, 3] around its largest cast face, at 100 %."""
    job = job_of(show, plan, shot)
    cast, _ = cast_of(job)
    tracks = list(cast.values())
    few = Few(job, [hero.frame for hero in heroes_of(tracks)])
    number = heroes_of(tracks, 1)[0].frame
    box = closeup(cast, number, (few.plate.width, few.plate.height))
    corner = np.array([box[1].start, box[0].start])
    stages = job.settings["stages"]
    made = few.faces(stages)
    mattes = few.mattes(stages, made)
    one = made[number]

    plate = proxy(few.images[number][box], few.plate)
    shown = {"plate": plate}
    shown["track"] = meshed(plate, [cast[cut.track].points[cut.index][:, :2] - corner for cut in one.cuts])
    frame, matte = (np.zeros((few.plate.height, few.plate.width, *rest), np.float32) for rest in ((3,), ()))
    for cut, crop, face, own in zip(one.cuts, one.crops, one.faces, mattes[number], strict=True):
        frame[cut.region] = face.over(crop).swapped
        matte[cut.region] = np.maximum(matte[cut.region], own)
    shown["swap"] = quantise(np.clip(frame[box], 0, 1), "uint8")
    shown["matte"] = np.repeat(quantise(matte[box], "uint8")[..., None], 3, axis=2)

    off = {stage: dict(values) for stage, values in OFF.items()}
    for name, left in (("laid", ()), *ON):
        for stage, setting in left:
            del off[stage][setting]
        now = merge(stages, off)
        image = few.finished(number, now, made, mattes, few.fits(now, made, mattes))
        shown[name] = proxy(image[box], few.plate)
    return shown


def beside(before: Picture, after: Picture) -> Picture:
    """Two pictures of one size side by side."""
    return np.concatenate([before, np.full((len(before), GAP, 3), 255, np.uint8), after], axis=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Make the pictures of docs/gallery.md from the demo's render."
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "gallery")
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    show, plan = demo_show()
    for shot in show.shots:
        shown = pictures(show, plan, shot)
        wanted = (*BEFORE, FINISHED) if shot == CLOSE else (FINISHED,)
        for name in wanted:
            before, after = BEFORE.get(name, "plate"), list(shown)[-1] if name == FINISHED else name
            pair = [shown[before], shown[after]]
            if name in DETAIL:
                pair = [picture[len(picture) // 2 :] for picture in pair]
            path = folder / f"{shot}-{name}.jpg"
            save_jpeg(path, beside(*pair))
            print(f"{path.name}: {before}, {after}, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
