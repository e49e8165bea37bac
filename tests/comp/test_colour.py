"""Colour fit against closed forms; exports read by OpenColorIO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from understudy.comp import colour
from understudy.errors import ConfigError


def covariance(seed: int, scale: float = 0.05) -> np.ndarray:
    a = np.random.default_rng(seed).normal(0, scale, (3, 3))
    return a @ a.T + 0.001 * np.eye(3)


def test_mkl_is_the_closed_form_and_matches_covariance() -> None:
    s, t = covariance(1), 1.2 * covariance(1) + 0.0002 * np.eye(3)
    got = colour.mkl(s, t)
    s, t = s + 1e-4 * np.eye(3), t + 1e-4 * np.eye(3)
    half = scipy.linalg.sqrtm(s)
    inverse = np.linalg.inv(half)
    assert got == pytest.approx(inverse @ scipy.linalg.sqrtm(half @ t @ half) @ inverse, abs=1e-9)
    assert got @ s @ got.T == pytest.approx(t, abs=1e-9)
    assert got == pytest.approx(got.T, abs=1e-9)


def test_mkl_of_independent_channels_is_the_ratio_of_deviations() -> None:
    s, t = np.diag([0.01, 0.02, 0.03]) - 1e-4 * np.eye(3), np.diag([0.0144, 0.02, 0.027]) - 1e-4 * np.eye(3)
    assert colour.mkl(s, t) == pytest.approx(np.diag([1.2, 1.0, np.sqrt(0.9)]), abs=1e-9)


def test_no_direction_is_stretched_beyond_its_limits() -> None:
    gains = np.linalg.svd(colour.mkl(np.diag([0.5, 1e-6, 0.01]), np.diag([1e-6, 0.5, 0.01])))[1]
    assert gains.max() == pytest.approx(1.25) and gains.min() == pytest.approx(0.92)


def test_solve_maps_the_mean_onto_the_mean() -> None:
    source = np.array([0.6, 0.5, 0.4]), covariance(2)
    target = np.array([0.5, 0.35, 0.3]), covariance(3)
    for mode in ("mkl", "mean"):
        m = np.array(colour.solve(mode, source, target)["matrix"])
        assert m[:, :3] @ source[0] + m[:, 3] == pytest.approx(target[0])
    assert np.array(colour.solve("none", source, target)["matrix"]) == pytest.approx(
        np.array(colour.IDENTITY)
    )
    with pytest.raises(
        ConfigError, match=r"colour mode 'idt' is not known\n  -> use one of: mkl, mean, none"
    ):
        colour.solve("idt", source, target)


def test_weighted_moments_are_those_of_repeated_pixels() -> None:
    pixels = np.random.default_rng(4).random((20, 3))
    counts = np.arange(20)
    mean, cov = colour.moments(pixels, counts)
    many = np.repeat(pixels, counts, axis=0)
    assert mean == pytest.approx(many.mean(axis=0))
    assert cov == pytest.approx(np.cov(many.T, bias=True))


@pytest.mark.parametrize("kind", ["cdl", "cube"])
def test_exports_are_what_opencolorio_reads(kind: str, tmp_path: Path) -> None:
    ocio = pytest.importorskip("PyOpenColorIO")
    fitted = colour.solve(
        "mkl", (np.array([0.6, 0.5, 0.4]), covariance(5)), (np.array([0.5, 0.4, 0.35]), covariance(6))
    )
    text = colour.to_cdl(fitted, "sh010.t01") if kind == "cdl" else colour.to_cube(fitted, 'a "b" <c>')
    path = tmp_path / f"fit.{kind}"
    path.write_text(text, encoding="utf-8")
    config = ocio.Config.CreateRaw()
    transform = ocio.FileTransform(str(path), "", ocio.INTERP_TETRAHEDRAL)
    if kind == "cdl":
        transform.setCDLStyle(ocio.CDL_NO_CLAMP)
    processor = config.getProcessor(transform).getDefaultCPUProcessor()
    pixel = [0.55, 0.45, 0.4]
    if kind == "cdl":
        wanted = np.array(fitted["slope"]) * pixel + fitted["offset"]
    else:
        m = np.array(fitted["matrix"])
        wanted = m[:, :3] @ pixel + m[:, 3]
    assert processor.applyRGB(pixel) == pytest.approx(wanted, abs=1e-5)
