"""Stills, crop stores and colour: what goes in comes out, to the bit."""

from __future__ import annotations

import dataclasses
import json
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO
import pytest
import tifffile

from understudy.errors import DeliverableError, PlateError
from understudy.media import colour, crops, stills
from understudy.media.frames import Frames
from understudy.media.frames import header as frame_header
from understudy.media.plate import Plate, probe

KINDS = [
    ("png", 8),
    ("png", 16),
    ("tiff", 8),
    ("tiff", 16),
    ("tiff", 32),
    ("exr", 16),
    ("exr", 32),
    ("dpx", 16),
]


def image(dtype: str, channels: int = 3, size: tuple[int, int] = (37, 53)) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(5))
    shape = (*size, channels) if channels else size
    if dtype.startswith("u"):
        return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    values = (rng.normal(0, 3, shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(dtype)
    values[3, 4], values[5, 6], values[7, 8] = np.nan, np.inf, -np.inf
    return values


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.dtype.itemsize}")


@pytest.mark.parametrize(("kind", "depth"), KINDS)
@pytest.mark.parametrize("channels", [3, 4])
def test_stills_are_bit_identical(tmp_path: Path, kind: str, depth: int, channels: int) -> None:
    before = image(stills.dtype(kind, depth), channels)
    path = tmp_path / f"a{stills.suffix(kind)}"
    stills.write(path, before, kind=kind, depth=depth)
    after = stills.read(path)
    assert after.dtype == before.dtype
    np.testing.assert_array_equal(bits(after), bits(before))


@pytest.mark.parametrize("channels", [0, 3])
def test_a_stored_tiff_is_read_as_it_was_written(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "matte.tif"
    before = image("uint16", channels)
    tifffile.imwrite(path, before, photometric="rgb" if channels else "minisblack", software=False, metadata=None)
    np.testing.assert_array_equal(stills.read_stored(path), before)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PlateError, match="the image cannot be read"):
        stills.read_stored(path)


@pytest.mark.parametrize(("kind", "depth"), [("png", 16), ("tiff", 16), ("exr", 32)])
def test_mattes_are_gray(tmp_path: Path, kind: str, depth: int) -> None:
    matte = image(stills.dtype(kind, depth), 0)
    path = tmp_path / f"a{stills.suffix(kind)}"
    stills.write(path, matte, kind=kind, depth=depth)
    assert stills.read_spec(path).nchannels == 1
    np.testing.assert_array_equal(bits(stills.read(path)[..., 0].copy()), bits(matte))


def test_ten_bit_dpx_keeps_ten_bits(tmp_path: Path) -> None:
    codes = np.arange(1024, dtype=np.uint32)
    full = ((codes << 6) | (codes >> 4)).astype(np.uint16).reshape(32, 32)
    path = tmp_path / "a.dpx"
    stills.write(path, np.repeat(full[..., None], 3, axis=2), kind="dpx", depth=10)
    np.testing.assert_array_equal(stills.read(path)[..., 1], full)


def test_other_readers_agree(tmp_path: Path) -> None:
    deep = image("uint16")
    stills.write(tmp_path / "a.tif", deep, kind="tiff", depth=16)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), deep)
    stills.write(tmp_path / "a.png", deep, kind="png", depth=16)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[..., ::-1], deep)


