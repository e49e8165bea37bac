"""A show: shot list, talents, clearances, looks and overrides, read and checked against each other."""

from __future__ import annotations

import datetime
import fnmatch
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from understudy.errors import ConfigError, PlateError, UnderstudyError
from understudy.show.cast import CastEntry, parse_cast
from understudy.show.document import Document, read_document
from understudy.show.frames import FrameRanges
from understudy.show.looks import Looks, load_looks
from understudy.show.models import EMBEDDED, check_models, costs, debts, every_model, recognisers_of, warnings
from understudy.show.overrides import Overrides, load_overrides
from understudy.show.schema import check_cells, conform, filled, schema
from understudy.show.settings import Settings
from understudy.show.wedge import Wedge, read_wedge, under
from understudy.tables import Row, nearest, read_table
from understudy.trust.clearances import check, load_clearances
from understudy.trust.licences import Purpose, check_purpose

_PATTERN = re.compile(r"%0?([0-9]*)d|#+")
_MOST_SHOWN = 20
_DEPTHS = {"png": (8, 16), "tiff": (8, 16, 32), "exr": (16, 32), "dpx": (8, 10, 12, 16)}


@dataclass(frozen=True)
class Talent:
    """Whose face may be put on; `clearance` is the id of a row of the list of clearances."""

    id: str
    name: str
    pictures: tuple[Path, ...]
    clearance: str


@dataclass(frozen=True)
class Shot:
    """One row of the shot list.

    Attributes
    ----------
    id:
        Name of the shot and of its folders.
    plate:
        Movie, folder of a sequence, or pattern of a sequence, absolute if the configuration's base is.
    first, last:
        Columns `in` and `out`, in the plate's own numbers; ``None`` for the plate's own.
    cast:
        Who becomes whom.
    look:
        Name of the look; empty for the show's own.
    delivery:
        Names of deliveries.
    priority:
        Higher comes first.
    notes:
        Free text.
    row:
        Line of the shot list (the header is line 1).
    """

    id: str
    plate: Path
    first: int | None
    last: int | None
    cast: tuple[CastEntry, ...]
    look: str
    delivery: tuple[str, ...]
    priority: int
    notes: str
    row: int


