"""The doctor: clashes of packages, models, space; each finding with the command that mends it."""

from __future__ import annotations

import os
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


def test_both_runtimes_are_refused_with_the_repair() -> None:
    both = {**GOOD, "onnxruntime-gpu": "1.31.1"}
    with pytest.raises(UnderstudyError) as caught:
        doctor.check_runtime(both.get)
    words = str(caught.value)
    assert "onnxruntime comes from onnxruntime 1.31.1, onnxruntime-gpu 1.31.1" in words
    # The one taken away deletes files of the one that stays, so that one is laid anew afterwards.
    assert "uninstall --yes onnxruntime && " in words
    assert "install --force-reinstall --no-deps 'onnxruntime-gpu[cuda,cudnn]>=1.31,<2'" in words


def test_two_owners_of_cv2_are_refused_with_the_repair() -> None:
    two = {**GOOD, "opencv-python": "5.0.0.93", "opencv-contrib-python": "4.14.0"}
    with pytest.raises(
        UnderstudyError, match=r"cv2 comes from opencv-python-headless 5.0.0.93, opencv-python"
    ) as caught:
        doctor.check_runtime(two.get)
    assert "uninstall --yes opencv-python opencv-contrib-python && " in str(caught.value)


def test_the_wrong_opencv_alone_is_a_finding() -> None:
    (_, opencv) = doctor.clashes({"onnxruntime": "1.31.1", "opencv-python": "5.0.0.93"}.get)
    assert not opencv.well
    assert "uninstall --yes opencv-python && " in opencv.repair


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
