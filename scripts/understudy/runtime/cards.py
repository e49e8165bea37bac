"""Model cards: what a weights file takes and gives, in our words.

A card (one entry of ``config/models.yaml``) maps names of ours (``target``, ``source``, ``image``, ``mask``, ...) to a
file's own tensors and says how each is laid out, so that a file of a known family is added by a card, not by code.
`runtime.network` runs a file by its card. Nothing here opens a file, and only the standard library is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from understudy.errors import ModelError

LAYOUTS: Final[Mapping[str, Mapping[str, int]]] = {
    "image": {"nchw": 4, "nhwc": 4},
    "mask": {"n1hw": 4, "nhw1": 4, "nhw": 3},
    "vector": {},
    "scalar": {},
    "raw": {},
}
"""Kind of a tensor to the layouts it may have, with their numbers of axes; none where its shape says it all."""

NEEDED: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "swapper": (("target",), ("image",)),
    "restorer": (("image",), ("image",)),
    "recogniser": (("image",), ("embedding",)),
    "converter": (("embedding",), ("embedding",)),
    "detector": (("image",), ()),
    "landmarker": ((), ()),
    "occluder": (("image",), ("mask",)),
    "parser": (("image",), ("classes",)),
}
"""Role to the inputs and outputs that whoever uses such a model asks for by name."""


@dataclass(frozen=True)
class Tensor:
    """One input or output of a file.

    Attributes
    ----------
    name, index:
        Which tensor of the file it is: by its name, or by its place (from 0) where names differ between exports.
    kind:
        ``image``: [n, h, w, 3] RGB 0..1 on our side, ``(x * scale - mean) / std`` in `order` and `layout` on the
        file's. ``mask``: [n, h, w] 0..1. ``vector``: [n, d]. ``scalar``: one number for all samples. ``raw``: as it is.
    shape:
        The file's shape; ``None`` for an axis of any length. A leading 1 is the axis of samples; a tensor without
        one belongs to a single sample.
    dtype:
        NumPy's name of the file's type.
    layout, order:
        Axes, and order of the colours, ``rgb`` or ``bgr``; empty where the kind has none.
    mean, std:
        One number, or one per colour in the file's `order`.
    scale:
        What 1.0 becomes before `mean` is taken off: 255 for a file that takes 0..255.
    """

    name: str | None
    index: int | None
    kind: str
    shape: tuple[int | None, ...]
    dtype: str
    layout: str
    order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float

    @property
    def batched(self) -> bool:
        """Whether the first axis counts samples."""
        return self.kind != "scalar" and bool(self.shape) and self.shape[0] == 1

    @property
    def label(self) -> str:
        """The tensor as a message names it."""
        return repr(self.name) if self.name is not None else f"number {self.index}"


@dataclass(frozen=True)
class ModelCard:
    """A model: what it is for, how its file is fed, and what its licence allows.

    Attributes
    ----------
    name:
        What looks and other cards call it.
    role, family:
        What it does, and which code of ours runs it.
    file, sha256:
        File in the model store; its hash, or None until the first fetch has recorded one.
    licence, evidence, uses:
        As declared, where that is stated, and what it allows: ``commercial``, ``research``, ``test``.
    template, size:
        Crop template of `faces.align` and side of the crop in pixels; None where there is none, or where the file says.
    fed_by:
        Models whose output this one needs.
    inputs, outputs:
        Our names to the file's tensors; both empty for a file that is no ONNX network.
    settings:
        What else the family needs to know: sizes, strides, ...
    """

    name: str
    role: str
    family: str
    file: str
    sha256: str | None
    licence: str
    evidence: str
    uses: tuple[str, ...]
    template: str | None
    size: int | None
    fed_by: tuple[str, ...]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    @property
    def aligned(self) -> tuple[str, int]:
        """Template and side of the crops that the network takes; a `ModelError` where the card leaves one out."""
        if self.template is None or self.size is None:
            raise ModelError(
                "its card does not say how a face lies in its crop",
                where=f"model {self.name}",
                fix="give it a template and a size, for ArcFace: template: arcface_112_v2, size: 112",
            )
        return self.template, self.size


@dataclass(frozen=True)
class Weights:
    """A model's card and its file; no file where a vendor's command holds the network."""

    card: ModelCard
    path: Path | None

    @property
    def file(self) -> Path:
        """The file, for whoever cannot do without; a `ModelError` if there is none."""
        if self.path is None:
            raise ModelError("it has no file", where=f"model {self.card.name}", fix="run: snakemake models")
        return self.path


def has_file(card: Mapping[str, Any]) -> bool:
    """Whether a card, as plain data, is of a file; a vendor's command keeps its network to itself."""
    return "command" not in (card.get("settings") or {})


