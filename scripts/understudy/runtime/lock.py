"""One driver per show: a lock that the kernel frees when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from understudy.errors import UnderstudyError


def hold(path: Path) -> None:
    """Hold a lock file until this process ends.

    The open handle is left to the process on purpose: that is what makes a killed driver's lock vanish.

    Raises
    ------
    UnderstudyError
        When another living process holds it, naming that process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 200).decode(errors="replace").strip()
        os.close(handle)
        raise UnderstudyError(
            f"another run is working on this show ({holder})",
            where=str(path),
            fix="wait for it, or stop it; this show takes one driver at a time",
        ) from None
    os.set_inheritable(handle, False)
    os.ftruncate(handle, 0)
    os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
