from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from understudy.errors import ModelError
from understudy.runtime import fetch as fetching
from understudy.runtime.fetch import fetch, pack_folder
from understudy.runtime.models import locate

WEIGHTS = b"weights" * 1000
MEMBER = "net/modules/face.tflite"


@pytest.fixture
def card() -> dict:
    return {
        "role": "detector",
        "file": "face.tflite",
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "sources": [{"wheel": "net==1.0", "member": MEMBER}],
    }


def make_wheel(path: Path, member: str = MEMBER, data: bytes = WEIGHTS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, data)
    return path


@pytest.fixture
def no_pip(monkeypatch):
    def refuse(command, **_):
        return subprocess.CompletedProcess(
            command, 1, "", "ERROR: trouble\nERROR: No matching distribution found"
        )

    monkeypatch.setattr(fetching.subprocess, "run", refuse)


def left(store: Path) -> list[str]:
    return sorted(path.name for path in store.rglob("*") if path.is_file()) if store.exists() else []


def test_pip_is_asked_once_and_nothing_is_installed(card, tmp_path, monkeypatch):
    asked = []

    def pip(command, **_):
        asked.append(command)
        make_wheel(Path(command[command.index("--dest") + 1]) / "net-1.0-py3-none-any.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetching.subprocess, "run", pip)
    store = tmp_path / "store"
    assert fetch("net", card, store).read_bytes() == WEIGHTS
    (store / "face.tflite").unlink()
    fetch("net", card, store)
    fetch("net", card, store)
    assert len(asked) == 1
    assert asked[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary", "net==1.0"} <= set(asked[0])
    assert locate("net", card, store) == store / "face.tflite"
    assert left(store) == ["face.tflite", "net-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("folder", [False, True])
def test_a_wheel_by_path_needs_no_network(card, tmp_path, no_pip, folder):
    wheel = make_wheel(tmp_path / "given" / "net-1.0-py3-none-any.whl")
    given = wheel.parent if folder else wheel
    assert fetch("net", card, tmp_path / "store", given).read_bytes() == WEIGHTS
    assert left(tmp_path / "store") == ["face.tflite"]


def test_a_wheel_by_path_is_no_matter_of_other_models(card, tmp_path, no_pip):
    """One wheel is given for the show; what comes from elsewhere still does."""
    wheel = make_wheel(tmp_path / "net-1.0-py3-none-any.whl", data=b"other weights")
    file = tmp_path / "elsewhere.onnx"
    file.write_bytes(WEIGHTS)
    card["sources"] = [{"path": str(file)}]
    assert fetch("net", card, tmp_path / "store", wheel).read_bytes() == WEIGHTS
    card["sources"] = [{"wheel": "another==2.0", "member": MEMBER}]
    with pytest.raises(ModelError, match=r"net-1.0-py3-none-any.whl is no another-2.0-\*.whl"):
        fetch("net", card, tmp_path / "again", wheel)


@pytest.mark.parametrize("place", [".", "wheels"])
def test_a_mirror_folder_may_hold_the_wheel(card, tmp_path, no_pip, place):
    """A copy of a store is a mirror."""
    make_wheel(tmp_path / "mirror" / place / "net-1.0-py3-none-any.whl")
    got = fetch("net", card, tmp_path / "store", mirror=str(tmp_path / "mirror"))
    assert got.read_bytes() == WEIGHTS
    assert left(tmp_path / "store") == ["face.tflite"]


def test_a_wheel_by_path_that_is_named_with_its_member(card, tmp_path):
    wheel = make_wheel(tmp_path / "any name.whl")
    card["sources"] = [{"path": str(wheel), "member": MEMBER}]
    assert fetch("net", card, tmp_path / "store").read_bytes() == WEIGHTS


@pytest.mark.parametrize("place", ["antelopev2", "antelopev2/antelopev2"])
def test_a_pack_of_insightface(card, tmp_path, monkeypatch, place):
    """The archive of antelopev2 holds a folder of its own name, so that insightface unpacks it one folder deeper."""
    card["sources"] = [{"pack": "antelopev2", "member": "glintr100.onnx"}]
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path / "insight"))
    told = r"insight/models/antelopev2/glintr100.onnx cannot be read(.|\n)*unpack insightface's antelopev2.zip into"
    with pytest.raises(ModelError, match=told):
        fetch("net", card, tmp_path / "store")
    folder = tmp_path / "insight" / "models" / place
    folder.mkdir(parents=True)
    (folder / "glintr100.onnx").write_bytes(WEIGHTS)
    assert pack_folder("antelopev2") == folder
    assert fetch("net", card, tmp_path / "store").read_bytes() == WEIGHTS


def test_packs_lie_where_insightface_puts_them(monkeypatch, tmp_path):
    """Held against insightface's own look-up, which returns a pack's folder if it is there."""
    storage = pytest.importorskip("insightface.utils.storage")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("INSIGHTFACE_HOME", raising=False)
    folder = tmp_path / ".insightface" / "models" / "buffalo_l"
    folder.mkdir(parents=True)
    assert pack_folder("buffalo_l") == folder == Path(storage.ensure_available("models", "buffalo_l"))


def test_no_network(card, tmp_path, no_pip):
    with pytest.raises(ModelError) as refusal:
        fetch("net", card, tmp_path / "store")
    assert "model net: pip could not download net==1.0: ERROR: No matching distribution found" in str(
        refusal.value
    )
    assert "--config mirror=" in str(refusal.value) and "--config wheel=" in str(refusal.value)
    assert left(tmp_path / "store") == []


def test_second_source_helps(card, tmp_path, no_pip):
    file = tmp_path / "elsewhere.tflite"
    file.write_bytes(WEIGHTS)
    card["sources"].append({"path": str(file)})
    kept = fetch("net", card, tmp_path / "store")
    assert kept.read_bytes() == WEIGHTS
    assert kept.stat().st_mode & 0o777 == 0o644


def test_wrong_weights_leave_nothing(card, tmp_path):
    wheel = make_wheel(tmp_path / "net-1.0-py3-none-any.whl", data=b"other")
    with pytest.raises(
        ModelError, match=r"face.tflite in net-1.0-py3-none-any.whl has sha256 .* its card says"
    ):
        fetch("net", card, tmp_path / "store", wheel)
    assert left(tmp_path / "store") == []


def test_a_damaged_download_is_not_kept(card, tmp_path, no_pip):
    store = tmp_path / "store"
    (store / "wheels").mkdir(parents=True)
    (store / "wheels" / "net-1.0-py3-none-any.whl").write_bytes(b"half a whe")
    with pytest.raises(ModelError, match="cannot be read"):
        fetch("net", card, store)
    assert left(store) == []


def test_damaged_file_in_the_store(card, tmp_path):
    (tmp_path / "face.tflite").write_bytes(WEIGHTS[:-1])
    with pytest.raises(
        ModelError, match=r"has sha256 .*, its card says (.|\n)*delete the file, then run: snakemake models"
    ):
        locate("net", card, tmp_path)
    fetch("net", card, tmp_path, make_wheel(tmp_path / "x" / "net-1.0-py3-none-any.whl"))
    assert locate("net", card, tmp_path).read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["../face.tflite", "/etc/face", "a/b", "a\\b", "..", ""])
