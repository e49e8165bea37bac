"""Show where a show stands, or run a command and show it while it works.

    python scripts/status.py renders/show                      once
    python scripts/status.py renders/show --watch              until interrupted
    python scripts/status.py renders/show -- snakemake -c 2    run, watch, and end with its exit code
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from understudy.runtime.status import Cell, Status, read_status

PAUSE = 0.5
PLAIN_PAUSE = 10.0


def clock(seconds: float | None) -> str:
    """Seconds as minutes and seconds, dots while unknown."""
    return "..." if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def headline(status: Status | None, since: float) -> str:
    """Speed and time left in one line."""
    rate = "..." if status is None or status.rate is None else f"{status.rate:.1f}"
    left = clock(status.left if status else None)
    return f"{rate} frames/s finished   elapsed {clock(time.monotonic() - since)}   left {left}"


def table(status: Status) -> Table:
    """Shots down, stages across."""
    stages = list(dict.fromkeys(stage for row in status.cells.values() for stage in row))
    grid = Table(box=None, pad_edge=False)
    grid.add_column("shot")
    for stage in stages:
        grid.add_column(stage, justify="right")
    for shot, row in status.cells.items():
        grid.add_row(shot, *(cell_text(row.get(stage)) for stage in stages))
    return grid


def cell_text(cell: Cell | None) -> Text:
    """A stage of a shot in a few characters."""
    if cell is None:
        return Text("")
    if cell.failed:
        return Text("failed", "bold red")
    if cell.done >= cell.total:
        return Text("done", "green")
    return Text(f"{cell.done}/{cell.total}", "yellow" if cell.running else "dim")


def current(work: Path, since: float) -> Status | None:
    """The status, once the run has written its plan."""
    plan = work / "plan.json"
    return read_status(work) if plan.is_file() and plan.stat().st_mtime >= since else None


def results(show: Path) -> list[str]:
    """What was made and where."""
    made = [f"  {path}" for path in sorted((show / "out").glob("*/movie/*"))]
    for folder in sorted((show / "out").glob("*/frames")):
        files = sorted(path.name for path in folder.iterdir())
        made.append(f"  {folder}/  {files[0]} .. {files[-1]}  ({len(files)} frames)")
    pages = [show / "review" / name for name in ("index.html", "preview.png")]
    return made + [f"  {page}" for page in pages if page.is_file()]


def follow(show: Path, console: Console, command: list[str]) -> int:
    """Run a command with its output in a log file, showing the show's status meanwhile."""
    log = show / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    since, started = time.monotonic(), time.time()
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        try:
            watch(show, console, since, started, lambda: process.poll() is None)
        except KeyboardInterrupt:
            process.wait()
    if process.returncode:
        console.print(f"failed with exit code {process.returncode}; the end of {log}:", style="bold red")
        console.print("\n".join(log.read_text(encoding="utf-8").splitlines()[-40:]), markup=False, highlight=False)
    else:
        console.print(f"finished in {clock(time.monotonic() - since)}; made:")
        console.print("\n".join(results(show)), markup=False, highlight=False, soft_wrap=True)
    return process.returncode


def watch(show: Path, console: Console, since: float, started: float, going: Callable[[], bool]) -> None:
    """Redraw until there is nothing left to wait for; plain lines where there is no terminal."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            while going():
                status = current(show / "work", started)
                live.update(Group(*([table(status)] if status else []), headline(status, since)))
                time.sleep(PAUSE)
        return
    spoken = 0.0
    while going():
        if time.monotonic() - spoken > PLAIN_PAUSE:
            spoken = time.monotonic()
            status = current(show / "work", started)
            print(headline(status, since), *stages_done(status), sep="   ", flush=True)
        time.sleep(PAUSE)


def stages_done(status: Status | None) -> list[str]:
    """Each shot's finished stages of all its stages."""
    rows = status.cells.items() if status else ()
    return [f"{shot} {sum(cell.done >= cell.total for cell in row.values())}/{len(row)}" for shot, row in rows]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("show", type=Path, help="the show's folder, {root}/{show}")
    parser.add_argument("--watch", action="store_true", help="stay and redraw until interrupted")
    parser.add_argument("--json", action="store_true", help="print the status as JSON")
    parser.usage = "%(prog)s [-h] [--watch | --json] show [-- command ...]"
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    asked, command = parser.parse_args(words[:split]), words[split + 1 :]
    console = Console()
    if command:
        return follow(asked.show, console, command)
    if not (asked.show / "work" / "plan.json").is_file():
        print(f"{asked.show} holds no run yet (no work/plan.json)", file=sys.stderr)
        return 2
    if asked.watch:
        watch(asked.show, console, time.monotonic(), 0.0, lambda: True)
    status = read_status(asked.show / "work")
    if asked.json:
        print(json.dumps(status.to_dict(), indent=1))
    else:
        console.print(table(status))
        for shot, stage, reason in status.failures:
            console.print(f"{shot} {stage}: {reason}", style="red", markup=False)
    return 1 if status.failures else 0


if __name__ == "__main__":
    sys.exit(main())