def test_the_header_is_passed_on(tmp_path: Path) -> None:
    source = tmp_path / "s.1001.exr"
    spec = OpenImageIO.ImageSpec(16, 8, 3, "half")
    spec.attribute("smpte:TimeCode", "timecode", (0x01020304, 0))
    spec.attribute("FramesPerSecond", "rational", (24000, 1001))
    spec.attribute("chromaticities", "float[8]", (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32, 0.34))
    spec.attribute("nuke/node_hash", "abc")
    spec.attribute("camera", "A")
    spec.attribute("PixelAspectRatio", 2.0)
    spec.attribute("compression", "piz")
    target = OpenImageIO.ImageOutput.create("a.exr")
    assert target.open(str(source), spec)
    assert target.write_image(image("float16", size=(8, 16)))
    assert target.close()
    header = stills.read_header(source)
    json.dumps(header)
    stills.write(tmp_path / "b.exr", stills.read(source), kind="exr", depth=16, header=header)
    copied = stills.read_header(tmp_path / "b.exr")
    for name in ("chromaticities", "nuke/node_hash", "camera", "PixelAspectRatio", "FramesPerSecond"):
        assert copied[name] == header[name], name
    for file in (source, tmp_path / "b.exr"):
        assert stills.timecode(stills.read_spec(file)) == "01:02:03:04"
    plate = probe(tmp_path / "s.####.exr")
    assert (plate.timecode, plate.rate, plate.pixel_aspect) == ("01:02:03:04", Fraction(24000, 1001), 2)
    stills.write(tmp_path / "c.dpx", image("uint16", size=(8, 16)), kind="dpx", depth=16, header=header)
    assert stills.timecode(stills.read_spec(tmp_path / "c.dpx")) == "01:02:03:04"


@pytest.mark.parametrize(
    ("kind", "depth", "space"), [("png", 8, "display"), ("tiff", 16, "display"), ("exr", 16, "scene_linear")]
)
def test_sequences_are_used_in_place(tmp_path: Path, kind: str, depth: int, space: str) -> None:
    pictures = {}
    for frame in (998, 999, 1000, 1001):
        pictures[frame] = np.roll(image(stills.dtype(kind, depth)), frame, axis=0)
        stills.write(tmp_path / f"p_{frame}{stills.suffix(kind)}", pictures[frame], kind=kind, depth=depth)
    plate = probe(tmp_path, rate=Fraction(25))
    assert (plate.first, plate.last, plate.rate, plate.space) == (998, 1001, 25, space)
    assert (plate.dtype, plate.channels, plate.width, plate.height) == (stills.dtype(kind, depth), 3, 53, 37)
    assert Plate.from_dict(json.loads(json.dumps(plate.to_dict()))) == plate
    for frame, wanted in pictures.items():
        np.testing.assert_array_equal(bits(Frames(plate).read(frame)), bits(wanted))


def test_overscan_windows_are_kept(tmp_path: Path) -> None:
    window = (-8, -4, 0, 0, 37, 29)
    stills.write(tmp_path / "a.1.exr", image("float16"), kind="exr", depth=16, header={"window": window})
    header = Frames(probe(tmp_path)).header(1)
    assert header["window"] == window
    stills.write(tmp_path / "b.exr", image("float16"), kind="exr", depth=16, header=header)
    spec = stills.read_spec(tmp_path / "b.exr")
    assert (spec.x, spec.y, spec.full_width, spec.full_height, spec.width) == (-8, -4, 37, 29, 53)


def test_turned_frames_and_impossible_timecodes(tmp_path: Path) -> None:
    tags = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.1.tif", image("uint8"), photometric="rgb", extratags=tags)
    with pytest.raises(PlateError, match="orientation flag of 1 says"):
        probe(tmp_path)
    (tmp_path / "a.1.tif").unlink()
    header = {"smpte:TimeCode": "01:00:00:24"}
    stills.write(tmp_path / "a.1.exr", image("float16"), kind="exr", depth=16, header=header)
    plate = probe(tmp_path, rate=Fraction(24))
    assert plate.timecode is None
    assert "the header's timecode is left out" in plate.notes[0]
    assert probe(tmp_path, rate=Fraction(25)).timecode == "01:00:00:24"


def test_the_same_still_has_the_same_bytes(tmp_path: Path) -> None:
    header = frame_header(probe_stub(), 30)
    files: dict[tuple[str, int], bytes] = {}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for kind, depth in [*KINDS, ("dpx", 10)]:
            path = tmp_path / folder / f"s.0030{stills.suffix(kind)}"
            stills.write(path, image(stills.dtype(kind, depth)), kind=kind, depth=depth, header=header)
            assert files.setdefault((kind, depth), path.read_bytes()) == path.read_bytes(), kind
        # Headers hold whole seconds.
        time.sleep(1.1)


