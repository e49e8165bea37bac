"""A network that has learned runs through the engine that runs all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import generated
import plates
import trained
from scene import ARCFACE, SWAP, face, shot, talent
from understudy.engines.load import load_engine
from understudy.engines.pages import rim


@pytest.mark.slow
def test_a_trained_swapper_gives_whom_the_latent_means(tmp_path: Path, lay_over) -> None:
    path = tmp_path / "trained.onnx"
    report = trained.train_swapper(path)
    assert report.parameters < 8000 and path.stat().st_size < 1.5e6
    # It has learned: from pictures that it never saw, and more than to hand on its input.
    assert report.after < report.before / 8
    assert report.after < report.untouched / 2

    models = {
        "inswapper_128": lay_over("inswapper_128", path),
        ARCFACE: lay_over(ARCFACE, generated.recogniser(tmp_path / "arcface.onnx")),
    }
    engine = load_engine("onnx", "inswapper_128", models)
    hopper, astronaut = trained.PEOPLE
    shown = plates.portrait(astronaut)
    five = np.array(trained.FIVES[astronaut], np.float32)
    made = {}
    for who in trained.PEOPLE:
        state = engine.prepare(talent(trained.embedding(who)[None]), shot(), SWAP)
        (new,) = engine.swap([shown], state, [face(five=five)])
        made[who] = new.image
    weight = rim(128, 0.3)[..., None]

    def away(image: np.ndarray, person: str) -> float:
        return float((weight * (image - trained.face(person)) ** 2).sum() / weight.sum() / 3)

    # One plate, two talents: each time nearer to the one who was meant, and far from the other.
    assert away(made[hopper], hopper) < 0.4 * away(made[hopper], astronaut)
    assert away(made[astronaut], astronaut) < 0.4 * away(made[astronaut], hopper)
    assert away(made[hopper], hopper) < 0.4 * away(trained.face(astronaut), hopper)
