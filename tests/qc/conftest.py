"""A small review page with pictures whose colours say what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from understudy.qc import flags, page

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
FIRST, LAST = 1001, 1024
PLATE, RESULT = (40, 90, 160), (200, 120, 60)


def pictures(folder: Path, shot: str) -> None:
    """Plates, results that differ in the right half too, and mattes of the middle; JPEG, RGB."""
    for frame in range(FIRST, LAST + 1):
        matte = np.zeros((90, 160, 3), np.uint8)
        matte[30:60, 60:100] = 255
        layers = {
            "plate": np.full((90, 160, 3), PLATE, np.uint8),
            "result": np.full((90, 160, 3), RESULT, np.uint8),
            "matte": matte,
        }
        for name, image in layers.items():
            path = folder / shot / name / f"{frame:07d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])


def shot(name: str, folder: str, seam: dict[int, float]) -> dict[str, Any]:
    """One shot as the stage gives it."""
    rows = [
        {"frame": frame, "track": "t01", "score": 0.9, "seam": seam.get(frame, 1.0)}
        for frame in range(FIRST, LAST + 1)
    ]
    found = flags.flags(rows, {"first": FIRST, "last": LAST})
    return {
        "id": name,
        "first": FIRST,
        "last": LAST,
        "size": [160, 90],
        "rate": "24000/1001",
        "proxies": {layer: f"{folder}/{layer}/{{frame:07d}}.jpg" for layer in ("plate", "result", "matte")},
        "thumbnail": f"{folder}/result/{FIRST:07d}.jpg",
        "movies": [{"label": "h264", "path": "../out/sh010/movie/sh010.mp4"}],
        "state": flags.state(found),
        "flags": found,
        "cast": [{"performer": "t01", "talent": name}],
        "tracks": [
            {
                "id": "t01",
                "talent": name,
                "numbers": {
                    "score": [0.9] * len(rows),
                    "seam": [row["seam"] for row in rows],
                    "colour_distance": [None, 0.123456789, *[0.5] * (len(rows) - 2)],
                },
            }
        ],
        "bounds": flags.bounds(flags.Limits()),
        "settings": {"matte": {"softness": 0.1, "note": name}},
    }


@pytest.fixture
def shots() -> list[dict[str, Any]]:
    return [shot("sh010", "sh010", {1009: 1.5, 1010: 1.7, 1020: 2.5}), shot(HOSTILE, "sh 020#%", {})]


@pytest.fixture
def review(tmp_path: Path, shots: list[dict[str, Any]]) -> Path:
    """The folder of a written page."""
    folder = tmp_path / "review"
    for folder_name in ("sh010", "sh 020#%"):
        pictures(folder, folder_name)
    movie = tmp_path / "out/sh010/movie/sh010.mp4"
    movie.parent.mkdir(parents=True)
    movie.write_bytes(b"")
    page.write(folder, {"name": HOSTILE, "made_by": "understudy 0.1"}, shots)
    return folder
