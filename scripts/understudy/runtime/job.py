"""What every rule's script does around its stage: log, ledger, record, and errors in words."""

from __future__ import annotations

import ctypes
import errno
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy.errors import UnderstudyError
from understudy.runtime.cards import Weights, has_file, model_card
from understudy.runtime.ledger import Ledger
from understudy.runtime.models import locate
from understudy.runtime.records import Facts, Record, Task, describe, fulfil, read_record

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""


@dataclass(frozen=True)
class Job:
    """One call of a stage.

    Attributes
    ----------
    folder:
        Empty folder to leave the payload in.
    subject:
        ``shot``, ``frames`` and what else the work is about.
    settings:
        The stage's settings, resolved.
    inputs:
        Name to the files given; `record` and `records` read those that are records.
    tick:
        Call with a number of frames done.
    weights:
        The models given, by name, each file checked.
    device:
        Where networks run.
    """

    folder: Path
    subject: dict[str, Any]
    settings: dict[str, Any]
    inputs: dict[str, list[Path]]
    tick: Callable[[int], None]
    weights: Mapping[str, Weights] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shot(self) -> str:
        return str(self.subject["shot"])

    @property
    def frames(self) -> range:
        """Frame numbers of the chunk or shot."""
        first, last = self.subject["frames"]
        return range(first, last + 1)

    def file(self, name: str) -> Path:
        """The one file given under a name."""
        (path,) = self.inputs[name]
        return path

    def record(self, name: str) -> Record:
        """The one record given under a name."""
        return read_record(self.file(name))

    def records(self, name: str) -> list[Record]:
        """The records given under a name."""
        return [read_record(path) for path in self.inputs.get(name, [])]


def told(error: Exception) -> str:
    """An error in a person's words; what the disk refuses gets a next step."""
    if not isinstance(error, OSError):
        return str(error)
    # NumPy raises a short write as an OSError without a number.
    full = error.errno in (None, errno.ENOSPC, errno.EDQUOT)
    fix = "make room on that disk" if full else "check the path, and the rights on it"
    return f"{error}\n  -> {fix}, then run the same command again: what is finished is kept"


@contextmanager
def spoken(log: Path, about: str = "") -> Iterator[None]:
    """End a rule's script with the words of a refusal, which go into its log too, and exit code 1.

    Parameters
    ----------
    about:
        What the words begin with on screen.
    """
    try:
        yield
    except (UnderstudyError, OSError) as error:
        with suppress(OSError):  # a full disk refuses the log as well; the screen still has the words
            log.write_text(f"{told(error)}\n", encoding="utf-8")
        sys.exit(f"understudy: {about}{told(error)}")


def weights_of(cards: Mapping[str, Mapping[str, Any]], store: Path, lock: Path) -> dict[str, Weights]:
    """The models of a job, by name, each file in the store checked against its card or the lock.

    Raises
    ------
    ModelError
        A file is missing or is another one.
    """
    return {
        name: Weights(model_card(name, card), locate(name, card, store, lock) if has_file(card) else None)
        for name, card in cards.items()
    }


def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, for the next frame.

    By default glibc hands large blocks back to the kernel, and the first touch of each of their pages is a fault: two
    thirds of the cost of a colour conversion. Other C libraries have no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
        mallopt(M_MMAP_THRESHOLD, 1 << 25)


def run(snakemake: Any, stage: Callable[[Job], Facts]) -> None:
    """Run a stage as a rule's script: a refusal ends the process with its message and exit code 1.

    Parameters
    ----------
    snakemake:
        The object that Snakemake gives its scripts (or anything with ``input``, ``output``, ``log`` and
        ``params.job``).
    stage:
        Fills ``Job.folder`` and returns facts for the record.
    """
    import cv2

    cv2.setNumThreads(1)
    keep_freed_memory()
    plan = snakemake.params.job
    inputs = {name: [Path(path) for path in _listed(paths)] for name, paths in snakemake.input.items()}
    into = plan.get("into")
    task = Task(
        stage=plan["stage"],
        record=Path(snakemake.output[0]),
        subject=plan["subject"],
        settings=plan["settings"],
        code=plan["code"],
        inputs=inputs,
        into=Path(into) if into else None,
    )
    first, last = task.subject.get("frames", (0, 0))
    with spoken(Path(snakemake.log[0])):
        ledger = Ledger(Path(plan["ledger"]), task.stage, task.record.stem, last - first + 1)
    try:
        with Path(snakemake.log[0]).open("w", encoding="utf-8") as log:
            try:
                weights = weights_of(plan["models"], Path(plan["store"]), Path(plan["lock"]))
                _, reused = fulfil(
                    task,
                    lambda folder: stage(
                        Job(folder, task.subject, task.settings, inputs, ledger, weights, plan["device"])
                    ),
                )
            except BaseException as error:
                log.write(told(error) if isinstance(error, UnderstudyError | OSError) else traceback.format_exc())
                raise
            log.write("reused\n" if reused else "done\n")
    except (UnderstudyError, OSError) as error:
        subject = describe(task.subject)
        print(f"understudy: {task.stage} of {subject} failed\n{told(error)}", file=sys.stderr, flush=True)
        with suppress(OSError):  # a full disk refuses this line as well
            ledger.write("failed", told(error))
        sys.exit(1)
    except BaseException as error:
        ledger.write("failed", repr(error))
        raise
    ledger.write("reused" if reused else "done")


def _listed(paths: Any) -> list[str]:
    return [paths] if isinstance(paths, str) else list(paths)