def test_a_card_cannot_write_outside_the_store(card, tmp_path, name):
    card["file"] = name
    with pytest.raises(ModelError, match="must be a plain file name"):
        fetch("net", card, tmp_path / "store")
    assert left(tmp_path) == []


def test_a_member_with_a_climbing_name_is_only_read(card, tmp_path):
    card["sources"] = [{"wheel": "net==1.0", "member": "../../evil"}]
    wheel = make_wheel(tmp_path / "w" / "net-1.0-py3-none-any.whl", member="../../evil")
    assert fetch("net", card, tmp_path / "store", wheel) == tmp_path / "store" / "face.tflite"
    assert left(tmp_path) == ["face.tflite", "net-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sha256": "abc"}, "must be 64 lower-case hexadecimal digits"),
        ({"sources": []}, "its card names no sources"),
        ({"sources": [{"url": "http://x.example/face"}]}, "is not an https address"),
        ({"sources": [{"ftp": "x"}]}, "a source is one of: wheel + member, pack + member, path, url"),
        ({"sources": [{"path": "/nowhere/face.tflite"}]}, "/nowhere/face.tflite cannot be read"),
    ],
)
def test_bad_cards(card, tmp_path, change, message):
    with pytest.raises(ModelError) as refusal:
        fetch("net", card | change, tmp_path)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "given, message", [("nowhere", "does not exist"), ("empty", "holds no net-1.0-*.whl")]
)
def test_bad_paths(card, tmp_path, given, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError) as refusal:
        fetch("net", card, tmp_path / "store", tmp_path / given)
    assert message in str(refusal.value)


def test_a_wheel_without_the_member(card, tmp_path):
    wheel = make_wheel(tmp_path / "net-1.0-py3-none-any.whl", member="else")
    with pytest.raises(ModelError, match=r"holds no net/modules/face\.tflite"):
        fetch("net", card, tmp_path / "store", wheel)
