"""Many tiles in closed form are the tiles one after another."""

import numpy as np
import pytest

from sim.engine.maxplus import identity, multiply, tiles_matrix

STEPS, MOST = 60, 24


@pytest.mark.parametrize("buffers", [1, 2, 3, 5])
def test_tiles_are_the_product_of_single_ones(buffers):
    random = np.random.default_rng(buffers)
    fetch_s, busy_s = random.choice([0.0, 0.1, 1.0, 4.0], (2, STEPS)) * random.random((2, STEPS))
    one = tiles_matrix(fetch_s, busy_s, np.ones(STEPS, dtype=np.int64), buffers)
    product = identity(buffers + 1, STEPS)
    for count in range(MOST):
        found = tiles_matrix(fetch_s, busy_s, np.full(STEPS, count), buffers)
        assert found == pytest.approx(product)
        product = multiply(one, product)


def test_one_tile_is_fetched_and_then_computed():
    matrix = tiles_matrix(np.array([2.0]), np.array([3.0]), np.array([1]), 2)[..., 0]
    no = -np.inf
    assert matrix.tolist() == [[2.0, no, 2.0], [5.0, 3.0, 5.0], [no, 0.0, no]]
