"""The (max, +) algebra of the max-plus engine against its definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim.engine.maxplus import apply, identity, multiply, power

SIZES, STEPS = 3, 4
entries = st.one_of(st.just(-np.inf), st.integers(-9, 9).map(float))
matrices = arrays(np.float64, (SIZES, SIZES, STEPS), elements=entries)
states = arrays(np.float64, (SIZES, STEPS), elements=st.integers(-9, 9).map(float))


def product(later, earlier):
    """The definition, entry by entry."""
    found = np.full((SIZES, SIZES, STEPS), -np.inf)
    for i, j, k, step in np.ndindex(SIZES, SIZES, SIZES, STEPS):
        found[i, j, step] = max(found[i, j, step], later[i, k, step] + earlier[k, j, step])
    return found


@given(matrices, matrices)
def test_a_product_is_the_best_way_through_any_stage(later, earlier):
    assert np.array_equal(multiply(later, earlier), product(later, earlier))


@given(matrices, arrays(np.int64, STEPS, elements=st.integers(0, 9)))
def test_a_power_is_the_product_so_many_times(matrix, exponents):
    found = power(matrix, exponents)
    expected = identity(SIZES, STEPS)
    for turn in range(int(exponents.max())):
        longer = product(matrix, expected)
        expected = np.where(turn < exponents, longer, expected)
    assert np.array_equal(found, expected)


@given(matrices, matrices, states)
def test_a_product_acts_as_one_after_the_other(later, earlier, state):
    assert np.array_equal(
        apply(multiply(later, earlier), state), apply(later, apply(earlier, state))
    )
    assert np.array_equal(apply(identity(SIZES, STEPS), state), state)
