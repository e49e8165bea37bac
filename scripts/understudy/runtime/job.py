"""What every rule's script does around its stage: log, ledger, record, and errors in words."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.errors import UnderstudyError
from understudy.runtime.ledger import Ledger
from understudy.runtime.records import Facts, Record, Task, describe, fulfil, read_record


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
    """

    folder: Path
    subject: dict[str, Any]
    settings: dict[str, Any]
    inputs: dict[str, list[Path]]
    tick: Callable[[int], None]

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
    ledger = Ledger(Path(plan["ledger"]), task.stage, task.record.stem, last - first + 1)
    try:
        with Path(snakemake.log[0]).open("w", encoding="utf-8") as log:
            try:
                _, reused = fulfil(
                    task, lambda folder: stage(Job(folder, task.subject, task.settings, inputs, ledger))
                )
            except BaseException as error:
                known = isinstance(error, UnderstudyError | OSError)
                log.write(str(error) if known else traceback.format_exc())
                raise
            log.write("reused\n" if reused else "done\n")
    except (UnderstudyError, OSError) as error:
        ledger.write("failed", str(error))
        print(f"understudy: {task.stage} of {describe(task.subject)} failed\n{error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except BaseException as error:
        ledger.write("failed", repr(error))
        raise
    ledger.write("reused" if reused else "done")


def _listed(paths: Any) -> list[str]:
    return [paths] if isinstance(paths, str) else list(paths)
