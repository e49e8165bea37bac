"""What the show promises about models: licences, fetching, contracts, and pixels that nothing but settings decide."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neural import (
    ARCFACE,
    EMBEDDED,
    cards_of,
    change,
    delivered,
    embedded,
    finished,
    neural_show,
    shift,
    source,
    unit,
)
from shows import TestShow, add_movie, add_sequence, kill

import generated
import trained
from understudy.comp.lay import take
from understudy.faces.files import read_tracks
from understudy.media import stills
from understudy.runtime.models import sha256_of
from understudy.runtime.records import read_record
from understudy.stages.crops import read_cuts

pytestmark = pytest.mark.slow

INSWAPPER = {"engine": "onnx", "model": "inswapper_128"}
NET = {"net": {"swap": INSWAPPER}}
SWAPPER = {"inswapper_128": generated.inswapper, ARCFACE: generated.recogniser}


def spoken(text: str) -> str:
    return " ".join(text.split())


def in_store(show: TestShow) -> set[str]:
    """The models that a show's store has."""
    folder = show.folder / "store"
    return {path.name for path in folder.iterdir() if path.suffix in (".onnx", ".tflite")} if folder.is_dir() else set()


# Licences


LICENSED: dict[str, Any] = {
    "paid": {"detect": {"faces": "cards", "detectors": ["retinaface_10g"]}, "swap": INSWAPPER},
    "free": {},
}


def licensed_show(folder: Path, root: Path, store: Path) -> TestShow:
    """A show with the delivered cards, whose files only their owners have."""
    cards = {name: card | {"sources": []} for name, card in delivered(root).items()}
    return neural_show(folder, cards | embedded(root, store), LICENSED, add_sequence)


def test_commercial_work_with_research_weights_is_refused_before_any_work(
    tmp_path: Path, root: Path, store: Path
) -> None:
    show = licensed_show(tmp_path, root, store)
    del show.config["purpose"]  # commercial, if nothing is said
    show.write()
    done = show.run(check=False)
    assert done.returncode
    said = spoken(done.stdout)
    assert "shot paid, look paid: 3 of 5 model files may not be used for the purpose 'commercial'" in said
    assert "shot free" not in said
    cards = delivered(root)
    for name in ("retinaface_10g", "inswapper_128", ARCFACE):
        card = cards[name]
        assert f"{name} ({card['role']}, {card['file']}): {card['licence']}, for research and test;" in said
        assert spoken(f"see {card['evidence']}") in said
    assert f"see {spoken(cards[ARCFACE]['evidence'])}; needed by inswapper_128" in said
    instead = re.search(r"instead of retinaface_10g: ([^;]*);", said)
    assert instead and {"blazeface_full_range", "yoloface_8n", "yunet_2023_mar"} <= set(instead[1].split(", "))
    assert not {"scrfd_2.5g", "det_10g"} & set(instead[1].split(", "))
    assert "instead of inswapper_128: " in said
    assert not show.result.exists() and not in_store(show) and not Path(show.config["lock"]).exists()


def test_research_is_allowed_and_says_where_files_without_a_source_go(
    tmp_path: Path, root: Path, store: Path
) -> None:
    show = licensed_show(tmp_path, root, store)
    show.config["purpose"] = "research"
    show.write()
    done = show.run("models", check=False)
    assert done.returncode
    said = spoken(done.stdout)
    assert "purpose" not in said
    for name in ("retinaface_10g", "inswapper_128", ARCFACE):
        put = f"whoever has the file puts it at {show.folder}/store/{name}.onnx; then run: snakemake models"
        assert f"model {name}: its card names no sources -> {put}" in said
        assert put in (show.work / "logs" / "models" / f"{name}.log").read_text()
    # The files that have a source came all the same; whoever has the others goes on.
    cards = delivered(root)
    assert in_store(show) == {cards[name]["file"] for name in EMBEDDED}
    show.run("models", "--config", "only=free")


