"""GFPGAN, CodeFormer, GPEN, RestoreFormer++ and their kin, by their cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from understudy.errors import ConfigError
from understudy.restore.base import Images
from understudy.runtime.cards import ModelCard
from understudy.runtime.network import Network


class OnnxRestorer:
    """A restorer run by its card. See `understudy.restore.base.Restorer`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def card(self) -> ModelCard:
        """The network's."""
        return self._network.card

    def restore(self, images: Images, settings: Mapping[str, Any]) -> Images:
        """Restored faces; ``fidelity`` goes to the input ``weight`` of a network that has one.

        Raises
        ------
        ConfigError
            A fidelity outside 0..1.
        """
        more = {}
        if "weight" in self.card.inputs:
            fidelity = float(settings["fidelity"])
            if not 0 <= fidelity <= 1:
                raise ConfigError(
                    f"fidelity is {fidelity:g}",
                    where=f"model {self.card.name}",
                    fix="choose a value from 0 to 1",
                )
            more["weight"] = fidelity
        return np.clip(self._network(image=np.clip(images, 0, 1), **more)["image"], 0, 1)
