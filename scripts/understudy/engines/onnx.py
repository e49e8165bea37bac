"""Swappers that were trained on many faces: inswapper and its kin, by their cards.

All of them take an aligned crop and something that says who: a latent made from a recogniser's vector, or a picture.
What differs between them (template, side, range, how the latent is made) stands on the card or follows from the
card's family; there is one engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from understudy.comp.lay import take
from understudy.engines.base import Card, FaceContext, Image, NewFace, Performance, TalentAtlas
from understudy.engines.boost import phases
from understudy.engines.latent import Rows, converted, mapped, toward, unit
from understudy.engines.pages import cut, portrait, rim, spoken, worth
from understudy.engines.tiles import join, soften, split
from understudy.errors import ConfigError, ModelError
from understudy.faces.align import similarity
from understudy.faces.geometry import pose
from understudy.faces.identity import average, frontalness
from understudy.faces.identity import by_yaw as directions
from understudy.runtime.network import Network

PLAIN: Final = ("hyperswap",)
CONVERTED: Final = ("ghost", "simswap", "hififace")
MAPPED: Final = ("inswapper",)
BY_PICTURE: Final = ("blendswap", "uniface")
FAMILIES: Final = (*MAPPED, *PLAIN, *CONVERTED, *BY_PICTURE)


@dataclass(frozen=True)
class OnnxState:
    """What `OnnxEngine.prepare` found out about a shot: no call of `OnnxEngine.swap` computes it again.

    Attributes
    ----------
    source:
        Who, as the network takes it: latents [1, d], or [frames, d] where they follow the performer's turns; or a
        picture [1, h, w, 3].
    phases:
        How many times finer than the network's own pixels the crop is cut.
    prefilter:
        Whether it is blurred before it is split, so that no phase aliases.
    rim:
        Matte of a page where the network has none of its own, [side, side].
    """

    source: NDArray[np.float32]
    phases: int
    prefilter: bool
    rim: Image


class OnnxEngine:
    """A swapper run by its card.

    Parameters
    ----------
    network:
        The swapper.
    recogniser:
        Name of the recogniser whose vectors it is made for; empty for a swapper that takes a picture.
    converter:
        The network between the two, for the families that have one.
    """

    def __init__(self, network: Network, recogniser: str = "", converter: Network | None = None) -> None:
        card = network.card
        self._where = f"model {card.name}"
        if card.family not in FAMILIES:
            raise ConfigError(
                f"family {card.family!r} is none that this engine runs",
                where=self._where,
                fix=f"families: {', '.join(FAMILIES)}",
            )
        if card.family not in BY_PICTURE and not recogniser:
            raise ConfigError(
                "its card names no recogniser", where=self._where, fix="add one to the card's `fed_by`"
            )
        if (card.family in CONVERTED) != (converter is not None):
            raise ConfigError(
                f"family {card.family!r} {'needs a' if card.family in CONVERTED else 'has no'} converter",
                where=self._where,
                fix="correct the card's `fed_by`",
            )
        self._network, self._converter, self._recogniser = network, converter, recogniser
        self._template, self._size = card.aligned
        self._shift = float(card.settings.get("shift", 0.0))
        self._emap = network.constant("emap", (512, 512)) if card.family in MAPPED else None

    @property
    def card(self) -> Card:
        """Boxes of the frame at its own pixels, one frame at a time."""
        return Card(name=self._network.card.name, template="plate", range=(0.0, 1.0), window=0)

    def prepare(self, talent: TalentAtlas, track: Performance, settings: Mapping[str, Any]) -> OnnxState:
        """The talent as the network takes it, once for the shot.

        Parameters
        ----------
        talent:
            With the recogniser's vectors of its pictures, or, for a swapper by picture, with five points on each.
        track:
            The whole shot. Its vectors, by the same recogniser, are needed where ``strength`` is not 1.
        settings:
            ``boost`` (side of the crop in pixels, 0 for the network's own), ``prefilter``, ``feather`` (0..1, see
            `pages.rim`), ``strength`` (1: the talent; 0: the performer; above 1: further away from the performer),
            ``by_yaw`` (whether pictures count more on frames where the performer is turned as they are).

        Raises
        ------
        ConfigError
            A setting that this network cannot follow, or a talent or track without what it needs.
        """
        strength = float(settings["strength"])
        if self._network.card.family in BY_PICTURE:
            if strength != 1:
                raise ConfigError(
                    f"strength {strength:g}: this network takes a picture, and there is nothing to move on a sphere",
                    where=self._where,
                    fix="set strength to 1",
                )
            source = self._picture(talent, track)
        else:
            source = self.latents(self._looks(talent, track, by_yaw=bool(settings["by_yaw"])))
            if strength != 1:
                source = toward(self.latents(self._performer(track)), source, strength)
        sides = self._network.card.settings.get("boost", ())
        steps = phases(self._size, int(settings["boost"]), sides, self._where)
        return OnnxState(
            source, steps, bool(settings["prefilter"]), rim(self._size * steps, float(settings["feather"]))
        )

    def swap(self, crops: Sequence[Image], state: OnnxState, context: Sequence[FaceContext]) -> list[NewFace]:
        """All phases of all crops through the network in one call. See `understudy.engines.base.Engine.swap`."""
        pages, transforms = cut(crops, context, self._template, self._size, state.phases, self._shift)
        if state.prefilter:
            pages = soften(pages, state.phases)
        source = state.source
        if len(source) > 1:
            source = np.repeat(source[[face.index for face in context]], state.phases**2, axis=0)
        made = self._network(target=split(pages, state.phases), source=source)
        images = join(made["image"], state.phases)
        np.clip(images, 0, 1, out=images)
        if "mask" in made:
            mattes = np.clip(join(made["mask"], state.phases), 0, 1)
        else:
            mattes = np.broadcast_to(state.rim, images.shape[:3])
        return [NewFace(*new) for new in zip(images, mattes, transforms, strict=True)]

    def latents(self, embeddings: Rows) -> Rows:
        """A recogniser's raw vectors [k, d] as this network takes them; the same function for talent and performer."""
        if self._emap is not None:
            return mapped(embeddings, self._emap)
        if self._converter is not None:
            return converted(self._network.card.family, self._converter(embedding=embeddings)["embedding"])
        return unit(embeddings)

    def _looks(self, talent: TalentAtlas, track: Performance, *, by_yaw: bool) -> Rows:
        """The talent's raw vector [1, d], or one for each frame of the track."""
        vectors, weights = talent.embeddings.get(self._recogniser), worth(talent)
        if vectors is None or not len(vectors):
            raise ConfigError(
                f"its pictures have no vectors of the recogniser {self._recogniser}, which {self._where} is made for",
                where=f"talent {talent.id}",
                fix=f"choose {self._recogniser} as the look's recogniser",
            )
        whole = spoken(vectors, weights)
        if not by_yaw:
            return whole
        counted = average(vectors, weights).weights
        yaws = np.array([pose(points)[0] for points in talent.points])
        turned = directions(vectors, counted, yaws, np.asarray(track.pose, np.float64)[:, 0])
        return (turned * np.linalg.norm(whole)).astype(np.float32)

    def _performer(self, track: Performance) -> Rows:
        """The performer's raw vector [1, d]."""
        vectors = np.asarray(track.embeddings, np.float32)
        known = np.isfinite(vectors).all(axis=1) & (vectors.shape[1] > 0)
        weights = frontalness(np.asarray(track.pose, np.float64)[:, 0])[known]
        if not weights.any():
            raise ConfigError(
                "a strength other than 1 moves away from the performer's own vector, and nobody measured one",
                where=self._where,
                fix=f"choose {self._recogniser} as the look's recogniser, or set strength to 1",
            )
        return spoken(vectors[known], weights)

    def _picture(self, talent: TalentAtlas, track: Performance) -> Image:
        best = portrait(talent, track)
        settings = self._network.card.settings
        if not talent.fives or "source_template" not in settings or "source_size" not in settings:
            raise ModelError(
                "it takes a picture, and its card does not say how that is cut"
                if talent.fives
                else f"it takes a picture, and nobody found five points on those of talent {talent.id}",
                where=self._where,
                fix="add `source_template` and `source_size` to the card's `settings`",
            )
        side = int(settings["source_size"])
        where = similarity(talent.fives[best], str(settings["source_template"]), side)
        return np.clip(take(talent.pictures[best], where, side), 0, 1)[None]
