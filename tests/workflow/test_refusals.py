"""Bad input, through the real command: refused in a person's words, nothing half-written, nothing executed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from shows import TestShow, add_exr, add_movie, add_sequence, copy_of, mounted, new_show

import make_plates
import plates

SIZE = (320, 180)
FRAMES = 4
Spoil = Callable[[TestShow], None]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, store: Path) -> TestShow:
    """A good show of one short sequence, and other good plates beside it."""
    show = new_show(tmp_path_factory.mktemp("refusals"), store)
    add_movie(show, "mov", 12, SIZE, "astronaut")
    add_exr(show, "exr", FRAMES, SIZE, "hopper")
    show.rows.clear()
    add_sequence(show, "seq", FRAMES, SIZE, "hopper")
    show.write()
    return show


@pytest.fixture
def show(base: TestShow, tmp_path: Path) -> TestShow:
    """The good show, with plates of its own that a test may break."""
    mine = copy_of(base, tmp_path, rendered=False)
    shutil.copytree(base.folder / "plates", mine.folder / "plates", copy_function=shutil.copy2)
    mine.rows = [row(mine, "seq")]
    mine.write()
    return mine


def row(show: TestShow, shot: str = "seq", **cells: str) -> str:
    """A line of the shot list."""
    plate = {"mov": "mov.mov"}.get(shot, shot)
    columns = {"shot": shot, "plate": f"{show.folder}/plates/{plate}", "in": "", "out": "", "cast": "hopper"}
    columns |= {"look": "", "delivery": "review", "priority": "", "notes": ""}
    assert cells.keys() <= columns.keys()
    return "\t".join((columns | cells).values())


def files_below(folder: Path) -> set[str]:
    """Files, but not Snakemake's own notes."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and ".snakemake" not in path.parts
    }


def refused(show: TestShow, *words: str, target: tuple[str, ...] = ()) -> str:
    """Run it; it must fail, say all of the words, and leave no result and nothing half-written.

    Returns
    -------
    What was printed.
    """
    done = show.run(*target, check=False)
    assert done.returncode, "it was not refused"
    said = " ".join(done.stdout.split())
    for word in words:
        assert " ".join(word.split()) in said, f"not said: {word}\n{done.stdout[-3000:]}"
    assert "Traceback" not in done.stdout
    left_clean(show)
    return done.stdout


def left_clean(show: TestShow, finished: frozenset[str] = frozenset()) -> None:
    """No result (but of the finished shots), no scratch, no bait taken."""
    made = files_below(show.result) if show.result.exists() else set()
    assert not [name for name in made if name.startswith("out/") and name.split("/")[1] not in finished]
    assert not list(show.folder.rglob("*.part-*"))
    assert not [path for path in show.work.rglob(".*") if path.is_file() and path.suffix != ".lock"]
    assert not list(show.folder.rglob("BAIT"))
    assert not Path("BAIT").exists()


def nothing_done(show: TestShow) -> None:
    """It ended before any work."""
    assert not show.result.exists()


# The shot list


HOSTILE = [
    *("a$(touch BAIT)b", "../../x", "-rf", "a;touch BAIT", "`touch BAIT`", "a b", "schön", "x" * 129),
    *(".hidden", "a/b", "{chunk}", "%04d", "a\\b"),
]


def test_hostile_shot_names(show: TestShow):
    """All of them are named at once, each with its line."""
    show.rows = [row(show).replace("seq\t", f"{name}\t", 1) for name in HOSTILE]
    show.write()
    shown = [repr(name) if len(name) < 99 else "'xxxx" for name in HOSTILE]
    said = [f"shots.tsv, line {line}: column 'shot': {name}" for line, name in enumerate(shown, 2)]
    refused(show, *said, "beginning with a letter or digit, at most 128 characters")
    nothing_done(show)
    assert not (show.folder.parent.parent / "x").exists()


def test_no_shot_name(show: TestShow):
    show.rows = [row(show).removeprefix("seq")]
    show.write()
    refused(show, "shots.tsv, line 2", "column 'shot'", "empty")
    nothing_done(show)


