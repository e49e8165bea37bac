"""A vendor's command as an engine: what it is given, and what is refused of what it gives."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scene import FIVE, SWAP, face, plate, shot, talent
from understudy.comp.lay import take
from understudy.engines.load import engine_for, load_engine
from understudy.engines.pages import rim
from understudy.errors import ConfigError, ModelError
from understudy.faces.align import similarity
from understudy.runtime.cards import Weights, model_card

PROGRAM = """
import sys
from pathlib import Path
import cv2
import numpy as np
mode, given, made, source = sys.argv[1], *map(Path, sys.argv[2:5])
shown = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
print("looking at", source.name)
for path in sorted(given.iterdir()):
    crop = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert crop.dtype == np.uint16 and shown.dtype == np.uint16
    if mode == "fail":
        sys.exit("no licence for this machine")
    if mode == "one" and path.stem != "000000":
        continue
    if mode == "slow":
        import time
        time.sleep(60)
    if mode == "small":
        crop = crop[::2, ::2]
    if mode == "rgba":
        alpha = np.full(crop.shape[:2], 16384, np.uint16)
        cv2.imwrite(str(made / (path.stem + ".tif")), np.dstack([crop, alpha]))
    elif mode == "byte":
        cv2.imwrite(str(made / path.name), (crop // 257).astype(np.uint8))
    elif mode == "text":
        (made / path.name).write_text("no picture")
    else:
        # The crop's colours turned towards the picture's mean.
        mixed = (crop.astype(float) + shown.mean(axis=(0, 1))) / 2
        cv2.imwrite(str(made / path.name), mixed.round().astype(np.uint16))
"""


def engine(tmp_path: Path, mode: str = "mix", **settings):
    program = tmp_path / "vendor.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), mode, "{input}", "{output}", "{source}"]
    card = {
        "role": "swapper", "family": "external", "file": "none", "sources": [], "licence": "contract",
        "evidence": "the contract", "uses": ["commercial"], "template": "arcface_128", "size": 128,
        "settings": {"command": command, **settings},
    }  # fmt: skip
    weights = Weights(model_card("live", card), None)
    assert engine_for(weights.card) == "external"
    return load_engine("external", "live", {"live": weights})


def swap(made, count: int = 2):
    who = talent(np.zeros((2, 512), np.float32), quality=(0.1, 0.9))
    state = made.prepare(who, shot(), SWAP)
    crops = [plate(seed=i) for i in range(count)]
    return who, crops, made.swap(crops, state, [face(1001 + i, FIVE + i) for i in range(count)])


def test_the_command_sees_crops_and_the_best_picture_and_its_answer_is_the_face(tmp_path) -> None:
    who, crops, news = swap(engine(tmp_path))
    mean = who.pictures[1].mean(axis=(0, 1))
    for i, (crop, new) in enumerate(zip(crops, news, strict=True)):
        transform = similarity(FIVE + i, "arcface_128", 128)
        assert np.abs(new.transform - transform).max() < 1e-9
        assert np.abs(new.image - (take(crop, transform, 128) + mean) / 2).max() < 2 / 65535
        assert np.array_equal(new.matte, rim(128, 0.3))
    assert np.abs(mean - who.pictures[0].mean(axis=(0, 1))).max() > 0.005


def test_a_fourth_channel_is_the_matte_and_eight_bit_is_taken(tmp_path) -> None:
    _, crops, news = swap(engine(tmp_path, "rgba"))
    assert np.abs(news[0].matte - 16384 / 65535).max() < 1e-6
    assert np.abs(news[0].image - take(crops[0], news[0].transform, 128)).max() < 1 / 65535
    _, crops, news = swap(engine(tmp_path, "byte"))
    assert np.abs(news[1].image - take(crops[1], news[1].transform, 128)).max() < 1.01 / 255


@pytest.mark.parametrize(
    "mode, told, place",
    [
        ("fail", "code 1.* no licence for this machine", "model live"),
        ("one", "made 0 pictures of the name 000001", "model live, frame 1002"),
        ("small", r"uint16 of shape \(64, 64, 3\)", "model live, frame 1001"),
        ("text", "no picture", "model live, frame 1001"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(mode, told, place, tmp_path) -> None:
    with pytest.raises(ModelError, match=told) as refusal:
        swap(engine(tmp_path, mode))
    assert refusal.value.where == place and refusal.value.fix


def test_a_command_that_does_not_end_is_ended(tmp_path) -> None:
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"within 1\.5 seconds; it said: (nothing|looking at)"):
        swap(engine(tmp_path, "slow", timeout=1.5))
    assert time.monotonic() - start < 20


def test_a_card_without_a_usable_command_is_refused(tmp_path) -> None:
    for command, told in (
        (None, "must be a list"),
        ("vendor {input} {output}", "must be a list"),
        (["vendor", "{input}"], "has no {output}"),
    ):
        with pytest.raises(ConfigError, match=told):
            engine(tmp_path, command=command)
    absent = engine(tmp_path, command=["/nowhere/vendor", "{input}", "{output}"])
    with pytest.raises(ModelError, match="cannot be started"):
        swap(absent)


def test_no_shell_reads_the_command(tmp_path) -> None:
    mark = tmp_path / "mark"
    made = engine(
        tmp_path, command=["/bin/echo", "{input}", "{output}", f"; touch {mark}", f"$(touch {mark})"]
    )
    with pytest.raises(ModelError, match="made 0 pictures"):
        swap(made)
    assert not mark.exists()
