"""The algebra of mattes as data: which layer does what to the matte so far. No arrays here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

OPERATIONS: Final = ("replace", "min", "max", "times", "hold")
"""What a step may do: take the layer for the matte, the lesser or the greater of both, their product, or hold the plate
where the layer is (times one less the layer)."""
SEEN: Final = ("unoccluded", "regions", "difference", "occlusion")
"""Layers that are seen in the picture: by occluders, by a parser, by what the new face changes, by the colour test."""


@dataclass(frozen=True)
class Step:
    """One step of the algebra.

    Attributes
    ----------
    operation:
        Of `OPERATIONS`.
    layer:
        Its name.
    erode, feather:
        Place and width of a new edge for the layer, in IOD; it keeps its own where ``feather`` is None.
    """

    operation: str
    layer: str
    erode: float = 0.0
    feather: float | None = None


def operations_of(one: Mapping[str, Any]) -> list[str]:
    """The operations that a step as a look writes it names: one, if it is right."""
    return [name for name in OPERATIONS if name in one]


def step_of(one: Mapping[str, Any]) -> Step:
    """A step as a look writes it: ``{min: unoccluded, erode: 0.02}``."""
    (operation,) = operations_of(one)
    return Step(operation, one[operation], *new_edge(one))


def new_edge(one: Mapping[str, Any]) -> tuple[float, float | None]:
    """``erode`` and ``feather`` as a step or a roto matte writes them; an edge that is moved alone is antialiased."""
    return one.get("erode", 0.0), one.get("feather", 0.0 if "erode" in one else None)


def usual(seen: Collection[str]) -> list[Step]:
    """The steps of a look that declares none: the hull by the engine's own matte, the least of it and of what is seen
    of the face (a product would thin twice where soft edges meet), less the suspected occlusion.

    ``seen`` names the layers of `SEEN` that there are.
    """
    found = [Step("hold" if name == "occlusion" else "min", name) for name in SEEN if name in seen]
    return [Step("replace", "hull"), Step("times", "engine"), *found]
