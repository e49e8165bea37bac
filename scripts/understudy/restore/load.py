"""Restorers by card."""

from __future__ import annotations

from pathlib import Path

from understudy.errors import ConfigError
from understudy.restore.base import Restorer
from understudy.restore.onnx import OnnxRestorer
from understudy.runtime.cards import ModelCard
from understudy.runtime.network import Network
from understudy.runtime.sessions import Device


def load_restorer(card: ModelCard, path: Path, device: Device = Device()) -> Restorer:  # noqa: B008 - frozen
    """The restorer of a card, its network loaded and checked.

    Raises
    ------
    ConfigError
        The card is none of a restorer.
    ModelError
        The file is not what its card says.
    """
    if card.role != "restorer":
        raise ConfigError(
            f"a restorer is needed; this is a {card.role}",
            where=f"model {card.name}",
            fix="choose a model whose role is restorer",
        )
    return OnnxRestorer(Network(card, path, device))
