"""Mattes of a face: where the new face is laid over the plate.

Mattes are float32 [h, w], 0..1. Points are [468, 3] in pixels of the crop, pixel centres at .5. Sizes in settings are
in inter-ocular distances (IOD), so that they mean the same on every plate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.arrays import rise
from understudy.comp.mattes import areas
from understudy.comp.mattes.algebra import step_of, usual
from understudy.comp.mattes.edges import guided, signed_distance
from understudy.comp.resample import Image, gaussian
from understudy.comp.skin.texture import luma
from understudy.errors import ConfigError
from understudy.faces.geometry import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE, iod

F64 = NDArray[np.float64]

ABOVE_BROWS: Final = (
    (54, (70,)), (103, (63,)), (67, (105,)), (109, (66,)), (10, (107, 336)),
    (338, (296,)), (297, (334,)), (332, (293,)), (284, (300,)),
)  # fmt: skip
"""Points of the oval's top, each with the point of the brows (or the middle of two) that lies below it."""
BROW_ROOM: Final = 0.25
"""How far above the brows a limited matte ends, before erosion, in IOD."""
FOURTH: Final = 4
"""Nodes from one coarse node of the distance field to the next."""
NODES: Final = 20
"""Nodes of the distance field per IOD: a contour of radius 1 IOD is then within .0003 IOD of its place."""
FOLLOWING: Final = ("unoccluded", "regions", "occlusion")
"""Layers whose edges may be laid onto the plate's: what a network or a test says is vague about them."""

SPECK: Final = 0.02
"""Sigma, in IOD, over which a change is judged."""
COARSE: Final = 16
"""Blocks per IOD of what is judged at low frequencies only."""


def outline(points: NDArray[np.floating], *, brow_limit: bool) -> F64:
    """The face's outline [36, 2]; with ``brow_limit`` its top runs just above the brows and leaves out any fringe."""
    flat = np.asarray(points, np.float64)[:, :2]
    shape = flat[OVAL].copy()
    if brow_limit:
        room = BROW_ROOM * iod(points)
        place = {int(index): i for i, index in enumerate(OVAL)}
        for top, brow in ABOVE_BROWS:
            base = flat[list(brow)].mean(axis=0)
            rise = flat[top] - base
            length = float(np.hypot(*rise))
            shape[place[top]] = base + rise * (min(length, room) / max(length, 1e-6))
    return shape


def distance(polygon: F64, at: F64) -> Image:
    """Signed distance of positions [n, 2] to a closed polygon [k, 2]: positive inside, float32 [n], in pixels.

    Distance to the nearest edge, sign by crossing number.
    """
    # Components on their own, a row per edge, and single precision: this is the dearest step of a matte.
    x, y = np.ascontiguousarray(at.T, np.float32)
    corners = polygon.T.astype(np.float32)[..., None]
    (x0, y0), (x1, y1) = corners, np.roll(corners, -1, axis=1)
    along_x, along_y = x1 - x0, y1 - y0
    length = np.maximum(along_x**2 + along_y**2, np.float32(1e-12))
    rel_x, rel_y = x - x0, y - y0
    share = np.clip((rel_x * along_x + rel_y * along_y) / length, 0, 1)
    near = np.min((rel_x - share * along_x) ** 2 + (rel_y - share * along_y) ** 2, axis=0)
    slope = along_x / np.where(along_y == 0, np.float32(1), along_y)
    inside = np.logical_xor.reduce(((y0 > y) != (y1 > y)) & (rel_x < rel_y * slope), axis=0)
    return np.where(inside, np.sqrt(near), -np.sqrt(near))


