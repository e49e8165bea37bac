"""A vendor's command as an engine: aligned crops go out as files, new faces come back as files.

For networks that come under a contract as a program and not as a file, such as inswapper_512_live.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from understudy.engines.base import Card, FaceContext, Image, NewFace, Performance, TalentAtlas
from understudy.engines.pages import cut, portrait, rim
from understudy.errors import ConfigError, ModelError
from understudy.runtime.cards import ModelCard

PLACES: Final = ("{input}", "{output}", "{source}")
ENDINGS: Final = (".png", ".tif", ".tiff")
TIMEOUT: Final = 3600.0
"""Seconds after which a command that did not end is ended, unless its card says otherwise."""


@dataclass(frozen=True)
class ExternalState:
    """The picture of the talent that the command is shown [h, w, 3], and the matte of a page [size, size]."""

    source: Image
    rim: Image


class ExternalEngine:
    """A command, run once for each call of `swap`.

    The card's settings: ``command``, a list of the program and its arguments, in which ``{input}`` stands for a folder
    of aligned crops (000000.png ..., RGB, 16 bit, display values, side and template as the card says), ``{output}`` for
    the folder where a picture of the same name and size is expected for each (.png or .tif, 8 or 16 bit; a fourth
    channel is its matte), and ``{source}`` for a picture of the talent; and ``timeout`` in seconds. No shell is
    involved.
    """

    def __init__(self, card: ModelCard) -> None:
        self._name, self._where = card.name, f"model {card.name}"
        self._template, self._size = card.aligned
        command = card.settings.get("command")
        if (
            not isinstance(command, list | tuple)
            or not command
            or not all(isinstance(one, str) for one in command)
        ):
            raise ConfigError(
                f"its command is {command!r}; it must be a list of a program and its arguments",
                where=self._where,
                fix="add `command` to the card's `settings`",
            )
        absent = [place for place in PLACES[:2] if not any(place in one for one in command[1:])]
        if absent:
            raise ConfigError(
                f"its command {list(command)} has no {' and no '.join(absent)}",
                where=self._where,
                fix="say where the command finds the crops, and where it puts what it makes",
            )
        self._command = tuple(command)
        self._timeout = float(card.settings.get("timeout", TIMEOUT))

    @property
    def card(self) -> Card:
        """Boxes of the frame at its own pixels, one frame at a time."""
        return Card(name=self._name, template="plate", range=(0.0, 1.0), window=0)

    def prepare(self, talent: TalentAtlas, track: Performance, settings: Mapping[str, Any]) -> ExternalState:
        """The picture of the talent that suits the shot best; ``settings``: ``feather``, see `pages.rim`."""
        best = talent.pictures[portrait(talent, track)]
        return ExternalState(best, rim(self._size, float(settings["feather"])))

    def swap(
        self, crops: Sequence[Image], state: ExternalState, context: Sequence[FaceContext]
    ) -> list[NewFace]:
        """Run the command on all crops. See `understudy.engines.base.Engine.swap`.

        Raises
        ------
        ModelError
            The command cannot be started, does not end in time or ends with an error, or what it made is missing or of
            another size.
        """
        pages, transforms = cut(crops, context, self._template, self._size, 1)
        with tempfile.TemporaryDirectory(prefix="understudy-") as temporary:
            folder = Path(temporary)
            given, made, source = folder / "input", folder / "output", folder / "source.png"
            given.mkdir()
            made.mkdir()
            for index, page in enumerate(pages):
                _write(given / f"{index:06}.png", page)
            _write(source, state.source)
            self._run(dict(zip(PLACES, map(str, (given, made, source)), strict=True)), folder / "said.txt")
            faces = [self._read(made, index, face.frame) for index, face in enumerate(context)]
        return [
            NewFace(image, state.rim if matte is None else matte, transform)
            for (image, matte), transform in zip(faces, transforms, strict=True)
        ]

    def _run(self, places: Mapping[str, str], log: Path) -> None:
        command = list(self._command)
        for place, path in places.items():
            command = [one.replace(place, path) for one in command]
        try:
            # Into a file: a grandchild that outlives the command would keep a pipe open for ever.
            with log.open("wb") as said:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=self._timeout,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"{self._command[0]} did not end within {self._timeout:g} seconds; it said: {_last(log)}",
                where=self._where,
                fix="see why, or raise `timeout` in the card's `settings`",
            ) from error
        except OSError as error:
            raise ModelError(
                f"{self._command[0]} cannot be started: {error.strerror}",
                where=self._where,
                fix="correct `command` in the card's `settings`",
            ) from error
        if done.returncode:
            raise ModelError(
                f"{self._command[0]} ended with code {done.returncode}; it said: {_last(log)}",
                where=self._where,
                fix="run the command by hand on a folder of crops",
            )

    def _read(self, folder: Path, index: int, frame: int) -> tuple[Image, Image | None]:
        where = f"{self._where}, frame {frame}"
        found = [
            folder / f"{index:06}{ending}" for ending in ENDINGS if (folder / f"{index:06}{ending}").is_file()
        ]
        if len(found) != 1:
            raise ModelError(
                f"the command made {len(found)} pictures of the name {index:06}; one is expected",
                where=where,
                fix=f"it must write one for each crop, ending in {' or '.join(ENDINGS)}",
            )
        pixels = cv2.imread(str(found[0]), cv2.IMREAD_UNCHANGED)
        depths = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
        shape = (self._size, self._size)
        if pixels is None or pixels.dtype not in depths or pixels.shape not in ((*shape, 3), (*shape, 4)):
            told = "no picture" if pixels is None else f"{pixels.dtype} of shape {pixels.shape}"
            raise ModelError(
                f"the command made {told}; 8 or 16 bit of shape {(*shape, 3)} or {(*shape, 4)} is expected",
                where=where,
                fix="correct the command, or `size` on the card",
            )
        values = pixels.astype(np.float32) / np.float32(depths[pixels.dtype])
        matte = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
        return np.ascontiguousarray(values[..., 2::-1]), matte


def _write(path: Path, image: Image) -> None:
    codes = np.rint(np.clip(image[..., ::-1], 0, 1) * 65535).astype(np.uint16)
    if not cv2.imwrite(str(path), codes, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise ModelError(f"{path} cannot be written", fix="make room on the temporary disk")


def _last(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing"
