"""Small shows for the workflow tests: plates with known truth, a configuration, and the command that renders them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
import yaml

import make_plates
import plates
from understudy.runtime.records import file_hash

ROOT = Path(__file__).resolve().parents[2]
HEADER = "shot\tplate\tin\tout\tcast\tlook\tdelivery\tpriority\tnotes"
REVIEW = {"matte": True, "frames": {"format": "tiff"}, "movies": [{"codec": "h264", "crf": 10, "preset": "veryfast"}]}


# Two old portraits cannot agree in texture; what QC makes of that is tested in its own room.
LOOKS = {
    "show": {"settings": {"qc": {"texture_soft": -20, "texture_hard": 20, "seam": 4, "colour": 10, "jitter": 0.05}}},
    "looks": {"plain": {"settings": {}}},
    "shots": {},
}


@dataclass
class TestShow:
    """A show in a folder of its own, rendered by the real workflow in a process of its own."""

    folder: Path
    config: dict = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    __test__ = False

    @property
    def result(self) -> Path:
        return self.folder / "render" / "test"

    @property
    def work(self) -> Path:
        return self.result / "work"

    @property
    def out(self) -> Path:
        return self.result / "out"

    def write(self) -> None:
        """Write the configuration as it is now."""
        settings = self.folder / "config"
        settings.mkdir(parents=True, exist_ok=True)
        base = {
            "root": str(self.folder / "render"),
            "show": "test",
            "shots": str(settings / "shots.tsv"),
            "talent": str(settings / "talent.yaml"),
            "clearances": str(settings / "clearances.tsv"),
            "looks": str(settings / "looks.yaml"),
            "models": str(ROOT / "config" / "models.yaml"),
            "overrides": str(settings / "overrides"),
            "deliveries": {"review": REVIEW},
        }
        (settings / "config.yaml").write_text(yaml.safe_dump(base | self.config))
        (settings / "shots.tsv").write_text("\n".join([HEADER, *self.rows]) + "\n")
        people = {
            name: {"name": name, "pictures": [str(self.folder / "talent" / f"{name}.png")], "clearance": f"c-{name}"}
            for name in ("astronaut", "hopper")
        }
        (settings / "talent.yaml").write_text(yaml.safe_dump(people))
        cells = "test\tface_replacement\t2020-01-01\t2099-12-31\tpublic domain\ttester"
        rows = [f"c-{name}\t{name}\t{cells}" for name in people]
        header = "id\ttalent\tproject\tuses\tfrom\tuntil\tdocument\tapproved by"
        (settings / "clearances.tsv").write_text("\n".join([header, *rows]) + "\n")
        looks = settings / "looks.yaml"
        if not looks.exists():
            looks.write_text(yaml.safe_dump(LOOKS))

    def command(self, *words: str, cores: int = 2) -> list[str]:
        """The command line a person would type."""
        base = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
        configuration = str(self.folder / "config" / "config.yaml")
        return [*base, *words, "--directory", str(self.folder), "--configfile", configuration]

    def run(self, *words: str, cores: int = 2, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it; its output (both streams) is the result's ``stdout``."""
        done = subprocess.run(
            self.command(*words, cores=cores),
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if check and done.returncode:
            raise AssertionError(done.stdout[-6000:])
        return done

    def start(self, *words: str, cores: int = 2) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own, and leave it running."""
        log = (self.folder / "driver.log").open("ab")
        return subprocess.Popen(
            self.command(*words, cores=cores),
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def hashes(self) -> dict[str, str]:
        """Hash of every finished frame and matte."""
        files = [*self.out.glob("*/frames/*"), *self.out.glob("*/matte/*")]
        return {str(path.relative_to(self.out)): file_hash(path) for path in sorted(files)}

    def planned(self, *words: str) -> set[str]:
        """Rules that a dry run would run, each as ``rule`` or ``rule:chunk``."""
        text = self.run("--dry-run", *words).stdout
        return {line.split()[1].rstrip(":") for line in text.splitlines() if line.startswith(("rule ", "localrule "))}


def kill(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """SIGKILL a driver that was started here: it alone, or with all its jobs."""
    if process.poll() is not None:
        return
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def new_show(folder: Path, store: Path) -> TestShow:
    """An empty show with both talents' pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    make_plates.make_talent(folder / "talent")
    return TestShow(folder, config={"store": str(store)})


def add_movie(show: TestShow, shot: str, count: int, size: tuple[int, int], cast: str, plan: str = "sh010") -> Path:
    """Add a shot with a long-GOP H.264 plate with sound and timecode."""
    path = show.folder / "plates" / f"{shot}.mov"
    path.parent.mkdir(parents=True, exist_ok=True)
    frames, _ = plates.render_shot(plan, count, size)
    make_plates.write_movie(path, frames, size, count / plates.RATE)
    show.rows.append(f"{shot}\t{path}\t\t\t{cast}\t\treview\t\t")
    return path


def add_sequence(show: TestShow, shot: str, count: int, size: tuple[int, int], cast: str, plan: str = "sh020") -> Path:
    """Add a shot with an 8-bit PNG sequence from frame 1001."""
    folder = show.folder / "plates" / shot
    folder.mkdir(parents=True, exist_ok=True)
    frames, _ = plates.render_shot(plan, count, size)
    for number, pixels in enumerate(frames, 1001):
        make_plates.write_png(folder / f"{shot}.{number}.png", np.clip(pixels, 0, 1), "uint8")
    show.rows.append(f"{shot}\t{folder}\t\t\t{cast}\t\treview\t\t")
    return folder


def make_movie_show(
    folder: Path, size: tuple[int, int], count: int, store: Path | None = None, distinct: int = 60, face: float = 0.28
) -> TestShow:
    """One shot from one movie to one movie, its face a share of the height across: what the cost benchmark renders.

    Drawing a large frame takes longer than all that is measured, so ``distinct`` frames play there and back.
    """
    plan = plates.PLANS["sh010"]
    smaller = replace(plan.performers[0], scale=0.78 * face / 0.28, push=0.05)
    # With this grain a 1080p plate has some 22 Mbit/s, about what cameras record.
    plates.PLANS["cost"] = replace(plan, performers=(smaller,), frames=distinct, grain=0.004)
    show = new_show(folder, store or folder / "models")
    path = folder / "plates" / "sh010.mov"
    path.parent.mkdir()
    drawn = [np.rint(image * 255).astype(np.uint8) for image in plates.render_shot("cost", distinct, size)[0]]
    there_and_back = cycle([*range(distinct), *range(distinct - 2, 0, -1)])
    frames = (drawn[index] / np.float32(255) for index in islice(there_and_back, count))
    make_plates.write_movie(path, frames, size, count / plates.RATE)
    show.config["deliveries"] = {"movie": {"matte": False, "movies": REVIEW["movies"]}}
    show.rows.append(f"sh010\t{path}\t\t\tastronaut\t\tmovie\t\t")
    show.write()
    return show


def copy_of(show: TestShow, folder: Path, *, rendered: bool) -> TestShow:
    """Copy a show, its plates in place, with or without what was rendered.

    Snakemake's own notes come along, so that a copy of a finished show is finished; times are kept.
    """
    mine = TestShow(folder / "show", dict(show.config), list(show.rows))
    (mine.folder).mkdir()
    shutil.copytree(show.folder / "talent", mine.folder / "talent", copy_function=shutil.copy2)
    mine.write()
    if rendered:
        shutil.copytree(show.folder / "render", mine.folder / "render", copy_function=shutil.copy2)
    return mine


def add_exr(show: TestShow, shot: str, count: int, size: tuple[int, int], cast: str, plan: str = "sh020") -> Path:
    """Add a shot with a scene-linear half-float EXR sequence from frame 1001."""
    folder = show.folder / "plates" / shot
    folder.mkdir(parents=True, exist_ok=True)
    frames, _ = plates.render_shot(plan, count, size)
    for number, pixels in enumerate(frames, 1001):
        make_plates.write_exr(folder / f"{shot}.{number}.exr", pixels, number)
    show.rows.append(f"{shot}\t{folder}\t\t\t{cast}\t\treview\t\t")
    return folder


@contextmanager
def mounted(folder: Path) -> Iterator[Callable[[str], None]]:
    """Yield a function that mounts a RAM disk on a folder, or changes it, by options; skips without rights."""

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no rights to mount a small disk: {done.stderr.strip()}")

    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)
