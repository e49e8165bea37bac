"""Media that must be refused in words, or handled right: never silently wrong, and nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy.errors import PlateError
from understudy.media import stills
from understudy.media.plate import probe

Make = Callable[..., Path]


def refused(path: Path, words: str) -> None:
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(PlateError, match=words) as caught:
        probe(path)
    assert caught.value.where
    assert caught.value.fix
    assert sorted(path.parent.rglob("*")) == before


def sequence(
    folder: Path, frames: list[int], *, suffix: str = ".png", size: tuple[int, int] = (40, 30)
) -> Path:
    folder.mkdir(exist_ok=True)
    kind = suffix.strip(".").replace("tif", "tiff")
    pixels = {".exr": np.float16, ".dpx": np.uint16}.get(suffix, np.uint8)
    depth = 8 * np.dtype(pixels).itemsize
    for frame in frames:
        image = np.full((size[1], size[0], 3), frame % 200, pixels)
        stills.write(folder / f"a.{frame:04d}{suffix}", image, kind=kind, depth=depth)
    return folder


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "no.mov", "there is no such file or folder")


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.mov").touch()
    refused(tmp_path / "a.mov", r"the file is empty \(copy in progress\?\)")


def test_no_movie_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_text("this is a text\n" * 100)
    refused(tmp_path / "a.mov", "this is no movie that can be read")


def test_no_moov(make_movie: Make) -> None:
    path = make_movie("a.mov", 20)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    refused(path, r"no index \(moov\): an unfinished recording or copy")


def test_faststart_movie_cut_off(make_movie: Make) -> None:
    path = make_movie(
        "a.mov", 60, codec="prores_ks", form="yuv422p10le", container={"movflags": "faststart"}, planes=noise
    )
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    refused(path, r"cut off: it claims 60 frames and holds \d+|is damaged")


def noise(index: int) -> list[np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(index))
    return [rng.integers(64, 940, shape).astype(np.uint16) for shape in ((48, 64), (48, 32), (48, 32))]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_matroska_cut_off(make_movie: Make, share: float) -> None:
    path = make_movie("a.mkv", 200)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path, "cut off|damaged")


def test_gif_cut_off(make_movie: Make, shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    data = (shared / "plates" / "classroom.gif").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(path, "cut off|damaged")


def test_damaged_in_the_middle(make_movie: Make) -> None:
    path = make_movie("a.mp4", 60, options={"x264-params": "cabac=0"})
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + 1500
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    refused(path, "the movie is damaged")


def test_variable_frame_rate(make_movie: Make) -> None:
    times = [index * 100 + (60 if index % 3 == 1 else 0) for index in range(30)]
    refused(make_movie("a.mp4", 30, times=times), "the frame rate varies: frames last from 16.0 to 64.0 ms")


def test_dropped_frames(make_movie: Make) -> None:
    refused(make_movie("a.mkv", 20, times=[(k + (k >= 9)) * 100 for k in range(20)]), "the frame rate varies")


def test_gif_with_different_delays(make_movie: Make) -> None:
    planes = lambda k: [np.full((48, 64), 20 * k, np.uint8)]  # noqa: E731
    times = [0, 100, 200, 500, 600]
    refused(
        make_movie("a.gif", 5, rate=10, codec="gif", form="gray", planes=planes, times=times),
        "the frame rate varies",
    )


def test_rotation_flag(make_movie: Make) -> None:
    refused(make_movie("a.mov", 5, rotation=90), r"a rotation flag of -?90 degrees")


def test_interlace(make_movie: Make) -> None:
    refused(make_movie("a.mp4", 8, options={"x264-params": "tff=1"}), "frame 1 is interlaced")


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr(make_movie: Make, transfer: int, name: str) -> None:
    refused(make_movie("a.mp4", 3, tags=(1, 9, transfer, 9)), rf"the movie is HDR \({name}\)")


def test_audio_only(tmp_path: Path, make_movie: Make) -> None:
    import av

    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=48000)
        stream.codec_context.layout = "mono"
        block = av.AudioFrame.from_ndarray(np.zeros((1, 480), np.int16), format="s16", layout="mono")
        block.sample_rate, block.pts = 48000, 0
        target.mux(stream.encode(block))
        target.mux(stream.encode(None))
    refused(path, "there is no video stream")


def test_alpha_in_a_movie(make_movie: Make) -> None:
    half = [*(np.full((48, 64), 500, np.uint16) for _ in "yuv"), np.full((48, 64), 400, np.uint16)]
    path = make_movie(
        "a.mov", 2, codec="prores_ks", form="yuva444p10le", planes=lambda _: half, options={"profile": "4444"}
    )
    refused(path, "has an alpha channel")


def test_opaque_alpha_is_no_trouble(make_movie: Make) -> None:
    full = [*(np.full((48, 64), 500, np.uint16) for _ in "yuv"), np.full((48, 64), 1023, np.uint16)]
    path = make_movie(
        "a.mov", 2, codec="prores_ks", form="yuva444p10le", planes=lambda _: full, options={"profile": "4444"}
    )
    assert probe(path).channels == 3


def test_wrong_timecode(make_movie: Make) -> None:
    refused(make_movie("a.mkv", 3, timecode="01:00:00:77"), "the timecode cannot be right")


def test_another_rate_asked_of_a_movie(make_movie: Make) -> None:
    with pytest.raises(PlateError, match="the movie runs at 25 frames per second, not at 24"):
        probe(make_movie("a.mp4", 5), rate=Fraction(24))


def test_early_first_frame_is_accepted_and_noted(make_movie: Make) -> None:
    plate = probe(make_movie("a.mkv", 20, times=[0, *(k * 100 + 100 for k in range(1, 20))]))
    assert (plate.last, plate.start, plate.rate) == (20, Fraction(1, 25), 25)
    assert any("first frame stands one frame too early" in note for note in plate.notes)


def test_late_start_is_no_lost_frame(make_movie: Make) -> None:
    plate = probe(make_movie("a.mkv", 20, rate=30, times=[k * 100 + 100 for k in range(20)]))
    assert (plate.first, plate.last, plate.rate, plate.notes[1:]) == (1, 20, 30, ())
    assert abs(plate.start - Fraction(1, 30)) < Fraction(1, 1000)


def test_sequence_with_missing_frames(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1001, 1002, 1005, 1007])
    refused(folder, "3 frames are missing: 1003-1004, 1006")


def test_sequence_with_one_frame_of_another_size(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1, 2, 4])
    sequence(folder, [3], size=(42, 30))
    refused(folder, "3 differs from the other frames: 42 x 30")


def test_sequence_with_another_type(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1, 2, 4])
    stills.write(folder / "a.0003.png", np.zeros((30, 40, 3), np.uint16), kind="png", depth=16)
    refused(folder, "3 differs from the other frames: 40 x 30, 3 channels, uint16")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr", ".dpx"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_sequence_with_a_frame_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    folder = sequence(tmp_path / "s", [1, 2, 3, 4, 5])
    shutil.rmtree(folder)
    folder = sequence(tmp_path / "s", [1, 2, 3, 4, 5], suffix=suffix)
    path = folder / f"a.0003{suffix}"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(folder, "cut off|no image that can be read|cannot be read|damaged")


def test_sequence_with_an_empty_frame(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1, 2, 3])
    (folder / "a.0002.png").write_bytes(b"")
    refused(folder, r"a.0002.png: the file is empty \(copy in progress\?\)")


def test_exr_with_damaged_pixels_is_refused_when_read(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    rng = np.random.Generator(np.random.PCG64(4))
    stills.write(path, rng.random((64, 64, 3)).astype(np.float16), kind="exr", depth=16)
    data = bytearray(path.read_bytes())
    data[-3000:-2000] = bytes(1000)
    path.write_bytes(data)
    with pytest.raises(PlateError, match="damaged or cut off"):
        stills.read(path)


def test_two_sequences_in_one_folder(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1, 2])
    shutil.copy(folder / "a.0001.png", folder / "b.0001.png")
    refused(folder, r"holds 2 sequences: a\.####\.png, b\.####\.png")
    assert probe(folder / "a.####.png").last == 2


def test_the_same_frame_twice(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1, 2])
    shutil.copy(folder / "a.0001.png", folder / "a.1.png")
    refused(folder, "frame 1 is there twice")


def test_empty_folder_and_single_image(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    refused(tmp_path / "s", "holds no numbered images")
    refused(sequence(tmp_path / "t", [1]) / "a.0001.png", "this is a single image")
    refused(tmp_path / "t" / "b.%04d.png", "no file matches this pattern")
    refused(tmp_path / "nothing.mov", "there is no such file or folder")


def test_names_with_percent_signs_and_spaces(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "a %04d $(touch x) ü", [7, 8])
    plate = probe(folder)
    assert (plate.first, plate.last) == (7, 8)
    assert stills.read(plate.frame_path(8))[0, 0, 0] == 8


def test_image_without_rgb(tmp_path: Path) -> None:
    import OpenImageIO

    path = tmp_path / "s" / "a.0001.exr"
    path.parent.mkdir()
    spec = OpenImageIO.ImageSpec(8, 8, 2, "half")
    spec.channelnames = ("u", "v")
    target = OpenImageIO.ImageOutput.create(str(path))
    target.open(str(path), spec)
    target.write_image(np.zeros((8, 8, 2), np.float16))
    target.close()
    refused(path.parent, "no R, G and B among the channels u, v")


def test_pictures(tmp_path: Path) -> None:
    text = tmp_path / "a.jpg"
    text.write_text("no picture")
    with pytest.raises(PlateError, match="this is no image that can be read"):
        stills.read_picture(text)
    with pytest.raises(PlateError, match="the file is missing"):
        stills.read_picture(tmp_path / "no.png")
    bomb = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    size = bomb.index(b"\xff\xc0") + 5
    bomb[size : size + 4] = (20000).to_bytes(2, "big") * 2
    (tmp_path / "bomb.jpg").write_bytes(bomb)
    with pytest.raises(PlateError, match="claims"):
        stills.read_picture(tmp_path / "bomb.jpg")
    stills.write(tmp_path / "f.exr", np.zeros((4, 4, 3), np.float16), kind="exr", depth=16)
    with pytest.raises(PlateError, match="must be display-referred"):
        stills.read_picture(tmp_path / "f.exr")