CELLS = [
    ({"cast": "astronut"}, "cast 'astronut': there is no talent 'astronut' -> did you mean 'astronaut'?"),
    ({"cast": "biggest=hopper"}, "'biggest' is no performer -> write performer=talent, parted by spaces"),
    ({"cast": "t02"}, "cast 't02' names no talent"),
    ({"cast": "hopper largest=hopper"}, "cast: largest is cast twice -> keep one of the entries"),
    ({"cast": "box:9,9,2,2@1001=hopper"}, "the box has no area -> write left,top,right,bottom"),
    ({"delivery": "revue"}, "there is no delivery 'revue' -> did you mean 'review'?"),
    ({"in": "1003", "out": "1002"}, "out 1002 is before in 1003 -> swap or correct them"),
    ({"in": "1,001"}, "column 'in': '1,001' is not allowed"),
    ({"out": "1E3"}, "column 'out': '1E3' is not allowed"),
]


def test_wrong_cells(show: TestShow):
    show.rows = [
        row(show, **cells).replace("seq\t", f"s{line}\t", 1) for line, (cells, _) in enumerate(CELLS, 2)
    ]
    show.write()
    said = refused(show, f"{len(CELLS)} things are wrong", *(words for _, words in CELLS))
    assert all(f"shots.tsv, line {line}" in said for line in range(2, len(CELLS) + 2))
    nothing_done(show)


def test_missing_plates(show: TestShow):
    """All that is wrong is said at once, and what can be left out."""
    given = ["no.mov", "none/of.%04d.exr", "config"]
    show.rows = [
        row(show, plate=plate).replace("seq\t", f"s{line}\t", 1) for line, plate in enumerate(given, 2)
    ]
    show.write()
    (show.folder / "config" / "empty").mkdir()
    said = refused(show, "2 things are wrong", "line 2 (shot s2)", "line 3 (shot s3)", "--config only=")
    assert "no.mov is missing" in said
    assert "none/of.%04d.exr is missing" in said
    nothing_done(show)


def test_an_unknown_look(show: TestShow):
    show.rows = [row(show, look="plane")]
    show.write()
    refused(show, "line 2 (shot seq)", "there is no look 'plane'", "did you mean 'plain'?")
    nothing_done(show)


@pytest.mark.parametrize(
    ("cells", "words"), [({"in": "990"}, "in/out 990-1004"), ({"out": "1005"}, "in/out 1001-1005")]
)
def test_a_range_outside_the_plate(show: TestShow, cells: dict[str, str], words: str):
    show.rows = [row(show, **cells)]
    show.write()
    words = f"shot seq (row 2 of the shot list): {words} lies outside the plate, which has frames 1001-1004"
    refused(show, words, "correct the columns in and out")


def test_a_shot_that_stands_twice(show: TestShow):
    show.rows *= 2
    show.write()
    refused(show, "line 3", "shot 'seq' stands twice (first in line 2)")
    nothing_done(show)


def test_only_that_matches_nothing(show: TestShow):
    refused(show, "'sq*' matches no shot", target=("--config", "only=sq*"))


@pytest.mark.parametrize("name", ["../../x", "a$(touch BAIT)b"])
def test_a_hostile_show_name(show: TestShow, name: str):
    show.config["show"] = name
    show.write()
    refused(show, "(show)", f"{name!r} is not allowed", "folder")
    assert not (show.folder / "render").exists()


def test_a_show_without_shots_has_nothing_to_do(show: TestShow):
    show.rows = []
    show.write()
    done = show.run()
    assert f"nothing to do: the shot list {show.folder}/config/shots.tsv has no shots" in done.stdout
    assert not show.out.exists()


# Configuration, looks, talents, clearances, overrides


def test_an_unknown_key(show: TestShow):
    show.config["chunks"] = 7
    show.write()
    refused(show, "unknown key 'chunks'", "did you mean 'chunk'?")
    nothing_done(show)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize("name", ["looks", "talent"])
def test_a_yaml_bomb(show: TestShow, name: str):
    (show.folder / "config" / f"{name}.yaml").write_text(BOMB)
    refused(show, f"{name}.yaml, line 1", "anchor &a0", "anchors are not used here")
    nothing_done(show)


def test_a_yaml_bomb_in_the_configuration(show: TestShow):
    with (show.folder / "config" / "config.yaml").open("a") as stream:
        stream.write(BOMB)
    words = {"capture_output": True, "text": True, "check": False}
    done = subprocess.run(show.command(), cwd=show.folder, timeout=60, preexec_fn=small_memory, **words)
    assert done.returncode
    assert "unknown key 'a0'" in done.stderr
    nothing_done(show)


