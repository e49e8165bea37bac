"""What the project promises about its packages: one lock with hashes, no addresses, pins that agree."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml

LOCKS = ("requirements.lock", "requirements-gpu.lock")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(root: Path, lock: str) -> dict[str, str]:
    text = (root / lock).read_text("utf-8")
    return {plain(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M)}


def blocks(root: Path, lock: str) -> dict[str, str]:
    """Package to all that a lock says of it."""
    parts = re.split(r"\n(?=[A-Za-z])", (root / lock).read_text("utf-8"))
    return {plain(part.split("==")[0]): part for part in parts if re.match(r"[A-Za-z]", part)}


def hashes(block: str) -> set[str]:
    return set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_hashes(root: Path, lock: str) -> None:
    packages = blocks(root, lock)
    assert len(packages) > 50
    assert [name for name, block in packages.items() if not hashes(block)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(root: Path, lock: str) -> None:
    text = (root / lock).read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index[-]url|--find-links|^-e |@ file", text, re.M)


def test_locks_hold_one_onnxruntime_each(root: Path) -> None:
    cpu, gpu = (pins(root, lock) for lock in LOCKS)
    assert "onnxruntime" in cpu
    assert "onnxruntime-gpu" not in cpu
    assert "onnxruntime-gpu" in gpu
    assert "onnxruntime" not in gpu
    for lock in (cpu, gpu):
        assert [name for name in lock if name.startswith("opencv")] == ["opencv-python-headless"]


@pytest.mark.parametrize("lock, runtime", [(LOCKS[0], "onnxruntime"), (LOCKS[1], "onnxruntime-gpu")])
def test_a_lock_holds_all_that_insightface_needs(root: Path, lock: str, runtime: str) -> None:
    """But not the two that it asks for by the wrong name: a lock is installed without anyone's dependencies."""
    from packaging.requirements import Requirement

    asked = [Requirement(line) for line in importlib.metadata.requires("insightface") or []]
    needs = {need.name: need for need in asked if need.marker is None}
    assert {"onnxruntime", "opencv-python"} < set(needs)
    have = pins(root, lock)
    stand_in = {"onnxruntime": runtime, "opencv-python": "opencv-python-headless"}
    for name, need in needs.items():
        assert need.specifier.contains(have[plain(stand_in.get(name, name))]), name
    assert have["insightface"] == importlib.metadata.version("insightface")


def test_every_installation_from_a_lock_is_without_dependencies(root: Path) -> None:
    lines = (root / "Makefile").read_text("utf-8").splitlines()
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--no-deps --require-hashes -r requirements" in line for line in installs)


def test_the_lock_holds_what_the_project_asks_for(root: Path) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    have = pins(root, "requirements.lock")
    for line in (
        *project["dependencies"],
        *(line for name in extras if name != "gpu" for line in extras[name]),
    ):
        need = Requirement(line)
        assert need.specifier.contains(have[plain(need.name)], prereleases=True), line


def test_conda_pins_equal_the_lock(root: Path) -> None:
    environment = yaml.safe_load((root / "envs" / "understudy.yaml").read_text("utf-8"))
    (listed,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    pinned = dict(line.split("==") for line in listed)
    have = pins(root, "requirements.lock")
    assert pinned == {name: have[name] for name in pinned}
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    core = {plain(re.match(r"[\w.-]+", line).group()) for line in project["dependencies"]}  # type: ignore[union-attr]
    of_insightface = {
        name
        for name, block in blocks(root, "requirements.lock").items()
        if re.search("# .*insightface|#   insightface", block)
    }
    assert set(pinned) == core - {"snakemake"} | {"onnxruntime"} | of_insightface


def test_the_conda_environment_gets_insightface_as_the_lock_has_it(root: Path) -> None:
    script = (root / "envs" / "understudy.post-deploy.sh").read_text("utf-8")
    block = blocks(root, "requirements.lock")["insightface"]
    assert "pip install --disable-pip-version-check --no-deps --require-hashes" in script
    assert re.findall(r"^[\w-]+==\S+", script, re.M) == [block.split()[0]]
    assert hashes(script) == hashes(block)


def test_cpu_and_gpu_are_declared_exclusive(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    assert [{"extra": "cpu"}, {"extra": "gpu"}] in project["tool"]["uv"]["conflicts"]
    assert not [line for line in project["project"]["dependencies"] if line.startswith("onnxruntime")]


def test_no_file_names_a_registry(root: Path) -> None:
    hosts = re.compile(
        r"\b(" + "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "ana" + r"conda\.org"]) + r")\b"
    )
    kept = {
        ".git",
        ".venv",
        ".snakemake",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        "render",
    }
    named = []
    for path in root.rglob("*"):
        if kept & set(path.relative_to(root).parts) or not path.is_file() or path.stat().st_size > 2**20:
            continue
        if hosts.search(path.read_bytes().decode("utf-8", "ignore")):
            named.append(str(path.relative_to(root)))
    assert named == []