def depth(polygon: F64, shape: tuple[int, int], step: int, reach: float) -> Image:
    """`distance` at every pixel centre of a crop [h, w].

    Exact on nodes ``step`` pixels apart, linear between them (distance is all but linear near a smooth outline): no
    rasterised edge is involved, so the matte moves by fractions of a pixel when the points do. More than ``reach``
    pixels away from the outline no more is promised than that.
    """
    h, w = shape
    step = max(1, step)
    # Margin, so that no pixel lies outside the outermost nodes.
    rows, columns = -(-h // step) + 4, -(-w // step) + 4
    # Every fourth node tells which of those around it are near; distance grows by a pixel a pixel at the most.
    rows, columns = -(-rows // FOURTH) * FOURTH, -(-columns // FOURTH) * FOURTH
    x, y = (np.arange(columns) - 1.5) * step, (np.arange(rows) - 1.5) * step
    at = np.stack(np.meshgrid(x, y), axis=-1)
    middle = at[FOURTH // 2 :: FOURTH, FOURTH // 2 :: FOURTH]
    rough = distance(polygon, middle.reshape(-1, 2)).reshape(middle.shape[:2])
    coarse = np.kron(rough, np.ones((FOURTH, FOURTH), np.float32))
    near = np.abs(coarse) <= reach + (FOURTH + 1) * step * np.sqrt(2)
    coarse[near] = distance(polygon, at[near])
    fine = cv2.resize(coarse, (columns * step, rows * step), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(fine[2 * step : 2 * step + h, 2 * step : 2 * step + w])


def edge(inside: Image, erode: float | Image, feather: float) -> Image:
    """Matte of a distance field: 0 up to ``erode`` pixels inside the outline, 1 from ``erode`` + ``feather`` on.

    Cubic in between, with slope zero at both ends; ``feather`` is at least one pixel, which is an antialiased edge.
    """
    return rise((inside - np.asarray(erode, np.float32)) * np.float32(1 / max(feather, 1.0)))


def skin(points: NDArray[np.floating], shape: tuple[int, int], step: int) -> Image:
    """Matte of the open skin, a value per block of ``step`` x ``step`` pixels of a crop [h, w] (see
    `resample.reduced`).

    The face below the brow limit, without eyes, brows and mouth, .1 IOD away from the outline.
    """
    unit = iod(points)
    rows, columns = -(-shape[0] // step), -(-shape[1] // step)
    x, y = (np.arange(columns) + 0.5) * step, (np.arange(rows) + 0.5) * step
    at = np.stack(np.meshgrid(x, y), axis=-1)
    flat = np.asarray(points, np.float64)[:, :2]
    area = np.zeros((rows, columns), np.float32)
    parts = [(outline(points, brow_limit=True), 1)]
    parts += [(flat[part], -1) for part in (LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, LIPS_OUTER)]
    for polygon, sign in parts:
        low, high = polygon.min(axis=0) - 0.15 * unit, polygon.max(axis=0) + 0.15 * unit
        near = (
            slice(np.searchsorted(y, low[1]), np.searchsorted(y, high[1], "right")),
            slice(np.searchsorted(x, low[0]), np.searchsorted(x, high[0], "right")),
        )
        inside = distance(polygon, at[near].reshape(-1, 2)).reshape(area[near].shape)
        if sign > 0:
            area[near] = edge(inside, 0.1 * unit, 0.1 * unit)
        else:
            area[near] *= edge(-inside, 0.04 * unit, 0.1 * unit)
    return area


def changed(plate: Image, new: Image, least: float, unit: float) -> Image:
    """Where a new face changes something, float32 [h, w]: 0 up to a change of ``least``, 1 from twice that on, cubic in
    between.

    The change is the largest of the three channels' (display values [h, w, 3]), over `SPECK` of the IOD ``unit``, so
    that grain is none. With ``least`` 0 everything is changed.
    """
    if not least:
        return np.ones(plate.shape[:2], np.float32)
    red, green, blue = cv2.split(cv2.absdiff(new, plate))
    change = gaussian(cv2.max(cv2.max(red, green), blue), SPECK * unit)
    return rise(change / np.float32(least) - 1)


@dataclass(frozen=True)
class Drawn:
    """One frame of an imported matte, float32 [h, w], with what it does to the others (see `over`) and its edge.

    ``erode`` and ``feather`` are in IOD; without ``feather`` the edge stays as it was drawn.
    """

    image: Image
    mode: str
    erode: float = 0.0
    feather: float | None = None


def over(matte: Image, operation: str, layer: Image) -> Image:
    """Do something to a matte with a layer: ``min``, ``max`` (or ``add``), ``times``, ``hold`` (times one less the
    layer: the plate is kept there), ``replace``."""
    match operation:
        case "min":
            return np.minimum(matte, layer)
        case "max" | "add":
            return np.maximum(matte, layer)
        case "times":
            return matte * layer
        case "hold":
            return matte * (1 - layer)
        case "replace":
            return layer
        case _:
            raise ConfigError(
                f"matte operation {operation!r} is not known", fix="use one of: min, max, add, times, hold, replace"
            )


def redrawn(layer: Image, erode: float, feather: float | None, unit: float) -> Image:
    """A layer with a new edge, ``erode`` inside its .5 contour and ``feather`` wide (IOD); as it is if that is None."""
    if feather is None:
        return layer
    reach = abs(erode) * unit + max(feather * unit, 1)
    return edge(signed_distance(layer, reach), erode * unit, feather * unit)


class Shapes:
    """The layers of a crop that its landmarks alone make, each worked out when it is first asked for.

    Parameters
    ----------
    settings:
        ``erode``, ``erode_top`` and the like, ``feather`` (IOD), ``brow_limit``.
    """

    def __init__(
        self, points: NDArray[np.floating], shape: tuple[int, int], settings: Mapping[str, Any]
    ) -> None:
        self._points, self._shape, self._settings, self._unit = points, shape, settings, iod(points)

    def __contains__(self, name: object) -> bool:
        return name in ("hull", "box", *areas.OUTLINES, *areas.HALVES)

    def __getitem__(self, name: str) -> Image:
        """float32 [h, w]: ``hull``, its halves ``upper_face`` and ``lower_face``, ``box``, ``mouth`` or ``eyes``."""
        if name == "hull":
            return self.hull
        if name == "box":
            return self._edge(areas.box(self._points, self._settings), 0, self._settings["feather"])
        if name in areas.OUTLINES:
            flat = np.asarray(self._points, np.float64)[:, :2]
            parts = [self._edge(flat[part], -areas.SOFT, areas.SOFT) for part in areas.OUTLINES[name]]
            return np.maximum.reduce(parts)
        lower = areas.lower(self._points, self._shape)
        return self.hull * (lower if name == "lower_face" else 1 - lower)

    @cached_property
    def hull(self) -> Image:
        """The face's outline, drawn in and feathered."""
        settings = self._settings
        shaped = outline(self._points, brow_limit=settings["brow_limit"])
        erode: float | Image = settings["erode"]
        if any(settings[side] for side in areas.SIDES):
            erode = areas.inwards(self._points, self._shape, shaped.mean(axis=0), settings)
        return self._edge(shaped, erode, settings["feather"])

    def _edge(self, polygon: F64, erode: float | Image, feather: float) -> Image:
        """The matte of a polygon, its edge drawn in and feathered (IOD)."""
        unit = self._unit
        reach = float(np.max(np.abs(erode))) * unit + max(feather * unit, 1)
        inside = depth(polygon, self._shape, round(unit / NODES), reach)
        return edge(inside, np.multiply(erode, unit), feather * unit)


def layers(
    points: NDArray[np.floating],
    shape: tuple[int, int],
    engine: Image | None,
    plate: Callable[[], Image],
    seen: Mapping[str, Image],
    roto: Sequence[Drawn],
    settings: Mapping[str, Any],
) -> dict[str, Image]:
    """Every matte of one crop, by name.

    Parameters
    ----------
    engine:
        The engine's own matte (what it can show; holes for eyes and mouth), or None.
    plate:
        Gives the display crop [h, w, 3]; asked only where edges are laid onto the plate's.
    seen:
        What is seen in the picture, by the names of their layers [h, w]: ``unoccluded``, ``regions``, ``difference``,
        ``occlusion``.
    roto:
        Imported mattes in the order they are applied, after all else.
    settings:
        As for `Shapes`; ``hold_back`` (how far suspected occlusion counts), ``guided`` (IOD), and ``combine``, the
        algebra (see `algebra.step_of`), from nothing; without any steps the usual ones. Every layer that it names is
        there.

    Returns
    -------
    ``hull``, ``engine``, those of ``seen``, all others that are combined, ``roto`` where given (all of them, joined by
    maximum), and ``matte``, what they make together.
    """
    unit = iod(points)
    shapes = Shapes(points, shape, settings)
    found = {"hull": shapes.hull, "engine": np.ones(shape, np.float32) if engine is None else engine, **seen}
    if "occlusion" in found:
        found["occlusion"] = np.float32(settings["hold_back"]) * found["occlusion"]
    follow = [name for name in FOLLOWING if name in found]
    if follow and settings["guided"]:
        guide = luma(plate())
        found |= {name: guided(found[name], guide, settings["guided"] * unit) for name in follow}
    steps = [step_of(one) for one in settings["combine"]] or usual(seen)
    found |= {step.layer: shapes[step.layer] for step in steps if step.layer not in found}
    matte = np.zeros(shape, np.float32)
    for step in steps:
        matte = over(matte, step.operation, redrawn(found[step.layer], step.erode, step.feather, unit))
    for drawn in roto:
        image = redrawn(drawn.image, drawn.erode, drawn.feather, unit)
        matte = over(matte, drawn.mode, image)
        found["roto"] = np.maximum(found["roto"], image) if "roto" in found else image
    found["matte"] = np.clip(matte, 0, 1)
    return found
