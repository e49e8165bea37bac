"""The model store: weights by name, checked by hash.

A card (one entry of ``config/models.yaml``) says which file a model is and its sha256 (and where it comes from, see
`understudy.runtime.fetch`)::

    file: face_landmark.tflite          # name in the store
    sha256: 1055cb9d...                 # may be left out

The sha256 that a card leaves out is written into a lock file when the file is first seen, and enforced from then on.
The lock belongs beside the show's list of models, not into the store: a store is shared, copied and emptied, but what
a show was made with goes with the show, into its version control and to its other sites. Its lines are those of
``sha256sum``; ``cd STORE && sha256sum -c LOCK`` reads it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from understudy.errors import ModelError

FETCH = "run: snakemake models"
LOCK_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True)
class Entry:
    """What is known of a model before its file is looked at.

    Attributes
    ----------
    card:
        ``file``, ``sha256`` if it is known, ``sources`` if there are any.
    store:
        Folder of the model store.
    lock:
        The show's lock file, for a card without sha256.
    """

    name: str
    card: Mapping[str, Any]
    store: Path
    lock: Path | None

    @property
    def where(self) -> str:
        """Whom an error is about."""
        return f"model {self.name}"

    @property
    def path(self) -> Path:
        """Place of the file in the store; a `ModelError` if the card names one outside."""
        file = str(self.card.get("file", ""))
        if not file or file in {".", ".."} or PurePosixPath(file).name != file or "\\" in file:
            raise ModelError(
                f"`file` is {file!r}; it must be a plain file name in the store",
                where=self.where,
                fix="correct its card",
            )
        return self.store / file

    @property
    def expected(self) -> str | None:
        """The sha256 that the file must have; None while nobody knows it; a `ModelError` if nobody could."""
        digest = self.card.get("sha256")
        if digest is None:
            if self.lock is None:
                raise ModelError(
                    "its card gives no sha256, and there is no lock file",
                    where=self.where,
                    fix="put its sha256 into its card",
                )
            return recorded(self.lock).get(self.path.name)
        if not re.fullmatch("[0-9a-f]{64}", str(digest)):
            raise ModelError(
                f"`sha256` is {digest!r}; it must be 64 lower-case hexadecimal digits",
                where=self.where,
                fix="correct its card",
            )
        return str(digest)

    @property
    def bring(self) -> str:
        """What to do for a file that is not there."""
        if self.card.get("sources"):
            return FETCH
        return f"whoever has the file puts it at {self.path}; then {FETCH}"

    def check(self, found: str, expected: str, origin: str, fix: str) -> None:
        """Raise a `ModelError` if the sha256 found is not the one expected."""
        if found != expected:
            says = "its card says" if self.card.get("sha256") else f"{self.lock} recorded"
            raise ModelError(
                f"{origin} has sha256 {found[:16]}..., {says} {expected[:16]}...", where=self.where, fix=fix
            )


def locate(name: str, card: Mapping[str, Any], store: Path, lock: Path | None = None) -> Path:
    """The model's file in the store, its sha256 checked. Never uses the network, never writes.

    Parameters
    ----------
    name, card, store, lock:
        See `Entry`.

    Raises
    ------
    ModelError
        The card cannot be used, the file is missing, or it is not the one that the card or the lock names.
    """
    entry = Entry(name, card, store, lock)
    path, expected = entry.path, entry.expected
    if not path.is_file():
        raise ModelError(f"no file {path}", where=entry.where, fix=entry.bring)
    if expected is None:
        raise ModelError(f"its card gives no sha256, and {lock} has none yet", where=entry.where, fix=FETCH)
    entry.check(sha256_of(path), expected, str(path), f"delete the file, then {FETCH}")
    return path


def recorded(lock: Path) -> dict[str, str]:
    """File name to sha256, as a lock file has them; empty while there is no lock file.

    Raises
    ------
    ModelError
        Naming a line that is none of ``sha256sum``'s.
    """
    found: dict[str, str] = {}
    lines = lock.read_text("utf-8").splitlines() if lock.is_file() else []
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        if not (match := LOCK_LINE.fullmatch(line)) or match[2] in found:
            raise ModelError(
                f"{line!r} is not a sha256, two blanks and the name of a file that stands nowhere else",
                where=f"{lock}, line {number}",
                fix=f"delete the line, then {FETCH}",
            )
        found[match[2]] = match[1]
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def drop_stale(stamps: Path, cards: Mapping[str, Mapping[str, Any]], names: Iterable[str], store: Path) -> None:
    """Remove the stamps of models whose file has left the store, so that it is fetched again. One `stat` a model."""
    for name in names:
        if not (store / str(cards[name]["file"])).is_file():
            (stamps / f"{name}.json").unlink(missing_ok=True)