# Fetching


@pytest.fixture
def fetching(tmp_path: Path, root: Path, store: Path) -> TestShow:
    """A show whose files lie in a mirror; nobody has told the swapper's sha256."""
    cards = cards_of(tmp_path / "mirror", root, store, SWAPPER | {"xseg_1": generated.xseg})
    for name in (*SWAPPER, "xseg_1"):
        cards[name]["sources"] = []
    del cards["inswapper_128"]["sha256"]
    looks = {"plain": {}, **NET}
    show = neural_show(tmp_path, cards, looks, add_sequence)
    show.config["mirror"] = str(tmp_path / "mirror")
    show.write()
    return show


def test_only_what_the_selected_shots_need_is_fetched(fetching: TestShow, root: Path) -> None:
    files = {name: card["file"] for name, card in delivered(root).items()}
    fetching.run("models", "--config", "only=plain")
    assert in_store(fetching) == {files[name] for name in EMBEDDED}
    fetching.run("models")
    assert in_store(fetching) == {files[name] for name in (*EMBEDDED, *SWAPPER)}
    # Only the file whose card gives no sha256 is in the lock.
    (line,) = (line for line in Path(fetching.config["lock"]).read_text().splitlines() if line[:1] != "#")
    mirror = Path(fetching.config["mirror"])
    assert line == f"{sha256_of(mirror / 'inswapper_128.onnx')}  inswapper_128.onnx"
    assert "fetch_model" not in fetching.planned("models")


def test_a_file_that_left_the_store_is_fetched_again(fetching: TestShow) -> None:
    fetching.run("models")
    gone = fetching.folder / "store" / f"{ARCFACE}.onnx"
    before = sha256_of(gone)
    gone.unlink()
    text = fetching.run("models", "--dry-run").stdout
    assert re.findall(r"wildcards: model=(\S+)", text) == [ARCFACE]
    fetching.run("models")
    assert sha256_of(gone) == before


def test_another_file_than_the_one_first_seen_is_refused(fetching: TestShow, tmp_path: Path) -> None:
    fetching.run("models")
    held, lock = fetching.folder / "store" / "inswapper_128.onnx", fetching.config["lock"]
    mirrored = Path(fetching.config["mirror"]) / held.name
    right = mirrored.read_bytes()
    other = generated.inswapper(tmp_path / "other.onnx", decoy=True)
    digests = f"has sha256 {sha256_of(other)[:16]}..., {lock} recorded {sha256_of(held)[:16]}..."
    # It lies in the store when a job comes to use it ...
    shutil.copy(other, held)
    done = fetching.run("--config", "only=net", check=False)
    assert done.returncode
    said = f"model inswapper_128: {held} {digests} -> delete the file, then run: snakemake models"
    assert said in spoken(done.stdout)
    (log,) = (fetching.work / "net" / "logs" / "swap").glob("*.log")
    assert digests in log.read_text()
    # ... or it would come from where the first one came from.
    held.unlink()
    shutil.copy(other, mirrored)
    done = fetching.run("models", check=False)
    assert done.returncode and digests in spoken(done.stdout) and not held.exists()
    # The right one goes on from there.
    mirrored.write_bytes(right)
    fetching.run("--config", "only=net")
    assert len(list((fetching.out / "net" / "frames").iterdir())) == 4


# Contracts


