"""Finished frames as stills, roto pictures, and the 8-bit looks that detectors see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest

from understudy.errors import PlateError
from understudy.media import stills
from understudy.media.delivery import Still, native, stills_of
from understudy.media.plate import Plate
from understudy.media.proxy import proxy
from understudy.media.roto import Roto

MakePlate = Callable[..., Plate]
IMAGE = np.random.Generator(np.random.PCG64(5)).random((30, 40, 3), np.float32)


def srgb(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written out again."""
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(np.maximum(linear, 1e-9), 1 / 2.4) - 0.055
    )


@pytest.mark.parametrize(
    ("dtype", "depth", "kind", "wanted"),
    [
        ("uint8", 8, "png", Still("png", 8)),
        ("uint16", 10, "png", Still("png", 16)),
        ("float16", 16, "png", Still("png", 16)),
        ("float16", 16, "tiff", Still("tiff", 16)),
        ("uint8", 8, "exr", Still("exr", 16)),
        ("float32", 32, "exr", Still("exr", 32)),
        ("uint16", 10, "dpx", Still("dpx", 10)),
        ("uint16", 12, "dpx", Still("dpx", 16)),
        ("uint8", 8, "dpx", Still("dpx", 10)),
    ],
)
def test_the_plates_own_depth(make_plate: MakePlate, dtype: str, depth: int, kind: str, wanted: Still):
    assert native(kind, make_plate(dtype, depth=depth)) == wanted


@pytest.mark.parametrize(
    ("dtype", "still"),
    [
        ("uint8", Still("tiff", 8)), ("uint8", Still("png", 8)), ("uint16", Still("png", 16)),
        ("uint16", Still("dpx", 16)), ("float16", Still("exr", 16)), ("float32", Still("exr", 32)),
    ],
)  # fmt: skip
def test_the_plates_own_bits_go_through(make_plate: MakePlate, dtype: str, still: Still):
    plate = make_plate(dtype)
    image = (IMAGE * (1 if plate.space == "scene_linear" else np.iinfo(dtype).max)).astype(dtype)
    assert still.same_as(plate)
    assert still.encode(image, plate) is image


def test_more_bits_lose_nothing(make_plate: MakePlate):
    image = (IMAGE * 255).astype(np.uint8)
    made = Still("tiff", 16).encode(image, make_plate("uint8"))
    assert made.dtype == np.uint16
    assert np.array_equal(np.rint(made / 257.0).astype(np.uint8), image)
    assert (made.min(), made.max()) == (257 * int(image.min()), 257 * int(image.max()))


def test_exr_of_a_display_plate_is_linear_light(make_plate: MakePlate):
    image = np.full((2, 2, 3), 188, np.uint8)
    made = Still("exr", 16).encode(image, make_plate("uint8"))
    assert made.dtype == np.float16
    # 188 / 255 is 0.50289 of linear light by IEC 61966-2-1.
    np.testing.assert_allclose(made.astype(float), 0.50289, rtol=1e-3)


def test_integers_of_a_linear_plate_are_display(make_plate: MakePlate):
    image = np.full((2, 2, 3), 0.18, np.float16)
    made = Still("png", 16).encode(image, make_plate("float16"))
    assert abs(int(made[0, 0, 0]) - round(65535 * float(srgb(np.array(0.18))))) < 20


def test_every_still_format_is_written_once(make_plate: MakePlate):
    deliveries = {
        "b": {"frames": {"format": "png", "depth": 8}, "matte": False},
        "a": {"frames": {"format": "exr", "depth": None}, "matte": False},
        "c": {"frames": None, "matte": False},
        "d": {"frames": {"format": "png", "depth": 8}, "matte": True},
    }
    assert stills_of(deliveries, make_plate("uint16")) == [Still("exr", 16), Still("png", 8)]
    assert stills_of({"c": deliveries["c"]}, make_plate("uint16")) == []


def test_proxy_of_integers_rounds(make_plate: MakePlate):
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, 2)
    assert np.array_equal(proxy(every, make_plate("uint16")), np.rint(every / 257.0).astype(np.uint8))
    eight = (IMAGE * 255).astype(np.uint8)
    assert np.array_equal(proxy(np.dstack([eight, eight[..., :1]]), make_plate("uint8", channels=4)), eight)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_proxy_of_floats_is_display(make_plate: MakePlate, dtype: str):
    image = (4 * IMAGE - 1).astype(dtype)
    wanted = 255 * np.clip(srgb(np.maximum(image.astype(float), 0)), 0, 1)
    assert np.abs(proxy(image, make_plate(dtype)).astype(float) - wanted).max() <= 0.6


def test_proxy_survives_what_is_no_number(make_plate: MakePlate):
    image = np.array([[[np.nan, np.inf, -np.inf]]], np.float16)
    assert proxy(image, make_plate("float16")).tolist() == [[[0, 255, 0]]]


@pytest.fixture
def roto(tmp_path: Path, make_plate: MakePlate) -> Roto:
    return Roto(str(tmp_path / "hand.%04d.png"), "G", make_plate())


def test_roto_reads_its_channel(roto: Roto, tmp_path: Path):
    drawn = np.zeros((30, 40, 3), np.uint16)
    drawn[..., 1] = 65535
    drawn[0, 0, 1] = 13107
    stills.write(tmp_path / "hand.1003.png", drawn, kind="png", depth=16)
    matte = roto.read(1003)
    assert matte.dtype == np.float32
    assert (matte[1:] == 1).all()
    assert matte[0, 0] == pytest.approx(0.2)


