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
        The card is none of a restorer, or does not say how a face lies in its crop.
    ModelError
        The file is not what its card says.
    """
    if card.role != "restorer" or card.template is None or card.size is None:
        raise ConfigError(
            f"a restorer with a `template` and a `size` is needed; this is a {card.role}",
            where=f"model {card.name}",
            fix="choose a model whose role is restorer",
        )
    return OnnxRestorer(Network(card, path, device))
