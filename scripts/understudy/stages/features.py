"""How much of the plate's eyes and inner mouth a composite leaves, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from understudy.comp.mattes import features
from understudy.faces.tracks import Track
from understudy.show.settings import settings_at
from understudy.stages.crops import Cut
from understudy.stages.tracks import Tracks


class Features:
    """Eyes and mouth of the cast tracks, by the settings of the stage ``composite``: ``eyes``, ``mouth``, ``keep``.

    With ``keep`` ``expression`` it is decided on the whole track, whatever part of it is rendered.
    """

    def __init__(self, settings: Mapping[str, Any], cast: Tracks) -> None:
        self._settings, self._cast = settings, cast
        measured = settings["keep"] == "expression"
        self._shares = {name: expression(track) for name, track in cast.items()} if measured else {}

    def keep(self, matte: np.ndarray, cut: Cut) -> np.ndarray:
        """The matte [h, w] of a cut without what is kept of the plate (see `understudy.comp.mattes.features.keep`)."""
        now = settings_at(self._settings, cut.frame)
        eyes, mouth = now["eyes"], now["mouth"]
        if cut.track in self._shares:
            blink, speech = self._shares[cut.track]
            eyes, mouth = eyes * blink[cut.index], mouth * speech[cut.index]
        return features.keep(matte, cut.inside(self._cast[cut.track].points), eyes, mouth)


def expression(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """How much of the performer's eyes and of the inner mouth the expression asks for, [n] each, 0 to 1.

    Lips against closed ones: what a new face has of lids and lips is in its networks, and the plate's points are the
    best word on it.
    """
    return (
        features.transition(features.lids_closed(track.points), *features.CLOSED, features.EYES_FADE),
        features.transition(features.lips_apart(track.points, 0.0), *features.PARTED, features.MOUTH_FADE),
    )
