"""What leaves the house: stills of every kind, movies, sound, mattes and sheets, from a show really rendered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml
from shows import LOOKS, TestShow, add_movie, new_show

import plates
from understudy.faces.files import read_tracks
from understudy.media import stills
from understudy.media.frames import Frames
from understudy.media.plate import Plate
from understudy.runtime.records import file_hash, read_record

SIZE = (320, 180)
PAIR = (480, 270)
FRAMES = 5
HAND = range(26, 26 + FRAMES)
"""Frames of the demo's shot of two in which the hand is before the left face."""
SAMPLES_A_FRAME = 2002
"""48,000 samples a second at 24000/1001 frames a second."""
KINDS = {"exr": ("exr", 16), "png": ("png", 16), "dpx": ("dpx", 10), "tiff": ("tiff", 8)}
FORMATS = {
    "exr": {"matte": True, "frames": {"format": "exr"}, "movies": [{"codec": "prores_4444"}]},
    "png": {"matte": True, "frames": {"format": "png"}},
    "dpx": {"matte": True, "frames": {"format": "dpx"}},
    "tiff": {"matte": True, "frames": {"format": "tiff"}},
    "movie": {
        "matte": True,
        "frames": {"format": "tiff"},
        "movies": [{"codec": "h264", "crf": 10, "preset": "veryfast"}, {"codec": "prores_422_hq"}],
    },
}


def pictures(plan: str, indices: Iterable[int], size: tuple[int, int]) -> list[np.ndarray]:
    return [plates.render(plan, index, size) for index in indices]


def add_stills(
    show: TestShow,
    shot: str,
    images: list[np.ndarray],
    first: int,
    write: Callable[[Path, np.ndarray, int], None],
) -> None:
    """A sequence, its files written by ``write(path without suffix, display image, frame)``."""
    folder = show.folder / "plates" / shot
    folder.mkdir(parents=True)
    for frame, image in enumerate(images, first):
        write(folder / f"a_{frame:05d}", image, frame)


def write_exr(path: Path, image: np.ndarray, frame: int) -> None:
    header = {
        "smpte:TimeCode": f"09:59:58:{frame % 24:02d}",
        "FramesPerSecond": (24, 1),
        "owner": "second unit",
        "cameraLens": 75.0,
        "DateTime": "2026:01:01 00:00:00",
    }
    pixels = plates.decode(image).astype(np.float16)
    # What a camera's float plate really holds: values over 1 and below 0, and a signed zero.
    pixels[:4, :4] = np.array([12.5, -0.03125, -0.0], np.float16)
    stills.write(path.with_suffix(".exr"), pixels, kind="exr", depth=16, header=header)


def write_integer(kind: str, depth: int) -> Callable[[Path, np.ndarray, int], None]:
    def write(path: Path, image: np.ndarray, frame: int) -> None:
        pixels = np.rint(image * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)
        if depth == 10:
            pixels = pixels << 6 | pixels >> 4
        stills.write(path.with_suffix(stills.suffix(kind)), pixels, kind=kind, depth=depth)

    return write


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, store: Path) -> TestShow:
    """A show with a shot of every kind, rendered once."""
    show = new_show(tmp_path_factory.mktemp("deliverables"), store)
    one = pictures("sh020", range(FRAMES), SIZE)
    add_stills(show, "exr", one, 995, write_exr)
    add_stills(show, "png", one, 86400, write_integer("png", 16))
    add_stills(show, "dpx", one, 1, write_integer("dpx", 10))
    add_stills(show, "tiff", pictures("sh030", HAND, PAIR), 1, write_integer("tiff", 8))
    roto = show.folder / "roto"
    roto.mkdir()
    for frame, index in enumerate(HAND, 1):
        cover = plates.hand_matte(plates.PLANS["sh030"], index, PAIR)
        cv2.imwrite(str(roto / f"hand.{frame:04d}.png"), np.rint(cover * 65535).astype(np.uint16))
    overrides = show.folder / "config" / "overrides"
    overrides.mkdir(parents=True)
    (overrides / "tiff.yaml").write_text(yaml.safe_dump({"roto": [{"pattern": str(roto / "hand.%04d.png")}]}))
    movie = add_movie(show, "whole", 12, SIZE, "astronaut")
    show.rows = [
        f"{shot}\t{show.folder}/plates/{shot}\t\t\thopper\t\t{shot}\t\t" for shot in ("exr", "png", "dpx")
    ]
    show.rows.append(f"tiff\t{show.folder}/plates/tiff\t\t\tleftmost=astronaut rightmost=hopper\t\ttiff\t\t")
    show.rows.append(f"whole\t{movie}\t\t\tastronaut\t\tmovie\t\t")
    show.rows.append(f"part\t{movie}\t4\t9\tastronaut\t\tmovie\t\t")
    show.config |= {"chunk": 4, "deliveries": FORMATS}
    show.write()
    show.run()
    return show