def test_a_file_of_another_family_is_explained_and_other_shots_go_on(
    tmp_path: Path, root: Path, store: Path
) -> None:
    makes = {
        "inswapper_128": generated.xseg,
        "reswapper_256": generated.inswapper,
        "hyperswap_1a_256": generated.hyperswap,
        "gfpgan_1.4": lambda path: generated.restorer(path, 256),
        ARCFACE: generated.recogniser,
    }
    swappers = ("inswapper_128", "reswapper_256", "hyperswap_1a_256")
    looks: dict[str, Any] = {name: {"swap": {"engine": "onnx", "model": name}} for name in swappers}
    looks["gfpgan"] = {"enhance": {"model": "gfpgan_1.4"}}
    show = neural_show(tmp_path, cards_of(tmp_path, root, store, makes), looks, add_sequence)
    done = show.run(check=False)
    assert done.returncode
    said = spoken(done.stdout)
    small, middle, large = ([1, 3, side, side] for side in (128, 256, 512))
    wrong = {
        ("inswapper_128", "swap"): "input 'target' is 'target' on its card; the file's 1 inputs are 'input'",
        ("reswapper_256", "swap"): f"input 'target' ('target') is {small} in the file, {middle} on its card",
        ("gfpgan", "enhance"): f"input 'image' ('input') is {middle} in the file, {large} on its card",
    }
    for (shot, stage), words in wrong.items():
        model = looks[shot][stage]["model"]
        file = delivered(root)[model]["file"]
        told = f"model {model} ({show.folder}/store/{file}): {words}"
        (log,) = (show.work / shot / "logs" / stage).glob("*.log")
        assert told in log.read_text()
        assert told in said and f"understudy: {stage} of shot {shot}" in said
        assert "correct the card, or bring the file that the card is for" in log.read_text()
        assert not (show.out / shot).exists()
    assert "Traceback" not in done.stdout
    assert len(list((show.out / "hyperswap_1a_256" / "frames").iterdir())) == 4


# Strength


def test_strength_moves_from_the_performers_own_latent_to_the_talents(
    tmp_path: Path, root: Path, store: Path
) -> None:
    looks = {
        f"s{percent}": {"detect": {"recogniser": ARCFACE}, "swap": INSWAPPER | {"strength": percent / 100}}
        for percent in (0, 50, 100)
    }
    show = neural_show(tmp_path, cards_of(tmp_path, root, store, SWAPPER), looks, add_movie)
    show.run()
    (track,), _ = read_tracks(read_record(show.work / "s0" / "track.json").folder)
    vectors = track.embeddings / np.linalg.norm(track.embeddings, axis=1, keepdims=True)
    performer = unit(vectors.mean(axis=0))
    # It is the performer that was measured, as the recogniser's formula has it of the portrait.
    assert performer @ unit(trained.embedding("hopper")) > 0.95
    assert performer @ unit(trained.embedding("astronaut")) < 0.9
    own, talents = (unit(vector @ generated.emap()) for vector in (performer, source(show)))
    # Half way between two of length one, on the sphere, is the way of their sum.
    wanted = {"s0": own, "s50": unit(own + talents), "s100": talents}
    for shot, latent in wanted.items():
        moved = np.median(change(show, shot), axis=0)
        assert np.abs(moved - shift(latent)).max() < 0.006, shot
    assert np.abs(shift(own) - shift(talents)).max() > 0.03


# A network that has learned


def test_a_trained_swapper_makes_the_talent_of_the_performer(tmp_path: Path, root: Path, store: Path) -> None:
    makes = {
        "inswapper_128": lambda path: (trained.train_swapper(path), path)[1],
        ARCFACE: generated.recogniser,
    }
    show = neural_show(tmp_path, cards_of(tmp_path, root, store, makes), NET, add_sequence, plan="sh010")
    show.run()
    (crops,), (faces,) = ((show.work / "net" / stage).glob("*.json") for stage in ("align", "swap"))
    rows = read_record(faces).path("pages.jsonl").read_text().splitlines()
    for cut, row in zip(read_cuts(read_record(crops)), rows, strict=True):
        # The finished frame, the plate and the matte, as the swapper's page lies in them.
        matrix = np.array(json.loads(row))
        matrix[:, 2] -= matrix[:, :2] @ cut.corner[:2]
        plate = stills.read(show.folder / "plates" / "plate" / f"plate.{cut.frame}.png").astype(np.float32) / 255
        matte = stills.read(show.out / "net" / "matte" / f"net.{cut.frame}.tif")[..., :1].astype(np.float32) / 65535
        result = finished(show, "net", cut.frame).astype(np.float32)
        seen, shown, weight = (take(image, matrix, 128) for image in (result, plate, np.repeat(matte, 3, axis=2)))

        def away(image: np.ndarray, person: str, weight: np.ndarray = weight) -> float:
            return float((weight * (image - trained.face(person)) ** 2).sum() / weight.sum())

        assert weight.mean() > 0.2
        assert away(shown, "hopper") < 0.4 * away(shown, "astronaut")
        assert away(seen, "astronaut") < 0.4 * away(seen, "hopper")
        assert away(seen, "astronaut") < 0.4 * away(shown, "astronaut")


