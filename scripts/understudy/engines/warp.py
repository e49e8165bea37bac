"""From one mesh to another: where each pixel of the plate's face lies in the talent's picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.arrays import rise
from understudy.comp.mattes.matte import depth, edge

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Int = NDArray[np.int32]

SUBPIXEL = 6  # bits of fraction that cv2.fillConvexPoly is given


def smoothstep(value: F64 | F32, low: float, high: float) -> F64:
    """0 at or below `low`, 1 at or above `high`, 3t^2 - 2t^3 between; falls instead where `high` < `low`."""
    return rise((np.asarray(value, np.float64) - low) / (high - low))


def facing(points: F64, triangles: Int) -> F64:
    """How far each point of a mesh faces the camera: 1 straight at it, 0 at the silhouette, < 0 turned away.

    Parameters
    ----------
    points:
        [n, 3], z growing away from the camera, y downwards.
    triangles:
        [m, 3] indices; their winding does not matter as long as it is the same for all.
    """
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    total = np.zeros_like(points, dtype=np.float64)
    for k in range(3):
        np.add.at(total, triangles[:, k], normals)
    length = np.maximum(np.linalg.norm(total, axis=1), 1e-12)
    toward = total[:, 2] / length
    return toward if np.sum(normals[:, 2]) >= 0 else -toward


def affines(source: F64, target: F64, triangles: Int) -> tuple[F64, F64]:
    """For each triangle the affine map that takes the target's plane to the source's.

    Parameters
    ----------
    source, target:
        [n, k] and [n, 2]: whatever is to be interpolated, and where.

    Returns
    -------
    Maps [m, k, 3] for (x, y, 1), and twice the signed area of each triangle in the target [m]. A triangle
    without area gets a constant map.
    """
    t, s = target[triangles], source[triangles]
    e1, e2 = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
    area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    safe = np.where(np.abs(area) > 1e-9, area, np.inf)[:, None]
    d1, d2 = s[:, 1] - s[:, 0], s[:, 2] - s[:, 0]
    gx = (d1 * e2[:, 1:2] - d2 * e1[:, 1:2]) / safe
    gy = (d2 * e1[:, 0:1] - d1 * e2[:, 0:1]) / safe
    offset = s[:, 0] - gx * t[:, 0, 0:1] - gy * t[:, 0, 1:2]
    return np.stack([gx, gy, offset], axis=2), area


def stretch(maps: F64) -> F64:
    """How many target pixels one source pixel becomes, along the direction where that is most. Shape [m]."""
    a, b, c, d = maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1]
    # smaller singular value of a 2x2 matrix, closed form
    square = (a * a + b * b + c * c + d * d) / 2
    det = a * d - b * c
    small = np.sqrt(np.maximum(square - np.sqrt(np.maximum(square * square - det * det, 0.0)), 0.0))
    return 1.0 / np.maximum(small, 1e-6)


def triangle_ids(
    target: F64, distance: F64, triangles: Int, shape: tuple[int, int]
) -> tuple[Int, NDArray[np.bool_]]:
    """Which triangle is seen at each pixel.

    Triangles that face the camera are drawn farthest first, so the nearest is seen; those that are turned
    away are drawn before all others and so are seen only where the mesh is folded and nothing else covers the
    pixel.

    Parameters
    ----------
    target:
        [n, 2] positions in pixels (centres at .5); at least half of the mesh's area must face the camera.
    distance:
        [n], smaller is nearer.

    Returns
    -------
    Index of the triangle at each pixel, -1 for none, int32 [h, w]; and which triangles face the camera [m].
    """
    ids = np.full(shape, -1, np.int32)
    corners = target[triangles]
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    front = area * np.sign(area.sum()) > 1e-6
    order = np.lexsort((-distance[triangles].mean(axis=1), front))
    fixed = np.round((corners - 0.5) * (1 << SUBPIXEL)).astype(np.int32)
    for i in order:
        cv2.fillConvexPoly(ids, fixed[i], int(i), lineType=cv2.LINE_8, shift=SUBPIXEL)
    return ids, front


@dataclass(frozen=True)
class Mapping:
    """Where each pixel of a box comes from.

    Attributes
    ----------
    x, y:
        Position in the source, float32 [h, w], pixels (centres at .5). Defined everywhere: beyond the mesh
        the map goes on smoothly.
    visible:
        float32 [h, w], what the mesh's points carry; 0 outside the mesh.
    footprint:
        Source pixels per target pixel along the source's x and y axes.
    """

    x: F32
    y: F32
    visible: F32
    footprint: tuple[float, float]


def mapping(
    source: F64,
    target: F64,
    visibility: F64,
    triangles: Int,
    origin: tuple[int, int],
    shape: tuple[int, int],
    softness: float,
) -> Mapping:
    """Smoothed piecewise-affine map of a mesh.

    Parameters
    ----------
    source:
        [n, 2 or 3] mesh in the picture that is pulled from.
    target:
        [n, 3] mesh where it goes.
    visibility:
        [n], 0 to 1, carried along with the positions.
    origin, shape:
        The box of the target that is wanted: (x, y) of its corner in whole pixels, and (h, w).
    softness:
        Sigma, in target pixels, of the Gaussian that rounds the creases a piecewise-affine map has along the
        triangles' edges. What is smoothed is the difference from one affine map of the whole face, so a mesh
        that only moved, turned or grew is not bent at all.
    """
    flat = target[:, :2] - origin
    base = np.column_stack([flat, np.ones(len(flat))])
    rigid = np.linalg.lstsq(base, source[:, :2], rcond=None)[0]
    carried = np.column_stack([source[:, :2] - base @ rigid, visibility])
    maps, _ = affines(carried, flat, triangles)
    ids, front = triangle_ids(flat, target[:, 2], triangles, shape)

    covered = ids >= 0
    seen = covered & front[ids]
    per_pixel = maps.astype(np.float32)[np.where(seen, ids, 0)]
    h, w = shape
    px = (np.arange(w, dtype=np.float32) + 0.5)[None, :]
    py = (np.arange(h, dtype=np.float32) + 0.5)[:, None]
    value = per_pixel[..., 0] * px[..., None] + per_pixel[..., 1] * py[..., None] + per_pixel[..., 2]
    smooth = fill(value, seen.astype(np.float32), softness)
    bend, visible = smooth[..., :2], np.where(covered, np.clip(smooth[..., 2], 0.0, 1.0), np.float32(0))

    r = rigid.astype(np.float32)
    x = px * r[0, 0] + py * r[1, 0] + r[2, 0] + bend[..., 0]
    y = px * r[0, 1] + py * r[1, 1] + r[2, 1] + bend[..., 1]
    return Mapping(x, y, visible, footprint(source[:, :2], flat, triangles, visibility))


def fill(field: F32, weight: F32, sigma: float) -> F32:
    """Gaussian smoothing of a field [h, w, k] that is only known where `weight` is 1; fades to 0 far from
    there.

    Normalised convolution (Knutsson and Westin, 1993).
    """
    if sigma <= 0:
        return field * weight[..., None]
    size = (0, 0)
    near = cv2.GaussianBlur(weight, size, sigma)
    smooth = cv2.GaussianBlur(field * weight[..., None], size, sigma)
    return smooth / np.maximum(near, 1e-3)[..., None]


def footprint(source: F64, target: F64, triangles: Int, weight: F64) -> tuple[float, float]:
    """Source pixels per target pixel along the source's axes: area-weighted median of what is visible."""
    maps, area = affines(source, target, triangles)
    share = np.abs(area) * weight[triangles].mean(axis=1)
    if not share.sum() > 0:
        return 1.0, 1.0
    size = np.sqrt(maps[:, :, 0] ** 2 + maps[:, :, 1] ** 2)
    return weighted_median(size[:, 0], share), weighted_median(size[:, 1], share)


