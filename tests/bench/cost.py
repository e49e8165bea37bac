"""What a show costs: CPU milliseconds per frame and peak memory of every stage, from the ledger of a real run.

    python tests/bench/cost.py
    python tests/bench/cost.py --size 3840x2160 --frames 48 --distinct 12

makes a long-GOP H.264 plate with one face 300 pixels across at 1080p, renders it as one chunk through the workflow with
one core, and prints a table. Budget: 150 ms of CPU per frame for everything but the engine (the stage `swap`) at 1080p
with H.264 out; 1.5 GB for any job there and 4 GB at UHD. The exit code says whether the budget holds.

Python keeps its compiled modules, as it does unless told otherwise (PYTHONDONTWRITEBYTECODE): without them every job
compiles the library anew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "demo"), str(ROOT / "tests" / "workflow")]

from shows import make_movie_show  # noqa: E402

from understudy.runtime.ledger import latest  # noqa: E402

BUDGET_MS = 150.0
BUDGET_MB = {1080: 1500, 2160: 4000}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--distinct", type=int, default=60, help="frames drawn; they play there and back")
    parser.add_argument("--models", type=Path, help="a model store to use instead of a new one")
    parser.add_argument("--keep", type=Path, help="folder to work in and keep")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    folder = asked.keep or Path(tempfile.mkdtemp())
    store = asked.models.absolute() if asked.models else None
    show = make_movie_show(folder, (width, height), asked.frames, store, asked.distinct)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(show.command(cores=1), cwd=ROOT, check=True, env=environment | show.environment)
    rows = latest(show.work / "sh010" / "ledger.jsonl")
    total, worst = 0.0, 0
    print(f"{'stage':<11}{'CPU ms/frame':>13}{'of it kernel':>14}{'peak MB':>9}")
    for (stage, _), event in rows.items():
        cost = 1000 * event["cpu"] / event["frames"]
        worst = max(worst, event["peak_mb"])
        total += 0.0 if stage == "swap" else cost
        kernel = 1000 * event["system"] / event["frames"]
        note = "   (engine)" if stage == "swap" else ""
        print(f"{stage:<11}{cost:>13.1f}{kernel:>14.1f}{event['peak_mb']:>9}{note}")
    swap = sum(1000 * event["cpu"] / event["frames"] for (stage, _), event in rows.items() if stage == "swap")
    print(f"{'without':<11}{total:>13.1f}\n{'with':<11}{total + swap:>13.1f}")
    limit = BUDGET_MB.get(height, BUDGET_MB[2160])
    met = worst < limit and (height != 1080 or total <= BUDGET_MS)
    print(f"budget {'met' if met else 'MISSED'}: {BUDGET_MS:.0f} ms at 1080p, {limit} MB")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
