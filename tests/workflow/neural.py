"""Shows with networks: cards over generated files, looks of which a finished pixel tells what the network was fed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from shows import LOOKS, TestShow, new_show

import generated
from understudy.media import stills
from understudy.media.frames import Frames
from understudy.media.plate import Plate
from understudy.runtime.records import read_record
from understudy.show.document import read_document
from understudy.show.schema import conform

SIZE, FRAMES = (480, 270), 4
PLAIN: dict[str, Any] = {
    "match": {"colour": "none", "light": 0, "texture": False, "grain": "none"},
    "composite": {"blend": "alpha"},
    # QC would fail a face that was turned green, and rightly.
    "qc": LOOKS["show"]["settings"]["qc"] | {"colour": 100, "seam": 20},
}
"""Nothing that would follow a network, and nothing that would find fault with it."""
EMBEDDED = ("blazeface_full_range", "face_mesh_468")
ARCFACE = "arcface_w600k_r50"
Make = Callable[[Path], Path]
Add = Callable[..., Path]


def delivered(root: Path) -> dict[str, dict[str, Any]]:
    """The cards that the project comes with."""
    cards: dict[str, dict[str, Any]] = conform(
        read_document(root / "config" / "models.yaml", "list of models"), "models"
    )
    return cards


def embedded(root: Path, store: Path) -> dict[str, Any]:
    """The cards of the embedded networks, taken from a store that has them."""
    cards = delivered(root)
    return {
        name: cards[name] | {"sources": [{"path": str(store / cards[name]["file"])}]} for name in EMBEDDED
    }


def cards_of(folder: Path, root: Path, store: Path, more: Mapping[str, Make]) -> dict[str, Any]:
    """The delivered cards of some models over generated files, which lie in the folder, and the embedded ones."""
    cards = delivered(root)
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        name: generated.card_for(cards[name], make(folder / cards[name]["file"]))
        for name, make in more.items()
    }
    return embedded(root, store) | made


def neural_show(
    folder: Path,
    cards: Mapping[str, Any],
    wanted: Mapping[str, Mapping[str, Any]],
    add: Add,
    cast: str = "astronaut",
    frames: int = FRAMES,
    **more: Any,
) -> TestShow:
    """A show with one shot for every look, all of one plate; what follows the networks is switched off.

    ``add`` is one of `shows` that add a shot; it is given ``more`` too.
    """
    show = new_show(folder / "show", folder / "show" / "store")
    plate = add(show, "plate", frames, SIZE, cast, **more)
    show.rows = [f"{name}\t{plate}\t\t\t{cast}\t{name}\treview\t\t" for name in wanted]
    show.config |= {
        "models": str(show.folder / "models.yaml"),
        "lock": str(show.folder / "models.lock"),
        "purpose": "test",
    }
    (show.folder / "models.yaml").write_text(json.dumps(cards, indent=1))
    write_looks(show, wanted)
    show.write()
    return show


def write_looks(show: TestShow, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """The looks of a show's shots, over `PLAIN`."""
    named = {name: {"settings": look} for name, look in wanted.items()}
    (show.folder / "config").mkdir(exist_ok=True)
    (show.folder / "config" / "looks.yaml").write_text(
        json.dumps({"show": {"settings": PLAIN}, "looks": named, "shots": {}}, indent=1)
    )


def finished(show: TestShow, shot: str, frame: int) -> np.ndarray:
    return stills.read(show.out / shot / "frames" / f"{shot}.{frame:04d}.tif").astype(np.float64) / 255


def change(show: TestShow, shot: str, over: str = "", frame: int = 2) -> np.ndarray:
    """What a finished frame has over another shot's, or over the plate: [n, 3].

    Where the matte is whole and nothing can have been clipped.
    """
    plate = Plate.from_dict(json.loads((show.work / shot / "plate.json").read_text()))
    stores = [read_record(path).folder for path in sorted((show.work / shot / "extract").glob("*.json"))]
    plain = Frames(plate, stores).read(frame).astype(np.float64) / 255
    before, after = finished(show, over, frame) if over else plain, finished(show, shot, frame)
    matte = stills.read(show.out / shot / "matte" / f"{shot}.{frame:04d}.tif")[..., 0]
    inside = (matte == 65535) & (after > 0.02).all(axis=2) & (after < 0.98).all(axis=2)
    assert inside.sum() > 300, f"{shot}: {inside.sum()} pixels to judge by"
    return (after - before)[inside]


def shift(latent: np.ndarray) -> np.ndarray:
    return np.clip(latent @ generated.colours(), -generated.MOST, generated.MOST)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def source(show: TestShow) -> np.ndarray:
    """The talent's direction by the generated recogniser: there is one picture."""
    record = read_record(show.result / "talent" / "astronaut" / "atlas.json")
    with np.load(record.path("atlas.npz")) as arrays:
        (vector,) = arrays[f"vectors.{ARCFACE}"]
    return unit(vector.astype(np.float64))
