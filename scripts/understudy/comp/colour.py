"""Colour match: an affine map from the new skin's colours to the plate's, and its export for a colourist.

Everything is display-encoded RGB, float; a map is a 3x4 matrix [A | b], colours are A x + b.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.errors import ConfigError

F64 = NDArray[np.float64]

RIDGE: Final = 1e-4
"""Added to both covariances: keeps flat or one-coloured skin solvable."""
GAIN: Final = (0.92, 1.25)
"""Least and largest stretch of any direction of colour: the fit is of skin alone, and must not tint eyes or flatten
what makes a face that of a person."""
IDENTITY: Final = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))


def moments(pixels: ArrayLike, weights: ArrayLike | None = None) -> tuple[F64, F64]:
    """Mean [3] and covariance [3, 3] of colours [n, 3], weighted."""
    values = np.asarray(pixels, np.float64)
    w = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum()
    mean = w @ values
    centred = values - mean
    return mean, (centred * w[:, None]).T @ centred


def root(matrix: F64, power: float = 0.5) -> F64:
    """Power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-12) ** power) @ vectors.T


def mkl(source: F64, target: F64) -> F64:
    """Monge-Kantorovich linear map [3, 3] between covariances: the least movement that matches them.

    T = S^-1/2 (S^1/2 C S^1/2)^1/2 S^-1/2 (Pitie and Kokaram 2007), with `RIDGE`, singular values capped to `GAIN`.
    """
    s, t = source + RIDGE * np.eye(3), target + RIDGE * np.eye(3)
    half, inverse = root(s), root(s, -0.5)
    u, gains, vt = np.linalg.svd(inverse @ root(half @ t @ half) @ inverse)
    return (u * np.clip(gains, *GAIN)) @ vt


def solve(mode: str, source: tuple[F64, F64], target: tuple[F64, F64]) -> dict[str, list[Any]]:
    """Fit a map between moments (mean, covariance).

    Parameters
    ----------
    mode:
        ``mkl``, ``mean`` (a shift only) or ``none``.

    Returns
    -------
    ``matrix`` 3x4, and ``slope`` and ``offset`` per channel: the nearest map that a CDL can hold (a slope
    of the ratio of
    standard deviations, capped as the matrix is). JSON types.
    """
    (mean_s, cov_s), (mean_t, cov_t) = source, target
    match mode:
        case "none":
            return {"matrix": [list(row) for row in IDENTITY], "slope": [1.0] * 3, "offset": [0.0] * 3}
        case "mean":
            turn, slope = np.eye(3), np.ones(3)
        case "mkl":
            turn = mkl(cov_s, cov_t)
            slope = np.clip(np.sqrt((np.diag(cov_t) + RIDGE) / (np.diag(cov_s) + RIDGE)), *GAIN)
        case _:
            raise ConfigError(f"colour mode {mode!r} is not known", fix="use one of: mkl, mean, none")
    matrix = np.column_stack([turn, mean_t - turn @ mean_s])
    return {"matrix": matrix.tolist(), "slope": slope.tolist(), "offset": (mean_t - slope * mean_s).tolist()}


def apply(image: NDArray[np.float32], matrix: ArrayLike) -> NDArray[np.float32]:
    """Colours of an image [h, w, 3] through a 3x4 matrix."""
    return cv2.transform(image, np.asarray(matrix, np.float32))


def to_cdl(colour: Mapping[str, Any], name: str) -> str:
    """ASC CDL (1.2) document of a fit of `solve`: slope and offset per channel, power 1, saturation 1."""

    def row(values: ArrayLike) -> str:
        return " ".join(f"{value:.6f}" for value in np.asarray(values, np.float64))

    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ColorDecisionList xmlns="urn:ASC:CDL:v1.2">\n'
        "  <ColorDecision>\n"
        f"    <ColorCorrection id=\"{escape(name)}\">\n"
        "      <SOPNode>\n"
        f"        <Description>{escape(name)}: new face to plate, display-encoded RGB</Description>\n"
        f"        <Slope>{row(colour['slope'])}</Slope>\n"
        f"        <Offset>{row(colour['offset'])}</Offset>\n"
        "        <Power>1.000000 1.000000 1.000000</Power>\n"
        "      </SOPNode>\n"
        "      <SatNode>\n"
        "        <Saturation>1.000000</Saturation>\n"
        "      </SatNode>\n"
        "    </ColorCorrection>\n"
        "  </ColorDecision>\n"
        "</ColorDecisionList>\n"
    )


def to_cube(colour: Mapping[str, Any], name: str, size: int = 33) -> str:
    """3-D look-up table (.cube text) of a fit of `solve`, with the whole 3x4 matrix; red runs fastest, domain 0..1."""
    axis = np.linspace(0, 1, size)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    m = np.asarray(colour["matrix"], np.float64)
    table = np.stack([red, green, blue], axis=-1).reshape(-1, 3) @ m[:, :3].T + m[:, 3]
    title = "".join(c for c in name if c.isprintable() and c != '"')
    rows = "%.6f %.6f %.6f\n" * len(table) % tuple(table.ravel().tolist())
    return f'TITLE "{title}"\nLUT_3D_SIZE {size}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n{rows}'