@dataclass(frozen=True)
class Show:
    """All that is to be made.

    Attributes
    ----------
    name, root, project, chunk, store, lock, purpose:
        As in the configuration; `store` is the folder of the models' files.
    device:
        Where networks run: ``provider``, ``device_id``, ``batch``.
    base:
        Folder that the configuration's relative paths are relative to.
    shots:
        The shots to work on, in the order of the list.
    all_shots:
        Every shot of the list.
    talents, deliveries, models:
        By id; a delivery is complete (defaults filled in), a model is its card.
    wedge:
        Settings that the target ``wedge`` shows side by side.
    """

    name: str
    base: Path
    root: Path
    project: str
    chunk: int
    store: Path
    lock: Path
    purpose: Purpose
    device: Mapping[str, Any]
    shots: Mapping[str, Shot]
    all_shots: Mapping[str, Shot]
    talents: Mapping[str, Talent]
    deliveries: Mapping[str, dict[str, Any]]
    models: Mapping[str, dict[str, Any]]
    wedge: Wedge
    _looks: Looks = field(repr=False)
    _overrides: Mapping[str, Overrides] = field(repr=False)

    @property
    def work(self) -> Path:
        """Folder of what the stages leave, by shot."""
        return self.root / self.name / "work"

    @property
    def out(self) -> Path:
        """Folder of the results, by shot."""
        return self.root / self.name / "out"

    @property
    def review(self) -> Path:
        """Folder of the review page."""
        return self.root / self.name / "review"

    @property
    def talent_folder(self) -> Path:
        """Folder of what is made once per talent."""
        return self.root / self.name / "talent"

    def settings(self, shot: str) -> Settings:
        """A shot's complete settings by stage, as JSON data of the caller's own.

        What changes along the shot lies in a stage's dict under ``ranges`` and ``keys``; `settings_at` applies them.
        """
        overrides = self.overrides(shot)
        return self._looks.resolve(shot, self.all_shots[shot].look, overrides.ranges, overrides.keys)

    def wedged(self, shot: str) -> list[Settings]:
        """A shot's complete settings in every cell of the wedge."""
        return [under(self.settings(shot), cell) for cell in self.wedge.cells]

    def overrides(self, shot: str) -> Overrides:
        """A shot's overrides; empty if it has no override file."""
        return self._overrides.get(shot, Overrides())

    def models_of_talent(self, talent: str) -> tuple[str, ...]:
        """Names of the models that a talent's pictures are looked at with, for all selected shots."""
        shots = [shot for shot in self.shots if talent in self.talents_of(shot)]
        feeders = [
            name
            for shot in shots
            for settings in (self.settings(shot), *self.wedged(shot))
            for name in recognisers_of(settings, self.models)
        ]
        return tuple(dict.fromkeys([*EMBEDDED, *feeders]))

    def models_needed(self) -> tuple[str, ...]:
        """Names of the models that the selected shots need, everything that feeds them included."""
        needed = [
            name
            for shot in self.shots
            for settings in (self.settings(shot), *self.wedged(shot))
            for name in every_model(settings, self.models)
        ]
        return tuple(dict.fromkeys(needed))

    def pictures_of(self, shot: str) -> dict[str, Path]:
        """The pictures that performers of a shot are cast by, as the shot list writes them, and where they are."""
        cast = self.all_shots[shot].cast
        return {str(entry.value): self.base / str(entry.value) for entry in cast if entry.kind == "like"}

    def warnings(self) -> list[str]:
        """What a person should know before the selected shots are rendered; of their tracks, once these are known."""
        owed = [
            f"{shot}: {words}"
            for shot in self.shots
            for words in debts(self.settings(shot), self.models, self._extents(shot))
        ]
        return self._told(warnings) + owed

    def _extents(self, shot: str) -> dict[str, float]:
        """Largest extent of each cast track of a shot in pixels, as its record of the stage ``track`` says."""
        path = self.work / shot / "track.json"
        if not path.is_file():
            return {}
        try:
            found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["facts"].get("extents", {})
        except (ValueError, KeyError):
            return {}  # a damaged record is `verify`'s to name
        return found

    def costs(self) -> list[str]:
        """What the selected shots take many times over."""
        return self._told(partial(costs, cards=self.models))

    def _told(self, say: Callable[[Settings], Iterable[str]]) -> list[str]:
        """What there is to say of the selected shots' settings; equal words of several shots once."""
        told: dict[str, list[str]] = {}
        for shot in self.shots:
            for words in say(self.settings(shot)):
                told.setdefault(words, []).append(shot)
        return [f"{', '.join(shots)}: {words}" for words, shots in told.items()]

    def talents_of(self, shot: str) -> list[str]:
        """Ids of the talents that may appear in a shot, by shot list or overrides, sorted."""
        cast = {entry.talent for entry in self.all_shots[shot].cast}
        return sorted(cast | set(self.overrides(shot).cast.values()))

    def check_frames(self, shot: str, first: int, last: int) -> None:
        """Refuse overrides, settings ranges and keys of a shot that name frames outside first..last.

        Raises
        ------
        ConfigError
            Naming the file and the frame.
        """
        overrides = self.overrides(shot)
        named: list[tuple[str, str, FrameRanges]] = [
            ("a range of settings", entry.where, entry.frames)
            for entry in (*self._looks.ranges.get(shot, ()), *overrides.ranges)
        ]
        named += [
            ("a key of settings", key.where, ((key.frame, key.frame),))
            for key in (*self._looks.keys.get(shot, ()), *overrides.keys)
        ]
        named.append(("exclude", overrides.source, overrides.exclude))
        named.append(("split", overrides.source, tuple((frame, frame) for _, frame in overrides.split)))
        named.append(("landmarks", overrides.source, tuple((frame, frame) for frame in overrides.landmarks)))
        for what, where, ranges in named:
            for low, high in ranges:
                if low < first or high > last:
                    outside = low if low < first else high
                    raise ConfigError(
                        f"{what} names frame {outside}, but shot {shot} has frames {first}-{last}",
                        where=where,
                        fix="correct the frame numbers; they are the plate's own",
                    )


