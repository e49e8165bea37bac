"""A show with the ranges of its plates: which chunks there are, and what each stage of each is asked to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from understudy.errors import ConfigError
from understudy.runtime.code import code_of
from understudy.show.frames import chunk_name, chunks
from understudy.show.load import Show
from understudy.show.mattes import reach
from understudy.show.models import every_model, models_of, network_px, pack_models
from understudy.show.overrides import override_record
from understudy.show.schema import defaults, schema
from understudy.show.settings import fixed
from understudy.show.wedge import EXAMPLE, WHERE
from understudy.trust.licences import licence_rows

ORDER = (
    "extract", "detect", "track", "align", "swap", "enhance", "steady", "matte", "match", "composite",
    "stills", "encode", "qc",
)  # fmt: skip
HERO = ("align", "swap", "enhance", "matte", "match", "composite")
FINISH = ("light", "texture", "grain", "defocus", "shutter", "sharpening", "codec")
WHOLE = ("track", "match", "encode", "qc")
CHUNKED = tuple(stage for stage in ORDER if stage not in WHOLE)
CONTRACT = ("role", "family", "file", "sha256", "template", "size", "fed_by", "inputs", "outputs", "settings")
"""Keys of a card that a result depends on."""


@dataclass(frozen=True)
class Stamp:
    """What planning needs to know of a plate, without opening ``plate.json``.

    ``size`` and ``mtime_ns`` are those of the movie file, or of the folder of a sequence, when it was ingested.
    """

    kind: str
    first: int
    last: int
    size: int
    mtime_ns: int

    @classmethod
    def read(cls, path: Path) -> Stamp:
        """Read a stamp that `ingest` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def watched(plate: Path) -> Path:
    """The path whose size and time tell whether a plate changed: the movie itself, or the sequence's folder."""
    return plate if plate.is_file() or plate.is_dir() else plate.parent


def current(stamp: Path, plate: Path) -> bool:
    """Whether a stamp exists and still describes the plate on disk (one `stat`, no pixel)."""
    if not stamp.is_file():
        return False
    known, now = Stamp.read(stamp), watched(plate).stat()
    return (known.mtime_ns, known.size) == (now.st_mtime_ns, now.st_size)


