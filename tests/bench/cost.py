"""What a show costs: CPU milliseconds per frame and peak memory of every stage, from the ledger of a real run.

    python tests/bench/cost.py
    python tests/bench/cost.py --size 3840x2160 --frames 48 --distinct 12
    python tests/bench/cost.py --face 512

makes a long-GOP H.264 plate with one face 300 pixels across at 1080p, renders it as one chunk through the workflow with
one core, and prints a table. Budget: 150 ms of CPU per frame for everything but the engine (the stage `swap`) at 1080p
with H.264 out; 1.5 GB for any job there and 4 GB at UHD. With a face of 512 pixels (``--face``) the budget is 60 ms for
`match` and `composite` together. A frame without a face costs `composite` no more than copying it would. The exit code
says whether the budgets hold.

Python keeps its compiled modules, as it does unless told otherwise (PYTHONDONTWRITEBYTECODE): without them every job
compiles the library anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "demo"), str(ROOT / "tests" / "workflow")]

from shows import make_movie_show  # noqa: E402

from understudy.runtime.job import Job  # noqa: E402
from understudy.runtime.ledger import latest  # noqa: E402
from understudy.stages.composite import composite  # noqa: E402

BUDGET_MS = 150.0
FACE, FACE_MS = 512, 60.0
BUDGET_MB = {1080: 1500, 2160: 4000}


def without_face(work: Path, folder: Path) -> tuple[float, float]:
    """CPU ms per frame of `composite` where no frame has a face, and of copying the frames it leaves alone."""
    (record,), (stored,) = (work / "composite").glob("*.json"), (work / "extract").glob("*.json")
    made = json.loads(record.read_text(encoding="utf-8"))
    names = {"crops": "align", "faces": "swap", "mattes": "matte"}
    inputs = {name: [work / stage / record.name] for name, stage in names.items()}
    inputs |= {"plate": [work / "plate.json"], "tracks": [work / "track.json"], "fit": [work / "match.json"]}
    settings = made["basis"]["settings"] | {"exclude": [made["subject"]["frames"]]}
    frames = sorted((stored.parent / json.loads(stored.read_text(encoding="utf-8"))["folder"]).glob("*.tif"))
    (folder / "nothing").mkdir()
    start = time.process_time()
    composite(Job(folder / "nothing", made["subject"], settings, inputs, lambda _: None))
    alone = time.process_time() - start
    for frame in frames:
        shutil.copyfile(frame, folder / "copy.tif")
    copied = time.process_time() - start - alone
    return 1000 * alone / len(frames), 1000 * copied / len(frames)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--distinct", type=int, default=60, help="frames drawn; they play there and back")
    parser.add_argument("--face", type=int, help="pixels across the face (default: 300 at 1080p)")
    parser.add_argument("--models", type=Path, help="a model store to use instead of a new one")
    parser.add_argument("--keep", type=Path, help="folder to work in and keep")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    folder = asked.keep or Path(tempfile.mkdtemp())
    store = asked.models.absolute() if asked.models else None
    face = asked.face or round(300 * height / 1080)
    show = make_movie_show(folder, (width, height), asked.frames, store, asked.distinct, face / height)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(show.command(cores=1), cwd=ROOT, check=True, env=environment | show.environment)
    rows = latest(show.work / "sh010" / "ledger.jsonl")
    cost = {stage: 1000 * event["cpu"] / event["frames"] for (stage, _), event in rows.items()}
    worst = 0
    print(f"{'stage':<11}{'CPU ms/frame':>13}{'of it kernel':>14}{'peak MB':>9}")
    for (stage, _), event in rows.items():
        worst = max(worst, event["peak_mb"])
        kernel = 1000 * event["system"] / event["frames"]
        note = "   (engine)" if stage == "swap" else ""
        print(f"{stage:<11}{cost[stage]:>13.1f}{kernel:>14.1f}{event['peak_mb']:>9}{note}")
    whole = sum(cost.values())
    total = whole - cost["swap"]
    print(f"{'without':<11}{total:>13.1f}\n{'with':<11}{whole:>13.1f}")
    limit = BUDGET_MB.get(height, BUDGET_MB[2160])
    met = worst < limit and (height != 1080 or face > 300 or total <= BUDGET_MS)
    print(f"budget {'met' if met else 'MISSED'}: {BUDGET_MS:.0f} ms at 1080p with a face of 300 pixels, {limit} MB")
    laid = cost["match"] + cost["composite"]
    fits = face > FACE or laid <= FACE_MS
    print(f"match + composite of a face of {face} pixels: {laid:.1f} ms; {FACE_MS:.0f} are allowed up to {FACE}")
    alone, copied = without_face(show.work / "sh010", folder)
    print(f"composite of a frame without a face: {alone:.2f} ms; a copy of it: {copied:.2f} ms")
    return 0 if met and fits and alone <= copied else 1


if __name__ == "__main__":
    sys.exit(main())
