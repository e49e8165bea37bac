"""The ledger of a shot: one JSON line per event, appended by every job, readable while the driver is dead."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEARTBEAT = 1.0


class Ledger:
    """Appends what one job does to its shot's ledger.

    Called with a number of frames it counts them, and writes a heartbeat at most once a second.

    Parameters
    ----------
    path:
        The ledger, shared by all jobs of the shot. One line is one write to a file opened for appending.
    """

    def __init__(self, path: Path, stage: str, name: str, frames: int) -> None:
        self._path = path
        self._head = {"stage": stage, "chunk": name, "host": socket.gethostname(), "pid": os.getpid()}
        self._frames = frames
        self._done = 0
        self._start = self._beat = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write("started")

    def __call__(self, frames: int = 1) -> None:
        self._done += frames
        if time.monotonic() - self._beat >= HEARTBEAT:
            self._beat = time.monotonic()
            self.write("running")

    def write(self, state: str, reason: str = "") -> None:
        """Append one event: started, running, done, reused or failed.

        ``cpu`` (seconds, of which ``system`` in the kernel) and ``peak_mb`` are the whole process's so far, its start
        included.
        """
        used = resource.getrusage(resource.RUSAGE_SELF)
        event = self._head | {
            "time": round(time.time(), 3),
            "state": state,
            "frames": self._frames,
            "done": self._frames if state in ("done", "reused") else self._done,
            "seconds": round(time.monotonic() - self._start, 3),
            "cpu": round(used.ru_utime + used.ru_stime, 3),
            "system": round(used.ru_stime, 3),
            "peak_mb": used.ru_maxrss // 1024,
        }
        if reason:
            event["reason"] = reason
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, (json.dumps(event) + "\n").encode())
        finally:
            os.close(handle)


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a ledger, oldest first; a last line that is still being written is left for later."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            if line.endswith("\n"):
                yield json.loads(line)


def latest(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The newest event of each (stage, chunk) of a ledger."""
    return {(event["stage"], event["chunk"]): event for event in events(path)}
