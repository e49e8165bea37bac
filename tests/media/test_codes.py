"""Y'CbCr as it is coded: stored, looked at, and changed without touching what nobody changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest

from understudy.media import movie, stills, yuv
from understudy.media.extract import extract
from understudy.media.frames import Frames
from understudy.media.movies import encode
from understudy.media.patches import Patch, lay, lay_weight
from understudy.media.plate import Plate, probe
from understudy.media.proxy import Look, proxy, renewed, shrunk

FORMS = [(depth, form) for depth in (8, 10, 12, 16) for form in ("420", "422", "444")]
SIZES = [(48, 64), (37, 53), (36, 53), (37, 64)]


def codes(depth: int, form: str, size: tuple[int, int], seed: int = 1) -> yuv.Codes:
    """Noise with as much room to its chroma as real pictures have."""
    height, width = size
    rng = np.random.Generator(np.random.PCG64(seed))
    small = {"444": size, "422": (height, -(-width // 2)), "420": (-(-height // 2), -(-width // 2))}[form]
    top = 1 << depth
    kind = np.uint8 if depth == 8 else np.uint16
    y = rng.integers(top // 4, 3 * top // 4, size).astype(kind)
    cb, cr = (rng.integers(7 * top // 16, 9 * top // 16, small).astype(kind) for _ in range(2))
    return yuv.Codes(y, cb, cr, depth, "bt709", False)


def planes(picture: yuv.Codes) -> list[np.ndarray]:
    return [picture.y, picture.cb, picture.cr]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("depth", "form"), FORMS)
def test_a_sheet_gives_every_plane_back(depth: int, form: str, size: tuple[int, int]) -> None:
    picture = codes(depth, form, size)
    assert picture.subsampling == form
    back = yuv.from_sheet(yuv.to_sheet(picture), size[::-1], depth=depth, matrix="bt709", full=False)
    assert all(np.array_equal(a, b) for a, b in zip(planes(picture), planes(back), strict=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("depth", "form"), FORMS)
def test_a_box_is_cut_out_of_the_whole(depth: int, form: str, size: tuple[int, int]) -> None:
    picture = codes(depth, form, size)
    whole = picture.rgb().astype(int)
    rng = np.random.Generator(np.random.PCG64(5))
    boxes = [(0, 0, 1, 1), (size[1] - 1, size[0] - 1, size[1], size[0])]
    for _ in range(25):
        (x0, x1), (y0, y1) = (np.sort(rng.choice(length + 1, 2, replace=False)).tolist() for length in size[::-1])
        boxes.append((x0, y0, x1, y1))
    for x0, y0, x1, y1 in boxes:
        assert np.abs(picture.rgb((x0, y0, x1, y1)).astype(int) - whole[y0:y1, x0:x1]).max() <= (depth > 8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("depth", "form"), FORMS)
def test_only_codes_that_a_changed_pixel_reaches_change(depth: int, form: str, size: tuple[int, int]) -> None:
    picture = codes(depth, form, size)
    box = (9, 4, 30, 33)
    pixels = picture.rgb(box)
    weight = np.zeros(pixels.shape[:2], np.uint16)
    untouched = codes(depth, form, size)
    untouched.patch([Patch(box, pixels // 2, weight)])
    assert all(np.array_equal(a, b) for a, b in zip(planes(picture), planes(untouched), strict=True))
    weight[6:9, 5:12] = 40000
    pixels = np.where(weight[..., None] > 0, np.iinfo(pixels.dtype).max // 3, pixels).astype(pixels.dtype)
    made = codes(depth, form, size)
    made.patch([Patch(box, pixels, weight)])
    rows, columns = np.nonzero(made.y != picture.y)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 12, 14, 20)
    # Everything as if the whole finished picture had been coded, wherever a code differs from the plate's.
    finished = picture.rgb()
    lay(finished, (0, 0), [Patch(box, pixels, weight)])
    padded = np.pad(finished, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
    wanted = yuv.from_rgb(padded, depth=depth, matrix="bt709", full=False, subsampling=form)
    for before, after, whole in zip(planes(picture), planes(made), wanted, strict=True):
        changed = after != before
        assert changed.any()
        assert np.array_equal(after[changed], whole[: after.shape[0], : after.shape[1]][changed])
    # Chroma is made of its own column and both neighbours, and of two rows in 4:2:0.
    rows, columns = np.nonzero(made.cb != picture.cb)
    across, down = (1 if form == "444" else 2), (2 if form == "420" else 1)
    assert columns.min() >= -(-(14 - (across - 1)) // across)
    assert columns.max() <= (20 + across - 1) // across
    assert (rows.min(), rows.max()) == (10 // down, 12 // down)


def test_patches_lie_over_one_another_in_order() -> None:
    made = codes(8, "420", (40, 60))
    full = np.full((10, 10), 65535, np.uint16)
    first = Patch((10, 10, 20, 20), np.full((10, 10, 3), 50, np.uint8), full)
    second = Patch((15, 12, 25, 22), np.full((10, 10, 3), 200, np.uint8), full)
    made.patch([first, second])
    # Luma of a grey of 50 is 16 + 219 * 50 / 255, of 200 16 + 219 * 200 / 255.
    assert made.y[15, 12] == 59
    assert made.y[15, 17] == 188
    canvas, weight = np.zeros((12, 12, 4), np.uint8), np.zeros((12, 12), np.uint16)
    lay(canvas, (12, 8), [first, second])
    lay_weight(weight, (12, 8), [first])
    assert canvas[3, 0].tolist() == [50, 50, 50, 0]
    assert canvas[5, 4].tolist() == [200, 200, 200, 0]
    assert canvas[0].max() == 0
    assert (weight > 0).sum() == 8 * 10
    lay(canvas, (40, 30), [first, second])
    assert canvas[3, 0].tolist() == [50, 50, 50, 0]


@pytest.mark.parametrize(
    ("codec", "form", "kind"), [("libx264", "yuv420p", np.uint8), ("prores_ks", "yuv422p10le", np.uint16)]
)
def test_the_store_of_a_movie_holds_its_codes(
    make_movie: Callable[..., Path], tmp_path: Path, codec: str, form: str, kind: type
) -> None:
    size = (64, 48)
    rng = np.random.Generator(np.random.PCG64(9))
    top = 255 if kind is np.uint8 else 1023

    def noise(index: int) -> list[np.ndarray]:
        shapes = [(48, 64), *[(24, 32) if form == "yuv420p" else (48, 32)] * 2]
        return [(rng.integers(0, top // 4, shape) + (index + 1) * top // 8).astype(kind) for shape in shapes]

    plate = probe(make_movie("a.mov", 3, codec=codec, form=form, size=size, planes=noise))
    extract(plate, 1, 3, tmp_path / "store")
    frames = Frames(plate, tmp_path / "store")
    with movie.opened(Path(plate.path)) as (container, stream):
        for number, frame in enumerate(container.decode(stream), 1):
            stored = frames.stored(number)
            assert isinstance(stored, yuv.Codes)
            decoded = [movie.plane(frame, index, plate.depth) for index in range(3)]
            assert all(np.array_equal(a, b) for a, b in zip(planes(stored), decoded, strict=True))
            assert np.array_equal(frames.read(number), movie.pixels(frame, *plate.coding))
    assert stills.read_stored(tmp_path / "store" / "0000001.tif").ndim == 2


def test_untouched_codes_reach_the_encoder_as_they_are(make_movie: Callable[..., Path], tmp_path: Path) -> None:
    """At CRF 0 x264 loses nothing: what comes out is what went in, and a way through RGB would show."""
    rng = np.random.Generator(np.random.PCG64(2))
    shapes = [(48, 64), (24, 32), (24, 32)]
    plate = probe(
        make_movie("a.mp4", 2, planes=lambda _: [rng.integers(16, 236, shape).astype(np.uint8) for shape in shapes])
    )
    extract(plate, 1, 2, tmp_path / "store")
    frames = Frames(plate, tmp_path / "store")
    path = tmp_path / "out.mp4"
    codec = {"codec": "h264", "crf": 0, "preset": "ultrafast"}
    encode(path, (frames.stored(number) for number in (1, 2)), plate, 1, 2, codec)
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            stored = frames.stored(number)
            assert isinstance(stored, yuv.Codes)
            made = [movie.plane(frame, index, 8) for index in range(3)]
            assert all(np.array_equal(a, b) for a, b in zip(planes(stored), made, strict=True))


def test_a_look_is_the_picture_to_a_few_codes() -> None:
    height, width = 60, 80
    ramp = np.linspace(40, 200, width)[None].repeat(height, 0)
    rgb = np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 90)], axis=-1).astype(np.uint8)
    for depth, form in FORMS:
        parts = yuv.from_rgb(rgb, depth=depth, matrix="bt709", full=False, subsampling=form)
        picture = yuv.Codes(*parts, depth, "bt709", False)
        assert picture.look().shape == rgb.shape
        assert np.abs(picture.look().astype(int) - rgb)[:, 2:-2].max() <= 5, (depth, form)
        half = picture.look((40, 30)).astype(int)
        assert np.abs(half - rgb.reshape(30, 2, 40, 2, 3).mean(axis=(1, 3)))[:, 2:-2].max() <= 5, (depth, form)


@pytest.mark.parametrize("size", [(96, 160), (97, 161)])
@pytest.mark.parametrize(("depth", "form"), FORMS)
def test_what_is_looked_at_in_part_is_that_part_of_the_whole_look(depth: int, form: str, size: tuple[int, int]) -> None:
    picture = codes(depth, form, size)
    whole, look = picture.look(), Look(picture)
    assert look.shape == whole.shape
    for place in (np.s_[:, :], np.s_[13:40, 7:30], np.s_[::3, ::3], np.s_[90:, 150:]):
        assert np.array_equal(look[place], whole[place])


@pytest.mark.parametrize(("depth", "form"), FORMS)
def test_a_small_look_is_the_whole_looks_average_to_a_code_or_two(depth: int, form: str) -> None:
    picture = codes(depth, form, (96, 160))
    small = cv2.resize(picture.look(), (40, 24), interpolation=cv2.INTER_AREA)
    assert np.abs(Look(picture).sized((40, 24)).astype(int) - small).max() <= 2


@pytest.mark.parametrize("size", [(1080, 1920), (720, 1280), (600, 800)])
@pytest.mark.parametrize("kind", ["8 420", "10 422", "12 444", "uint8", "uint16"])
def test_a_proxy_is_renewed_under_the_patches_only(kind: str, size: tuple[int, int]) -> None:
    depth, _, form = kind.partition(" ")
    stored = codes(int(depth), form, size) if form else codes(8 if kind == "uint8" else 10, "444", size).rgb()
    plate = cast(Plate, None)  # integers and codes say themselves how they are meant
    before, box = proxy(stored, plate, 960), (101, 53, 252, 186)
    pixels = np.full((133, 151, 3), 200, np.uint8)
    pixels = pixels if kind in ("8 420", "uint8") else pixels.astype(np.uint16) * 257
    patch = Patch(box, pixels, np.full((133, 151), 9, np.uint16))
    made = renewed(before, stored, plate, [patch])
    shown = proxy(stored, plate).copy()
    lay(shown, (0, 0), [replace(patch, pixels=np.full((133, 151, 3), 200, np.uint8))])
    inside = np.zeros(size, np.uint8)
    inside[53:186, 101:252] = 1
    under = shrunk(inside * 255, 960) > 0
    assert np.abs(made.astype(int) - shrunk(shown, 960))[under].max() <= (1 if form in ("", "444") else 40)
    assert np.all(made[shrunk(inside * 255, 960) == 255] == 200)
    changed = np.any(made != before, axis=2)
    assert changed.any() and not changed[cv2.dilate(under.view(np.uint8), np.ones((25, 25))) == 0].any()
