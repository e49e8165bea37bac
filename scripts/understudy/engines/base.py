"""What every engine is: a card that says what it needs, and two calls.

An engine makes a new face out of a crop of the plate. `prepare` sees the whole shot once and must give the
same state whichever chunk of the shot is rendered; `swap` sees some frames and keeps nothing between them.
That is how results come not to depend on the size of a chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Points = NDArray[np.float32]
StateT = TypeVar("StateT")


@dataclass(frozen=True)
class Card:
    """What an engine declares about itself.

    Attributes
    ----------
    name:
        What a look's ``engine`` setting says.
    template:
        How its crops are cut. ``"plate"``: boxes of the frame at the frame's own pixels, never resampled.
    range:
        Lowest and highest display value that it is fed and returns when the plate has no highlights above
        white.
    window:
        Frames of context on each side of a frame that `Engine.swap` must be given.
    """

    name: str
    template: str
    range: tuple[float, float]
    window: int


@dataclass(frozen=True)
class TalentAtlas:
    """Pictures of one talent with the face found on each.

    Attributes
    ----------
    id:
        Talent's id.
    pictures:
        One or more display-referred RGB pictures, float32 [h, w, 3], of any sizes.
    points:
        For each picture its mesh, float32 [468, 3], in pixels of that picture (centres at .5).
    lights:
        For each picture the light on the face [3], measured as a track's is; empty where nobody measured it.
    fives:
        For each picture the five points of `faces.align` [5, 2], in pixels of that picture (centres at .5).
    embeddings:
        By the recogniser's name, its vector of each picture as it came out of the network, float32 [n, d].
    quality:
        What each picture is worth as a source, [n], 0 to 1; empty where nobody judged them.
    """

    id: str
    pictures: tuple[Image, ...]
    points: tuple[Points, ...]
    lights: tuple[NDArray[Any], ...] = ()
    fives: tuple[Points, ...] = ()
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    quality: NDArray[Any] | tuple[float, ...] = ()


@dataclass(frozen=True)
class FaceContext:
    """One face that is to be replaced.

    Attributes
    ----------
    frame:
        The plate's frame number (for messages).
    points:
        The performer's mesh, float32 [468, 3], in pixels of the crop (centres at .5).
    index:
        Row of this frame in the track that `Engine.prepare` was given.
    five:
        The performer's five points as `faces.align` orders them, float32 [5, 2], in pixels of the crop (centres at
        .5).
    settings:
        Those of the engine's that this frame has other than `Engine.prepare` was told; only such as may change along a
        shot.
    """

    frame: int
    points: Points
    index: int
    five: Points
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewFace:
    """A new face as an engine makes it: a page of its own, and where on the crop of the plate the page lies.

    Attributes
    ----------
    image:
        Display-referred RGB, float32 [h, w, 3], 0 to 1 where the plate has no highlights above white.
    matte:
        Where the page shows the new face, float32 [h, w], 0 to 1.
    transform:
        Pixels of the crop to pixels of the page, float64 [2, 3] (centres at .5).
    """

    image: Image
    matte: Image
    transform: NDArray[np.float64]


@runtime_checkable
class Performance(Protocol):
    """What an engine may know of the whole shot: one row per frame of the track.

    A track of the faces room has these attributes and can be handed over as it is.
    """

    @property
    def points(self) -> NDArray[np.float32]:
        """Mesh [n, 468, 3], pixels of the frame."""

    @property
    def pose(self) -> NDArray[Any]:
        """Yaw, pitch, roll [n, 3], degrees."""

    @property
    def light(self) -> NDArray[Any]:
        """Direction that the face is lit from [n, 3], as the faces room measures it."""

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """The performer's vectors by the look's recogniser [n, d], NaN on frames without; d is 0 if there is none."""


class Engine(Protocol[StateT]):
    """One way to make the new face."""

    @property
    def card(self) -> Card:
        """What the engine needs."""

    def prepare(self, talent: TalentAtlas, track: Performance, settings: Mapping[str, Any]) -> StateT:
        """Everything that depends on the talent and on the whole shot, but not on the plate's pixels."""

    def swap(
        self, crops: Sequence[Image], state: StateT, context: Sequence[FaceContext]
    ) -> list[NewFace]:
        """New faces with the engine's own mattes, one per crop.

        Parameters
        ----------
        crops:
            Display-referred RGB, float32 [h, w, 3]; sizes may differ. All of them are worked on at once, so their
            number is what memory allows.
        state:
            What `prepare` returned for this talent and track.
        context:
            One per crop.
        """