# Pixels


def untaught(path: Path) -> Path:
    """A swapper with convolutions, normalised over the picture, that was never taught anything."""
    return trained.export(trained.parameters(7), path)


MANY = {
    "net": {
        "swap": INSWAPPER | {"boost": 256},
        "enhance": {"model": "gpen_bfr_256"},
        "matte": {"occluders": ["xseg_1"]},
        "detect": {"recogniser": ARCFACE},
    }
}
MAKES = {
    "inswapper_128": untaught,
    ARCFACE: generated.recogniser,
    "gpen_bfr_256": lambda path: generated.restorer(path, 256),
    "xseg_1": lambda path: generated.xseg(path, channel=2),
}


def many(folder: Path, root: Path, store: Path, **config: Any) -> TestShow:
    show = neural_show(folder, cards_of(folder, root, store, MAKES), MANY, add_sequence, frames=8)
    show.config |= config
    show.write()
    return show


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, root: Path, store: Path) -> Mapping[str, str]:
    """Hashes of what a show with networks makes: one chunk, eight crops at a time."""
    show = many(tmp_path_factory.mktemp("undisturbed"), root, store, chunk=8, batch=8)
    show.run()
    hashes = show.hashes()
    assert len(hashes) == 16
    # It does something, and the networks' batches were filled.
    matte = stills.read(show.out / "net" / "matte" / "net.1004.tif")[..., 0]
    plate = stills.read(show.folder / "plates" / "plate" / "plate.1004.png") / 255
    assert np.abs(finished(show, "net", 1004) - plate)[matte > 20000].mean() > 0.02
    trials = json.loads((show.folder / "store" / "inswapper_128.onnx.trials.json").read_text())
    assert [trial["together"] for trial in trials.values()] == [True]
    return hashes


@pytest.mark.parametrize(("chunk", "batch"), [(8, 1), (3, 8), (3, 2)])
def test_neither_batches_nor_chunks_change_a_pixel(
    tmp_path: Path, root: Path, store: Path, undisturbed: Mapping[str, str], chunk: int, batch: int
) -> None:
    show = many(tmp_path, root, store, chunk=chunk)
    show.run("--config", f"batch={batch}")
    assert show.hashes() == undisturbed


def test_a_swap_that_is_killed_is_finished_with_the_same_pixels(
    tmp_path: Path, root: Path, store: Path, undisturbed: Mapping[str, str]
) -> None:
    show = many(tmp_path, root, store, chunk=4)
    folder = show.work / "net" / "swap"
    process = show.start(cores=1)
    try:
        until = time.monotonic() + 300
        while not (begun := list(folder.glob(".swap-*.part-*/faces.tif"))):
            assert process.poll() is None and time.monotonic() < until, "no swap was seen at work"
            time.sleep(0.005)
    finally:
        kill(process, group=True)
    # The first chunk's, or the second's after the first was done.
    assert begun and len(list(folder.glob("*.json"))) < 2
    show.run()
    assert show.hashes() == undisturbed
    assert not list(show.result.rglob("*.part-*"))
