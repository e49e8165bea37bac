"""A small show on disk, whose files each test may break."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.show.load import Show, load_show

DAY = datetime.date(2026, 6, 1)

FILES = {
    "shots.tsv": (
        "shot\tplate\tin\tout\tcast\tlook\tdelivery\tpriority\tnotes\n"
        "sh010\tplates/a.mov\t1001\t1048\tlargest=mara\tgentle\treview\t5\tfirst\n"
        "sh020\tplates/seq/b.%04d.exr\t\t\tt01=mara t02=ben\t\treview\t\t\n"
        "0030\tplates/folder\t\t\tben\tnatural\treview final\t\t\n"
    ),
    "talent.yaml": (
        "mara:\n  name: Mara\n  pictures: [pictures/mara.png]\n  clearance: c1\n"
        "ben:\n  name: Ben\n  pictures:\n    - pictures/ben.png\n  clearance: c2\n"
    ),
    "clearances.tsv": (
        "id\ttalent\tproject\tuses\tfrom\tuntil\tdocument\tapproved by\n"
        "c1\tmara\tfilm\tface_replacement\t2026-01-01\t2026-12-31\tcontract 1\tlegal\n"
        "c2\tben\tfilm\tstills, face_replacement\t2026-01-01\topen\tcontract 2\tlegal\n"
    ),
    "looks.yaml": (
        "show:\n  settings:\n    swap: {shape: 0.4}\n"
        "looks:\n  natural:\n    settings: {matte: {feather: 0.1}}\n"
        "  gentle:\n    inherits: natural\n    settings: {matte: {erode: 0.05}}\n"
        "shots:\n  sh010:\n    settings: {track: {smooth: 2}}\n"
        "    ranges:\n      - {frames: '1010-1012,1020', settings: {composite: {opacity: 0.5}}}\n"
    ),
    "models.yaml": (
        "blazeface_full_range:\n  role: detector\n  file: net.tflite\n  sha256: " + "0" * 64 + "\n"
        "  sources: [{wheel: name==1.0, member: a/net.tflite}]\n"
        "  licence: Apache-2.0\n  evidence: its LICENSE\n  uses: [commercial]\n  family: blazeface\n"
        "face_mesh_468: {role: landmarker, file: mesh.tflite, sources: [], licence: Apache-2.0, evidence: its LICENSE,"
        " uses: [commercial], family: facemesh}\n"
    ),
}
OTHERS = (
    "plates/a.mov",
    "plates/seq/b.0001.exr",
    "plates/folder/x.1.png",
    "pictures/mara.png",
    "pictures/ben.png",
)
DELIVERIES = {
    "review": {"frames": {"format": "tiff"}, "movies": [{"codec": "h264", "crf": 20}]},
    "final": {"frames": {"format": "exr", "depth": 16}, "matte": True},
}

Load = Callable[..., Show]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Base folder of a show that holds."""
    (tmp_path / "config" / "overrides").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "config" / name).write_text(text, encoding="utf-8")
    for name in OTHERS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def load(folder: Path) -> Load:
    """Load that show, with keys of the configuration changed."""

    def loading(day: datetime.date = DAY, **config: Any) -> Show:
        return load_show({"show": "film", "deliveries": DELIVERIES} | config, folder, today=day)

    return loading
