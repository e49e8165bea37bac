"""What the project promises about its packages: one lock with hashes, no addresses, pins that agree."""

from __future__ import annotations

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


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_hashes(root: Path, lock: str) -> None:
    blocks = re.split(r"\n(?=[A-Za-z])", (root / lock).read_text("utf-8"))
    packages = [block for block in blocks if re.match(r"[A-Za-z]", block)]
    assert len(packages) > 50
    bare = [
        block.splitlines()[0] for block in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}", block)
    ]
    assert bare == []


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


def test_the_lock_holds_what_the_project_asks_for(root: Path) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    have = pins(root, "requirements.lock")
    for line in (*project["dependencies"], *extras["cpu"], *extras["demo"], *extras["test"]):
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
    assert set(pinned) == core - {"snakemake"} | {"onnxruntime"}


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
