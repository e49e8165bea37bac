"""Fixtures that every room's tests share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from understudy.errors import ModelError
from understudy.faces.networks import BlazeFace, FaceMesh
from understudy.runtime.fetch import fetch
from understudy.show.document import read_document
from understudy.show.schema import conform

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real plates and small networks; the tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("UNDERSTUDY_SHARED", ROOT.parent / "shared"))
    if not (folder / "plates").is_dir():
        pytest.skip("no shared test footage beside the checkout (set UNDERSTUDY_SHARED to its folder)")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As `runtime.job` has it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def delivered() -> dict[str, Any]:
    """The delivered list of models: name to card, as plain data."""
    return conform(read_document(ROOT / "config" / "models.yaml", "list of models"), "models")


@pytest.fixture(scope="session")
def cards() -> dict[str, Any]:
    """The delivered list of models: name to card, as plain data; tests change copies of it."""
    return delivered()


@pytest.fixture(scope="session")
def store() -> Path:
    """The checkout's model store with the networks that every installation has in it.

    They come from the wheel that UNDERSTUDY_WHEEL names, or over the network; without either, the tests are skipped.
    """
    folder = ROOT / "models"
    folder.mkdir(exist_ok=True)
    cards = delivered()
    given = os.environ.get("UNDERSTUDY_WHEEL")
    with (folder / ".lock").open("w") as lock:
        # The test processes share the store, and one download is enough.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for name in ("blazeface_full_range", "face_mesh_468"):
                fetch(name, cards[name], folder, Path(given) if given else None)
        except ModelError as error:
            if given:
                raise
            pytest.skip(f"no networks: set UNDERSTUDY_WHEEL or allow the download ({error.what})")
    return folder


@pytest.fixture(scope="session")
def networks(store: Path) -> tuple[BlazeFace, FaceMesh]:
    """The embedded detector and landmarker."""
    return BlazeFace(store / "face_detection_full_range_sparse.tflite"), FaceMesh(store / "face_landmark.tflite")