class Plan:
    """The work of a show: a pure look-up over shot list, looks and plate ranges.

    Parameters
    ----------
    show:
        The show as configured.
    stamps:
        Shot id to the stamp of its plate.
    """

    def __init__(self, show: Show, stamps: Mapping[str, Stamp]) -> None:
        self._show = show
        self._stamps = stamps
        self._resolved = {shot: show.settings(shot) for shot in stamps}
        self._chunks = {shot: self._cut(shot) for shot in stamps}

    def _cut(self, shot: str) -> dict[str, tuple[int, int]]:
        asked, stamp = self._show.shots[shot], self._stamps[shot]
        first = stamp.first if asked.first is None else asked.first
        last = stamp.last if asked.last is None else asked.last
        if not stamp.first <= first <= last <= stamp.last:
            raise ConfigError(
                f"in/out {first}-{last} lies outside the plate, which has frames {stamp.first}-{stamp.last}",
                where=f"shot {shot} (row {asked.row} of the shot list)",
                fix="correct the columns in and out, or leave them empty for the whole plate",
            )
        self._show.check_frames(shot, first, last)
        return {chunk_name(a, b): (a, b) for a, b in chunks(first, last, self._show.chunk)}

    def has(self, stage: str, shot: str) -> bool:
        """Whether a shot goes through a stage: only a movie has a frame store, only some looks restore, and so on."""
        if stage == "extract":
            return self._stamps[shot].kind == "movie"
        if stage == "enhance":
            return bool(self._resolved[shot]["enhance"]["model"])
        if stage == "steady":
            return self.window(stage, shot) > 0
        if stage == "stills":
            asked = (self._show.deliveries[name] for name in self._show.shots[shot].delivery)
            return any(delivery["frames"] or delivery["matte"] for delivery in asked)
        return True

    def models(self, stage: str, shot: str) -> tuple[str, ...]:
        """Names of the models that a stage of a shot is given; for ``qc``, which runs none, of all of the shot."""
        if stage == "wedge":
            every = [name for cell in self._cells(shot) for name in cell.models("hero", shot)]
            return tuple(dict.fromkeys(every))
        settings, cards = self._resolved[shot], self._show.models
        if stage == "qc":
            return every_model(settings, cards)
        return models_of(stage, settings, cards, by_picture=bool(self._show.pictures_of(shot)))

    def chunks(self, shot: str) -> list[str]:
        """Names of the shot's chunks, in order."""
        return list(self._chunks[shot])

    def around(self, shot: str, chunk: str, frames: int) -> list[str]:
        """Names of the chunks that a chunk lies in with so many frames on either side, in order."""
        first, last = self._chunks[shot][chunk]
        return [name for name, (a, b) in self._chunks[shot].items() if a <= last + frames and b >= first - frames]

    def window(self, stage: str, shot: str) -> int:
        """Frames on either side that a stage reads of its neighbours; it writes its own chunk's only."""
        settings = self._resolved[shot]
        match stage:
            case "matte":
                return reach(settings["matte"])
            case "steady":
                return int(settings["steady"]["window"])
            case _:
                return 0

    def last(self, shot: str) -> list[str]:
        """Names of the records that nothing but a whole shot asks for."""
        stages = [stage for stage in ("composite", "stills") if self.has(stage, shot)]
        return ["encode", "qc", *(f"{stage}/{chunk}" for stage in stages for chunk in self.chunks(shot))]

    def frames(self, shot: str, chunk: str | None = None) -> tuple[int, int]:
        """First and last frame of a chunk, or of the whole shot."""
        ranges = self._chunks[shot]
        if chunk is not None:
            return ranges[chunk]
        names = list(ranges)
        return ranges[names[0]][0], ranges[names[-1]][1]

    def job(self, stage: str, shot: str, chunk: str | None = None) -> dict[str, Any]:
        """What one job is asked to do: subject, settings, code digest (everything JSON)."""
        models = self.models(stage, shot) if stage != "qc" else ()
        into = {
            "stills": self._show.out / shot,
            "encode": self._show.out / shot,
            "qc": self._show.root / self._show.name,
            "wedge": self._show.review / "wedge",
        }
        return {
            "stage": stage,
            "subject": {"shot": shot, "frames": list(self.frames(shot, chunk))},
            "settings": self._settings(stage, shot) | self._contracts(models),
            "code": code_of(stage, "" if stage == "wedge" else self._engine(shot)),
            **self._runtime(models),
            "ledger": str(self._show.work / shot / "ledger.jsonl"),
            "into": str(into[stage]) if stage in into else None,
        }

    def _settings(self, stage: str, shot: str) -> dict[str, Any]:
        show, asked, settings = self._show, self._show.shots[shot], self._resolved[shot]
        own = dict(settings.get(stage, {}))
        if stage == "detect":
            own |= self._members(settings["detect"])
        if stage == "track":
            own["cast"] = [[entry.kind, entry.value, entry.talent] for entry in asked.cast]
            own["overrides"] = override_record(show.overrides(shot))
            look = settings["detect"]
            own["look"] = fixed(look) | self._members(look)
            own["pictures"] = list(show.pictures_of(shot))
        if stage == "matte":
            own["roto"] = [asdict(roto) | {"pattern": str(roto.pattern)} for roto in show.overrides(shot).roto]
        if stage == "align":
            cards = [show.models[name] for name in self.models("hero", shot)]
            own["templates"] = sorted({card["template"] for card in cards if card.get("template")})
        if stage == "enhance":
            own["precision"] = settings["swap"]["precision"]
        if stage == "composite":
            # The fit hands these on, but they may change along the shot after it.
            finish = settings["match"]
            own |= {name: finish[name] for name in FINISH}
            own["ranges"] = own.get("ranges", []) + finish.get("ranges", [])
            own["keys"] = own.get("keys", {}) | finish.get("keys", {})
            own["exclude"] = [list(pair) for pair in show.overrides(shot).exclude]
        if stage == "stills":
            own["deliveries"] = {
                name: {key: show.deliveries[name][key] for key in ("frames", "matte")} for name in asked.delivery
            }
        if stage == "encode":
            own["movies"] = {m["name"]: m for name in asked.delivery for m in show.deliveries[name]["movies"]}
        if stage == "qc":
            own["notes"] = asked.notes
            own["exclude"] = [list(pair) for pair in show.overrides(shot).exclude]
            own["resolved"] = settings
            own["purpose"] = show.purpose
            own["network"] = network_px(settings, show.models)
            own["models"] = licence_rows(self.models("qc", shot), show.models)
        if stage == "hero":
            own["stages"] = {name: self._settings(name, shot) for name in HERO}
            own["network"] = network_px(settings, show.models)
        if stage == "wedge":
            if not show.wedge.cells:
                raise ConfigError("no wedge is asked for", where=WHERE, fix=EXAMPLE)
            own["across"] = show.wedge.across
            own["cells"] = [
                {
                    "words": list(cell.words),
                    "stages": plan._settings("hero", shot)["stages"],
                    "models": list(plan.models("hero", shot)),
                }
                for cell, plan in zip(show.wedge.cells, self._cells(shot), strict=True)
            ]
        return own

    def _cells(self, shot: str) -> list[Plan]:
        """The plan with the settings that a shot has in a cell of the wedge, cell by cell."""
        cells = []
        for settings in self._show.wedged(shot):
            cell = copy(self)
            cell._resolved = {shot: settings}
            cells.append(cell)
        return cells

    def _engine(self, shot: str) -> str:
        """The one engine that a shot's stages run; empty where a donor runs beside it."""
        swap = self._resolved[shot]["swap"]
        return "" if swap["donor"] else str(swap["engine"])

    def _members(self, look: Mapping[str, Any]) -> dict[str, list[str]]:
        """The models that make up insightface's pack, where a look has it find the faces."""
        wanted = look["faces"] == "insightface"
        return {"members": pack_models(look["pack"], self._show.models) if wanted else []}

    def talent_job(self, talent: str) -> dict[str, Any]:
        """What the job that prepares a talent's pictures is asked to do."""
        models = self._show.models_of_talent(talent)
        return {
            "stage": "talent",
            "subject": {"talent": talent},
            "settings": {"look": defaults(schema("settings"))["detect"] | {"members": []}} | self._contracts(models),
            "code": code_of("talent"),
            **self._runtime(models),
            "ledger": str(self._show.talent_folder / talent / "ledger.jsonl"),
            "into": None,
        }

    def _contracts(self, models: tuple[str, ...]) -> dict[str, Any]:
        """What the cards of a stage's models say of the pixels: a corrected card makes them anew."""
        cards = {name: self._show.models[name] for name in models}
        return {"cards": {name: {key: card[key] for key in CONTRACT if key in card} for name, card in cards.items()}}

    def _runtime(self, models: tuple[str, ...]) -> dict[str, Any]:
        """What a job must know to run networks, on which no pixel depends."""
        return {
            "models": {name: self._show.models[name] for name in models},
            "store": str(self._show.store),
            "lock": str(self._show.lock),
            "device": dict(self._show.device),
        }

    def totals(self) -> dict[str, dict[str, dict[str, int]]]:
        """Frames to do: shot to stage to chunk, in the order of the work."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for shot, ranges in self._chunks.items():
            chunked = {name: last - first + 1 for name, (first, last) in ranges.items()}
            whole = sum(chunked.values())
            stages = {stage: chunked for stage in CHUNKED if self.has(stage, shot)}
            stages |= {stage: {stage: whole} for stage in WHOLE}
            found[shot] = {stage: stages[stage] for stage in ORDER if stage in stages}
        return found
