"""Crops finer than a network: sizes, cost, phases and what goes before them."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.engines.boost import cost, phases
from understudy.engines.tiles import join, soften, split
from understudy.errors import ConfigError


@pytest.mark.parametrize(
    "size, boost, times",
    [(128, 0, 1), (128, 128, 1), (128, 384, 3), (128, 768, 6), (256, 1024, 4), (512, 512, 1)],
)
def test_a_side_that_divides_costs_its_square(size: int, boost: int, times: int) -> None:
    assert phases(size, boost) == times
    assert cost(size, boost) == times**2


@pytest.mark.parametrize(
    "size, boost, choices",
    [(256, 384, "256, 512, 768, 1024"), (512, 768, "512, 1024"), (128, 64, "128, 256")],
)
def test_a_side_that_does_not_divide_is_refused_with_those_that_do(
    size: int, boost: int, choices: str
) -> None:
    with pytest.raises(ConfigError, match=f"{boost} pixels .* {size}") as refusal:
        phases(size, boost, where="model blendswap_256")
    assert refusal.value.where == "model blendswap_256" and choices in refusal.value.fix


def test_the_card_may_allow_fewer_sides() -> None:
    assert phases(128, 256, (128, 256, 384)) == 2
    with pytest.raises(ConfigError) as refusal:
        phases(128, 640, (128, 256, 384))
    assert refusal.value.fix == "set boost to one of 128, 256, 384"
    with pytest.raises(ConfigError):
        phases(256, 384, (256, 384))


def test_more_than_the_most_is_refused() -> None:
    with pytest.raises(ConfigError, match="2048 pixels"):
        phases(128, 2048)


def test_a_network_larger_than_the_most_keeps_its_own_side() -> None:
    assert phases(2048, 2048) == 1


def test_phases_are_every_nth_row_and_column() -> None:
    pages = np.random.default_rng(0).random((2, 12, 12, 3)).astype(np.float32)
    tiles = split(pages, 3)
    assert tiles.shape == (18, 4, 4, 3)
    for page in range(2):
        for i in range(3):
            for j in range(3):
                assert np.array_equal(tiles[page * 9 + i * 3 + j], pages[page, i::3, j::3])
    assert np.array_equal(join(tiles, 3), pages)
    mattes = pages[..., 0].copy()
    assert np.array_equal(join(split(mattes, 3), 3), mattes)


def test_without_a_low_pass_a_phase_aliases_and_with_it_hardly() -> None:
    # A wave of .4 cycles per pixel is one of 1.6 cycles per pixel of a phase of four: it comes back as .4 again.
    n, side = 4, 128
    wave = np.cos(2 * np.pi * 0.4 * (np.arange(side) + 0.5)).astype(np.float32)
    page = np.broadcast_to(wave[None, None, :, None], (1, side, side, 3)).copy()
    bare, soft = split(page, n)[:, 4:-4, 4:-4], split(soften(page, n), n)[:, 4:-4, 4:-4]
    assert bare.std() > 0.6
    assert soft.std() < 0.01
    slow = np.cos(2 * np.pi * 0.02 * (np.arange(side) + 0.5)).astype(np.float32)
    page = np.broadcast_to(slow[None, None, :, None], (1, side, side, 3)).copy()
    assert soften(page, n).std() > 0.95 * page.std()


def test_a_single_phase_is_left_as_it_is() -> None:
    page = np.random.default_rng(1).random((1, 8, 8, 3)).astype(np.float32)
    assert soften(page, 1) is page
    assert np.array_equal(split(page, 1), page) and np.array_equal(join(page, 1), page)
