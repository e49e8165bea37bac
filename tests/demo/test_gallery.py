"""The gallery's script and its page agree; the pictures themselves are looked at by people."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

import gallery
from comp.helpers import face


def test_the_page_shows_what_the_script_makes(root: Path) -> None:
    page = (root / "docs/gallery.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(gallery/([\w.-]+)\)", page))
    made = {f"{gallery.CLOSE}-{name}.jpg" for name in gallery.BEFORE}
    made |= {f"{shot}-{gallery.FINISHED}.jpg" for shot in ("sh010", "sh020", "sh030")}
    files = {path.name: path for path in (root / "docs/gallery").iterdir()}
    assert shown == made == set(files)
    assert sum(path.stat().st_size for path in files.values()) < 600_000
    assert all(cv2.imread(str(path)) is not None for path in files.values())


def test_every_step_of_the_finish_is_switched_on_once() -> None:
    off = [(stage, setting) for stage, settings in gallery.OFF.items() for setting in settings]
    on = [one for _, settings in gallery.ON for one in settings]
    assert sorted(on) == sorted(off)
    assert [name for name, _ in gallery.ON] == list(gallery.BEFORE)[-len(gallery.ON) :]


def test_a_mesh_is_drawn_where_its_points_are() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    drawn = gallery.meshed(image, [face()[:, :2]])
    rows, columns = np.nonzero(drawn[..., 0] > 60)
    low, high = face()[:, :2].min(axis=0), face()[:, :2].max(axis=0)
    assert abs(columns.min() - low[0]) < 2 and abs(columns.max() - high[0]) < 2
    assert abs(rows.min() - low[1]) < 2 and abs(rows.max() - high[1]) < 2
    assert image.max() == 0
