"""Mattes that look beyond their chunk, rendered by the real workflow in chunks of two lengths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shows import LOOKS, add_sequence, new_show

pytestmark = pytest.mark.slow


def test_a_shot_in_many_chunks_has_the_mattes_of_one(tmp_path: Path, store: Path) -> None:
    made = {}
    for chunk in (7, 500):
        show = new_show(tmp_path / str(chunk), store)
        show.config |= {"chunk": chunk}
        add_sequence(show, "seq", 24, (480, 270), "astronaut", plan="sh010")
        looks = json.loads(json.dumps(LOOKS))
        looks["show"]["settings"]["matte"] = {"hold_back": 1.0, "difference": 0.01, "steady": 2, "guided": 0.05}
        (show.folder / "config").mkdir()
        (show.folder / "config" / "looks.yaml").write_text(json.dumps(looks))
        show.write()
        show.run()
        made[chunk] = show.hashes()
        mattes = sorted((show.work / "seq" / "matte").rglob("*.tif"))
        assert {path.stem for path in mattes} == {"matte", "hull", "difference", "occlusion"}
    assert made[7] == made[500] and len(made[7]) == 2 * 24
