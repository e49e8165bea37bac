"""Finished frames as stills: which format and depth, and the way from the plate's encoding there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.media import stills
from understudy.media.colour import quantise, to_display, to_linear
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


def stills_of(deliveries: Mapping[str, Mapping[str, Any]], plate: Plate) -> list[Still]:
    """The still formats that a shot's deliveries ask for, each once."""
    found: list[Still] = []
    for _, delivery in sorted(deliveries.items()):
        frames = delivery["frames"]
        if not frames:
            continue
        kind, depth = frames["format"], frames["depth"]
        still = Still(kind, depth) if depth else native(kind, plate)
        if still not in found:
            found.append(still)
    return found


def native(kind: str, plate: Plate) -> Still:
    """The format that keeps the plate's own depth."""
    floating = plate.dtype.startswith("float")
    bits = np.dtype(plate.dtype).itemsize * 8
    if kind == "dpx":
        return Still("dpx", 10 if plate.depth <= 10 else 16)
    if kind == "exr":
        return Still("exr", 32 if plate.dtype == "float32" else 16)
    return Still(kind, min(bits, 16) if not floating else 16)
