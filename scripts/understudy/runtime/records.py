"""Records of finished work, and the payloads they vouch for.

A *record* is a small JSON file, the only thing a rule declares as its output. It holds the digest of all that the
result depends on, and name, size and hash of every file of the *payload*. The payload lies beside it under a name
that carries the digest, with a *receipt* (the record's own text) that outlives the record when Snakemake removes
it. A killed job therefore repeats only what was in flight, and a job that runs again over unchanged inputs costs a
process start.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from understudy.errors import DeliverableError

# Records are read while a Snakefile is parsed, too.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Facts = dict[str, Any]
DIGITS = 16
BLOCK = 1 << 18
"""Bytes hashed at a time: they stay in the processor's cache, and the buffer is used again."""


def file_hash(path: Path) -> str:
    """XXH3-128 of a file's bytes, hexadecimal: it notices damage, it does not resist forgery."""
    state, block = xxhash.xxh3_128(), memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(block):
            state.update(block[:count])
    return state.hexdigest()


def text_digest(value: object) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)


@dataclass(frozen=True)
class Record:
    """What a stage made: where it lies, what it was made from, and what is known about it.

    Attributes
    ----------
    folder:
        Folder of the payload; the names in ``files`` are relative to it.
    files:
        Name to ``{"bytes": int, "xxh3": str}``.
    facts:
        Small JSON values the stage wants its readers to know.
    """

    stage: str
    subject: dict[str, Any]
    digest: str
    folder: Path
    files: dict[str, dict[str, Any]]
    facts: Facts
    basis: dict[str, Any] = field(repr=False)

    @property
    def result(self) -> str:
        """Digest of what was made, whatever it was made from: what the next stage depends on."""
        return text_digest([self.files, self.facts])

    def damaged(self, names: list[str] | None = None) -> list[str]:
        """Names of the payload's files that are missing or no longer have the recorded bytes."""
        return [name for name in names or self.files if not self._holds(name)]

    def _holds(self, name: str) -> bool:
        path, known = self.folder / name, self.files[name]
        return path.is_file() and path.stat().st_size == known["bytes"] and file_hash(path) == known["xxh3"]

    def path(self, name: str) -> Path:
        """Path of one file of the payload, checked.

        Raises
        ------
        DeliverableError
            When the file is missing or damaged, with the command that mends it.
        """
        if name not in self.files or not self._holds(name):
            raise self._refusal(name)
        return self.folder / name

    def read(self, name: str) -> NDArray[np.uint8]:
        """The bytes of one file of the payload, checked while they are in memory: a second pass costs as much again.

        Raises
        ------
        DeliverableError
            As `path` does.
        """
        import numpy as np

        known, path = self.files.get(name), self.folder / name
        if known is None or not path.is_file():
            raise self._refusal(name)
        data = np.fromfile(path, np.uint8)
        if len(data) != known["bytes"] or xxhash.xxh3_128(data.data).hexdigest() != known["xxh3"]:
            raise self._refusal(name)
        return data

    def _refusal(self, name: str) -> DeliverableError:
        return DeliverableError(
            f"{self.folder / name} is missing or damaged",
            where=f"{self.stage} of {describe(self.subject)}",
            fix="run `snakemake verify`, which drops the records that no longer hold, then run again",
        )

    def dumps(self, beside: Path) -> str:
        """The record as JSON text, the payload's folder relative to ``beside``."""
        return json.dumps(
            {
                "stage": self.stage,
                "subject": self.subject,
                "digest": self.digest,
                "folder": os.path.relpath(self.folder, beside),
                "files": self.files,
                "facts": self.facts,
                "basis": self.basis,
            },
            indent=1,
            sort_keys=True,
        )


def describe(subject: Mapping[str, Any]) -> str:
    """A subject as a person would say it: ``shot sh010, frames 1001-1048``."""
    words = [f"{key} {subject[key]}" for key in ("shot", "talent", "show") if key in subject]
    if "frames" in subject:
        words.append("frames {}-{}".format(*subject["frames"]))
    return ", ".join(words)


