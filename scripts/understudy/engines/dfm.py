"""DeepFaceLab's `.dfm` files: a network that was trained for one talent, and has the talent in it.

FaceFusion sharpens the crop (1.75 I - .75 G, sigma 2 pixels) before it feeds it. That is no part of what these files
were trained on: DeepFaceLab's own merger feeds the plain crop. A sharpened plate has edges and grain that the encoder
never saw, and on a grainy plate the overshoot flickers. It is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from understudy.engines.base import Card, FaceContext, Image, NewFace, Performance, TalentAtlas
from understudy.engines.pages import cut
from understudy.errors import ConfigError, ModelError
from understudy.runtime.cards import ModelCard, Tensor
from understudy.runtime.network import Network
from understudy.runtime.sessions import Device

TEMPLATE: Final = "dfl_whole_face"
TARGET, MORPH = "in_face:0", "morph_value:0"
OUTPUTS: Final = {
    "target_mask": "out_face_mask:0",
    "image": "out_celeb_face:0",
    "mask": "out_celeb_face_mask:0",
}


class DfmEngine:
    """A DeepFaceLab file. Its side, and whether it can morph, are read from the file."""

    def __init__(self, card: ModelCard, path: Path, device: Device) -> None:
        full = described(card, path)
        self._network = Network(full, path, device)
        self._template, self._size = full.aligned

    @property
    def card(self) -> Card:
        """Boxes of the frame at its own pixels, one frame at a time."""
        return Card(name=self._network.card.name, template="plate", range=(0.0, 1.0), window=0)

    @property
    def morphs(self) -> bool:
        """Whether the file has an input that says how far the face goes from performer to talent."""
        return "morph" in self._network.card.inputs

    def prepare(
        self, talent: TalentAtlas, track: Performance, settings: Mapping[str, Any]
    ) -> Mapping[str, float]:
        """The network's other inputs.

        Parameters
        ----------
        settings:
            ``morph``, 0 to 1: how far the face goes from the performer's to the talent's. Only 1 where the file has no
            such input.

        Raises
        ------
        ConfigError
            A morph that the file cannot do.
        """
        morph = float(settings["morph"])
        if not 0 <= morph <= 1 or (morph != 1 and not self.morphs):
            raise ConfigError(
                f"morph is {morph:g}; {'it goes from 0 to 1' if self.morphs else 'this file has no morph input'}",
                where=f"model {self._network.card.name}",
                fix="set morph to 1",
            )
        return {"morph": morph} if self.morphs else {}

    def swap(
        self, crops: Sequence[Image], state: Mapping[str, float], context: Sequence[FaceContext]
    ) -> list[NewFace]:
        """Faces and, as mattes, the lesser of the file's two masks. See `understudy.engines.base.Engine.swap`."""
        pages, transforms = cut(crops, context, self._template, self._size, 1)
        made = self._network(target=pages, **state)
        mattes = np.clip(np.minimum(made["target_mask"], made["mask"]), 0, 1)
        return [NewFace(*new) for new in zip(np.clip(made["image"], 0, 1), mattes, transforms, strict=True)]


def described(card: ModelCard, path: Path) -> ModelCard:
    """The card with what only the file knows: its side, and its tensors.

    Raises
    ------
    ModelError
        The file is no DeepFaceLab export.
    """
    import onnx

    where = f"model {card.name} ({path})"
    try:
        graph = onnx.load(path).graph
    except Exception as error:
        # What protobuf raises has no public base.
        raise ModelError(f"it is no ONNX file: {error}", where=where, fix="bring the file again") from error
    takes = {one.name: [axis.dim_value for axis in one.type.tensor_type.shape.dim] for one in graph.input}
    gives = {one.name for one in graph.output}
    missing = {TARGET} - set(takes) | set(OUTPUTS.values()) - gives
    shape = takes.get(TARGET, [])
    if missing or len(shape) != 4 or shape[1] != shape[2] or not shape[1] or shape[3] != 3:
        raise ModelError(
            f"it takes {takes} and gives {sorted(gives)}; a DeepFaceLab file takes {TARGET} [n, s, s, 3] and gives"
            f" {', '.join(OUTPUTS.values())}",
            where=where,
            fix="export it from DeepFaceLab (export as dfm), or correct the card's family",
        )
    size = shape[1]
    face = Tensor(TARGET, None, "image", (1, size, size, 3), "float32", "nhwc", "bgr", (0.0,), (1.0,), 1.0)
    mask = Tensor("", None, "mask", (1, size, size, 1), "float32", "nhw1", "", (0.0,), (1.0,), 1.0)
    inputs = {"target": face}
    if MORPH in takes:
        inputs["morph"] = Tensor(MORPH, None, "scalar", (1,), "float32", "", "", (0.0,), (1.0,), 1.0)
    outputs = {
        ours: replace(face if ours == "image" else mask, name=theirs) for ours, theirs in OUTPUTS.items()
    }
    return replace(card, size=size, template=card.template or TEMPLATE, inputs=inputs, outputs=outputs)
