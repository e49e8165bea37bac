"""How near each colour mode comes to the plate, how steady it is, and what it costs: the tables of docs/colour.md.

    python tests/bench/colour.py

Shots with a known truth (tests/relit.py): a portrait under light that changes, and as new face the same portrait under
light of its own. Distances are CIEDE2000, of the worst frame. The exit code says whether the shipped look keeps within
2 of the skin around it, and its flicker within .004.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from relit import SHOTS, Take, even, filmed  # noqa: E402
from shipped import SHIPPED  # noqa: E402
from understudy.comp.blend import blend  # noqa: E402
from understudy.comp.match import Sample, finish, fit, tones_of  # noqa: E402
from understudy.comp.tone import segments  # noqa: E402
from understudy.faces.geometry import iod  # noqa: E402
from understudy.qc.measures import colour_distance, delta_e, flicker, frame, lab, rms  # noqa: E402

MODES = ("none", "mean", "reinhard", "cholesky", "pca", "mkl", "histogram", "idt", "sot", "lowfreq")
BLENDS = ("multiband", "poisson", "screened", "keep_light", "alpha")
LIMIT = 2.0


def look(**changes: Any) -> dict[str, Any]:
    """The shipped look, without texture and grain, which this is not about."""
    return SHIPPED["match"] | {"texture": False, "grain": "none"} | changes


def finished(shot: list[Sample], settings: dict[str, Any], mode: str = "multiband") -> list[np.ndarray]:
    """The finished frames, fitted on all of them."""
    fitted = fit(shot[:: len(shot) // 4], settings, [tones_of(one, settings) for one in shot])
    made = []
    for one in shot:
        result, weight = finish(one.crop, one.face, one.matte, one.moment, fitted, {"blend": mode, "opacity": 1.0})
        made.append(one.crop + weight[..., None] * (result - one.crop))
    return made


def distances(shot: list[Sample], made: list[np.ndarray]) -> tuple[float, float]:
    """Worst frame: skin inside against just outside the matte above the plate's own; new skin against the truth.

    The latter on the left and the right of the nose, whichever is worse.
    """
    beside, off = [], []
    for one, image in zip(shot, made, strict=True):
        beside.append(abs(colour_distance(one.crop, image, one.matte, iod(one.points)) or 0.0))
        nose = round(float(one.points[1, 0]))
        for side in (np.s_[:, :nose], np.s_[:, nose:]):
            inside = one.matte[side] > 0.95
            tones = [lab(np.ascontiguousarray(picture[side]))[inside].mean(axis=0) for picture in (image, one.crop)]
            off.append(delta_e(*tones))
    return max(beside), max(off)


def unsteadiness(shot: list[Sample], made: list[np.ndarray]) -> float:
    """QC's flicker of a shot: rms of the second difference of the mean log ratio."""
    rows = [frame(one.crop, image, one.matte, one.points) for one, image in zip(shot, made, strict=True)]
    return rms(flicker([row["luma_ratio"] for row in rows])) or 0.0


def timed(work: Any, rounds: int = 5) -> float:
    """Least CPU milliseconds of a call."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return min(found)


def main() -> int:
    cv2.setNumThreads(1)
    shots = {name: filmed(light) for name, light in SHOTS.items()}
    restless = filmed(SHOTS["switch"], Take(follows=True, flicker=0.015), 48)
    big = filmed(even, Take(size=512.0), 1)[0]
    seen = [tones_of(one, look()) for one in filmed(even, Take(size=512.0), 12)]
    kept = True
    rows = {mode: look(colour=mode) for mode in MODES}
    rows |= {"mkl, one fit": look(steady=False), "mkl, no light": look(light=0.0)}
    heads = [f"{name}, {what}" for name in shots for what in ("beside", "truth")]
    print("| `match.colour` |", " | ".join([*heads, "flicker", "fit, ms", "frame, ms"]), "|")
    print("|---" * (len(heads) + 4) + "|")
    for name, settings in rows.items():
        found = [distances(shot, finished(shot, settings)) for shot in shots.values()]
        wobble = unsteadiness(restless, finished(restless, settings))
        fitting = timed(lambda: segments.fit(seen, settings["colour"], follow=settings["steady"]), 1)  # noqa: B023
        fitted = segments.fit(seen, settings["colour"], follow=settings["steady"])
        cost = timed(lambda: segments.apply(big.face.swapped, fitted, 0))  # noqa: B023
        numbers = [f"{value:.2f}" for pair in found for value in pair]
        print(f"| {name} |", " | ".join([*numbers, f"{wobble:.4f}", f"{fitting:.0f}", f"{cost:.1f}"]), "|", flush=True)
        if name == "mkl":
            kept = all(beside <= LIMIT for beside, _ in found) and wobble <= 0.004
    print(f"\nTones of a 512-px face, every frame: {timed(lambda: tones_of(big, look())):.1f} ms\n")
    print("| `composite.blend` |", " | ".join([*heads, "frame, ms"]), "|")
    print("|---" * (len(heads) + 2) + "|")
    for mode in BLENDS:
        found = [distances(shot, finished(shot, look(), mode)) for shot in shots.values()]
        cost = timed(lambda: blend(mode, big.crop, big.face.swapped, big.matte, iod(big.points)), 2)  # noqa: B023
        numbers = [f"{value:.2f}" for pair in found for value in pair]
        print(f"| {mode} |", " | ".join([*numbers, f"{cost:.0f}"]), "|", flush=True)
    print(f"\nshipped look within {LIMIT:g} beside the matte and .004 of flicker: {'yes' if kept else 'NO'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