def small_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def test_overlapping_ranges(show: TestShow):
    ranges = [
        {"frames": "1001-1003", "settings": {"composite": {"opacity": 0.5}}},
        {"frames": "1003", "settings": {"composite": {"opacity": 0.7}}},
    ]
    looks = {
        "show": {"settings": {}},
        "looks": {"plain": {"settings": {}}},
        "shots": {"seq": {"ranges": ranges}},
    }
    (show.folder / "config" / "looks.yaml").write_text(yaml.safe_dump(looks))
    refused(show, "looks.yaml, line", "overlap (frame 1003)", "let every frame belong to one range")
    nothing_done(show)


def test_a_missing_talent_picture(show: TestShow):
    (show.folder / "talent" / "hopper.png").unlink()
    refused(show, "talent.yaml, line", "hopper.png is missing", "correct the path")
    nothing_done(show)


SLOW = pytest.mark.slow
CLEARANCES = [
    ("c-hopper\thopper", "c-other\thopper", "there is no clearance 'c-hopper'"),
    ("c-hopper\thopper\ttest", "c-hopper\thopper\tother", "it is for the project 'other', not 'test'"),
    ("2099-12-31", "2020-12-31", "it expired on 2020-12-31"),
    pytest.param("2020-01-01", "2098-01-01", "it starts on 2098-01-01", marks=SLOW),
    pytest.param("c-hopper\thopper", "c-hopper\tastronaut", "it is for the talent 'astronaut'", marks=SLOW),
    pytest.param("face_replacement", "stills", "it allows stills, not face_replacement", marks=SLOW),
    pytest.param("public domain\ttester", "public domain\t", "nobody has approved it", marks=SLOW),
]


@pytest.mark.parametrize(("old", "new", "reason"), CLEARANCES)
def test_a_talent_without_clearance(show: TestShow, old: str, new: str, reason: str):
    path = show.folder / "config" / "clearances.tsv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    refused(show, "shot seq, talent hopper", reason)
    nothing_done(show)


def side_by_side() -> np.ndarray:
    both = [plates.portrait(name)[:480] for name in ("astronaut", "hopper")]
    return np.concatenate(both, axis=1)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (lambda: np.full((400, 400, 3), 0.5, np.float32), "no face found, where exactly one is needed"),
        (side_by_side, "2 faces found, where exactly one is needed"),
    ],
)
def test_a_talent_picture_with_no_or_two_faces(show: TestShow, picture: Callable[[], np.ndarray], words: str):
    path = show.folder / "talent" / "hopper.png"
    make_plates.write_png(path, picture(), "uint8")
    target = str(show.result / "talent" / "hopper" / "atlas.json")
    refused(
        show,
        f"talent hopper, picture {path}",
        words,
        "crop the picture to the one face",
        target=(target,),
    )


def test_a_talent_picture_that_is_none(show: TestShow):
    path = show.folder / "talent" / "hopper.png"
    path.write_text("not a picture\n" * 50)
    target = str(show.result / "talent" / "hopper" / "atlas.json")
    refused(show, str(path), "this is no image that can be read", target=(target,))


def override(show: TestShow, content: dict, shot: str = "seq") -> None:
    folder = show.folder / "config" / "overrides"
    folder.mkdir(exist_ok=True)
    (folder / f"{shot}.yaml").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"exclude": "1001,1044"}, ["exclude names frame 1044, but shot seq has frames 1001-1004"]),
        ({"ranges": [{"frames": "7", "settings": {"composite": {"opacity": 0.5}}}]}, ["names frame 7"]),
        ({"cast": {"t01": "grace"}}, ["there is no talent 'grace'"]),
        ({"exclude": "1001:1003"}, ["1001:1003"]),
        ({"forget": "t01"}, ["unknown key 'forget'", "seq.yaml, line 1"]),
    ],
)
def test_an_override_that_cannot_hold(show: TestShow, content: dict, words: list[str]):
    override(show, content)
    refused(show, "seq.yaml", *words)


def test_an_override_for_a_shot_that_does_not_exist(show: TestShow):
    override(show, {"exclude": "1001"}, "sq")
    refused(show, "sq.yaml", "there is no shot 'sq'")
    nothing_done(show)


@pytest.fixture(scope="module")
def ready(base: TestShow, tmp_path_factory: pytest.TempPathFactory) -> TestShow:
    """The good show worked on as far as the mattes."""
    mine = copy_of(base, tmp_path_factory.mktemp("ready"), rendered=False)
    mine.run("--until", "matte")
    return mine


