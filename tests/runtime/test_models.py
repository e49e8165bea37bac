from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from understudy.errors import ModelError
from understudy.runtime.models import locate, recorded

WEIGHTS = b"weights" * 1000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
KNOWN = {"file": "face.onnx", "sha256": SHA256, "sources": [{"url": "https://models.example/face.onnx"}]}
UNKNOWN = {"file": "face.onnx", "sources": []}


def test_the_right_file(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(WEIGHTS)
    assert locate("net", KNOWN, tmp_path) == tmp_path / "face.onnx"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model net: no file .*face.onnx\n  -> run: snakemake models"):
        locate("net", KNOWN, tmp_path)


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(WEIGHTS[:-1])
    with pytest.raises(
        ModelError, match=r"has sha256 .*, its card says (.|\n)*delete the file, then run: snakemake models"
    ):
        locate("net", KNOWN, tmp_path)


def test_a_file_that_the_lock_knows(tmp_path: Path) -> None:
    lock = tmp_path / "models.lock"
    (tmp_path / "face.onnx").write_bytes(WEIGHTS)
    with pytest.raises(ModelError, match=r"its card gives no sha256, and .*models.lock has none yet"):
        locate("net", UNKNOWN, tmp_path, lock)
    assert not lock.exists()
    lock.write_text(f"# kept by hand\n\n{'0' * 64}  face.onnx.old\n{SHA256}  face.onnx\n")
    assert locate("net", UNKNOWN, tmp_path, lock) == tmp_path / "face.onnx"
    lock.write_text(f"{'0' * 64}  face.onnx\n")
    with pytest.raises(
        ModelError, match=r"face.onnx has sha256 .*, .*models.lock recorded 0000000000000000..."
    ):
        locate("net", UNKNOWN, tmp_path, lock)


def test_a_card_knows_better_than_the_lock(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(WEIGHTS)
    (tmp_path / "models.lock").write_text(f"{'0' * 64}  face.onnx\n")
    assert locate("net", KNOWN, tmp_path, tmp_path / "models.lock") == tmp_path / "face.onnx"


@pytest.mark.parametrize("line", ["face.onnx", f"{SHA256} face.onnx", f"{SHA256[1:]}  face.onnx"])
def test_a_lock_that_cannot_be_read(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "models.lock"
    lock.write_text(f"# kept by hand\n\n{line}\n")
    with pytest.raises(ModelError, match=r"models.lock, line 3: "):
        locate("net", UNKNOWN, tmp_path, lock)


def test_a_lock_with_two_hashes_of_one_file(tmp_path: Path) -> None:
    """As a merge of two branches leaves it."""
    lock = tmp_path / "models.lock"
    lock.write_text(f"{SHA256}  face.onnx\n{'0' * 64}  face.onnx\n")
    with pytest.raises(ModelError, match="stands nowhere else"):
        recorded(lock)