def bits(array: np.ndarray) -> np.ndarray:
    """Floats as their bits, so that -0 is not 0."""
    return array.view({2: np.uint16, 4: np.uint32}[array.itemsize]) if array.dtype.kind == "f" else array


def plate_of(show: TestShow, shot: str) -> Plate:
    return Plate.from_dict(json.loads((show.work / shot / "plate.json").read_text()))


def triples(
    show: TestShow, shot: str, suffix: str
) -> Iterable[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Frame, plate, result and matte of every finished frame."""
    stores = [read_record(path).folder for path in sorted((show.work / shot / "extract").glob("*.json"))]
    frames = Frames(plate_of(show, shot), stores)
    for path in sorted((show.out / shot / "frames").glob(f"*{suffix}")):
        frame = int(path.stem.rsplit(".", 1)[1])
        matte = stills.read(show.out / shot / "matte" / f"{shot}.{frame:04d}.tif")[..., 0]
        yield frame, frames.read(frame), stills.read(path), matte


@pytest.mark.parametrize(("shot", "first"), [("exr", 995), ("png", 86400), ("dpx", 1), ("tiff", 1)])
def test_frames_are_numbered_as_the_plate_and_its_bits_where_the_matte_is_zero(
    made: TestShow, shot: str, first: int
):
    kind, depth = KINDS[shot]
    suffix = stills.suffix(kind)
    names = [f"{shot}.{first + index:04d}{suffix}" for index in range(FRAMES)]
    assert sorted(path.name for path in (made.out / shot / "frames").iterdir()) == sorted(names)
    for frame, plate, result, matte in triples(made, shot, suffix):
        assert result.dtype == plate.dtype == stills.dtype(kind, depth)
        outside = matte == 0
        assert np.array_equal(bits(result)[outside], bits(plate)[outside]), f"frame {frame}"
        inside = matte > 40000
        assert inside.any()
        assert (result != plate).any(axis=2)[inside].mean() > 0.5, f"frame {frame}: no new face"


def test_an_exr_keeps_its_header_and_timecode(made: TestShow):
    for frame in range(995, 995 + FRAMES):
        before = stills.read_header(made.folder / "plates" / "exr" / f"a_{frame:05d}.exr")
        after = stills.read_header(made.out / "exr" / "frames" / f"exr.{frame:04d}.exr")
        own = {name: value for name, value in before.items() if name != "compression"}
        assert {"smpte:TimeCode", "FramesPerSecond", "Copyright", "cameraLens", "DateTime"} <= own.keys()
        assert {name: after.get(name) for name in own} == own
        assert stills.timecode(stills.read_spec(made.out / "exr" / "frames" / f"exr.{frame:04d}.exr")) == (
            f"09:59:58:{frame % 24:02d}"
        )


def test_no_float_value_is_lost_on_the_way(made: TestShow):
    result = stills.read(made.out / "exr" / "frames" / "exr.0997.exr")
    assert result[0, 0].tolist() == [12.5, -0.03125, 0.0]
    assert np.signbit(result[0, 0, 2])
    assert np.isfinite(result).all()


def test_two_performers_become_two_talents(made: TestShow):
    record = read_record(made.work / "tiff" / "track.json")
    tracks, roles = read_tracks(record.folder)
    places = {roles[track.id]: float(track.points[:, :, 0].mean()) for track in tracks if track.id in roles}
    assert places["astronaut"] < PAIR[0] / 2 < places["hopper"]
    for _, plate, result, matte in triples(made, "tiff", ".tif"):
        for half in (np.s_[:, : PAIR[0] // 2], np.s_[:, PAIR[0] // 2 :]):
            assert matte[half].max() > 40000
            assert (plate[half] != result[half]).any()


def test_roto_keeps_the_plates_bits_where_it_is_white(made: TestShow):
    over_face = 0
    for frame, plate, result, matte in triples(made, "tiff", ".tif"):
        cover = cv2.imread(str(made.folder / "roto" / f"hand.{frame:04d}.png"), cv2.IMREAD_UNCHANGED)
        held = cover == 65535
        assert np.array_equal(plate[held], result[held]), f"frame {frame}"
        assert not matte[held].any()
        hull = cv2.dilate((matte > 0).astype(np.uint8), np.ones((25, 25)))
        over_face += np.count_nonzero(held & (hull > 0))
    assert over_face > 200, "the hand is not before the face: the test shows nothing"


# Movies


def decoded(path: Path) -> tuple[int, Fraction]:
    """Frames by counting, and the rate."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(stream)), Fraction(stream.average_rate)


def tags(path: Path) -> tuple[int, int, int, int]:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return context.color_range, context.color_primaries, context.color_trc, context.colorspace


def sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == "pcm_s16le"
        data = b"".join(bytes(packet) for packet in container.demux(audio=0) if packet.size)
    return np.frombuffer(data, np.int16).reshape(-1, 2)


def timecode(path: Path) -> str:
    with av.open(str(path)) as container:
        found = [container.metadata, *(stream.metadata for stream in container.streams)]
    return next(each["timecode"] for each in found if "timecode" in each)


@pytest.mark.parametrize("codec", ["h264", "prores_422_hq"])
@pytest.mark.parametrize(("shot", "first", "last"), [("whole", 1, 12), ("part", 4, 9)])
def test_a_movie_keeps_rate_timecode_tags_and_sound(
    made: TestShow, shot: str, first: int, last: int, codec: str
):
    plate = made.folder / "plates" / "whole.mov"
    (path,) = (made.out / shot / "movie").glob(f"{shot}_{codec}.*")
    assert decoded(path) == (last - first + 1, Fraction(24000, 1001))
    assert timecode(path) == f"01:00:00:{first - 1:02d}"
    assert tags(path) == tags(plate) == (1, 1, 1, 1)
    wanted = sound(plate)[(first - 1) * SAMPLES_A_FRAME : last * SAMPLES_A_FRAME]
    assert len(wanted) == (last - first + 1) * SAMPLES_A_FRAME
    assert np.array_equal(sound(path), wanted)


def test_a_range_of_a_movie_is_the_same_frames(made: TestShow):
    """A part of a long-GOP movie gives the plate frames that the whole gives."""
    part = {frame: plate for frame, plate, _, _ in triples(made, "part", ".tif")}
    whole = {frame: plate for frame, plate, _, _ in triples(made, "whole", ".tif")}
    assert list(part) == list(range(4, 10))
    assert all(np.array_equal(part[frame], whole[frame]) for frame in part)


def test_movies_of_linear_frames_look_like_the_plate(made: TestShow):
    """A float plate becomes a display movie: mid-grey where the plate is mid-grey, not twice as dark."""
    (path,) = (made.out / "exr" / "movie").glob("exr_prores_4444.*")
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    linear = stills.read(made.folder / "plates" / "exr" / "a_00995.exr").astype(np.float32)
    shown = 255 * np.clip(plates.encode(np.maximum(linear, 0)), 0, 1)
    corner = np.s_[-60:, :60]
    assert abs(picture[corner].mean() - shown[corner].mean()) < 3


# Corrections and other commands


@pytest.fixture(scope="module")
def corrected(made: TestShow) -> dict[str, dict[str, str]]:
    """Hashes of the frames before and after corrections of two frames of the PNG shot and one of the movie."""
    before = made.hashes()
    folder = made.folder / "config" / "overrides"
    softer = {"frames": "86402-86403", "settings": {"composite": {"opacity": 0.4}}}
    (folder / "png.yaml").write_text(yaml.safe_dump({"exclude": "86400", "ranges": [softer]}))
    (folder / "part.yaml").write_text(yaml.safe_dump({"exclude": "5-6"}))
    try:
        made.run("--config", "only=png part")
    finally:
        (folder / "png.yaml").unlink()
        (folder / "part.yaml").unlink()
    return {"before": before, "after": made.hashes()}


def test_corrections_change_their_frames_alone(corrected: dict[str, dict[str, str]]):
    before, after = corrected["before"], corrected["after"]
    assert before.keys() == after.keys()
    frames = {name for name in before if before[name] != after[name] and "/frames/" in name}
    assert frames == {
        *(f"png/frames/png.{frame}.png" for frame in (86400, 86402, 86403)),
        *(f"part/frames/part.000{frame}.tif" for frame in (5, 6)),
    }


def test_excluded_frames_are_the_plate(made: TestShow, corrected: dict[str, dict[str, str]]):
    found = {frame: (plate, result, matte) for frame, plate, result, matte in triples(made, "part", ".tif")}
    for frame in (5, 6):
        plate, result, matte = found[frame]
        assert np.array_equal(plate, result)
        assert not matte.any()
    assert (found[4][0] != found[4][1]).any()
    plate, result, _ = next((p, r, m) for frame, p, r, m in triples(made, "png", ".png") if frame == 86400)
    assert np.array_equal(plate, result)


def test_only_renders_the_shots_named(made: TestShow, corrected: dict[str, dict[str, str]]):
    """The two shots alone were worked on; the page shows what was asked for."""
    page = (made.result / "review" / "index.html").read_text()
    assert "part" in page
    times = {
        shot: (made.work / shot / "qc.json").stat().st_mtime_ns for shot in ("exr", "png", "part", "tiff")
    }
    assert max(times["exr"], times["tiff"]) < min(times["png"], times["part"])


def test_preview_makes_the_sheet_before_anything_is_rendered(made: TestShow):
    finished = made.hashes()
    made.run("preview", "--config", "only=exr tiff")
    sheet = cv2.imread(str(made.result / "review" / "preview.png"))
    assert sheet is not None
    assert sheet.shape[1] > sheet.shape[0] / 4
    assert sheet.std() > 10
    for shot in ("exr", "tiff"):
        record = read_record(made.work / shot / "preview.json")
        assert record.facts["shot"] == shot
        assert 1 <= len(record.facts["frames"]) <= FRAMES
        for frame in record.facts["frames"]:
            pair = [cv2.imread(str(record.path(f"{kind}.{frame:07d}.png"))) for kind in ("plate", "result")]
            assert (pair[0] != pair[1]).any()
    assert made.hashes() == finished


def test_a_deleted_frame_store_is_made_anew(made: TestShow):
    """The store may be thrown away to save room; what is finished stays, and it comes back when it is needed."""
    whole = sorted((made.out / "whole" / "frames").iterdir())
    before = [file_hash(path) for path in whole]
    shutil.rmtree(made.work / "whole" / "extract")
    whole[2].unlink()
    assert made.run("verify", check=False).returncode
    made.run("--config", "only=whole")
    assert [file_hash(path) for path in whole] == before
    stores = [read_record(path) for path in sorted((made.work / "whole" / "extract").glob("*.json"))]
    assert not any(store.damaged() for store in stores)
    assert sum(len(store.files) for store in stores) == 12


@pytest.mark.slow
def test_a_store_without_its_files_is_said_and_mended(made: TestShow):
    record = read_record(next((made.work / "whole" / "extract").glob("*.json")))
    shutil.rmtree(record.folder)
    looks = made.folder / "config" / "looks.yaml"
    looks.write_text(
        yaml.safe_dump(LOOKS | {"shots": {"whole": {"settings": {"composite": {"opacity": 0.9}}}}})
    )
    failed = made.run("--config", "only=whole", check=False)
    assert failed.returncode
    assert "is missing or damaged" in failed.stdout
    assert "run `snakemake verify`" in failed.stdout
    assert made.run("verify", check=False).returncode
    made.run("--config", "only=whole")