def read_record(path: Path) -> Record:
    """Read a record or a receipt.

    Raises
    ------
    DeliverableError
        When the file is no record.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            stage=value["stage"],
            subject=value["subject"],
            digest=value["digest"],
            folder=Path(os.path.normpath(path.parent / value["folder"])),
            files=value["files"],
            facts=value["facts"],
            basis=value["basis"],
        )
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DeliverableError(
            f"not a readable record ({error})", where=str(path), fix="delete the file and run again"
        ) from error


@dataclass(frozen=True)
class Task:
    """One piece of work: everything that its result depends on.

    Attributes
    ----------
    subject:
        What it is about: shot, and first and last frame where it is a chunk.
    inputs:
        Name to record or file. A record counts by what it made, a file by its bytes.
    into:
        Where the payload's files go. None: a folder beside the record that carries the digest.
    """

    stage: str
    record: Path
    subject: dict[str, Any]
    settings: dict[str, Any]
    code: str
    inputs: dict[str, list[Path]]
    into: Path | None = None

    def basis(self) -> dict[str, Any]:
        """All that the digest is taken over, readable."""
        return {
            "settings": self.settings,
            "code": self.code,
            "inputs": {name: [_identity(path) for path in paths] for name, paths in self.inputs.items()},
        }


def _identity(path: Path) -> str:
    if path.suffix == ".json":
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict) and "digest" in value and "files" in value:
            return text_digest([value["files"], value["facts"]])
    return file_hash(path)


def fulfil(task: Task, work: Callable[[Path], Facts]) -> tuple[Record, bool]:
    """See to it that a task's payload exists and its record says so.

    ``work`` is called with an empty folder only when no payload of this digest holds; what it leaves there is
    flushed, read back, renamed, and only then recorded.

    Returns
    -------
    The record, and whether the payload was there already.
    """
    basis = task.basis()
    digest = text_digest([task.stage, task.subject, basis])
    stem = f"{task.record.stem}.{digest[:DIGITS]}"
    receipt = task.record.with_name(f"{stem}.receipt")
    if receipt.is_file():
        known = read_record(receipt)
        if known.digest == digest and not known.damaged():
            write_text(task.record, known.dumps(task.record.parent))
            return known, True
        receipt.unlink()
    home = task.into or task.record.with_name(stem)
    bench = task.into or task.record.parent
    bench.mkdir(parents=True, exist_ok=True)
    _sweep(bench, f".{task.stage}-{task.record.stem}.")
    scratch = bench / f".{task.stage}-{stem}.part-{socket.gethostname()}-{os.getpid()}"
    scratch.mkdir()
    try:
        facts = work(scratch)
        files = {name: _seal(scratch / name) for name in _names(scratch)}
        if task.into:
            for name in files:
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (scratch / name).replace(home / name)
        else:
            if home.exists():
                shutil.rmtree(home)
            scratch.replace(home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    record = Record(task.stage, task.subject, digest, home, files, facts, basis)
    write_text(receipt, record.dumps(receipt.parent))
    write_text(task.record, record.dumps(task.record.parent))
    return record, False


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _seal(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return {"bytes": path.stat().st_size, "xxh3": file_hash(path)}


def _sweep(bench: Path, prefix: str) -> None:
    """Remove what dead processes of this machine left half-made for the same record."""
    for left in bench.glob(f"{prefix}*.part-{socket.gethostname()}-*"):
        if not _alive(int(left.name.rsplit("-", 1)[1])):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # Who was killed with their parent stays listed until the first process of the machine, or container, asks for them.
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def verify(folder: Path) -> dict[str, list[str]]:
    """Check every record below a folder and drop those that no longer hold.

    A receipt that does not hold goes without a word where no record stands behind it: results have fixed names, so the
    receipts of earlier settings lose their files to the later ones.

    Returns
    -------
    For each dropped record, by its path, the files that were missing or damaged.
    """
    broken: dict[str, list[str]] = {}
    for path in sorted([*folder.rglob("*.json"), *folder.rglob("*.receipt")]):
        if not _looks_like_record(path):
            continue
        record = read_record(path)
        if damaged := record.damaged():
            if path.suffix == ".json":
                broken[str(path)] = [str(record.folder / name) for name in damaged]
            path.unlink()
    return broken


def _looks_like_record(path: Path) -> bool:
    with path.open("rb") as stream:
        return b'"basis"' in stream.read(4096)


def collect(folder: Path) -> list[Path]:
    """Remove payloads and receipts that no record below a folder names any more.

    Returns
    -------
    What was removed.
    """
    current = {
        (path.parent, record.digest[:DIGITS])
        for path in folder.rglob("*.json")
        if _looks_like_record(path)
        for record in [read_record(path)]
    }
    gone = []
    for receipt in sorted(folder.rglob("*.receipt")):
        digest = receipt.name.split(".")[-2]
        if (receipt.parent, digest) in current:
            continue
        payload = receipt.with_suffix("")
        receipt.unlink()
        if payload.is_dir():
            shutil.rmtree(payload)
        gone.append(payload)
    return gone
