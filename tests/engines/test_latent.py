"""From a recogniser's vector to a swapper's latent, against the formulas worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.engines.latent import average, converted, mapped, toward, unit
from understudy.errors import ModelError


def vectors(count: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, 512)).astype(np.float32)


def test_an_emaps_output_is_brought_back_to_length_one() -> None:
    raw = 20 * vectors(1)[0]
    emap = np.random.default_rng(1).normal(0, 0.2, (512, 512)).astype(np.float32)
    got = mapped(raw, emap)
    wanted = raw / np.linalg.norm(raw) @ emap
    assert np.linalg.norm(wanted) > 3  # what a tool feeds that leaves out the second normalisation
    assert got == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)


def test_only_ghost_keeps_the_length_of_its_converters_output() -> None:
    out = 3 * vectors(1)[0]
    assert np.array_equal(converted("ghost", out), out)
    for family in ("simswap", "hififace"):
        assert np.linalg.norm(converted(family, out)) == pytest.approx(1, abs=1e-6)


def test_the_average_is_of_directions_by_weight() -> None:
    a, b = unit(vectors()[0]), unit(vectors()[1])
    got = average(np.stack([10 * a, 30 * b]), (3.0, 1.0))
    assert unit(got) == pytest.approx(unit(3 * a + b), abs=1e-6)
    assert np.linalg.norm(got) == pytest.approx((3 * 10 + 30) / 4, rel=1e-5)
    assert unit(average(np.stack([10 * a, 30 * b]), ())) == pytest.approx(unit(a + b), abs=1e-6)
    assert unit(average(np.stack([a, b]), (1.0, 0.0))) == pytest.approx(a, abs=1e-6)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 1.0, 1.3])
def test_strength_moves_along_the_great_circle_in_equal_steps(strength: float) -> None:
    own, other = vectors()
    other = 4 * other
    got = toward(own, other, strength)
    assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(other), rel=1e-5)
    angle = np.arccos(unit(own) @ unit(other))
    assert np.arccos(np.clip(unit(got) @ unit(own), -1, 1)) == pytest.approx(strength * angle, abs=2e-3)
    # In the plane of the two: nothing is left of it when they are taken off.
    basis = np.linalg.qr(np.stack([own, other]).T.astype(float))[0]
    assert np.linalg.norm(got - basis @ (basis.T @ got)) < 1e-4 * np.linalg.norm(got)


def test_strength_one_is_the_talents_own_bits_and_opposites_are_refused() -> None:
    own, other = vectors()
    assert toward(own, other, 1.0) is other
    assert np.array_equal(toward(other, other, 0.3), other)
    with pytest.raises(ModelError, match="opposite"):
        toward(-other, other, 0.5)
