"""Settings that change along a shot, where stages use them: eyes and mouth of a composite, and an engine's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comp.helpers import face
from stages.test_stages import track
from understudy.engines.base import FaceContext, NewFace
from understudy.faces.geometry import LEFT_EYE, RIGHT_EYE
from understudy.faces.tracks import Track
from understudy.stages import swap
from understudy.stages.crops import Cut
from understudy.stages.features import Features
from understudy.stages.swap import Performers

FRAMES = 40
BLINK = range(20, 23)
MATTE = np.ones((200, 200), np.float32)
X, Y = face()[LEFT_EYE, :2].mean(axis=0).astype(int)


@pytest.fixture
def blinking() -> Track:
    """A face that stands still and shuts its eyes for three frames."""
    points = np.stack([face()] * FRAMES)
    for eye in (LEFT_EYE, RIGHT_EYE):
        for frame in BLINK:
            points[frame, eye, 1] = points[frame, eye, 1].mean()
    return replace(track("t01", 1001, FRAMES), points=points, five=np.zeros((FRAMES, 5, 2), np.float32))


def cut(index: int) -> Cut:
    return Cut(index, 1001 + index, "t01", index, (0, 0, 200, 200))


def shares(settings: Mapping[str, Any], one: Track) -> np.ndarray:
    """How much of the plate's left eye stays on each frame."""
    features = Features(settings, {"t01": one})
    return np.array([1 - features.keep(MATTE, cut(index))[Y, X] for index in range(FRAMES)])


def test_eyes_are_kept_on_every_frame_or_while_they_shut(blinking: Track) -> None:
    look: dict[str, Any] = {"eyes": 0.5, "mouth": 0.0, "keep": "always"}
    assert shares(look, blinking) == pytest.approx(0.5, abs=2e-3)
    kept = shares(look | {"keep": "expression"}, blinking)
    assert kept[list(BLINK)] == pytest.approx(0.5, abs=2e-3)
    assert (kept[: BLINK[0] - 5] == 0).all() and (kept[BLINK[-1] + 6 :] == 0).all()
    assert 0 < np.abs(np.diff(kept)).max() <= 0.5 * 1.5 / 5 + 1e-6


def test_how_much_of_them_stays_may_be_keyed(blinking: Track) -> None:
    keys = {"eyes": [[1011, 0.0], [1031, 1.0]]}
    kept = shares({"eyes": 0.0, "mouth": 0.0, "keep": "always", "keys": keys}, blinking)
    assert (kept[:11] == 0).all() and (kept[30:] == 1).all() and kept[20] == pytest.approx(0.5, abs=2e-3)
    assert (np.diff(kept[10:31]) > 0).all()


def test_a_keyed_setting_of_an_engine_prepares_nothing_anew(
    blinking: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Mapping[str, Any]] = []
    prepared: list[Mapping[str, Any]] = []

    class Engine:
        def prepare(self, talent: Any, track: Track, settings: Mapping[str, Any]) -> None:
            prepared.append(settings)

        def swap(self, crops: Any, state: None, context: list[FaceContext]) -> list[NewFace]:
            told.extend(one.settings for one in context)
            return [NewFace(crop, crop[..., 0], np.eye(2, 3)) for crop in crops]

    monkeypatch.setattr(swap, "load_engine", lambda *_: Engine())
    monkeypatch.setattr(swap, "device_of", lambda *_, **__: None)
    monkeypatch.setattr(swap, "atlas_of", lambda *_: None)
    records = [SimpleNamespace(facts={"talent": "mara"})]
    job: Any = SimpleNamespace(weights={}, records=lambda _: records)
    settings: dict[str, Any] = {"engine": "mesh", "model": "", "precision": "full", "shape": 0.5, "max_yaw": 60}
    settings["keys"] = {"shape": [[1010, 0.5], [1020, 1.0]]}
    performers = Performers(job, settings, {"t01": blinking}, {"t01": "mara"})
    cuts = [cut(index) for index in range(FRAMES)]
    performers.make(cuts[:30], [np.zeros((4, 4, 3), np.float32)] * 30)
    performers.make(cuts[30:], [np.zeros((4, 4, 3), np.float32)] * 10)
    assert [settings["shape"] for settings in prepared] == [0.5]
    assert told[:10] == [{}] * 10 and told[-1] == {"shape": 1.0}
    assert told[14] == {"shape": pytest.approx(0.75)}