def load_show(config: Mapping[str, Any], base: Path, *, today: datetime.date) -> Show:
    """Read a show and check everything that can be checked without opening a plate.

    Parameters
    ----------
    config:
        The configuration (``config/schemas/config.yaml``); keys that are left out have their defaults.
    base:
        Folder that relative paths are relative to, in the configuration and in the files it names.
    today:
        Day that clearances must cover.

    Raises
    ------
    ConfigError
        Naming file, line and allowed values.
    PlateError
        A plate or talent picture of the chosen shots is missing.
    ClearanceError
        A talent of the chosen shots may not be used.
    """
    document = Document("configuration", config, {})
    settled = filled(conform(document, "config"), schema("config"))
    deliveries = {name: _delivery(name, one, document) for name, one in settled["deliveries"].items()}
    talents, talents_document = _load_talents(base / settled["talent"], base)
    models = _load_models(base / settled["models"], base)
    shot_list = base / settled["shots"]
    rows = read_table(shot_list, "shot list", schema("shots")["properties"], schema("shots")["required"])
    shots = _shots(rows, shot_list, base, talents, deliveries)
    looks = load_looks(base / settled["looks"], shots)
    _all(partial(_check_look, shot, looks, shot_list) for shot in shots.values())
    overrides = _load_overrides(base / settled["overrides"], base, shots, talents)
    show = Show(
        name=settled["show"],
        base=base,
        root=base / settled["root"],
        project=settled["project"] or settled["show"],
        chunk=settled["chunk"],
        store=base / settled["store"],
        lock=base / settled["lock"],
        purpose=settled["purpose"],
        device={"provider": settled["provider"], "device_id": settled["device"], "batch": settled["batch"]},
        shots=_chosen(settled["only"], shots),
        all_shots=shots,
        talents=talents,
        deliveries=deliveries,
        models=models,
        wedge=read_wedge(settled["wedge"]),
        _looks=looks,
        _overrides=overrides,
    )
    _check_clearances(show, base / settled["clearances"], today)
    _all(partial(_check_models, show, shot) for shot in show.shots.values())
    _check_files(show, shot_list, talents_document)
    for shot in show.shots.values():
        if shot.first is not None and shot.last is not None:
            show.check_frames(shot.id, shot.first, shot.last)
    return show