def weighted_median(values: F64, weights: F64) -> float:
    """Smallest value at which half of the weight is reached."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


@dataclass(frozen=True)
class Pyramid:
    """A picture's face, halved again and again: level k has pixels 2^k wide.

    Attributes
    ----------
    levels:
        float32 [h, w, channels] each.
    origin:
        (x, y) of the first level's corner in the picture.
    """

    levels: tuple[F32, ...]
    origin: tuple[int, int]


def pyramid(picture: F32, origin: tuple[int, int]) -> Pyramid:
    """Halve a picture [h, w, channels] again and again until its shorter side is below 64 pixels."""
    levels = [np.ascontiguousarray(picture, dtype=np.float32)]
    while min(levels[-1].shape[:2]) >= 64:
        levels.append(cv2.pyrDown(levels[-1]))
    return Pyramid(tuple(levels), origin)


def pull(source: Pyramid, where: Mapping) -> F32:
    """Resample a picture once, Lanczos-4, prefiltered so that nothing aliases. Returns float32 [h, w,
    channels].

    The prefilter is a Gaussian of sigma = .5 sqrt(s^2 - 1) source pixels for s source pixels per target pixel
    (the target's pixel is taken as a Gaussian of sigma .5; Greene and Heckbert 1986). What the pyramid has
    blurred already is taken off: one halving is the binomial 1 4 6 4 1, variance 1, so k halvings have (4^k -
    1) / 3.
    """
    level = int(np.clip(np.floor(np.log2(max(max(where.footprint) / 1.8, 1.0))), 0, len(source.levels) - 1))
    step = float(1 << level)
    picture = source.levels[level]
    done = (step * step - 1) / 3
    sigma = [np.sqrt(max(0.25 * (s * s - 1) - done, 0.0)) / step for s in where.footprint]
    if max(sigma) > 0.05:
        picture = cv2.GaussianBlur(picture, (0, 0), max(sigma[0], 0.05), sigmaY=max(sigma[1], 0.05))
    # A halving keeps the even pixels: centre i of the finer level is centre i / 2 of the coarser one.
    x = (where.x - np.float32(source.origin[0] + 0.5)) / np.float32(step)
    y = (where.y - np.float32(source.origin[1] + 0.5)) / np.float32(step)
    return cv2.remap(picture, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)


def polygon(points: F64, shape: tuple[int, int], soft: float) -> F32:
    """Filled polygon, float32 [h, w], its edge spread over 1.5 `soft` pixels (at least one) on each side.

    Made from distances and not from a drawing, so it moves by fractions of a pixel when its points do.
    """
    reach = 1.5 * max(soft, 1 / 3)
    return edge(depth(points, shape, max(round(2 * soft), 1), reach), -reach, 2 * reach)


def bounds(points: F64, shape: tuple[int, ...], pad: int) -> tuple[int, int, int, int] | None:
    """Whole-pixel box of a mesh inside a crop, x0, y0, x1, y1; None where they do not meet."""
    low = np.floor(points[:, :2].min(axis=0)).astype(int) - pad
    high = np.ceil(points[:, :2].max(axis=0)).astype(int) + pad
    x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
    x1, y1 = min(int(high[0]), shape[1]), min(int(high[1]), shape[0])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