def test_movie_frames_carry_timecode_and_rate(tmp_path: Path) -> None:
    stills.write(
        tmp_path / "a.0030.exr", image("float16"), kind="exr", depth=16, header=frame_header(probe_stub(), 30)
    )
    plate = probe(tmp_path)
    assert (plate.timecode, plate.rate) == ("00:01:00;02", Fraction(30000, 1001))


def probe_stub() -> Plate:
    made = plate("uint8", "display")
    return dataclasses.replace(made, rate=Fraction(30000, 1001), timecode="00:00:59;01")


def test_writing_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DeliverableError, match="frames cannot be written as jpg 8"):
        stills.write(tmp_path / "a.jpg", image("uint8"), kind="jpg", depth=8)
    with pytest.raises(DeliverableError, match="tiff 16 wants uint16"):
        stills.write(tmp_path / "a.tif", image("uint8"), kind="tiff", depth=16)
    for kind in ("png", "tiff", "exr", "dpx"):
        with pytest.raises(DeliverableError, match="could not be"):
            stills.write(tmp_path / "no" / f"a.{kind}", image(stills.dtype(kind, 16)), kind=kind, depth=16)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("kind", ["png", "tiff", "exr", "dpx"])
def test_a_full_disk_is_noticed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a{stills.suffix(kind)}"
    path.symlink_to("/dev/full")
    with pytest.raises(DeliverableError, match="the image could not be"):
        stills.write(path, image(stills.dtype(kind, 16), size=(200, 300)), kind=kind, depth=16)
    assert not path.is_symlink()


# EXIF orientation n: where row 0 and column 0 of the file belong, from the EXIF 2.32 standard, 4.6.4.
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((2, 3, 3), np.uint8)
    upright[0, 0], upright[0, 2], upright[1, 0] = 250, 170, 80
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    path = tmp_path / "a.tif"
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, np.ascontiguousarray(stored), photometric="rgb", extratags=[tag])
    np.testing.assert_allclose(stills.read_picture(path) * 255, upright, atol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_crop_stores_are_exact_and_deterministic(tmp_path: Path, dtype: str) -> None:
    pages = [image(dtype, size=(60, 61)), image(dtype, 0), image(dtype, size=(9, 12)), image(dtype, 4)]
    crops.write(tmp_path / "a.tif", iter(pages))
    crops.write(tmp_path / "b.tif", pages)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    for back, page in zip(crops.read(tmp_path / "a.tif"), pages, strict=True):
        assert back.dtype == page.dtype
        np.testing.assert_array_equal(bits(back), bits(page))
    (third, first) = crops.read(tmp_path / "a.tif", [2, 0])
    np.testing.assert_array_equal(bits(third), bits(pages[2]))
    np.testing.assert_array_equal(bits(first), bits(pages[0]))
    with tifffile.TiffFile(tmp_path / "a.tif") as store:
        assert not {"Software", "DateTime"} & {tag.name for tag in store.pages[0].tags}


def test_mattes_are_packed_for_every_program(tmp_path: Path) -> None:
    matte = np.zeros((300, 400), np.uint16)
    matte[100:200, 150:250] = np.arange(10000, dtype=np.uint16).reshape(100, 100) * 6
    path = tmp_path / "matte.tif"
    stills.write(path, matte, kind="tiff", depth=16)
    assert path.stat().st_size < matte.nbytes / 4
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), matte)
    np.testing.assert_array_equal(stills.read(path), np.repeat(matte[..., None], 3, axis=2))


