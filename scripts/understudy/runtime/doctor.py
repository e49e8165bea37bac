"""Is this machine fit to run the workflow? Every finding comes with the command that mends it.

``check_runtime`` is asked at every start and reads nothing but package metadata; ``examine`` is what the
target ``doctor`` prints.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.errors import ModelError, UnderstudyError
from understudy.runtime.models import locate

RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
)
"""Distributions that bring the folder onnxruntime, the one that is kept last."""
OPENCVS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
ENCODERS = {"libx264": "H.264 movies", "prores_ks": "ProRes movies", "aac": "sound of proxies"}
LEAST_SPACE = 10 * 2**30

Versions = Callable[[str], str | None]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what, whether it is well, what was seen, and the command or step that mends it."""

    what: str
    well: bool
    seen: str
    repair: str = ""

    def __str__(self) -> str:
        line = f"{'OK  ' if self.well else 'FAIL'}  {self.what}: {self.seen}"
        return line if self.well else f"{line}\n      -> {self.repair}"


def installed(name: str) -> str | None:
    """Version of a distribution in this Python, None where it is absent."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_runtime(versions: Versions = installed) -> None:
    """Refuse distributions that overwrite each other's files; ``versions`` gives a version or None.

    None at all is no fault here: planning needs neither, and the jobs may have an environment of their own.

    Raises
    ------
    UnderstudyError
        Naming the distributions and the commands that leave one of them whole.
    """
    for finding in clashes(versions):
        if not finding.well and "," in finding.seen:
            raise UnderstudyError(
                f"{finding.what} comes from {finding.seen}", where="Python", fix=finding.repair
            )


def clashes(versions: Versions = installed) -> list[Finding]:
    """Whether exactly one distribution brings onnxruntime, and exactly one brings cv2."""
    found = []
    for what, names, fallback in (
        ("onnxruntime", RUNTIMES, "onnxruntime"),
        ("cv2", OPENCVS, "opencv-python-headless"),
    ):
        here = [(name, version) for name in names if (version := versions(name)) is not None]
        seen = ", ".join(f"{name} {version}" for name, version in here) or "not installed"
        keep = here[-1][0] if what == "onnxruntime" and here else fallback
        drop = " ".join(name for name, _ in here if name != keep)
        pip = f"{sys.executable} -m pip"
        renew = f"{pip} install --force-reinstall --no-deps '{_wanted(keep)}'"
        # Taking one away deletes files of the other, so the one that stays is always laid anew.
        repair = f"{pip} uninstall --yes {drop} && {renew}" if drop else renew
        found.append(Finding(what, len(here) == 1 and not drop, seen, repair))
    return found


def dependencies(project: Path, versions: Versions = installed) -> list[Finding]:
    """Whether the installed versions are those that a ``pyproject.toml`` asks for; one finding if all are.

    What these packages ask for themselves is not looked at: insightface asks for two that must not be there.
    """
    from packaging.requirements import Requirement

    asked = tomllib.loads(project.read_text("utf-8"))["project"]
    bare = list(map(Requirement, asked.get("optional-dependencies", {}).get("insightface", [])))
    wanted = [*map(Requirement, asked["dependencies"]), *bare]
    seen = [(need, versions(need.name)) for need in wanted]
    wrong = [
        (need, have)
        for need, have in seen
        if have is None or not need.specifier.contains(have, prereleases=True)
    ]
    if not wrong:
        return [Finding("packages", True, f"{len(wanted)} as {project.name} asks for")]
    return [
        Finding(
            f"package {need.name}",
            False,
            f"{have or 'not installed'}, needed {need.specifier}",
            f"{sys.executable} -m pip install {'--no-deps ' if need in bare else ''}'{need}'",
        )
        for need, have in wrong
    ]


def models(cards: Mapping[str, Mapping[str, Any]], store: Path, lock: Path | None = None) -> list[Finding]:
    """Whether the file of every model given is in the store, and is the one that its card or the show's lock says."""
    found = []
    for name, card in cards.items():
        try:
            found.append(Finding(f"model {name}", True, str(locate(name, card, store, lock))))
        except ModelError as error:
            found.append(Finding(f"model {name}", False, error.what, error.fix))
    return found


def provider(wanted: str = "cpu") -> Finding:
    """Whether a network really runs where the profile says: tried with one of a single addition."""
    try:
        import numpy as np
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        from understudy.runtime.sessions import Device, session

        has = ", ".join(onnxruntime.get_available_providers())
    except (
        ImportError,
        AttributeError,
    ) as error:  # taking one of two runtimes away leaves a folder without a module
        return Finding("provider", False, str(error), clashes()[0].repair)
    one, two = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("one", "two"))
    half = numpy_helper.from_array(np.ones(1, np.float32), "half")
    graph = helper.make_graph(
        [helper.make_node("Add", ["one", "half"], ["two"])], "sum", [one], [two], [half]
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    try:
        session(model.SerializeToString(), Device(wanted), "doctor")
    except ModelError as error:
        return Finding(f"provider {wanted}", False, error.what, error.fix)
    return Finding(f"provider {wanted}", True, f"runs; this onnxruntime has {has}")


def space(root: Path, least: int = LEAST_SPACE) -> list[Finding]:
    """Whether the show's folder (or the nearest folder above it that exists) can be written and has room."""
    folder = next(place for place in (root.absolute(), *root.absolute().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    elsewhere = "choose another place: snakemake --config root=FOLDER"
    return [
        Finding("write", folder.is_dir() and os.access(folder, os.W_OK | os.X_OK), str(folder), elsewhere),
        Finding(
            "space", free >= least, f"{free / 2**30:.0f} GiB free in {folder}", f"make room, or {elsewhere}"
        ),
    ]


def encoders(names: Mapping[str, str] = ENCODERS) -> list[Finding]:
    """Whether PyAV's libraries can encode what deliveries ask for."""
    repair = f"{sys.executable} -m pip install --force-reinstall --no-deps '{_wanted('av')}'"
    try:
        import av.codec
    except ImportError as error:
        return [Finding("encoders", False, str(error), repair)]
    return [
        Finding(f"encoder {name}", name in av.codec.codecs_available, purpose, repair)
        for name, purpose in names.items()
    ]


def examine(
    project: Path,
    root: Path,
    store: Path,
    cards: Mapping[str, Mapping[str, Any]],
    lock: Path | None = None,
    device: str = "cpu",
) -> list[Finding]:
    """Look at everything.

    Parameters
    ----------
    project:
        The ``pyproject.toml`` of the workflow.
    cards, store, lock:
        The models that the show needs, where their files lie, and where their sha256 are recorded.
    device:
        The provider that the profile asks for.
    """
    return [
        *clashes(),
        *dependencies(project),
        provider(device),
        *models(cards, store, lock),
        *space(root),
        *encoders(),
    ]


def report(findings: Iterable[Finding]) -> str:
    """All findings, a line each, the repair below what needs one."""
    return "".join(f"{finding}\n" for finding in findings)


def _wanted(name: str) -> str:
    """What to ask pip for."""
    return {
        "onnxruntime": "onnxruntime>=1.31,<2",
        "onnxruntime-gpu": "onnxruntime-gpu[cuda,cudnn]>=1.31,<2",
        "opencv-python-headless": "opencv-python-headless>=5,<6",
        "av": "av>=18",
    }.get(name, name)
