"""Split conformal factors: what they promise, and when they promise nothing."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.validation.intervals import conformal_factor, needed_residuals

ERRORS = st.lists(st.floats(-3.0, 3.0), min_size=0, max_size=50)


@given(ERRORS, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_there_is_a_factor_exactly_when_there_are_enough_residuals(
    errors: list[float], level: float
) -> None:
    assert (conformal_factor(errors, level) is None) == (len(errors) < needed_residuals(level))


@given(ERRORS.filter(lambda errors: len(errors) >= 4))
def test_at_least_the_level_of_the_residuals_is_inside(errors: list[float]) -> None:
    factor = conformal_factor(errors)
    assert factor is not None
    inside = [abs(error) <= math.log(factor) + 1e-12 for error in errors]
    assert sum(inside) >= 0.8 * len(errors) - 1e-9


@given(ERRORS, st.randoms(use_true_random=False))
def test_order_and_sign_do_not_matter(errors: list[float], random: object) -> None:
    shuffled = [-error for error in reversed(errors)]
    assert conformal_factor(errors) == conformal_factor(shuffled)


def test_fresh_rows_are_covered_as_promised() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        *known, fresh = random.standard_t(3, size=10)
        covered += abs(fresh) <= math.log(conformal_factor(known) or 1.0)
    assert 0.78 <= covered / 2000 <= 0.86  # 8 of 10 ranks, exchangeable
