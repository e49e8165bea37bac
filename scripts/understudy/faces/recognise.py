"""Recognisers by their cards: who a face is, as a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from understudy.faces.align import cut, similarity
from understudy.faces.boxes import Image
from understudy.faces.detect import Face
from understudy.runtime.network import Network


class Recogniser:
    """A network that turns a crop into a vector whose direction tells people apart.

    Vectors are as the network gives them, of any length: some models that are fed by them want that length. What is
    compared or averaged is their direction (`identity.unit`).

    Raises
    ------
    ModelError
        The card does not say how its crop lies.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._template, self.size = network.card.aligned
        self._shift = float(network.card.settings.get("shift", 0.0))

    def crop(self, image: Image, five: NDArray[np.floating]) -> NDArray[np.float32]:
        """What the network sees of a face: [size, size, 3] float32 RGB 0..1, of a picture and its five points."""
        return cut(image, similarity(five, self._template, self.size, self._shift), self.size)

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings [n, d] float32, raw, of crops [n, size, size, 3] as `crop` makes them."""
        return self._network(image=crops)["embedding"]


def with_embeddings(image: Image, faces: Sequence[Face], recogniser: Recogniser) -> list[Face]:
    """The faces of a picture with their embeddings."""
    if not faces:
        return []
    embeddings = recogniser(np.stack([recogniser.crop(image, face.five) for face in faces]))
    return [replace(face, embedding=one) for face, one in zip(faces, embeddings, strict=True)]
