"""Movies in and out: counted, cut, converted, tagged and timed exactly."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from understudy.errors import DeliverableError, PlateError
from understudy.media import movie, probe_movie, stills, timecode, yuv
from understudy.media.extract import decode, extract
from understudy.media.frames import Frames
from understudy.media.movies import encode, suffix
from understudy.media.plate import Plate, probe

COUNTS = {
    "again.mkv": (77, 30),
    "bird.mkv": (63, 30),
    "book.mkv": (109, 30),
    "brother.mkv": (65, 30),
    "eat.mkv": (47, 30),
    "hungry.mkv": (49, 30),
    "learn.mkv": (61, 30),
    "night.mkv": (68, 30),
    "please.mkv": (73, 30),
    "sister.mkv": (87, 30),
    "classroom.gif": (45, 15),
    "head-pose-face-detection-male.gif": (62, 12),
}


@pytest.mark.parametrize("name", COUNTS)
def test_shared_plates_are_counted(shared: Path, name: str) -> None:
    plate = probe(shared / "plates" / name)
    assert (plate.last - plate.first + 1, plate.rate) == COUNTS[name]
    assert Plate.from_dict(json.loads(json.dumps(plate.to_dict()))) == plate
    assert plate.colour["range"] == "pc"


@pytest.mark.parametrize("name", ["book.mkv", "brother.mkv", "classroom.gif"])
def test_any_cut_of_a_real_plate_gives_the_same_frames(shared: Path, name: str) -> None:
    plate = probe(shared / "plates" / name)
    whole = dict(decode(plate, 1, plate.last))
    assert list(whole) == list(range(1, plate.last + 1))
    for first, last in ((1, 2), (2, 2), (17, 31), (plate.last, plate.last)):
        for number, image in decode(plate, first, last):
            np.testing.assert_array_equal(image, whole[number])


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize(
    "options",
    [
        {"g": "40", "bf": "3"},
        {"g": "24", "bf": "3", "x264-params": "open-gop=1"},
        {"x264-params": "intra-refresh=1"},
    ],
)
def test_chunks_of_long_gop_movies_are_frame_exact(
    make_movie: Callable[..., Path], tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    plate = probe(make_movie(name, 100, rate=Fraction(24000, 1001), options=options))
    assert (plate.last, plate.rate) == (100, Fraction(24000, 1001))
    whole = {number: image.copy() for number, image in decode(plate, 1, 100)}
    assert len({image.tobytes() for image in whole.values()}) == 100
    for size in (7, 33):
        for first in range(1, 101, size):
            last = min(first + size - 1, 100)
            part = dict(decode(plate, first, last))
            assert list(part) == list(range(first, last + 1))
            assert all(np.array_equal(part[number], whole[number]) for number in part)
    extract(plate, 50, 52, tmp_path / "store")
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        "0000050.tif",
        "0000051.tif",
        "0000052.tif",
    ]
    np.testing.assert_array_equal(Frames(plate, tmp_path / "store").read(51), whole[51])


# Wanted values by hand: R = Y' + 2 (1 - Kr) Cr and so on, ITU-R BT.601-7 and BT.709-6, in floating point.
def reference(
    y: np.ndarray, cb: np.ndarray, cr: np.ndarray, depth: int, matrix: str, full: bool
) -> np.ndarray:
    red, blue = {"smpte170m": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}[matrix]
    step = 2.0 ** (depth - 8)
    if full:
        top = 2.0**depth - 1
        luma, b, r = y / top, (cb - 128 * step) / top, (cr - 128 * step) / top
    else:
        luma, b, r = (y / step - 16) / 219, (cb / step - 128) / 224, (cr / step - 128) / 224
    r = luma + 2 * (1 - red) * r
    b = luma + 2 * (1 - blue) * b
    return np.stack([r, (luma - red * r - blue * b) / (1 - red - blue), b], axis=-1)


def positions(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Left-sited chroma by linear interpolation at every pixel, from its definition."""
    rows = np.arange(height) if plane.shape[0] == height else (np.arange(height) + 0.5) / 2 - 0.5
    columns = np.arange(width) if plane.shape[1] == width else np.arange(width) / 2
    across = np.stack([np.interp(columns, np.arange(plane.shape[1]), row) for row in plane])
    return np.stack([np.interp(rows, np.arange(plane.shape[0]), column) for column in across.T], axis=1)


