"""Swapping a face by itself returns the plate, whatever the settings: 1/1024 inside the matte, its own bits outside."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from people import film, jpeg, person, sample
from understudy.comp import match
from understudy.comp.camera import motion, sharpening
from understudy.comp.paste import paste, same
from understudy.media.colour import from_linear, quantise, to_display, to_linear
from understudy.show.schema import schema

LEAST = 1 / 1024
"""Largest error inside the matte, in display values and in light."""
STAGES = schema("settings")["properties"]


def choices(stage: str, name: str) -> list[str]:
    return STAGES[stage]["properties"][name]["enum"]


PAN = np.array([[1.0, 0.0, 14.0], [0.0, 1.0, 3.0]])
BASE = {name: of["default"] for name, of in STAGES["match"]["properties"].items()} | {"light": 1.0}
FINISH = {"blend": "multiband", "opacity": 1.0}


@cache
def filmed(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Display crop of a person, and the mesh: ``clean``, ``moving``, ``sharp``, with ``grain``, out of a ``codec``."""
    image, points = person("hopper")
    match kind:
        case "grain":
            image = np.clip(image + film(image.shape, 0.012, 5), 0, 1)
        case "moving":
            image = motion.blurred(image, PAN, 0.5, points)
        case "sharp":
            image = np.clip(sharpening.unsharp(image, 1.0, 2.0), 0, 1)
        case "codec":
            image = jpeg(image, 40)
    return image, points


def swapped(kind: str, dtype: str, space: str, own: dict, finish: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plate in its own pixels, what a swap of its face by itself makes of it, and the matte."""
    plate = SimpleNamespace(space=space, dtype=dtype)
    shown, points = filmed(kind)
    encoded = quantise(to_linear(shown) if space == "scene_linear" else shown, dtype)
    crop = to_display(encoded, plate)
    one = sample(crop, crop, points, motion=PAN)
    # A frame on which it rests, so that its blur is known.
    still = filmed("clean")[0]
    fitted = match.fit([one, sample(still, still, points)] if kind == "moving" else [one], own)
    result, weight = match.finish(one.crop, one.face, one.matte, one.moment, fitted, finish)
    made = paste(
        encoded,
        crop,
        result,
        weight,
        lambda light: quantise(light, dtype),
        to_linear=to_linear,
        from_linear=same if space == "scene_linear" else from_linear,
    )
    return encoded, made, one.matte


def close(encoded: np.ndarray, made: np.ndarray, matte: np.ndarray) -> bool:
    outside = matte == 0
    assert made.dtype == encoded.dtype
    assert np.array_equal(made[outside], encoded[outside])
    top = np.iinfo(encoded.dtype).max if encoded.dtype.kind == "u" else 1
    away = np.abs(made.astype(np.float64) - encoded)[~outside].max() / top
    assert away <= LEAST, f"{away * 1024:.2f}/1024"
    return True


@pytest.mark.parametrize("blend", choices("composite", "blend"))
@pytest.mark.parametrize("colour", choices("match", "colour"))
@pytest.mark.parametrize("grain", choices("match", "grain"))
def test_whatever_the_modes(blend: str, colour: str, grain: str) -> None:
    own = BASE | {"colour": colour, "grain": grain}
    assert close(*swapped("grain", "float32", "display", own, FINISH | {"blend": blend}))


@pytest.mark.parametrize("kind", ["clean", "grain", "moving", "sharp", "codec"])
@pytest.mark.parametrize(
    ("dtype", "space"),
    [("uint8", "display"), ("uint16", "display"), ("float16", "scene_linear"), ("float32", "scene_linear")],
)
def test_whatever_the_plate(kind: str, dtype: str, space: str) -> None:
    for opacity in (1.0, 0.4):
        assert close(*swapped(kind, dtype, space, BASE, FINISH | {"opacity": opacity}))
