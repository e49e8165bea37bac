"""The choice of pictures over a shot, against every possible choice."""

from itertools import product

import numpy as np
import pytest

from understudy.engines.atlas import choose, crossfade


def price(cost, path, switch):
    return sum(cost[i, k] for i, k in enumerate(path)) + switch * sum(
        a != b for a, b in zip(path, path[1:], strict=False)
    )


@pytest.mark.parametrize("switch", [0.0, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_choice_is_the_cheapest_of_all(seed, switch):
    cost = np.random.default_rng(seed).random((7, 3))
    best = min(price(cost, path, switch) for path in product(range(3), repeat=7))
    assert price(cost, choose(cost, switch), switch) == pytest.approx(best)


def test_no_switch_pays_when_it_costs_more_than_it_saves():
    cost = np.array([[0.0, 1.0]] * 5 + [[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 5)
    assert choose(cost, 1.1).tolist() == [0] * 12
    assert choose(cost, 0.9).tolist() == [0] * 5 + [1] * 2 + [0] * 5


def test_equal_pictures_never_alternate():
    assert choose(np.zeros((9, 3)), 0.0).tolist() == [0] * 9


def test_crossfade_weights_sum_to_one_and_ramp_around_the_switch():
    weights = crossfade(np.array([0] * 6 + [1] * 6), 2, 5)
    assert np.allclose(weights.sum(axis=1), 1)
    # A mean over five frames: the first frame of the new picture already sees two of the old one.
    assert weights[:, 1] == pytest.approx([0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1])


def test_crossfade_of_one_picture_is_exactly_one():
    assert (crossfade(np.zeros(50, np.intp), 1, 5) == 1).all()


def test_crossfade_of_a_shot_shorter_than_the_fade():
    weights = crossfade(np.array([0, 1]), 2, 5)
    assert np.allclose(weights, [[0.6, 0.4], [0.4, 0.6]])
