"""Finished frames as stills: which format and depth, and the way from the plate's encoding there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.media import stills
from understudy.media.colour import from_linear, quantise, to_display, to_linear, unit
from understudy.media.plate import Plate


@dataclass(frozen=True)
class Still:
    """A still format: ``kind`` (png, tiff, exr, dpx) and ``depth`` in bits."""

    kind: str
    depth: int

    @property
    def dtype(self) -> str:
        """The array type that files of it hold."""
        return stills.dtype(self.kind, self.depth)

    @property
    def suffix(self) -> str:
        """End of a file's name, with its point."""
        return stills.suffix(self.kind)

    def same_as(self, plate: Plate) -> bool:
        """Whether the plate's own bits go into the file as they are."""
        linear = plate.space == "scene_linear"
        return self.dtype == plate.dtype and (self.kind == "exr") == linear

    def encode(self, image: np.ndarray, plate: Plate) -> np.ndarray:
        """An image in the plate's type and encoding as the file holds it: EXR is scene-linear, all others display."""
        if self.same_as(plate):
            return image
        if image.dtype == np.uint8 and self.dtype == "uint16":
            return image.astype(np.uint16) * np.uint16(257)
        if self.kind == "exr" and plate.space == "scene_linear":
            return quantise(image, self.dtype)
        display = to_display(image, plate)
        return quantise(to_linear(display) if self.kind == "exr" else display, self.dtype)

    def display(self, array: np.ndarray, plate: Plate) -> np.ndarray:
        """What a file of this format holds, as display float32."""
        if self.same_as(plate):
            return to_display(array, plate)
        if self.kind == "exr":
            return from_linear(array.astype(np.float32))
        return unit(array)


def native(kind: str | None, plate: Plate) -> Still:
    """The format (or, for None, also the kind) that keeps the plate's own depth."""
    floating = plate.dtype.startswith("float")
    bits = np.dtype(plate.dtype).itemsize * 8
    if kind is None:
        return Still("exr", bits) if floating else Still("tiff", bits)
    if kind == "dpx":
        return Still("dpx", 10 if plate.depth <= 10 else 16)
    if kind == "exr":
        return Still("exr", 32 if plate.dtype == "float32" else 16)
    return Still(kind, min(bits, 16) if not floating else 16)


def stills_of(deliveries: Mapping[str, Mapping[str, Any]], plate: Plate) -> list[Still]:
    """The still formats that a shot's deliveries ask for, the one that movies and QC read first.

    A delivery without frames of its own still has its movies made from finished frames, which are then in the plate's
    own type.
    """
    found: list[Still] = []
    for _, delivery in sorted(deliveries.items()):
        frames = delivery["frames"]
        depth = frames["depth"] if frames else None
        kind = frames["format"] if frames else None
        still = Still(kind, depth) if kind and depth else native(kind, plate)
        if still not in found:
            found.append(still)
    return sorted(found, key=lambda still: (not still.same_as(plate), -still.depth))
