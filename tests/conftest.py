"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
