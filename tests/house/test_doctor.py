"""The doctor: clashes of packages, models, space; each finding with the command that mends it."""

from __future__ import annotations

import hashlib
import os
import sys
import types
from pathlib import Path

import pytest

from understudy.errors import UnderstudyError
from understudy.runtime import doctor

GOOD = {"onnxruntime": "1.31.1", "opencv-python-headless": "5.0.0.93"}


def test_one_of_each_is_well() -> None:
    doctor.check_runtime(GOOD.get)
    assert all(finding.well for finding in doctor.clashes(GOOD.get))


def test_no_runtime_stops_no_planning_but_the_doctor_says_so() -> None:
    doctor.check_runtime({}.get)
    runtime, opencv = doctor.clashes({}.get)
    assert not runtime.well
    assert not opencv.well
    assert "not installed" in str(runtime)
    assert "pip install --force-reinstall --no-deps 'onnxruntime>=1.31,<2'" in runtime.repair


@pytest.mark.parametrize("order", [1, -1])
def test_both_runtimes_are_refused_with_the_repair(order: int) -> None:
    """Whichever was installed last: the order decides which files are left, and the metadata does not tell it."""
    both = dict([*GOOD.items(), ("onnxruntime-gpu", "1.31.1")][::order])
    with pytest.raises(UnderstudyError) as caught:
        doctor.check_runtime(both.get)
    words = str(caught.value)
    assert "onnxruntime comes from onnxruntime 1.31.1, onnxruntime-gpu 1.31.1" in words
    # The one taken away deletes files of the one that stays, so that one is laid anew afterwards.
    assert "uninstall --yes onnxruntime && " in words
    assert "install --force-reinstall --no-deps 'onnxruntime-gpu[cuda,cudnn]>=1.31,<2'" in words


@pytest.mark.parametrize("order", [1, -1])
def test_two_owners_of_cv2_are_refused_with_the_repair(order: int) -> None:
    """As `pip install insightface` leaves it."""
    two = dict([*GOOD.items(), ("opencv-python", "5.0.0.93"), ("opencv-contrib-python", "4.14.0")][::order])
    with pytest.raises(
        UnderstudyError, match=r"cv2 comes from opencv-python-headless 5.0.0.93, opencv-python"
    ) as caught:
        doctor.check_runtime(two.get)
    assert "uninstall --yes opencv-python opencv-contrib-python && " in str(caught.value)


def test_the_wrong_opencv_alone_is_a_finding() -> None:
    (_, opencv) = doctor.clashes({"onnxruntime": "1.31.1", "opencv-python": "5.0.0.93"}.get)
    assert not opencv.well
    assert "uninstall --yes opencv-python && " in opencv.repair


@pytest.mark.parametrize("runtime", ["onnxruntime-directml", "onnxruntime-rocm", "onnxruntime-migraphx"])
def test_a_runtime_for_another_card_counts(runtime: str) -> None:
    alone = {"opencv-python-headless": "5.0.0.93", runtime: "1.23.0"}
    assert all(finding.well for finding in doctor.clashes(alone.get))
    with pytest.raises(UnderstudyError, match=f"uninstall --yes onnxruntime && .* '{runtime}'"):
        doctor.check_runtime({**GOOD, **alone}.get)


def test_this_environment_has_one_of_each_beside_insightface() -> None:
    """pip would have insightface bring both; the locks leave them out, and nobody complains of what it lacks."""
    pytest.importorskip("insightface")
    doctor.check_runtime()
    assert [str(finding) for finding in doctor.clashes() if not finding.well] == []
    owners = [name for name in doctor.OPENCVS if doctor.installed(name)]
    assert owners == ["opencv-python-headless"]


def test_insightface_is_mended_without_what_it_asks_for(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\ndependencies = ["av>=18"]\n[project.optional-dependencies]\ninsightface = ["insightface>=2.1,<3"]\n'
    )
    (finding,) = doctor.dependencies(project, {"av": "18.1.0"}.get)
    assert "package insightface: not installed, needed <3,>=2.1" in str(finding)
    assert finding.repair.endswith("-m pip install --no-deps 'insightface<3,>=2.1'")
    assert doctor.dependencies(project, {"av": "18.1.0", "insightface": "2.1"}.get)[0].seen.startswith("2 as")


def test_a_provider_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = doctor.provider()
    assert finding.well
    assert "CPUExecutionProvider" in finding.seen
    coreml = doctor.provider("coreml")
    assert not coreml.well
    assert "coreml was asked for" in coreml.seen and coreml.repair
    assert "one of: cpu" in doctor.provider("gpu").repair


def test_a_gutted_runtime_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What uninstalling one of two runtimes leaves: a folder that imports, and holds nothing."""
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    finding = doctor.provider()
    assert not finding.well
    assert "get_available_providers" in finding.seen
    assert "install --force-reinstall --no-deps 'onnxruntime" in finding.repair


def test_the_models_of_the_show_are_held_against_its_lock(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"weights")
    lock = tmp_path / "models.lock"
    card = {"file": "net.onnx", "sources": []}
    (finding,) = doctor.models({"net": card}, tmp_path, lock)
    assert "models.lock has none yet" in finding.seen
    assert finding.repair == "run: snakemake models"
    lock.write_text(f"{hashlib.sha256(b'weights').hexdigest()}  net.onnx\n")
    assert doctor.models({"net": card}, tmp_path, lock)[0].well


def test_versions_are_held_against_the_project(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["av>=18", "numpy>=2", "rich>=14"]\n')
    have = {"av": "17.0.1", "numpy": "2.4.6"}
    findings = doctor.dependencies(project, have.get)
    assert [str(finding).split("\n")[0] for finding in findings] == [
        "FAIL  package av: 17.0.1, needed >=18",
        "FAIL  package rich: not installed, needed >=14",
    ]
    assert findings[0].repair.endswith("-m pip install 'av>=18'")
    assert doctor.dependencies(project, {**have, "av": "18.1.0", "rich": "15.0.0"}.get)[0].well


def test_this_environment_is_the_one_the_project_asks_for(root: Path) -> None:
    assert [
        str(finding) for finding in doctor.dependencies(root / "pyproject.toml") if not finding.well
    ] == []


def test_missing_model_names_the_command(tmp_path: Path) -> None:
    card = {"file": "mesh.tflite", "sha256": "0" * 64, "sources": []}
    (finding,) = doctor.models({"face_mesh": card}, tmp_path)
    assert not finding.well
    assert finding.what == "model face_mesh"
    assert "snakemake models" in finding.repair


def test_space_looks_at_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    write, room = doctor.space(tmp_path / "not" / "yet", least=1)
    assert write.well
    assert write.seen == str(tmp_path)
    assert room.well
    (_, room) = doctor.space(tmp_path, least=2**62)
    assert not room.well
    assert "--config root=" in room.repair


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_root_is_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not doctor.space(tmp_path)[0].well


def test_a_missing_encoder_is_found() -> None:
    found = {
        finding.what: finding.well for finding in doctor.encoders({"libx264": "a", "no_such_codec": "b"})
    }
    assert found == {"encoder libx264": True, "encoder no_such_codec": False}
