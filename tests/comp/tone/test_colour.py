"""Colour fits against closed forms and scikit-image; exports read by OpenColorIO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from skimage import data
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

from understudy.comp.tone import colour, lattice
from understudy.errors import ConfigError

MODES = (*colour.UNTOUCHED, *colour.LINEAR, *colour.FREE)
MIX = np.array([[0.9, 0.1, 0.0], [0.02, 0.9, 0.05], [0.0, 0.08, 0.9]])


def covariance(seed: int, scale: float = 0.05) -> np.ndarray:
    a = np.random.default_rng(seed).normal(0, scale, (3, 3))
    return a @ a.T + 0.001 * np.eye(3)


def skin(count: int = 4000) -> np.ndarray:
    """Colours of a cheek and a forehead."""
    pixels = data.astronaut()[90:170, 190:260].reshape(-1, 3) / 255
    return pixels[np.random.default_rng(1).choice(len(pixels), count)]


def through(fitted: dict, colours: np.ndarray) -> np.ndarray:
    return colour.apply(colours.astype(np.float32)[None], fitted)[0]


def test_mkl_is_the_closed_form_and_matches_covariance() -> None:
    s, t = covariance(1), 1.2 * covariance(1) + 0.0002 * np.eye(3)
    got = colour.mkl(s, t)
    s, t = s + 1e-4 * np.eye(3), t + 1e-4 * np.eye(3)
    half = scipy.linalg.sqrtm(s)
    inverse = np.linalg.inv(half)
    assert got == pytest.approx(inverse @ scipy.linalg.sqrtm(half @ t @ half) @ inverse, abs=1e-9)
    assert got @ s @ got.T == pytest.approx(t, abs=1e-9)
    assert got == pytest.approx(got.T, abs=1e-9)


def test_linear_maps_match_covariance_each_by_its_own_root() -> None:
    s, t = covariance(1), covariance(2)
    for name in ("cholesky", "pca", "mkl"):
        turn = colour.LINEAR[name](s, t)
        ridge = 1e-4 * np.eye(3)
        assert turn @ (s + ridge) @ turn.T == pytest.approx(t + ridge, abs=1e-9), name
    assert colour.cholesky(s, t) == pytest.approx(np.tril(colour.cholesky(s, t)))
    # Main axes go onto main axes.
    onto = colour.pca(s, t) @ np.linalg.eigh(s)[1]
    assert abs(np.linalg.eigh(t)[1].T @ (onto / np.linalg.norm(onto, axis=0))) == pytest.approx(np.eye(3), abs=1e-6)


def test_mkl_of_independent_channels_is_the_ratio_of_deviations() -> None:
    s, t = np.diag([0.01, 0.02, 0.03]) - 1e-4 * np.eye(3), np.diag([0.0144, 0.02, 0.027]) - 1e-4 * np.eye(3)
    for name in ("mkl", "cholesky"):
        assert colour.LINEAR[name](s, t) == pytest.approx(np.diag([1.2, 1.0, np.sqrt(0.9)]), abs=1e-9)


def test_no_direction_is_stretched_beyond_its_limits() -> None:
    gains = np.linalg.svd(colour.capped(np.diag([5.0, 0.001, 1.0]) @ scipy.linalg.expm(MIX - MIX.T)))[1]
    assert gains == pytest.approx([1.25, 1.0, 0.92])
    dim = np.linalg.svd(colour.capped(np.diag([5.0, 0.001, 1.0]), [0.5, 0.7, 0.8]))[1]
    assert dim == pytest.approx([1.25, 1.0, 0.46])


def test_half_the_light_is_half_the_contrast() -> None:
    x = skin() * 0.9
    fitted = colour.solve("mkl", x, 0.5 * x)
    assert through(fitted, x).std(axis=0) == pytest.approx(0.5 * x.std(axis=0), rel=0.02)
    assert through(fitted, x) == pytest.approx(0.5 * x, abs=0.03)


@pytest.mark.parametrize("mode", MODES)
def test_a_face_that_is_the_plate_gives_the_identity(mode: str) -> None:
    x = skin()
    fitted = colour.solve(mode, x, x)
    anything = np.random.default_rng(2).uniform(-0.2, 1.6, (50, 60, 3)).astype(np.float32)
    assert np.abs(colour.apply(anything, fitted) - anything).max() < 1 / 1024
    assert fitted["slope"] == pytest.approx([1] * 3, abs=1e-4)
    assert fitted["offset"] == pytest.approx([0] * 3, abs=1e-4)


@pytest.mark.parametrize("mode", [*colour.LINEAR, *colour.FREE])
def test_the_mean_is_met(mode: str) -> None:
    x = skin()
    y = x @ MIX.T - 0.05
    fitted = colour.solve(mode, x, y)
    assert through(fitted, x).mean(axis=0) == pytest.approx(y.mean(axis=0), abs=4e-3)
    # And the nearest CDL does what the fit does to mean and deviation.
    graded = x * fitted["slope"] + fitted["offset"]
    assert graded.mean(axis=0) == pytest.approx(through(fitted, x).mean(axis=0), abs=1e-5)
    assert graded.std(axis=0) == pytest.approx(through(fitted, x).std(axis=0), rel=0.02)


@pytest.mark.parametrize("mode", colour.UNTOUCHED)
def test_modes_without_a_map_change_nothing(mode: str) -> None:
    assert np.array_equal(colour.solve(mode, skin(), skin() * 0.5)["matrix"], np.eye(3, 4))


def test_an_unknown_mode_is_refused() -> None:
    words = "none, lowfreq, mean, mkl, cholesky, pca, reinhard, histogram, idt, sot"
    with pytest.raises(ConfigError, match=rf"colour mode 'lct' is not known\n  -> use one of: {words}"):
        colour.solve("lct", skin(), skin())


def test_reinhard_is_that_of_scikit_images_lab() -> None:
    x = skin()
    y = x * 0.9 - 0.02
    one, other = rgb2lab(x), rgb2lab(y)
    slope = (other.std(axis=0) + colour.LAB_RIDGE) / (one.std(axis=0) + colour.LAB_RIDGE)
    assert ((slope > 0.92) & (slope < 1.25)).all()
    wanted = lab2rgb((one - one.mean(axis=0)) * slope + other.mean(axis=0))
    assert colour.reinhard(x, y, x) == pytest.approx(wanted, abs=2e-3)
    # What the lattice adds is most where Lab bends, at the cube's corners.
    assert np.quantile(np.abs(through(colour.solve("reinhard", x, y), x) - wanted), 0.99) < 3e-3


def test_a_histogram_is_that_of_scikit_image() -> None:
    x = skin()
    y = skin(3000) ** 1.4 * (0.9, 1.0, 0.8)
    wanted = match_histograms(x[None], y[None], channel_axis=-1)[0]
    off = np.abs(colour.FREE["histogram"](x, y, x) - wanted)
    assert np.quantile(off, 0.99) < 0.008 and np.sqrt(np.mean(off**2)) < 0.003


def test_moments_are_numpys() -> None:
    pixels = np.random.default_rng(4).random((20, 3))
    mean, cov = colour.moments(pixels)
    assert mean == pytest.approx(pixels.mean(axis=0))
    assert cov == pytest.approx(np.cov(pixels.T, bias=True))


def test_a_lattice_is_laid_over_a_picture_as_it_was_packed() -> None:
    nodes = lattice.nodes()
    bent = nodes + 0.1 * nodes * (1 - nodes[..., ::-1])
    packed = lattice.pack(bent)
    assert np.abs(lattice.unpack(packed) - bent).max() < 1 / 8192
    image = np.random.default_rng(3).random((40, 50, 3)).astype(np.float32)
    before = image.copy()
    wanted = image + 0.1 * image * (1 - image[..., ::-1])
    assert np.abs(lattice.through(image, packed) - wanted).max() < 2e-3
    assert np.array_equal(image, before)
    # On the nodes it is exact.
    plane = np.ascontiguousarray(nodes[7])
    assert np.abs(lattice.through(plane, packed) - bent[7]).max() < 2e-4


def test_beyond_the_cube_the_change_at_its_face_goes_on() -> None:
    packed = lattice.pack(lattice.nodes() * np.float32(0.9))
    got = lattice.through(np.array([[[-0.5, 0.5, 3.0]]], np.float32), packed)
    assert got[0, 0] == pytest.approx([-0.5, 0.45, 2.9], abs=1e-3)


@pytest.mark.parametrize("mode", ["mkl", "idt"])
def test_a_cube_is_the_whole_fit_for_opencolorio(mode: str, tmp_path: Path) -> None:
    ocio = pytest.importorskip("PyOpenColorIO")
    fitted = colour.solve(mode, skin(), skin() @ MIX.T)
    path = tmp_path / "fit.cube"
    path.write_text(colour.to_cube(fitted, 'a "b" <c>'), encoding="utf-8")
    transform = ocio.FileTransform(str(path), "", ocio.INTERP_TETRAHEDRAL)
    processor = ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    pixel = np.array([0.55, 0.45, 0.4], np.float32)
    wanted = colour.apply(pixel[None, None], fitted)[0, 0]
    assert processor.applyRGB(pixel.tolist()) == pytest.approx(wanted, abs=1e-5)


def test_a_cdl_has_a_correction_per_fit_that_opencolorio_reads(tmp_path: Path) -> None:
    ocio = pytest.importorskip("PyOpenColorIO")
    fits = {"sh010.t01": colour.solve("mkl", skin(), skin() * 0.9), "b <c>": colour.solve("idt", skin(), skin() * 0.8)}
    path = tmp_path / "fit.cdl"
    path.write_text(colour.to_cdl(fits), encoding="utf-8")
    pixel = [0.55, 0.45, 0.4]
    for name, fitted in fits.items():
        transform = ocio.FileTransform(str(path), name, ocio.INTERP_TETRAHEDRAL)
        transform.setCDLStyle(ocio.CDL_NO_CLAMP)
        processor = ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
        wanted = np.array(fitted["slope"]) * pixel + fitted["offset"]
        assert processor.applyRGB(pixel) == pytest.approx(wanted, abs=1e-5)