def model_card(name: str, card: Mapping[str, Any]) -> ModelCard:
    """A card from the plain data of the configuration, checked against itself.

    Parameters
    ----------
    card:
        An entry that conforms to ``config/schemas/models.yaml``.

    Raises
    ------
    ModelError
        It contradicts itself: a tensor both by name and by index, an axis too few, an input its role needs left out.
    """
    inputs = {ours: _tensor(name, "input", ours, one) for ours, one in (card.get("inputs") or {}).items()}
    outputs = {ours: _tensor(name, "output", ours, one) for ours, one in (card.get("outputs") or {}).items()}
    if inputs or outputs:
        _check_role(name, card["role"], inputs, outputs)
    for kind, tensors in (("inputs", inputs), ("outputs", outputs)):
        _check_twins(name, kind, tensors)
    return ModelCard(
        name=name,
        role=card["role"],
        family=card["family"],
        file=card["file"],
        sha256=card.get("sha256"),
        licence=card["licence"],
        evidence=card["evidence"],
        uses=tuple(card["uses"]),
        template=card.get("template"),
        size=card.get("size"),
        fed_by=tuple(card.get("fed_by") or ()),
        inputs=inputs,
        outputs=outputs,
        settings=dict(card.get("settings") or {}),
    )


def _tensor(model: str, side: str, ours: str, given: Mapping[str, Any]) -> Tensor:
    kind = given["kind"]
    layouts = LAYOUTS[kind]
    tensor = Tensor(
        name=given.get("name"),
        index=given.get("index"),
        kind=kind,
        shape=tuple(given["shape"]),
        dtype=given.get("dtype", "float32"),
        layout=given.get("layout", ""),
        order=given.get("order", "rgb" if kind == "image" else ""),
        mean=_numbers(given.get("mean", 0.0)),
        std=_numbers(given.get("std", 1.0)),
        scale=float(given.get("scale", 1.0)),
    )
    wrong = ""
    if (tensor.name is None) == (tensor.index is None):
        wrong = "needs either `name` or `index`"
    elif tensor.layout not in (layouts or ("",)):
        known = " or ".join(layouts) if layouts else "none"
        wrong = f"has layout {tensor.layout!r}; for the kind {kind}: {known}"
    elif layouts and len(tensor.shape) != layouts[tensor.layout]:
        wrong = f"has {len(tensor.shape)} axes in `shape`, its layout {tensor.layout} has {layouts[tensor.layout]}"
    elif kind in ("image", "mask", "vector") and not tensor.batched:
        wrong = f"has a `shape` that does not begin with 1, the axis of samples of every {kind}"
    elif kind == "vector" and len(tensor.shape) != 2:
        wrong = f"is a vector of {len(tensor.shape)} axes; vectors have 2"
    elif kind == "image" and tensor.shape[tensor.layout.index("c")] != 3:
        wrong = f"has {tensor.shape[tensor.layout.index('c')]} colours; images have 3"
    elif kind == "mask" and "1" in tensor.layout and tensor.shape[tensor.layout.index("1")] != 1:
        wrong = f"has {tensor.shape[tensor.layout.index('1')]} channels; masks have 1"
    elif len(tensor.mean) not in (1, 3) or len(tensor.std) not in (1, 3):
        wrong = "has a `mean` or `std` of neither one nor three numbers"
    elif 0.0 in tensor.std or tensor.scale == 0.0:
        wrong = "has a `std` or `scale` of 0"
    elif kind != "image" and (tensor.mean, tensor.std, tensor.scale) != ((0.0,), (1.0,), 1.0):
        wrong = f"is a {kind} with a `mean`, `std` or `scale`; only images have these"
    if wrong:
        raise ModelError(f"{side} {ours!r} {wrong}", where=f"model {model}", fix="correct its card")
    return tensor


def _numbers(value: float | Sequence[float]) -> tuple[float, ...]:
    return (float(value),) if isinstance(value, int | float) else tuple(float(one) for one in value)


def _check_role(model: str, role: str, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
    for side, needed, given in zip(("input", "output"), NEEDED[role], (inputs, outputs), strict=True):
        for one in needed:
            if one not in given:
                raise ModelError(
                    f"as {role} it needs an {side} {one!r}; this one has {', '.join(given) or 'none'}",
                    where=f"model {model}",
                    fix="add it to the card",
                )
    for side, tensors in (("input", inputs), ("output", outputs)):
        if not tensors:
            raise ModelError(f"it has no {side}", where=f"model {model}", fix="add one to the card")


def _check_twins(model: str, side: str, tensors: Mapping[str, Tensor]) -> None:
    seen: dict[str, str] = {}
    for ours, tensor in tensors.items():
        before = seen.setdefault(tensor.label, ours)
        if before != ours:
            raise ModelError(
                f"{side} {before!r} and {ours!r} are the same tensor {tensor.label}",
                where=f"model {model}",
                fix="correct its card",
            )
