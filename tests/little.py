"""A little shot whose stages up to `swap` are written down by hand, so that `matte` can be run on it alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from understudy.faces.align import five_of_mesh
from understudy.faces.files import write_tracks
from understudy.faces.geometry import CANONICAL, placement
from understudy.faces.tracks import Track
from understudy.media import crops
from understudy.media.plate import Plate
from understudy.runtime.cards import Weights
from understudy.runtime.job import Job
from understudy.runtime.records import Task, fulfil
from understudy.show.schema import defaults, schema
from understudy.stages.crops import Cut, write_cuts
from understudy.stages.faces import write_transforms
from understudy.stages.matte import matte

SIDE, UNIT = 160, 40.0
FIRST = 1001


@dataclass(frozen=True)
class LittleShot:
    """One face that sways, and light that trembles by half a percent, with a blue thing before it on some frames.

    ``covered`` counts frames from 0.
    """

    folder: Path
    frames: int = 52
    covered: range = range(0)
    seed: int = 0

    def place(self, index: int) -> np.ndarray:
        return np.array([120 + 12 * np.sin(index / 9), 120 + 5 * np.cos(index / 7)])

    def track(self) -> Track:
        places = np.stack([np.append(self.place(k), 0) for k in range(self.frames)])
        points = (CANONICAL * UNIT + places[:, None]).astype(np.float32)
        nought = np.zeros((self.frames, 3))
        return Track(
            id="t01",
            frames=np.arange(FIRST, FIRST + self.frames),
            points=points,
            transform=np.stack([placement(one).params for one in points]),
            pose=nought,
            light=nought,
            score=np.ones(self.frames),
            seen=np.ones(self.frames, bool),
            five=np.stack([five_of_mesh(one) for one in points]).astype(np.float32),
            embeddings=np.zeros((self.frames, 0), np.float32),
        )

    def box(self, index: int) -> tuple[int, int, int, int]:
        x, y = np.round(self.place(index) - (SIDE / 2, 70)).astype(int)
        return int(x), int(y), int(x) + SIDE, int(y) + SIDE

    def crop(self, index: int) -> np.ndarray:
        """uint16 [h, w, 3]: skin with a smooth shade that stays with the face, and grain."""
        random = np.random.default_rng([self.seed, index])
        x0, y0, x1, y1 = self.box(index)
        x, y = np.arange(x0, x1) + 0.5, np.arange(y0, y1)[:, None] + 0.5
        dx, dy = x - self.place(index)[0], y - self.place(index)[1]
        shade = 1 + 0.1 * np.sin(dx / 17) * np.cos(dy / 13)
        image = shade[..., None] * (0.6, 0.45, 0.38) * (1 + random.normal(0, 0.005))
        if index in self.covered:
            image[(np.abs(dx - 20) < 14) & (np.abs(dy - 20) < 14)] = (0.1, 0.2, 0.6)
        image = image + random.normal(0, 0.004, image.shape)
        return np.rint(np.clip(image, 0, 1) * 65535).astype(np.uint16)

    def mean(self) -> float:
        return float(np.mean([self.crop(k).mean() for k in range(0, self.frames, 5)]) / 65535)

    def _record(self, stage: str, name: str, work: Any, subject: Mapping[str, Any]) -> Path:
        path = self.folder / stage / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        fulfil(Task(stage, path, dict(subject), {"seed": self.seed}, "code", {}), work)
        return path

    def chunk(self, first: int, last: int) -> tuple[Path, Path]:
        """Records of `align` and `swap` for frames ``first`` to ``last``, counted from 0."""
        indices = range(first, last + 1)
        cuts = [Cut(page, FIRST + k, "t01", k, self.box(k)) for page, k in enumerate(indices)]
        subject = {"shot": "a", "frames": [FIRST + first, FIRST + last]}

        def align(folder: Path) -> dict[str, Any]:
            crops.write(folder / "crops.tif", (self.crop(k) for k in indices))
            write_cuts(folder, cuts)
            return {}

        def swap(folder: Path) -> dict[str, Any]:
            faces = ((self.crop(k) * 0.9).astype(np.uint16) for k in indices)
            crops.write(folder / "faces.tif", faces)
            crops.write(folder / "engine.tif", (np.full((SIDE, SIDE), 65535, np.uint16) for _ in indices))
            write_transforms(folder, [np.eye(2, 3) for _ in indices])
            return {}

        name = f"{FIRST + first:07d}-{FIRST + last:07d}"
        return self._record("align", name, align, subject), self._record("swap", name, swap, subject)

    def mattes(
        self,
        chunk: int,
        reach: int,
        weights: Mapping[str, Weights] | None = None,
        layers: Sequence[str] = ("matte",),
        **settings: Any,
    ) -> dict[str, list[np.ndarray]]:
        """Pages of the layers of all frames, made in chunks of so many frames, of which each is given those that lie
        within ``reach`` frames of it."""
        chosen = defaults(schema("settings"))["matte"] | {"roto": []} | settings
        spans = [(k, min(k + chunk, self.frames) - 1) for k in range(0, self.frames, chunk)]
        sources = {span: self.chunk(*span) for span in spans}
        plate = self.folder / "plate.json"
        plate.write_text(json.dumps(self._plate().to_dict()))
        tracks = self._record(
            "track",
            "track",
            lambda folder: write_tracks(folder, [self.track()], {"t01": "ada"}) or {},
            {"shot": "a"},
        )
        found: dict[str, list[np.ndarray]] = {name: [] for name in layers}
        for first, last in spans:
            near = [pair for (a, b), pair in sources.items() if a <= last + reach and b >= first - reach]
            inputs = {
                "plate": [plate],
                "tracks": [tracks],
                "crops": [crop for crop, _ in near],
                "faces": [face for _, face in near],
            }
            subject = {"shot": "a", "frames": [FIRST + first, FIRST + last]}
            folder = self.folder / f"made.{chunk}.{first}"
            folder.mkdir()
            made = matte(
                Job(folder, subject, chosen, inputs, lambda _: None, weights or {}, {"provider": "cpu"})
            )
            assert sorted(path.stem for path in folder.iterdir()) == made["layers"]
            for name in layers:
                found[name] += crops.read(folder / f"{name}.tif")
            shutil.rmtree(folder)
        return found

    def _plate(self) -> Plate:
        return Plate(
            kind="sequence", path="a.%04d.png", first=FIRST, last=FIRST + self.frames - 1, rate=Fraction(24), width=240,
            height=240, pixel_aspect=Fraction(1), dtype="uint16", depth=16, channels=3, space="display",
            colour={"range": "pc", "primaries": "bt709", "transfer": "iec61966-2-1", "matrix": "rgb", "assumed": []},
            timecode=None, audio=(), identity=(), start=Fraction(0), notes=(),
        )  # fmt: skip
