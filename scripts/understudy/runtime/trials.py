"""What a trial of a weights file showed, kept beside the file so that it is paid once.

A trial depends on the file's bytes, the version of ONNX Runtime and where it runs; it is looked up by all of them.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from understudy.errors import ModelError
from understudy.runtime.models import sha256_of


@dataclass(frozen=True)
class Trial:
    """Outcome of a trial.

    Attributes
    ----------
    together:
        Whether several samples may be run at a time.
    reason:
        Why not; empty if they may.
    """

    together: bool
    reason: str


class Trials:
    """The trials of one file under given circumstances.

    Attributes
    ----------
    digest:
        sha256 of the file.
    """

    def __init__(self, path: Path, circumstances: str) -> None:
        self._book = path.with_name(f"{path.name}.trials.json")
        self.digest = sha256_of(path)
        self._key = f"{self.digest} {circumstances}"

    def recall(self) -> Trial | None:
        """The trial, or None if there has been none.

        Raises
        ------
        ModelError
            The note beside the file cannot be read.
        """
        return self._entries().get(self._key)

    def note(self, trial: Trial) -> None:
        """Write a trial down; in a folder that others fill (a shared, read-only store) nothing is written."""
        if not os.access(self._book.parent, os.W_OK):
            return
        kept = {key: one for key, one in self._entries().items() if key.startswith(self.digest)}
        told = {key: asdict(one) for key, one in (kept | {self._key: trial}).items()}
        handle, temporary = tempfile.mkstemp(prefix=f".{self._book.name}.", dir=self._book.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=1)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(self._book)

    def _entries(self) -> dict[str, Trial]:
        if not self._book.is_file():
            return {}
        try:
            told = json.loads(self._book.read_text(encoding="utf-8"))
            return {key: Trial(bool(one["together"]), str(one["reason"])) for key, one in told.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"it is damaged: {error}", where=str(self._book), fix="delete it; the file is tried anew"
            ) from error
