"""Colour match: a map from the new skin's colours to the plate's, and its export for a colourist.

Everything is display-encoded RGB, float. A map is a 3x4 matrix [A | b], colours are A x + b, or a lattice (see
`lattice`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.comp.tone import lattice, transport
from understudy.comp.tone.light import FLOOR, LIMITS
from understudy.errors import ConfigError

F64 = NDArray[np.float64]
Image = NDArray[np.float32]

RIDGE: Final = 1e-4
"""Added to both covariances: keeps flat or one-coloured skin solvable."""
GAIN: Final = (0.92, 1.25)
"""Least and largest stretch of any direction of colour: the fit is of skin alone, and must not tint eyes or flatten
what makes a face that of a person."""
LAB_RIDGE: Final = 0.5
"""Added to deviations in L*a*b*: keeps flat skin solvable, and is not seen."""
IDENTITY: Final = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))


def moments(pixels: ArrayLike) -> tuple[F64, F64]:
    """Mean [3] and covariance [3, 3] of colours [n, 3]."""
    values = np.asarray(pixels, np.float64)
    mean = values.mean(axis=0)
    return mean, (values - mean).T @ (values - mean) / len(values)


def root(matrix: F64, power: float = 0.5) -> F64:
    """Power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** power) @ vectors.T


def capped(turn: F64, light: ArrayLike = 1.0) -> F64:
    """A linear map whose stretches are capped to `GAIN`, beyond what light does that is so many times as strong [3].

    Half the light halves contrast too: nothing of that is the fit's own.
    """
    u, gains, vt = np.linalg.svd(turn)
    least, most = GAIN[0] * min(1.0, np.min(light)), GAIN[1] * max(1.0, np.max(light))
    return (u * np.clip(gains, least, most)) @ vt


def ridged(source: F64, target: F64) -> tuple[F64, F64]:
    """Two covariances with `RIDGE`."""
    return source + RIDGE * np.eye(3), target + RIDGE * np.eye(3)


def mkl(source: F64, target: F64) -> F64:
    """Monge-Kantorovich linear map [3, 3] between covariances: the least movement that matches them.

    T = S^-1/2 (S^1/2 C S^1/2)^1/2 S^-1/2 (Pitie and Kokaram 2007).
    """
    s, t = ridged(source, target)
    half, inverse = root(s), root(s, -0.5)
    return inverse @ root(half @ t @ half) @ inverse


def cholesky(source: F64, target: F64) -> F64:
    """Linear map [3, 3] between covariances by their triangular roots: L_C L_S^-1; the order of RGB matters to it."""
    s, t = (np.linalg.cholesky(one) for one in ridged(source, target))
    return np.asarray(t @ np.linalg.inv(s), np.float64)


def pca(source: F64, target: F64) -> F64:
    """Linear map [3, 3] between covariances that lays main axis on main axis (Xiao and Ma 2006).

    C = U D U^T: U_C D_C^1/2 D_S^-1/2 U_S^T; an axis has no direction, so each takes the one nearer to its partner's.
    """
    (s, along), (t, onto) = (np.linalg.eigh(one) for one in ridged(source, target))
    onto = onto * np.where((along * onto).sum(axis=0) < 0, -1, 1)
    return (onto * np.sqrt(t / s)) @ along.T


def reinhard(source: F64, target: F64, at: F64) -> F64:
    """Mean and deviation of each channel of CIE L*a*b* matched (Reinhard et al. 2001), for colours ``at`` [k, 3].

    The deviations' ratio is capped to `GAIN`.
    """

    def lab(colours: F64) -> F64:
        return cv2.cvtColor(colours.astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0].astype(np.float64)

    def rgb(colours: F64) -> F64:
        return cv2.cvtColor(colours.astype(np.float32)[None], cv2.COLOR_LAB2RGB)[0].astype(np.float64)

    one, other, here = lab(source), lab(target), lab(at)
    slope = np.clip((other.std(axis=0) + LAB_RIDGE) / (one.std(axis=0) + LAB_RIDGE), *GAIN)
    moved = (here - one.mean(axis=0)) * slope + other.mean(axis=0)
    # By difference: what the way there and back does to a colour is not part of the map.
    return at + rgb(moved) - rgb(here)


LINEAR: Final[Mapping[str, Callable[[F64, F64], F64]]] = {
    "mean": lambda source, target: np.eye(3), "mkl": mkl, "cholesky": cholesky, "pca": pca,
}  # fmt: skip
"""Map between covariances, by mode."""
FREE: Final[Mapping[str, Callable[[F64, F64, F64], F64]]] = {
    "reinhard": reinhard, "histogram": transport.histogram, "idt": transport.idt, "sot": transport.sot,
}  # fmt: skip
"""Where a map between clouds takes colours, by mode."""
UNTOUCHED: Final = ("none", "lowfreq")
"""Modes without a map: nothing is matched, or the light that is laid over the face brings the colour with it."""


