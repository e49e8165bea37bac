"""A talent's picture, made ready to be pulled from: the face alone, without what does not belong to it."""

from __future__ import annotations

import cv2
import numpy as np

from understudy.engines.warp import F32, F64, Pyramid, bounds, polygon, pyramid, smoothstep
from understudy.faces import geometry as g

BROW_LINE = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
GLABELLA = (8, 9, 107, 336, 55, 285)
FOREHEAD = (10.0, 5.0, 5.0)
"""Spread of L*, a* and b* over a bare forehead, shading included."""
SPAN = 64
"""Pixels per inter-ocular distance where the forehead of a picture is judged."""


def source(picture: F32, mesh: F64) -> Pyramid:
    """The face of a picture, and where it is bare; beyond that its skin goes on, ever smoother.

    So nothing of the talent's hair, hat or background is there to bleed across the edge of a matte.
    """
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    pad = int(np.ceil(0.25 * (high - low).max()))
    x0, y0, x1, y1 = bounds(mesh, picture.shape, pad) or (0, 0, picture.shape[1], picture.shape[0])
    cut = np.asarray(picture[y0:y1, x0:x1, :3], np.float32)
    near = mesh - (x0, y0, 0)
    unit = g.iod(mesh)
    odd = strange(cut, near)
    bare = bare_forehead(unlike_brow(cut, near), near)
    outline = near[g.OVAL, :2]
    inner = outline.mean(axis=0) + 0.86 * (outline - outline.mean(axis=0))
    rim = 1 - polygon(inner, cut.shape[:2], 0.04 * unit)
    own = (
        polygon(outline, cut.shape[:2], 0.03 * unit)
        * bare
        * (1 - rim * smoothstep(odd, 2.4, 3.6)).astype(np.float32)
    )
    whole, weight = np.zeros_like(cut), np.zeros_like(own)
    for sigma, share in ((0.12, 1.0), (0.5, 0.02)):
        whole += np.float32(share) * blur(cut * own[..., None], sigma * unit)
        weight += np.float32(share) * blur(own, sigma * unit)
    beyond = whole / np.maximum(weight, 1e-6)[..., None]
    skin = beyond + own[..., None] * (cut - beyond)
    return pyramid(np.dstack([skin, bare]), (x0, y0))


def blur(image: F32, sigma: float) -> F32:
    """Gaussian blur; a wide one is done on a smaller picture."""
    step = int(max(sigma // 4, 1))
    h, w = image.shape[:2]
    small = (
        cv2.resize(image, (-(-w // step), -(-h // step)), interpolation=cv2.INTER_AREA) if step > 1 else image
    )
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / step, 0.3))
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR) if step > 1 else small


def strange(cut: F32, mesh: F64) -> F32:
    """Distance of each colour from the skin of the lower face, in standard deviations, float32 [h, w]."""
    unit = g.iod(mesh)
    lab = cv2.cvtColor(np.clip(cut, 0, 1), cv2.COLOR_RGB2Lab)
    lab = cv2.GaussianBlur(lab, (0, 0), max(0.02 * unit, 0.3))
    below = g.SKIN[(g.CANONICAL[g.SKIN, 1] > 0.1) & (np.abs(g.CANONICAL[g.SKIN, 0]) < 0.8)]
    at = np.clip(np.floor(mesh[below, :2]).astype(int), 0, np.array(cut.shape[1::-1]) - 1)
    skin = lab[at[:, 1], at[:, 0]].astype(np.float64)
    middle = np.median(skin, axis=0)
    spread = np.cov(skin.T) + np.diag([36.0, 9.0, 9.0])
    away = lab.reshape(-1, 3) - middle
    distance = np.sqrt(np.einsum("ij,jk,ik->i", away, np.linalg.inv(spread), away))
    return distance.reshape(lab.shape[:2]).astype(np.float32)


def unlike_brow(cut: F32, mesh: F64) -> F32:
    """Distance of each colour from the skin between the brows, in the spread that a forehead has, float32 [h, w].

    The lower face is no measure for a fringe: it has shadows as dark as fair hair.
    """
    lab = cv2.GaussianBlur(
        cv2.cvtColor(np.clip(cut, 0, 1), cv2.COLOR_RGB2Lab), (0, 0), max(0.02 * g.iod(mesh), 0.3)
    )
    at = np.clip(np.floor(mesh[[*GLABELLA], :2]).astype(int), 0, np.array(cut.shape[1::-1]) - 1)
    away = (lab - np.median(lab[at[:, 1], at[:, 0]], axis=0)) / FOREHEAD
    return np.sqrt((away * away).sum(axis=2)).astype(np.float32)


def bare_forehead(odd: F32, mesh: F64) -> F32:
    """1 where a picture shows the face, 0 where hair or a hat lies over the forehead, float32 [h, w].

    ``odd`` is what `unlike_brow` found. Only what lies above the brows is judged: brows, glasses and beards belong to
    a talent, a fringe that ends in mid-air to nobody.
    """
    # In face space "above" is a column: whatever lies over hair is hair too.
    upright = np.array([[SPAN, 0, 2 * SPAN], [0, SPAN, 2 * SPAN]]) @ np.vstack(
        [g.to_face(g.placement(mesh).params), [0, 0, 1]]
    )
    size = (4 * SPAN, 4 * SPAN)
    hair = cv2.warpAffine(
        smoothstep(odd, 2.4, 3.6).astype(np.float32), shifted(upright), size, flags=cv2.INTER_AREA
    )
    line = np.column_stack([mesh[[*BROW_LINE], :2], np.ones(len(BROW_LINE))]) @ upright.T
    brow = np.interp(np.arange(4 * SPAN) + 0.5, line[:, 0], line[:, 1]) - 0.06 * SPAN
    hair *= smoothstep(np.arange(4 * SPAN)[:, None] + 0.5 - brow, 0.0, -0.06 * SPAN).astype(np.float32)
    hair = np.maximum.accumulate(hair[::-1], axis=0)[::-1]
    hair = cv2.dilate(hair, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    hair = cv2.GaussianBlur(hair, (0, 0), 0.05 * SPAN)
    back = cv2.warpAffine(
        hair, shifted(upright), odd.shape[1::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )
    return np.clip(1 - back, 0, 1)


def shifted(matrix: F64) -> F64:
    """A 2x3 matrix for pixel centres at .5, as OpenCV wants it: for centres at whole numbers."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return moved
