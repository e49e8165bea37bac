"""From recognisers' vectors to a swapper's latents, against the formulas worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.engines.latent import converted, mapped, toward, unit
from understudy.errors import ModelError


def vectors(count: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, 512)).astype(np.float32)


def test_an_emaps_output_is_brought_back_to_length_one() -> None:
    raw = 20 * vectors()
    emap = np.random.default_rng(1).normal(0, 0.2, (512, 512)).astype(np.float32)
    got = mapped(raw, emap)
    for row, one in zip(raw, got, strict=True):
        wanted = row / np.linalg.norm(row) @ emap
        assert np.linalg.norm(wanted) > 3  # what a tool feeds that leaves out the second normalisation
        assert one == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)


def test_only_ghost_keeps_the_length_of_its_converters_output() -> None:
    out = 3 * vectors()
    assert np.array_equal(converted("ghost", out), out)
    for family in ("simswap", "hififace"):
        assert np.linalg.norm(converted(family, out), axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 1.0, 1.3])
def test_strength_moves_along_the_great_circle_in_equal_steps(strength: float) -> None:
    own, others = vectors(1), 4 * vectors(3, 1)
    made = toward(own, others, strength)
    for other, got in zip(others, made, strict=True):
        assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(other), rel=1e-5)
        start, end, here = (v.astype(float) / np.linalg.norm(v) for v in (own[0], other, got))
        angle = np.arccos(start @ end)
        assert np.arccos(np.clip(here @ start, -1, 1)) == pytest.approx(strength * angle, abs=2e-3)
        # In the plane of the two: nothing is left of it when they are taken off.
        basis = np.linalg.qr(np.stack([start, end]).T)[0]
        assert np.linalg.norm(here - basis @ (basis.T @ here)) < 1e-4


def test_strength_one_is_the_talents_own_bits_and_opposites_are_refused() -> None:
    own, other = vectors(1), vectors(1, 1)
    assert toward(own, other, 1.0) is other
    assert toward(other, other, 0.3) == pytest.approx(other, rel=1e-5)
    assert unit(3 * other) == pytest.approx(unit(other), abs=1e-6)
    with pytest.raises(ModelError, match="opposite"):
        toward(-other, other, 0.5)
