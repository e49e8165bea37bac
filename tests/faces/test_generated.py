"""Detectors and landmarkers by their real cards over generated networks: they are fed the colours they know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import generated
from understudy.runtime.cards import model_card
from understudy.runtime.network import Network


def network(cards, name: str, path: Path) -> Network:
    return Network(model_card(name, generated.card_for(cards[name], path)), path)


@pytest.mark.parametrize(
    "name", ["retinaface_10g", "scrfd_2.5g", "scrfd_10g", "det_10g", "det_2.5g", "det_500m"]
)
def test_a_detector_sees_red_where_red_is(name, cards, tmp_path) -> None:
    tensor = cards[name]["inputs"]["image"].get("name", "input")
    made = network(cards, name, generated.detector(tmp_path / "d.onnx", tensor))
    picture = np.zeros((1, 320, 640, 3), np.float32)
    # A cell of each stride: its left and top edge at (64, 32); blue of the same size elsewhere.
    picture[0, 32:64, 64:96, 0] = 0.75
    picture[0, 128:160, 320:352, 2] = 1.0
    out = list(made(image=picture).values())
    for level, stride in enumerate((8, 16, 32)):
        scores, boxes, points = (
            out[3 * kind + level].reshape(-1, 2, width) for kind, width in ((0, 1), (1, 4), (2, 10))
        )
        cells = scores[..., 0].reshape(320 // stride, 640 // stride, 2)
        red = np.zeros(cells.shape[:2])
        red[32 // stride : 64 // stride, 64 // stride : 96 // stride] = 0.75
        assert cells[..., 0] == pytest.approx(red, abs=1e-5)
        assert cells[..., 1] == pytest.approx(red / 2, abs=1e-5)
        assert boxes == pytest.approx(np.broadcast_to(generated.REACH, boxes.shape), abs=1e-6)
        assert points == pytest.approx(np.broadcast_to(np.ravel(generated.KEYS), points.shape), abs=1e-6)


def test_2dfan4_is_fed_red_first(cards, tmp_path) -> None:
    made = network(cards, "2dfan4", generated.fan(tmp_path / "f.onnx"))
    picture = np.zeros((2, 256, 256, 3), np.float32)
    picture[0], picture[1] = (0.8, 0.1, 0.3), (0.4, 0.9, 0.9)
    out = made(image=picture)
    assert out["landmarks"][..., :2] == pytest.approx(
        np.broadcast_to(generated.marks(), (2, 68, 2)), abs=1e-5
    )
    assert out["heatmaps"].max(axis=(2, 3)) == pytest.approx(np.repeat([[0.8], [0.4]], 68, axis=1), abs=1e-3)