def _all(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Results of all checks; their refusals together, so that a person mends a list in one go."""
    results, errors = [], []
    for one in checks:
        try:
            results.append(one())
        except UnderstudyError as error:
            errors.append(error)
    if len(errors) > 1:
        shown = "\n".join(str(error) for error in errors[:_MOST_SHOWN])
        more = f"\nand {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
        raise type(errors[0])(f"{len(errors)} things are wrong:\n{shown}{more}")
    if errors:
        raise errors[0]
    return results


def _refuse_twins(names: Iterable[str], kind: str, where: Callable[[str], str]) -> None:
    """Refuse names that differ only in case: on many disks their folders are the same."""
    seen: dict[str, str] = {}
    for name in names:
        before = seen.setdefault(name.casefold(), name)
        if before != name:
            raise ConfigError(
                f"{kind} {before!r} and {name!r} differ only in upper and lower case",
                where=where(name),
                fix="rename one of them: on some disks they would share a folder",
            )


def _delivery(name: str, given: Mapping[str, Any], document: Document) -> dict[str, Any]:
    place = ("deliveries", name)
    frames = given.get("frames")
    if (
        frames is not None
        and frames["depth"] is not None
        and frames["depth"] not in _DEPTHS[frames["format"]]
    ):
        allowed = " or ".join(map(str, _DEPTHS[frames["format"]]))
        raise ConfigError(
            f"{frames['format']} frames have no {frames['depth']} bits",
            where=document.where((*place, "frames", "depth")),
            fix=f"write {allowed}, or leave it out for the plate's own",
        )
    movies = [_movie(movie, document.where((*place, "movies", i))) for i, movie in enumerate(given["movies"])]
    names = [movie["name"] for movie in movies]
    for i, movie in enumerate(names):
        if movie in names[:i]:
            raise ConfigError(
                f"two movies are named {movie}",
                where=document.where((*place, "movies", i)),
                fix="give one of them another `name`",
            )
    if frames is None and not movies:
        raise ConfigError(
            "neither frames nor movies are delivered", where=document.where(place), fix="add one of them"
        )
    return {"frames": frames} | dict(given) | {"movies": movies}


def _movie(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    movie = {"name": given["codec"]} | dict(given)
    if movie["codec"] == "h264":
        return {"crf": 18, "preset": "medium"} | movie
    for key in ("crf", "preset"):
        if key in movie:
            raise ConfigError(
                f"{movie['codec']} has no {key}", where=where, fix=f"{key} belongs to h264: delete it"
            )
    return movie


def _load_talents(path: Path, base: Path) -> tuple[dict[str, Talent], Document]:
    document = read_document(path, "list of talents")
    content = conform(document, "talent")
    _refuse_twins(content, "talents", lambda name: document.where((name,)))
    talents = {
        name: Talent(
            name, one["name"], tuple(base / picture for picture in one["pictures"]), one["clearance"]
        )
        for name, one in content.items()
    }
    return talents, document


def _load_models(path: Path, base: Path) -> dict[str, dict[str, Any]]:
    document = read_document(path, "list of models")
    content: dict[str, dict[str, Any]] = conform(document, "models")
    for name, card in content.items():
        for index, source in enumerate(card["sources"]):
            kinds = [kind for kind in ("wheel", "pack", "path", "url") if kind in source]
            inside = "member" in source
            if len(kinds) != 1 or (kinds[0] in ("wheel", "pack") and not inside) or (kinds[0] == "url" and inside):
                raise ConfigError(
                    "a source is one of: wheel with member; pack with member; path; url",
                    where=document.where((name, "sources", index)),
                    fix="write e.g. {path: weights/net.tflite}",
                )
            if "path" in source:
                source["path"] = str(base / source["path"])
    return content


def _shots(
    rows: list[Row], path: Path, base: Path, talents: Mapping[str, Talent], deliveries: Mapping[str, Any]
) -> dict[str, Shot]:
    shots = _all(partial(_shot, row, path, base, talents, deliveries) for row in rows)
    lines: dict[str, int] = {}
    for shot in shots:
        if shot.id in lines:
            raise ConfigError(
                f"shot {shot.id!r} stands twice (first in line {lines[shot.id]})",
                where=f"{path}, line {shot.row}",
                fix="rename or delete one of them",
            )
        lines[shot.id] = shot.row
    _refuse_twins(lines, "shots", lambda name: f"{path}, line {lines[name]}")
    return {shot.id: shot for shot in shots}


def _shot(
    row: Row, path: Path, base: Path, talents: Mapping[str, Talent], deliveries: Mapping[str, Any]
) -> Shot:
    cells, where = row.cells, f"{path}, line {row.line}"
    check_cells(cells, "shots", where)
    where = f"{where} (shot {cells['shot']})"
    first, last = (int(cells[column]) if cells.get(column) else None for column in ("in", "out"))
    if first is not None and last is not None and last < first:
        raise ConfigError(f"out {last} is before in {first}", where=where, fix="swap or correct them")
    return Shot(
        id=cells["shot"],
        plate=base / cells["plate"],
        first=first,
        last=last,
        cast=parse_cast(cells["cast"], talents, where=where),
        look=cells.get("look", ""),
        delivery=_delivery_of(cells["delivery"].split(), deliveries, where),
        priority=int(cells.get("priority") or 0),
        notes=cells.get("notes", ""),
        row=row.line,
    )


def _delivery_of(names: list[str], deliveries: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Names of a shot's deliveries, none of which would overwrite another's files."""
    made: dict[str, tuple[str, Any]] = {}
    for name in names:
        if name not in deliveries:
            raise ConfigError(f"there is no delivery {name!r}", where=where, fix=nearest(name, deliveries))
        if names.count(name) > 1:
            raise ConfigError(f"delivery {name!r} stands twice", where=where, fix="keep one of them")
        files = {f"movie {movie['name']}": movie for movie in deliveries[name]["movies"]}
        if (frames := deliveries[name]["frames"]) is not None:
            files[f"{frames['format']} frames"] = frames
        for file, one in files.items():
            before, other = made.setdefault(file, (name, one))
            if other != one:
                raise ConfigError(
                    f"deliveries {before!r} and {name!r} ask for {file} in two ways, in one place",
                    where=where,
                    fix="give the shot one of them, or make their settings equal",
                )
    return tuple(names)


def _check_look(shot: Shot, looks: Looks, path: Path) -> None:
    if shot.look and shot.look not in looks.looks:
        raise ConfigError(
            f"there is no look {shot.look!r}",
            where=f"{path}, line {shot.row} (shot {shot.id})",
            fix=nearest(shot.look, looks.looks),
        )


def _load_overrides(
    folder: Path, base: Path, shots: Mapping[str, Shot], talents: Mapping[str, Talent]
) -> dict[str, Overrides]:
    if not folder.is_dir():
        return {}
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yml":
            raise ConfigError(
                "override files end in .yaml", where=str(path), fix=f"rename it to {path.stem}.yaml"
            )
        if path.suffix != ".yaml":
            continue
        if path.stem not in shots:
            raise ConfigError(
                f"there is no shot {path.stem!r}",
                where=str(path),
                fix=f"rename the file; {nearest(path.stem, shots)}",
            )
        found[path.stem] = load_overrides(path, base, talents)
    return found


def _chosen(only: str, shots: Mapping[str, Shot]) -> dict[str, Shot]:
    """The shots that any of the patterns matches, in the order of the list; all if there is no pattern."""
    patterns = only.replace(",", " ").split()
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(shot, pattern) for shot in shots):
            raise ConfigError(
                f"{pattern!r} matches no shot", where="configuration (only)", fix=nearest(pattern, shots)
            )
    return {
        name: shot
        for name, shot in shots.items()
        if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


def _check_clearances(show: Show, path: Path, today: datetime.date) -> None:
    clearances = load_clearances(path)
    _all(
        partial(check, shot, show.talents[talent], clearances, show.project, today)
        for shot in show.shots
        for talent in show.talents_of(shot)
    )


def _check_models(show: Show, shot: Shot) -> None:
    where = f"shot {shot.id}, look {shot.look}" if shot.look else f"shot {shot.id}"
    settings = show.settings(shot.id)
    cells = [f"{where}, wedge {' '.join(cell.words)}" for cell in show.wedge.cells]
    for place, asked in zip((where, *cells), (settings, *show.wedged(shot.id)), strict=True):
        check_models(asked, show.models, place)
        check_purpose(show.purpose, every_model(asked, show.models), show.models, place)
    look = settings["detect"]
    if show.pictures_of(shot.id) and not look["recogniser"] and look["faces"] != "insightface":
        raise ConfigError(
            "a performer is cast by a picture, and nobody tells faces apart",
            where=where,
            fix="name a recogniser in detect.recogniser, or cast by track, box or place",
        )


def _check_files(show: Show, shot_list: Path, talents: Document) -> None:
    """Refuse missing plates and pictures of the chosen shots; `ingest` and `talent` judge what they hold."""
    for name in sorted({talent for shot in show.shots for talent in show.talents_of(shot)}):
        for index, picture in enumerate(show.talents[name].pictures):
            where = talents.where((name, "pictures", index))
            _check_exists(f"the picture {picture}", picture, Path.is_file, where, "correct the path")
    for shot in show.shots.values():
        for written, picture in show.pictures_of(shot.id).items():
            where = f"{shot_list}, line {shot.row} (shot {shot.id})"
            _check_exists(f"the picture {written} of the cast", picture, Path.is_file, where, "correct the path")
    exists = cache(_plate_exists)
    fix = "correct the path, bring the plate online, or leave the shot out with --config only=..."
    _all(
        partial(
            _check_exists,
            f"the plate {shot.plate}",
            shot.plate,
            exists,
            f"{shot_list}, line {shot.row} (shot {shot.id})",
            fix,
        )
        for shot in show.shots.values()
    )


def _check_exists(what: str, path: Path, exists: Callable[[Path], bool], where: str, fix: str) -> None:
    try:
        found = exists(path)
    except OSError as error:
        raise PlateError(f"{what} cannot be reached ({error.strerror})", where=where, fix=fix) from error
    if not found:
        raise PlateError(f"{what} is missing", where=where, fix=fix)


def _plate_exists(plate: Path) -> bool:
    """Whether there is a file, a folder with a file in it, or a file that a pattern matches."""
    if plate.is_file():
        return True
    if plate.is_dir():
        with os.scandir(plate) as entries:
            return any(entry.is_file() for entry in entries)
    if not _PATTERN.search(plate.name) or not plate.parent.is_dir():
        return False
    parts = _PATTERN.split(plate.name)[::2]
    name = re.compile("[0-9]+".join(re.escape(part) for part in parts))
    with os.scandir(plate.parent) as entries:
        return any(name.fullmatch(entry.name) for entry in entries)
