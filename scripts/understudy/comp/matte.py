"""Mattes of a face: where the new face is laid over the plate.

Mattes are float32 [h, w], 0..1. Points are [468, 3] in pixels of the crop, pixel centres at .5. Sizes in settings are
in inter-ocular distances (IOD), so that they mean the same on every plate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.comp.occlusion import face_thumb, occlusion_reference, occlusion_scores, suspicion
from understudy.comp.resample import Image
from understudy.errors import ConfigError
from understudy.faces.geometry import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE, iod

__all__ = [
    "depth",
    "distance",
    "edge",
    "face_thumb",
    "layers",
    "occlusion_reference",
    "occlusion_scores",
    "outline",
    "roto_over",
    "skin",
]

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


def edge(inside: Image, erode: float, feather: float) -> Image:
    """Matte of a distance field: 0 up to ``erode`` pixels inside the outline, 1 from ``erode`` + ``feather`` on.

    Cubic in between, with slope zero at both ends; ``feather`` is at least one pixel, which is an antialiased edge.
    """
    t = np.clip((inside - np.float32(erode)) * np.float32(1 / max(feather, 1.0)), 0, 1)
    return t * t * (3 - 2 * t)


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


def roto_over(matte: Image, mode: str, roto: Image) -> Image:
    """Lay an imported matte over another: ``hold`` keeps the plate where it is 1, ``add`` the new face,
    ``replace`` takes it."""
    match mode:
        case "hold":
            return matte * (1 - roto)
        case "add":
            return np.maximum(matte, roto)
        case "replace":
            return roto.copy()
        case _:
            raise ConfigError(f"roto mode {mode!r} is not known", fix="use one of: hold, add, replace")


def layers(
    points: NDArray[np.floating],
    shape: tuple[int, int],
    engine: Image | None,
    plate: Callable[[], Image],
    seen: Mapping[str, Image],
    roto: Sequence[tuple[str, Image]],
    settings: Mapping[str, Any],
) -> dict[str, Image]:
    """Every matte of one crop, by name.

    Parameters
    ----------
    engine:
        The engine's own matte (what it can show; holes for eyes and mouth), or None.
    plate:
        Gives the display crop [h, w, 3]; asked only where something is held back.
    seen:
        What networks leave of the face, by the names of their layers [h, w].
    roto:
        Imported mattes in the order they are applied: (mode, [h, w]). See `roto_over`.
    settings:
        ``erode``, ``feather`` (IOD), ``brow_limit``, ``hold_back`` (how far suspected occlusion lowers the matte).

    Returns
    -------
    ``face``, ``engine``, those of ``seen``, ``occlusion`` (suspicion) where it is held back, ``roto`` where given (all
    of them, joined by maximum), and ``matte``, what they make together.
    """
    unit = iod(points)
    erode, feather = settings["erode"] * unit, settings["feather"] * unit
    shaped = outline(points, brow_limit=settings["brow_limit"])
    found = {"face": edge(depth(shaped, shape, round(unit / NODES), erode + max(feather, 1)), erode, feather)}
    found["engine"] = np.ones(shape, np.float32) if engine is None else engine
    # The least of what may be covered: a product would thin twice where soft edges meet.
    matte = np.minimum.reduce([found["face"] * found["engine"], *seen.values()])
    found |= seen
    if settings["hold_back"]:
        coarse = max(1, round(unit / COARSE))
        found["occlusion"] = suspicion(plate(), skin(points, shape, coarse), coarse, unit) * found["face"]
        matte *= 1 - np.float32(settings["hold_back"]) * found["occlusion"]
    for mode, image in roto:
        matte = roto_over(matte, mode, image.astype(np.float32, copy=False))
        found["roto"] = np.maximum(found["roto"], image) if "roto" in found else image
    found["matte"] = np.clip(matte, 0, 1)
    return found