@pytest.fixture
def tracked(ready: TestShow) -> Iterator[TestShow]:
    """The same, put back afterwards."""
    rows = list(ready.rows)
    yield ready
    ready.rows = rows
    ready.write()
    for name in ("config/overrides", "roto"):
        shutil.rmtree(ready.folder / name, ignore_errors=True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"ignore": ["t07"]}, "ignore names track t07, which does not exist; the tracks are: t01"),
        (
            {"cast": {"t05": "hopper"}},
            "the overrides cast track t05, which does not exist; the tracks are: t01",
        ),
        pytest.param({"merge": [["t01", "t09"]]}, "merge names track t09, which does not exist", marks=SLOW),
        pytest.param(
            {"split": [{"track": "t01", "frame": 1001}]}, "split names t01 at frame 1001", marks=SLOW
        ),
    ],
)
def test_an_override_naming_a_track_that_does_not_exist(tracked: TestShow, content: dict, words: str):
    override(tracked, content)
    refused(tracked, words, "overrides", "shot seq", target=("--until", "track"))


def test_a_cast_of_a_track_that_does_not_exist(tracked: TestShow):
    tracked.rows = [tracked.rows[0].replace("hopper", "t04=hopper")]
    tracked.write()
    refused(tracked, "shot seq", "t04", "the tracks are: t01", target=("--until", "track"))


def draw_roto(show: TestShow, size: tuple[int, int], frames: range) -> None:
    folder = show.folder / "roto"
    folder.mkdir()
    for frame in frames:
        make_plates.write_png(
            folder / f"hand.{frame:04d}.png", np.zeros((size[1], size[0]), np.float32), "uint8"
        )
    override(show, {"roto": [{"pattern": str(folder / "hand.%04d.png")}]})


def test_a_roto_frame_that_is_missing(tracked: TestShow):
    draw_roto(tracked, SIZE, range(1001, 1004))
    refused(tracked, "roto/hand.1004.png", "the file is missing", "shot seq", target=("--until", "matte"))


def test_a_roto_of_another_size(tracked: TestShow):
    draw_roto(tracked, (160, 90), range(1001, 1005))
    words = "is 160 x 90, the plate is 320 x 180"
    refused(
        tracked, "roto frame 1001", words, "render the roto at the plate's size", target=("--until", "matte")
    )


# Plates


def missing_frames(folder: Path) -> None:
    (folder / "seq.1002.png").unlink()


def empty_frame(folder: Path) -> None:
    (folder / "seq.1003.png").write_bytes(b"")


def frame_of_another_size(folder: Path) -> None:
    make_plates.write_png(folder / "seq.1003.png", np.zeros((90, 160, 3)), "uint8")


def cut_exr(folder: Path) -> None:
    path = folder / "exr.1003.exr"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def cut_movie(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty_movie(path: Path) -> None:
    path.write_bytes(b"")


def no_movie(path: Path) -> None:
    path.write_text("#!/bin/sh\ntouch BAIT\n" * 40)


def varying_movie(path: Path) -> None:
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 240)
        for index in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9 * index, np.uint8))
            frame.pts, frame.time_base = index * 10 + (index % 3) * 3, Fraction(1, 240)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


BROKEN = [
    ("seq", missing_frames, "1 frame is missing: 1002"),
    ("seq", empty_frame, "seq.1003.png: the file is empty"),
    ("seq", frame_of_another_size, "1003 differs from the other frames: 160 x 90"),
    ("exr", cut_exr, "exr.1003.exr: frame 1003 is cut off"),
    ("mov.mov", cut_movie, "no index (moov): an unfinished recording or copy"),
    ("mov.mov", empty_movie, "the file is empty (copy in progress?)"),
    ("mov.mov", no_movie, "this is no movie that can be read"),
    ("mov.mov", varying_movie, "the frame rate varies"),
]


