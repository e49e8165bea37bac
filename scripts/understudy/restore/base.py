"""What every restorer is: a card, and one call on aligned crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.runtime.cards import ModelCard

Images = NDArray[np.float32]


class Restorer(Protocol):
    """One way to restore faces, always at full strength: how much of it is used is decided where it is laid."""

    @property
    def card(self) -> ModelCard:
        """Template and side of the crops it takes."""

    def restore(self, images: Images, settings: Mapping[str, Any]) -> Images:
        """Restored faces.

        Parameters
        ----------
        images:
            Aligned by the card's template, [n, S, S, 3] float32 display RGB 0..1, S the card's side.
        settings:
            ``fidelity`` 0..1: how much of what is there is kept, for the networks that can be told.

        Returns
        -------
        [n, R, R, 3] float32 display RGB 0..1. R is S, or larger where the network enlarges: then the transform of its
        page is R / S times the crop's.
        """