def solve(mode: str, source: F64, target: F64) -> dict[str, Any]:
    """Fit a map between the colours [n, 3] and [m, 3] of two skins, float64.

    Parameters
    ----------
    mode:
        One of `LINEAR`, `FREE` or `UNTOUCHED`.

    Returns
    -------
    ``matrix`` 3x4 or ``lattice`` (see `lattice.pack`), and ``slope`` and ``offset`` per channel: the nearest map that a
    CDL can hold, which gives the skin the same means and deviations. JSON types.
    """
    fitted: dict[str, Any]
    if mode in FREE:
        nodes = lattice.nodes()
        moved = FREE[mode](source, target, nodes.reshape(-1, 3).astype(np.float64))
        fitted = {"lattice": lattice.pack(moved.reshape(nodes.shape).astype(np.float32))}
    elif mode in LINEAR:
        (mean_s, cov_s), (mean_t, cov_t) = moments(source), moments(target)
        turn = capped(LINEAR[mode](cov_s, cov_t), np.clip((mean_t + FLOOR) / (mean_s + FLOOR), *LIMITS))
        fitted = {"matrix": np.column_stack([turn, mean_t - turn @ mean_s]).tolist()}
    elif mode in UNTOUCHED:
        fitted = {"matrix": [list(row) for row in IDENTITY]}
    else:
        known = ", ".join([*UNTOUCHED, *LINEAR, *FREE])
        raise ConfigError(f"colour mode {mode!r} is not known", fix=f"use one of: {known}")
    (before, spread), (after, wide) = moments(source), moments(apply(source.astype(np.float32)[None], fitted)[0])
    slope = np.sqrt((np.diag(wide) + RIDGE) / (np.diag(spread) + RIDGE))
    return fitted | {"slope": slope.tolist(), "offset": (after - slope * before).tolist()}


def apply(image: Image, fitted: Mapping[str, Any], gain: ArrayLike = 1.0) -> Image:
    """Colours of an image [h, w, 3] through a fit of `solve`, times a gain, one or [3]."""
    factor = np.broadcast_to(np.asarray(gain, np.float64), 3)
    if "matrix" in fitted:
        return cv2.transform(image, (np.asarray(fitted["matrix"]) * factor[:, None]).astype(np.float32))
    moved = lattice.through(image, fitted["lattice"])
    return moved if (factor == 1).all() else cv2.transform(moved, np.diag(factor).astype(np.float32))


def to_cdl(fits: Mapping[str, Mapping[str, Any]]) -> str:
    """ASC CDL (1.2) document of fits of `solve` by their names: slope and offset per channel, power 1, saturation 1."""

    def row(values: ArrayLike) -> str:
        return " ".join(f"{value:.6f}" for value in np.asarray(values, np.float64))

    decisions = "".join(
        "  <ColorDecision>\n"
        f"    <ColorCorrection id=\"{escape(name)}\">\n"
        "      <SOPNode>\n"
        f"        <Description>{escape(name)}: new face to plate, display-encoded RGB</Description>\n"
        f"        <Slope>{row(fitted['slope'])}</Slope>\n"
        f"        <Offset>{row(fitted['offset'])}</Offset>\n"
        "        <Power>1.000000 1.000000 1.000000</Power>\n"
        "      </SOPNode>\n"
        "      <SatNode>\n"
        "        <Saturation>1.000000</Saturation>\n"
        "      </SatNode>\n"
        "    </ColorCorrection>\n"
        "  </ColorDecision>\n"
        for name, fitted in fits.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ColorDecisionList xmlns="urn:ASC:CDL:v1.2">\n{decisions}</ColorDecisionList>\n'
    )


def to_cube(fitted: Mapping[str, Any], name: str) -> str:
    """3-D look-up table (.cube text) of a whole fit of `solve`; red runs fastest, domain 0..1."""
    size = lattice.SIZE
    if "lattice" in fitted:
        made = lattice.unpack(fitted["lattice"])
    else:
        made = apply(lattice.nodes().reshape(size, -1, 3), fitted)
    table = made.reshape(size, size, size, 3).transpose(2, 1, 0, 3).reshape(-1, 3)
    title = "".join(c for c in name if c.isprintable() and c != '"')
    rows = "%.6f %.6f %.6f\n" * len(table) % tuple(table.ravel().tolist())
    return f'TITLE "{title}"\nLUT_3D_SIZE {size}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n{rows}'
