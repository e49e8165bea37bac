"""Real cards laid over generated networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import generated
from understudy.runtime.cards import Weights, model_card


@pytest.fixture(scope="session")
def lay_over(cards: Mapping[str, Any]) -> Callable[..., Weights]:
    """A real card by name over a generated file; ``changes`` are of the card."""

    def over(name: str, path: Path, **changes: Any) -> Weights:
        return Weights(model_card(name, generated.card_for(cards[name], path, **changes)), path)

    return over