def test_two_crop_stores_are_written_side_by_side_and_read_in_any_order(tmp_path: Path) -> None:
    faces, mattes = [image("uint16"), image("uint16", size=(9, 12))], [image("uint16", 0), image("uint16", 0, (9, 12))]
    with crops.Writer(tmp_path / "faces.tif") as one, crops.Writer(tmp_path / "mattes.tif") as other:
        for face, matte in zip(faces, mattes, strict=True):
            one.add(face)
            other.add(matte)
    crops.write(tmp_path / "whole.tif", faces)
    assert (tmp_path / "faces.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    with crops.Reader(tmp_path / "faces.tif") as one, crops.Reader(tmp_path / "mattes.tif") as other:
        assert len(one) == len(other) == 2
        for index in (1, 0, 1):
            np.testing.assert_array_equal(one[index], faces[index])
            np.testing.assert_array_equal(other[index], mattes[index])


def test_damaged_crop_stores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with pytest.raises(DeliverableError, match="at least one page"):
        crops.write(path, [])
    with pytest.raises(DeliverableError, match="page 1 is float64"):
        crops.write(path, [np.zeros((4, 4))])
    crops.write(path, [image("uint8"), image("uint8")])
    with pytest.raises(PlateError, match="cannot be read"):
        crops.read(path, [7])
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(PlateError, match="cannot be read"):
        crops.read(path)
    with pytest.raises(PlateError, match="cannot be read"):
        crops.read(tmp_path / "none.tif")


def plate(dtype: str, space: str) -> Plate:
    return Plate(
        "sequence", "a.%d.exr", 1, 1, Fraction(24), 8, 8, Fraction(1), dtype, 16, 3, space, {}, None, (), ()
    )


def test_the_curve_is_opencolorios() -> None:
    import PyOpenColorIO as OCIO

    transform = OCIO.ExponentWithLinearTransform(
        gamma=[2.4, 2.4, 2.4, 1], offset=[0.055, 0.055, 0.055, 0], negativeStyle=OCIO.NEGATIVE_MIRROR
    )
    config = OCIO.Config.CreateRaw()
    codes = np.linspace(-4, 20, 3 * 5000, dtype=np.float32).reshape(-1, 3)
    for direction, curve in (
        (OCIO.TRANSFORM_DIR_FORWARD, colour.to_linear),
        (OCIO.TRANSFORM_DIR_INVERSE, colour.from_linear),
    ):
        wanted = codes.copy()
        processor = config.getProcessor(transform, direction).getOptimizedCPUProcessor(
            OCIO.OPTIMIZATION_LOSSLESS
        )
        processor.applyRGB(wanted)
        np.testing.assert_allclose(curve(codes), wanted, rtol=3e-6, atol=1e-6)


def test_known_values_of_the_curve() -> None:
    # IEC 61966-2-1: 18 % gray is 0.4614, half of the code range is 21.40 % light.
    np.testing.assert_allclose(colour.from_linear(np.float32([0.18, 1, 0])), [0.46136, 1, 0], atol=1e-5)
    np.testing.assert_allclose(colour.to_linear(np.float32([0.5, -0.5])), [0.21404, -0.21404], atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integer_codes_survive_the_way_to_display_and_back(dtype: str) -> None:
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    shown = colour.to_display(codes, plate(dtype, "display"))
    assert (shown.dtype, shown[0], shown[-1]) == (np.float32, 0, 1)
    np.testing.assert_array_equal(colour.quantise(shown, dtype), codes)


def test_half_floats_survive_the_way_to_display_and_back() -> None:
    linear = plate("float16", "scene_linear")
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every) & (np.abs(every) >= 1e-4)]
    back = colour.quantise(colour.to_linear(colour.to_display(finite, linear)), "float16")
    np.testing.assert_array_equal(back, finite)
    assert np.isfinite(colour.to_display(every, linear)).all()


def test_quantise_rounds_once_and_clips() -> None:
    values = np.float32([-1, 0.49 / 255, 0.51 / 255, 1.5 / 255, 2.5 / 255, 2])
    np.testing.assert_array_equal(colour.quantise(values, "uint8"), [0, 0, 1, 2, 2, 255])