@pytest.mark.parametrize("matrix", ["smpte170m", "bt709", "bt2020nc"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("depth", "down", "across"),
    [(8, 2, 2), (8, 1, 2), (8, 1, 1), (10, 2, 2), (10, 1, 2), (12, 1, 1), (16, 2, 2)],
)
def test_rgb_from_planes_is_exact_to_the_rounding(
    depth: int, down: int, across: int, full: bool, matrix: str
) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    height, width = 31, 45
    kind = np.uint8 if depth == 8 else np.uint16
    y = rng.integers(0, 2**depth, (height, width)).astype(kind)
    cb, cr = (rng.integers(0, 2**depth, (-(-height // down), -(-width // across))).astype(kind) for _ in "br")
    rgb = yuv.to_rgb(y, cb, cr, depth=depth, matrix=matrix, full=full)
    white = 255 if depth == 8 else 65535
    b, r = (positions(plane.astype(float), height, width) for plane in (cb, cr))
    wanted = np.clip(reference(y.astype(float), b, r, depth, matrix, full), 0, 1) * white
    assert rgb.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert np.abs(rgb - wanted).max() < 0.5 + (0.004 if depth == 8 else 0.03)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize(("depth", "full"), [(8, False), (8, True), (10, False)])
def test_planes_from_rgb_are_exact_to_the_rounding(subsampling: str, depth: int, full: bool) -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    rgb = rng.integers(0, 256 if depth == 8 else 65536, (16, 24, 3)).astype(
        np.uint8 if depth == 8 else np.uint16
    )
    light = rgb / np.iinfo(rgb.dtype).max
    luma = light @ [0.2126, 0.7152, 0.0722]
    b, r = (light[..., 2] - luma) / 1.8556, (light[..., 0] - luma) / 1.5748
    if subsampling == "420":
        b, r = (plane.reshape(8, 2, 24).mean(1) for plane in (b, r))
    if subsampling != "444":
        padded = [np.pad(plane, ((0, 0), (1, 1)), mode="edge") for plane in (b, r)]
        b, r = ((plane[:, :-2] + 2 * plane[:, 1:-1] + plane[:, 2:])[:, ::2] / 4 for plane in padded)
    step, top = 2 ** (depth - 8), 2**depth - 1
    found = yuv.from_rgb(rgb, depth=depth, matrix="bt709", full=full, subsampling=subsampling)
    wanted = (
        (luma * top, b * top + 128 * step, r * top + 128 * step)
        if full
        else ((219 * luma + 16) * step, (224 * b + 128) * step, (224 * r + 128) * step)
    )
    for plane, exact in zip(found, wanted, strict=True):
        assert np.abs(plane - np.clip(exact, 0, top)).max() < 0.51


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (2, 6, 6, 6)])
def test_tags_decide_how_planes_become_rgb(
    make_movie: Callable[..., Path], tags: tuple[int, int, int, int]
) -> None:
    planes = [
        np.full((48, 64), 180, np.uint8),
        np.full((24, 32), 100, np.uint8),
        np.full((24, 32), 150, np.uint8),
    ]
    path = make_movie(planes=lambda _: planes, tags=tags, count=3, options={"qp": "0"})
    plate = probe(path)
    matrix = {1: "bt709", 6: "smpte170m"}[tags[3]]
    assert (plate.colour["matrix"], plate.colour["range"]) == (matrix, {1: "tv", 2: "pc"}[tags[0]])
    assert plate.colour["assumed"] == []
    (_, image), *_ = decode(plate, 2, 2)
    wanted = reference(*(np.float64(v) for v in (180, 100, 150)), 8, matrix, tags[0] == 2) * 255
    np.testing.assert_allclose(image[20, 20], wanted, atol=0.51)


def test_untagged_movies_say_what_was_assumed(make_movie: Callable[..., Path]) -> None:
    small = probe(make_movie(count=3))
    assert (small.colour["matrix"], small.colour["range"]) == ("smpte170m", "tv")
    assert small.notes == (
        "no colour tags for range, matrix, primaries, transfer: assumed tv, smpte170m, smpte170m, smpte170m",
    )
    large = probe(make_movie("b.mp4", count=2, size=(64, 720)))
    assert large.colour["matrix"] == "bt709"


def test_prores_keeps_every_ten_bit_code(tmp_path: Path, make_movie: Callable[..., Path]) -> None:
    plate = probe(make_movie(count=2, size=(896, 48), tags=(1, 1, 1, 1)))
    ramp = np.minimum(64 + np.arange(896), 940)
    gray = np.rint((ramp - 64) / 876 * 65535).astype(np.uint16)
    image = np.repeat(np.tile(gray, (48, 1))[..., None], 3, axis=2)
    path = tmp_path / "ramp.mov"
    encode(path, [image, image], plate, 1, 2, {"codec": "prores_422_hq"})
    with movie.opened(path) as (container, stream):
        frame = next(container.decode(stream))
        assert frame.format.name == "yuv422p10le"
        luma = movie.plane(frame, 0, 10)
    np.testing.assert_array_equal(luma[24], ramp)
    (_, back), *_ = decode(probe(path), 1, 1)
    assert np.abs(back.astype(int) - image).max() <= 40


def streams(path: Path, kind: str) -> list[str]:
    """MD5 of every stream's packets or samples, by an ffmpeg that is not PyAV's."""
    extra = ["-c", "copy"] if kind == "copy" else ["-c:a", "pcm_s16le"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:a",
        *extra,
        "-f",
        "streamhash",
        "-hash",
        "md5",
        "-",
    ]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [line.split("=")[1] for line in lines]


@pytest.mark.parametrize(
    ("name", "audio", "end"),
    [
        ("a.mov", [("pcm_s16le", 48000), ("pcm_s24le", 44100)], ".mov"),
        ("a.mp4", [("aac", 48000), ("aac", 44100)], ".mp4"),
        ("a.mkv", [("flac", 48000)], ".mkv"),
    ],
)
def test_audio_of_the_whole_plate_is_bit_identical(
    make_movie: Callable[..., Path], tmp_path: Path, name: str, audio: list[tuple[str, int]], end: str
) -> None:
    source = make_movie(name, 30, rate=Fraction(30000, 1001), audio=audio, timecode="00:59:59;20")
    plate = probe(source)
    codec = {"codec": "h264"}
    assert [track["codec"] for track in plate.audio] == [kind for kind, _ in audio]
    assert suffix(codec, plate) == end
    path = tmp_path / f"out{end}"
    facts = encode(path, (image for _, image in decode(plate, 1, 30)), plate, 1, 30, codec)
    assert streams(path, "copy") == streams(source, "copy")
    assert streams(path, "samples") == streams(source, "samples")
    assert len(facts["audio"]) == len(audio)


def test_pcm_is_cut_to_the_sample_and_timecode_counts_on(
    make_movie: Callable[..., Path], tmp_path: Path
) -> None:
    source = make_movie(
        "a.mov", 30, rate=Fraction(30000, 1001), audio=[("pcm_s16le", 48000)], timecode="00:59:59;20"
    )
    plate = probe(source)
    path = tmp_path / "cut.mov"
    facts = encode(
        path, (image for _, image in decode(plate, 11, 20)), plate, 11, 20, {"codec": "prores_422_hq"}
    )
    # Ten frames after 00:59:59;20 begins the tenth minute's hour: no label is dropped.
    assert facts["timecode"] == "01:00:00;00"
    first, last = round(10 * 1001 / 30000 * 48000), round(20 * 1001 / 30000 * 48000)

    def samples(file: Path) -> np.ndarray:
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            "-i",
            str(file),
            "-map",
            "0:a",
            "-f",
            "s16le",
            "-",
        ]
        return np.frombuffer(
            subprocess.run(command, check=True, capture_output=True).stdout, np.int16
        ).reshape(-1, 2)

    np.testing.assert_array_equal(samples(path), samples(source)[first:last])


@pytest.mark.parametrize(("name", "kind"), [("a.mp4", "aac"), ("a.mkv", "flac")])
def test_compressed_audio_of_a_range_is_whole_packets(
    make_movie: Callable[..., Path], tmp_path: Path, name: str, kind: str
) -> None:
    source = make_movie(name, 60, audio=[(kind, 48000)])
    plate = probe(source)
    path = tmp_path / f"cut{suffix({'codec': 'h264'}, plate)}"
    encode(path, (image for _, image in decode(plate, 21, 40)), plate, 21, 40, {"codec": "h264"})

    def packets(file: Path) -> list[tuple[Fraction, bytes]]:
        with av.open(str(file)) as container:
            found = [p for p in container.demux(audio=0) if p.size]
            return [(p.pts * Fraction(p.time_base), bytes(p)) for p in found]

    before, after = packets(source), packets(path)
    contents = [data for _, data in before]
    start = contents.index(after[0][1])
    assert [data for _, data in after] == contents[start : start + len(after)]
    # The range begins at 0.8 s and lasts as long; sound must stay where it was against the picture, to a millisecond
    # each. Matroska knows no time before zero and moves both.
    shift = Fraction(4, 5) - probe(path).start
    for (new, _), (old, _) in zip(after, before[start:], strict=False):
        assert abs(new - (old - shift)) <= Fraction(2, 1000)
    assert len(after) * 1024 >= 0.8 * 48000 if kind == "aac" else after


@pytest.mark.parametrize("codec", ["h264", "prores_422_hq"])
def test_anamorphic_pixels_stay_anamorphic(
    make_movie: Callable[..., Path], tmp_path: Path, codec: str
) -> None:
    plate = dataclasses.replace(probe(make_movie(count=2)), pixel_aspect=Fraction(2))
    path = tmp_path / f"out{suffix({'codec': codec}, plate)}"
    encode(path, (image for _, image in decode(plate, 1, 2)), plate, 1, 2, {"codec": codec})
    assert probe(path).pixel_aspect == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("end", [".mp4", ".mov", ".mkv"])
def test_a_full_disk_is_noticed(make_movie: Callable[..., Path], tmp_path: Path, end: str) -> None:
    plate = probe(make_movie(count=4))
    path = tmp_path / f"full{end}"
    path.symlink_to("/dev/full")
    with pytest.raises(DeliverableError, match="the movie could not be written"):
        encode(path, (image for _, image in decode(plate, 1, 4)), plate, 1, 4, {"codec": "h264"})
    assert not path.is_symlink()


@pytest.mark.parametrize("codec", ["h264", "prores_422_hq", "prores_4444"])
def test_the_same_frames_give_the_same_bytes(
    make_movie: Callable[..., Path], tmp_path: Path, codec: str
) -> None:
    plate = probe(make_movie(count=10, timecode="10:00:00:00"))
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}" / f"a{suffix({'codec': codec}, plate)}"
        path.parent.mkdir()
        encode(path, (image for _, image in decode(plate, 1, 10)), plate, 1, 10, {"codec": codec})
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_linear_frames_become_display_movies(tmp_path: Path) -> None:
    light = np.full((48, 64, 3), 0.18, np.float16)
    for frame in (1001, 1002):
        stills.write(tmp_path / f"a.{frame}.exr", light, kind="exr", depth=16)
    plate = probe(tmp_path, rate=Fraction(24))
    facts = encode(tmp_path / "a.mov", [light, light], plate, 1001, 1002, {"codec": "prores_4444"})
    assert facts["colour"] == {"range": "tv", "matrix": "bt709", "primaries": "bt709", "transfer": "bt709"}
    (_, image), *_ = decode(probe(tmp_path / "a.mov"), 1, 1)
    # 18 % gray is 0.4614 in sRGB; a ten-bit step is 1/876.
    np.testing.assert_allclose(image / 65535, 0.4614, atol=1 / 876)


def test_odd_sizes_are_padded_and_said(make_movie: Callable[..., Path], tmp_path: Path) -> None:
    planes = lambda _: [np.full((31, 45), 120, np.uint8)] + [np.full((31, 45), 128, np.uint8)] * 2  # noqa: E731
    plate = probe(make_movie(count=2, size=(45, 31), form="yuv444p", planes=planes, tags=(1, 1, 1, 1)))
    facts = encode(tmp_path / "a.mp4", (i for _, i in decode(plate, 1, 2)), plate, 1, 2, {"codec": "h264"})
    assert (facts["width"], facts["height"], facts["notes"]) == (
        46,
        32,
        ["padded from 45 x 31 to even sizes"],
    )


def test_a_frame_too_few_is_refused_and_nothing_is_left(
    make_movie: Callable[..., Path], tmp_path: Path
) -> None:
    plate = probe(make_movie(count=4))
    path = tmp_path / "out.mp4"
    with pytest.raises(DeliverableError, match="3 frames came for the range 1-4"):
        encode(path, (image for _, image in decode(plate, 1, 3)), plate, 1, 4, {"codec": "h264"})
    assert not path.exists()
    with pytest.raises(DeliverableError, match="movies cannot be written as dnxhd"):
        encode(path, [], plate, 1, 4, {"codec": "dnxhd"})
    frames = [image for _, image in decode(plate, 1, 4)]
    with pytest.raises(DeliverableError, match="could not be written"):
        encode(tmp_path / "no" / "out.mp4", frames, plate, 1, 4, {"codec": "h264"})


# Labels by SMPTE 12M: minutes that are no multiple of ten begin with ;02.
@pytest.mark.parametrize(
    ("text", "frames", "rate", "wanted"),
    [
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("00:00:00;00", 107892, Fraction(30000, 1001), "01:00:00;00"),
        ("00:00:59:29", 1, Fraction(30000, 1001), "00:01:00:00"),
        ("01:00:00:00", 49, Fraction(24), "01:00:02:01"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:01:00;02", -1, Fraction(30000, 1001), "00:00:59;29"),
    ],
)
def test_timecode_counts(text: str, frames: int, rate: Fraction, wanted: str) -> None:
    assert timecode.offset(text, frames, rate) == wanted


def test_drop_frame_labels_and_counts_are_inverse() -> None:
    rate = Fraction(30000, 1001)
    for count in range(40000):
        assert timecode.to_frames(timecode.from_frames(count, rate, True), rate) == (count, True)


@pytest.mark.parametrize(
    ("text", "rate", "message"),
    [
        ("1:00", Fraction(25), "is no timecode"),
        ("01:00:00:25", Fraction(25), "is no timecode at 25"),
        ("00:01:00;00", Fraction(30000, 1001), "drop-frame counting leaves out"),
        ("00:00:00;00", Fraction(25), "it exists at 29.97 and 59.94 only"),
    ],
)
def test_wrong_timecodes_are_refused(text: str, rate: Fraction, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        timecode.to_frames(text, rate)


def test_a_plate_knows_no_times(make_movie: Callable[..., Path]) -> None:
    path = make_movie(count=3)
    plate = probe(path)
    os.utime(path, (1, 1))
    assert probe(path) == plate


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_trusted_movie_is_the_same_plate_without_decoding_it_all(make_movie: Callable[..., Path], name: str) -> None:
    path = make_movie(name, 40, rate=Fraction(24000, 1001), options={"bf": "3"}, tags=(1, 1, 1, 1))
    assert probe_movie.probe(path, None, trusted=True) == probe(path)


def test_a_trusted_movie_that_is_cut_off_is_refused(make_movie: Callable[..., Path]) -> None:
    path = make_movie("a.mp4", 40, container={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(PlateError, match="cut off: it claims 40 frames"):
        probe_movie.probe(path, None, trusted=True)


def test_frames_outside_are_refused(make_movie: Callable[..., Path], tmp_path: Path) -> None:
    plate = probe(make_movie(count=3))
    with pytest.raises(PlateError, match=r"frames 2-4 are not inside the plate \(1-3\)"):
        extract(plate, 2, 4, tmp_path / "s")
    with pytest.raises(PlateError, match="frame 9 is outside the plate"):
        Frames(plate, tmp_path).read(9)
    with pytest.raises(PlateError, match="frame 2 is not in the frame store"):
        Frames(plate, tmp_path).read(2)
