"""insightface's own INSwapper and ArcFace, run as they are: what a look with ``engine: insightface`` gets.

They work in 8 bit and truncate; everything around them does not. The crop is ours, since theirs aliases on a face that
is larger than the network's side: they are handed a picture that is the crop already, with the five points where their
template has them, so that what they cut is what they were given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.comp.lay import take
from understudy.engines.base import Card, FaceContext, Image, NewFace, Performance, TalentAtlas
from understudy.engines.pages import cut, rim, spoken, worth
from understudy.errors import ConfigError, ModelError
from understudy.faces.align import TEMPLATES, similarity
from understudy.faces.insight import bgr8, quiet
from understudy.runtime.cards import ModelCard
from understudy.runtime.sessions import Device, session


@dataclass(frozen=True)
class InsightState:
    """The talent's raw vector [512], and the matte of a page [size, size]."""

    source: NDArray[np.float32]
    rim: Image


class InsightEngine:
    """INSwapper, its source from ArcFaceONNX on the talent's pictures.

    Parameters
    ----------
    card, path:
        Of a swapper of family ``inswapper``.
    recognisers:
        Cards and files of what feeds it; the first one is used.
    """

    def __init__(
        self, card: ModelCard, path: Path, recognisers: Sequence[tuple[ModelCard, Path]], device: Device
    ) -> None:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX
        from insightface.model_zoo.inswapper import INSwapper

        where = f"model {card.name} ({path})"
        if not recognisers:
            raise ConfigError(
                "its card names no recogniser", where=where, fix="add one to the card's `fed_by`"
            )
        feeder, file = recognisers[0]
        self._name = card.name
        self._template, self._size = card.aligned
        self._feeder = feeder.aligned
        with quiet():
            self._swapper = INSwapper(str(path), session(path, device, where))
            self._recogniser = ArcFaceONNX(str(file), session(file, device, f"model {feeder.name} ({file})"))
        if self._swapper.emap.shape != (512, 512):
            raise ModelError(
                f"insightface takes the file's last constant for its emap; that one is {self._swapper.emap.shape}",
                where=where,
                fix="run it with engine: onnx, which finds the emap by name or shape",
            )

    @property
    def card(self) -> Card:
        """Boxes of the frame at its own pixels, one frame at a time."""
        return Card(name=self._name, template="plate", range=(0.0, 1.0), window=0)

    def prepare(self, talent: TalentAtlas, track: Performance, settings: Mapping[str, Any]) -> InsightState:
        """The talent's vector, once for the shot.

        Parameters
        ----------
        talent:
            With five points on each picture.
        settings:
            ``feather``, see `pages.rim`. insightface has neither boost nor strength: these must be 0 and 1.

        Raises
        ------
        ConfigError
            No picture, or a setting that insightface cannot follow.
        """
        if not talent.fives:
            raise ConfigError(
                "the talent has no picture with five points to take a face from",
                where=f"talent {talent.id}",
                fix="name at least one picture of the talent in the talent list",
            )
        for key, only in (("boost", 0), ("strength", 1)):
            if settings[key] != only:
                raise ConfigError(
                    f"insightface's INSwapper has no {key}",
                    where=f"model {self._name}",
                    fix=f"set {key} to {only}, or use engine: onnx",
                )
        template, size = self._feeder
        pages = [
            take(picture, similarity(five, template, size), size)
            for picture, five in zip(talent.pictures, talent.fives, strict=True)
        ]
        vectors = np.concatenate([self._recogniser.get_feat(bgr8(page)) for page in pages])
        return InsightState(spoken(vectors, worth(talent))[0], rim(self._size, float(settings["feather"])))

    def swap(
        self, crops: Sequence[Image], state: InsightState, context: Sequence[FaceContext]
    ) -> list[NewFace]:
        """One crop after the other. See `understudy.engines.base.Engine.swap`."""
        from insightface.app.common import Face

        pages, transforms = cut(crops, context, self._template, self._size, 1)
        source = Face(embedding=state.source)
        # Where insightface's own template lies, in its pixels, whose centres are at whole numbers.
        target = Face(kps=TEMPLATES["arcface_128"].astype(np.float32) * self._size)
        made = []
        for page, transform in zip(pages, transforms, strict=True):
            with quiet():
                bgr, _ = self._swapper.get(bgr8(page), target, source, paste_back=False)
            made.append(NewFace(bgr[..., ::-1].astype(np.float32) / 255, state.rim, transform))
        return made
