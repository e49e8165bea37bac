"""Transports along lines against scipy's distances and closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from understudy.comp.tone import transport


def clouds() -> tuple[np.ndarray, np.ndarray]:
    """One crowd of colours, and two that no linear map leads to."""
    random = np.random.default_rng(4)
    source = random.multivariate_normal([0.5, 0.4, 0.35], np.diag([0.01, 0.006, 0.004]), 2000)
    parts = [
        random.multivariate_normal(mean, 0.002 * np.eye(3), 1000) for mean in ([0.6, 0.4, 0.2], [0.3, 0.45, 0.5])
    ]
    return source, np.concatenate(parts)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean Wasserstein distance of the projections on many directions."""
    axes = np.random.default_rng(9).normal(size=(3, 40))
    axes /= np.linalg.norm(axes, axis=0)
    return float(np.mean([wasserstein_distance(one @ axis, other @ axis) for axis in axes.T]))


def test_a_curve_is_the_transport_on_a_line() -> None:
    random = np.random.default_rng(0)
    source, target = random.normal(0, 1, 5000), random.exponential(2, 5000)
    moved = source + np.interp(source, *transport.curve(source, target))
    assert wasserstein_distance(moved, target) < 0.02 * wasserstein_distance(source, target)
    assert (np.diff(moved[np.argsort(source)]) >= -1e-9).all()


@pytest.mark.parametrize("move, left", [(transport.idt, 0.03), (transport.sot, 0.05), (transport.histogram, 0.7)])
def test_a_cloud_is_moved_onto_another(move: Callable[..., np.ndarray], left: float) -> None:
    # Two draws of the target are .03 apart themselves, by this measure.
    source, target = clouds()
    assert apart(move(source, target, source), target) < left * apart(source, target)


@pytest.mark.parametrize("bases", [1, 4])
def test_more_rounds_bring_it_nearer(bases: int) -> None:
    source, target = clouds()
    gaps = [apart(transport.sliced(source, target, source, n, bases), target) for n in (1, 3, 20)]
    assert gaps[2] < 0.5 * gaps[1] < 0.5 * gaps[0] < 0.5 * apart(source, target)


@pytest.mark.parametrize("move", [transport.idt, transport.sot, transport.histogram])
def test_a_shift_is_a_shift_everywhere(move: Callable[..., np.ndarray]) -> None:
    source, _ = clouds()
    at = np.random.default_rng(1).uniform(0, 1, (100, 3))
    shift = np.array([0.1, -0.05, 0.02])
    assert move(source, source + shift, at) == pytest.approx(at + shift, abs=1e-6)


def test_the_same_clouds_give_the_same_bits() -> None:
    source, target = clouds()
    one, again = (transport.sliced(source, target, source[:50], 2, 3) for _ in range(2))
    assert np.array_equal(one, again)


def test_a_cloud_of_one_colour_is_moved() -> None:
    flat = np.full((100, 3), 0.5)
    moved = transport.idt(flat, clouds()[1], flat)
    assert np.isfinite(moved).all() and moved[0] == pytest.approx(clouds()[1].mean(axis=0), abs=0.2)
