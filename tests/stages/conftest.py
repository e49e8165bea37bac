"""A plate in memory, and what Snakemake gives a script."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from understudy.media.plate import Plate

MakePlate = Callable[..., Plate]
Given = Callable[..., Any]


@pytest.fixture
def make_plate() -> MakePlate:
    """A sequence plate that exists only by its description."""

    def make(dtype: str = "uint8", **changes: Any) -> Plate:
        floating = dtype.startswith("float")
        known: dict[str, Any] = {
            "kind": "sequence", "path": "a.%04d.exr" if floating else "a.%04d.png", "first": 1001, "last": 1010,
            "rate": Fraction(24), "width": 40, "height": 30, "pixel_aspect": Fraction(1), "dtype": dtype,
            "depth": int(dtype.strip("uintfloa")), "channels": 3, "space": "scene_linear" if floating else "display",
            "colour": {"range": "pc", "primaries": "bt709", "transfer": "iec61966-2-1", "matrix": "rgb", "assumed": []},
            "timecode": None, "audio": (), "identity": (), "start": Fraction(0), "notes": (),
        }  # fmt: skip
        return Plate(**(known | changes))

    return make


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """What Snakemake hands to a rule's script."""

    def make(**changes: Any) -> Any:
        job = {
            "stage": "detect", "subject": {"shot": "a", "frames": [1001, 1004]}, "settings": {"x": 1}, "code": "c",
            "models": {}, "store": str(tmp_path / "store"), "lock": str(tmp_path / "models.lock"), "device": {},
            "ledger": str(tmp_path / "ledger.jsonl"), "into": None,
        }  # fmt: skip
        inputs: dict[str, Any] = changes.pop("inputs", {})
        return SimpleNamespace(
            params=SimpleNamespace(job=job | changes),
            input=inputs,
            output=[str(tmp_path / "detect" / "0001001-0001004.json")],
            log=[str(tmp_path / "detect.log")],
        )

    return make