def test_grey_roto_serves_every_channel(roto: Roto, tmp_path: Path):
    stills.write(tmp_path / "hand.1003.png", np.full((30, 40), 255, np.uint8), kind="png", depth=8)
    assert (roto.read(1003) == 1).all()


def test_float_roto_is_clipped(tmp_path: Path, make_plate: MakePlate):
    drawn = np.zeros((30, 40, 3), np.float16)
    drawn[0, :4, 0] = [np.nan, 7, -2, 0.5]
    stills.write(tmp_path / "hand.1003.exr", drawn, kind="exr", depth=16)
    matte = Roto(str(tmp_path / "hand.%04d.exr"), "R", make_plate()).read(1003)
    assert matte[0, :4].tolist() == [0, 1, 0, 0.5]


def test_roto_refusals(roto: Roto, tmp_path: Path, make_plate: MakePlate):
    with pytest.raises(PlateError, match="the file is missing") as refused:
        roto.read(1003)
    assert "hand.1003.png" in str(refused.value)
    stills.write(tmp_path / "hand.1003.png", np.zeros((15, 20), np.uint8), kind="png", depth=8)
    with pytest.raises(PlateError, match="is 20 x 15, the plate is 40 x 30") as refused:
        roto.read(1003)
    assert "roto frame 1003" in refused.value.where
    stills.write(tmp_path / "hand.1003.png", np.zeros((30, 40, 3), np.uint8), kind="png", depth=8)
    with pytest.raises(PlateError, match="has no channel A") as refused:
        Roto(roto.pattern, "A", make_plate()).read(1003)
    assert "R, G, B" in refused.value.fix


def exr(path: Path, names: list[str], planes: np.ndarray, window: tuple[int, ...] = ()) -> None:
    """A picture [h, w, c] as another program writes it: channels by their names, in a part of a display window."""
    spec = OpenImageIO.ImageSpec(planes.shape[1], planes.shape[0], planes.shape[2], "half")
    spec.channelnames = names
    if window:
        spec.x, spec.y, spec.full_x, spec.full_y, spec.full_width, spec.full_height = window
    target = OpenImageIO.ImageOutput.create(str(path))
    assert target.open(str(path), spec)
    assert target.write_image(np.ascontiguousarray(planes, np.float16))
    assert target.close()


def test_a_roto_is_picked_out_of_an_exrs_parts(tmp_path: Path, make_plate: MakePlate):
    path = str(tmp_path / "a.1003.exr")
    specs = [OpenImageIO.ImageSpec(40, 30, count, "half") for count in (3, 1)]
    specs[1].channelnames = ["A"]
    for spec, name in zip(specs, ("beauty", "hand"), strict=True):
        spec.attribute("name", name)
    target = OpenImageIO.ImageOutput.create(path)
    assert target.open(path, specs)
    assert target.write_image(np.full((30, 40, 3), 0.75, np.float16))
    assert target.open(path, specs[1], "AppendSubimage")
    assert target.write_image(np.full((30, 40, 1), 0.5, np.float16))
    assert target.close()
    for channel, value in (("R", 0.75), ("hand.A", 0.5), ("A", 0.5)):
        assert (Roto(str(tmp_path / "a.%04d.exr"), channel, make_plate()).read(1003) == value).all()


def test_a_roto_is_picked_out_of_an_exrs_layers(tmp_path: Path, make_plate: MakePlate):
    planes = np.broadcast_to(np.float16([0.1, 0.2, 0.3, 0.4, 0.5]), (30, 40, 5))
    exr(tmp_path / "a.1003.exr", ["R", "G", "B", "matte.R", "matte.hand"], planes)
    pattern = str(tmp_path / "a.%04d.exr")
    for channel, value in (("R", 0.1), ("B", 0.3), ("matte.R", 0.4), ("Matte.Hand", 0.5)):
        assert Roto(pattern, channel, make_plate()).read(1003)[7, 9] == pytest.approx(value, abs=1e-3)
    with pytest.raises(PlateError, match=r"has no channel matte\.G") as refused:
        Roto(pattern, "matte.G", make_plate()).read(1003)
    assert "matte.R" in refused.value.fix and "roto frame 1003" in refused.value.where


@pytest.mark.parametrize("channel", ["R", "A", "matte.R"])
def test_a_roto_of_one_channel_has_only_that_one(tmp_path: Path, make_plate: MakePlate, channel: str):
    exr(tmp_path / "a.1003.exr", ["Y"], np.full((30, 40, 1), 0.25))
    assert (Roto(str(tmp_path / "a.%04d.exr"), channel, make_plate()).read(1003) == 0.25).all()


def test_a_roto_cropped_to_what_is_drawn_lies_in_its_display_window(tmp_path: Path, make_plate: MakePlate):
    # Five by four pixels of which two columns lie left of the display window.
    exr(tmp_path / "a.1003.exr", ["Y"], np.ones((4, 5, 1)), (98, 57, 100, 50, 40, 30))
    matte = Roto(str(tmp_path / "a.%04d.exr"), "R", make_plate()).read(1003)
    assert matte.shape == (30, 40)
    assert matte[7:11, 0:3].min() == 1 and matte.sum() == 12