def test_plates_that_cannot_be_used(show: TestShow):
    """Every plate is looked at, every reason is said once, and nothing begins."""
    show.rows.clear()
    for plate, spoil, _ in BROKEN:
        source, name = show.folder / "plates" / plate, spoil.__name__
        copy = source.with_name(f"{name}{source.suffix}")
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copy(source, copy)
        spoil(copy)
        show.rows.append(row(show, name, plate=str(copy)))
    show.rows.append(row(show))
    show.write()
    names = [spoil.__name__ for _, spoil, _ in BROKEN]
    refusal = f"plates refused for {', '.join(names)} (the reasons are above)"
    said = " ".join(refused(show, refusal, "--config only=").split())
    for _, spoil, words in BROKEN:
        start = said.index(f"understudy: shot {spoil.__name__}: ")
        assert words in said[start : start + 600], f"{spoil.__name__}: {words}"
        assert not (show.work / spoil.__name__ / "plate.json").exists()
    assert (show.work / "seq" / "plate.json").is_file()


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    start = int(len(data) * place)
    data[start : start + 64] = bytes(byte ^ 0xA5 for byte in data[start : start + 64])
    path.write_bytes(data)


def test_a_damaged_frame_stops_its_shot_and_no_other(show: TestShow):
    """The damage lies inside compressed pixels: only decoding finds it."""
    flip(show.folder / "plates" / "exr" / "exr.1003.exr", 0.6)
    show.rows = [row(show, "exr"), row(show, "seq")]
    show.write()
    done = show.run(check=False)
    assert done.returncode
    assert "exr.1003.exr" in done.stdout
    assert "the image is damaged or cut off" in done.stdout
    assert "copy it again from its source" in done.stdout
    assert len(list((show.out / "seq" / "frames").iterdir())) == FRAMES
    assert list((show.out / "seq" / "movie").iterdir())
    left_clean(show, frozenset({"seq"}))


def test_a_plate_folder_is_never_written_to(show: TestShow):
    folder = show.folder / "plates"
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")]}
    show.rows = [row(show, "mov", cast="astronaut"), row(show, "seq")]
    show.write()
    for path in sorted(before, reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        show.run()
    finally:
        for path in sorted(before):
            path.chmod(0o755 if path.is_dir() else 0o644)
    after = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")]}
    assert after == before


# Machine


@pytest.fixture
def disk(show: TestShow) -> Iterator[Callable[..., None]]:
    """A small disk of its own for the results; call it with mount options to make it, or to change it."""
    folder = show.folder / "render"
    folder.mkdir()
    with mounted(folder) as change:
        yield change


@pytest.mark.parametrize("size", ["1m", pytest.param("240k", marks=SLOW), pytest.param("2m", marks=SLOW)])
def test_a_full_disk(show: TestShow, base: TestShow, disk: Callable[..., None], size: str):
    """Wherever the space ends: said in words, and with room the same command finishes."""
    disk(f"size={size}")
    done = show.run(check=False)
    assert done.returncode
    assert "No space left on device" in done.stdout or "only a part of it fitted" in done.stdout
    assert "space" in done.stdout or "make room on that disk" in done.stdout
    assert not list(show.result.rglob("*.part-*"))
    disk("remount,size=200m")
    show.run()
    assert len(list((show.out / "seq" / "frames").iterdir())) == FRAMES
    assert "every record holds" in show.run("verify").stdout
    assert not list(show.result.rglob("*.part-*"))


def test_a_result_folder_that_cannot_be_written(show: TestShow, disk: Callable[..., None]):
    disk("size=50m,ro")
    done = show.run(check=False)
    assert done.returncode
    assert "Read-only file system" in done.stdout
    assert str(show.folder / "render") in done.stdout


def test_a_result_folder_without_rights(show: TestShow):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = show.folder / "render"
    folder.mkdir(mode=0o555)
    done = show.run(check=False)
    assert done.returncode
    assert "Permission denied" in done.stdout
    assert str(folder) in done.stdout


def test_a_model_with_other_bytes(show: TestShow, store: Path):
    mine = show.folder / "store"
    shutil.copytree(store, mine)
    victim = mine / "face_landmark.tflite"
    show.config["store"] = str(mine)
    show.write()
    show.run("models")
    flip(victim, 0.5)
    fix = "delete the file, then run: snakemake models"
    refused(show, "model face_mesh_468", "face_landmark.tflite has sha256", "its card says", fix)


def test_no_network_and_no_wheel(show: TestShow):
    show.config["store"] = str(show.folder / "store")
    show.environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    show.write()
    refused(show, "model blazeface_full_range", "--config wheel=...", target=("models",))
    assert not list((show.folder / "store").glob("*.tflite"))


def test_a_wheel_that_is_not_there(show: TestShow):
    show.config["store"] = str(show.folder / "store")
    show.write()
    refused(show, "nowhere.whl", target=("models", "--config", "wheel=nowhere.whl"))
