"""The heat network against analytic solutions, and the governor's hysteresis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.soc import load_soc
from hw_models.thermal import RcChain, by_level, ceiling_c, clock_fraction, next_level


def column(*values: float) -> np.ndarray:
    """One run as a column of one, shape (lumps, 1)."""
    return np.array(values)[:, None]


def chain_of(capacities: tuple[float, ...], resistances: tuple[float, ...]) -> RcChain:
    return RcChain(column(*capacities), column(*resistances))


CHAIN = chain_of((2.0, 60.0, 180.0), (4.0, 1.0, 3.5))
positive = st.floats(0.1, 1e3)
chains = st.integers(1, 4).flatmap(
    lambda n: st.builds(chain_of, st.tuples(*[positive] * n), st.tuples(*[positive] * n))
)
TRIPS = by_level([-np.inf, 39.0, 43.0, 45.0, 46.5], beyond=np.inf)


def level_after(level: int, temperature_c: float) -> int:
    (after,) = next_level(np.array([level]), np.array([temperature_c]), TRIPS, 2.0)
    return int(after)


@given(positive, positive, st.floats(0, 20), st.floats(0, 1e4), st.floats(-10, 45))
def test_a_single_lump_follows_the_exponential(capacity, resistance, power, dt, ambient):
    lump = chain_of((capacity,), (resistance,))
    (after,) = lump.advance(column(60.0), column(power), dt, ambient)
    final = ambient + power * resistance
    expected = final + (60.0 - final) * np.exp(-dt / (capacity * resistance))
    assert after[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(chains, st.floats(0, 10))
def test_in_the_steady_state_all_power_flows_through_every_resistance(chain, power):
    """With the die as the only source, the drop over each resistance is P R."""
    count = len(chain.resistance_k_per_w)
    steady = chain.steady_state_c(column(power, *[0.0] * (count - 1)), 25.0)
    drops = -np.diff([*steady[:, 0], 25.0])
    assert drops == pytest.approx(power * chain.resistance_k_per_w[:, 0], rel=1e-6, abs=1e-6)


@given(chains, st.lists(st.floats(0.0, 9.0), min_size=4, max_size=4))
def test_what_flows_out_of_each_lump_in_the_steady_state_is_what_heats_it(chain, powers):
    """G (T - ambient) = P: the resistances to the air are the inverse of the conductance matrix."""
    power = column(*powers[: len(chain.resistance_k_per_w)])
    rise = chain.steady_state_c(power, 25.0) - 25.0
    outflow = np.einsum("ijr,jr->ir", chain.conductance_w_per_k, rise)
    np.testing.assert_allclose(outflow, power, atol=1e-6)


@given(chains)
def test_after_many_time_constants_the_steady_state_is_reached(chain):
    power = column(3.0, *[0.5] * (len(chain.resistance_k_per_w) - 1))
    long_s = 60 * chain.time_constants_s[0]
    start = np.full(power.shape, 25.0)
    steady = chain.steady_state_c(power, 25.0)
    assert chain.advance(start, power, long_s, 25.0) == pytest.approx(steady, rel=1e-6)


@given(st.floats(0.01, 1e3), st.floats(0.01, 1e3))
def test_two_steps_are_as_good_as_one(first_s, second_s):
    start, power = column(40.0, 30.0, 28.0), column(4.0, 0.0, 0.7)
    middle = CHAIN.advance(start, power, first_s, 25.0)
    twice = CHAIN.advance(middle, power, second_s, 25.0)
    assert twice == pytest.approx(CHAIN.advance(start, power, first_s + second_s, 25.0))


@given(
    chains,
    st.lists(st.floats(-10.0, 90.0), min_size=4, max_size=4),
    st.lists(st.floats(0.0, 6.0), min_size=4, max_size=4),
)
def test_no_lump_passes_its_ceiling(chain, temperatures, powers):
    count = len(chain.resistance_k_per_w)
    start, power = column(*temperatures[:count]), column(*powers[:count])
    ceiling = ceiling_c(start, chain.steady_state_c(power, 25.0))
    course = chain.advance(start, power, np.geomspace(1e-3, 1e6, 40), 25.0)
    assert (course <= ceiling + 1e-6).all()


def test_the_ceiling_of_a_cold_chain_is_the_steady_state_and_of_a_hot_one_above_it():
    steady = CHAIN.steady_state_c(column(4.0, 0.0, 0.7), 25.0)
    assert ceiling_c(column(25.0, 25.0, 25.0), steady) == pytest.approx(steady)
    assert ceiling_c(steady + 2.0, steady) == pytest.approx(steady + 2.0)


def test_the_chain_agrees_with_a_numerical_integration():
    capacity, start = CHAIN.heat_capacity_j_per_k, column(25.0, 25.0, 25.0)
    power, state, dt_s = column(5.0, 0.0, 0.7), start.copy(), 0.01
    conductance = CHAIN.conductance_w_per_k[:, :, 0]
    for _ in range(int(60 / dt_s)):
        state += dt_s * (power - conductance @ (state - 25.0)) / capacity
    assert CHAIN.advance(start, power, 60.0, 25.0) == pytest.approx(state, rel=1e-3)


def test_energy_is_conserved_while_nothing_has_reached_the_air():
    """Over 1 s from ambient, the heat stored in the lumps is the energy put in."""
    after = CHAIN.advance(column(25.0, 25.0, 25.0), column(5.0, 0.0, 0.0), 1.0, 25.0)
    stored = (CHAIN.heat_capacity_j_per_k * (after - 25.0)).sum()
    assert stored == pytest.approx(5.0, rel=1e-4)


def test_a_phone_has_a_fast_die_and_a_body_of_many_minutes():
    chain = RcChain.of(load_soc("dimensity_9500").thermal)
    slow, middle, fast = chain.time_constants_s[:, 0]
    assert fast < 10 < middle < 120
    assert 9 * 60 < slow < 20 * 60


def test_a_level_is_entered_at_its_trip_and_left_below_the_hysteresis():
    assert level_after(0, 38.9) == 0
    assert level_after(0, 39.0) == 1
    assert level_after(1, 37.0) == 1
    assert level_after(1, 36.9) == 0


def test_one_reading_moves_one_step():
    levels = [0]
    for temperature_c in [90.0] * 5 + [20.0] * 5:
        levels.append(level_after(levels[-1], temperature_c))
    assert levels == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 0]


@given(st.lists(st.floats(30, 55), max_size=50), st.integers(0, 4))
def test_the_level_stays_in_range_and_settles_at_constant_temperature(readings, level):
    for temperature_c in readings:
        following = level_after(level, temperature_c)
        assert abs(following - level) <= 1
        assert 0 <= following <= 4
        level = following
    for _ in range(5):
        level = level_after(level, 41.0)
    assert level_after(level, 41.0) == level


def test_inside_the_hysteresis_the_level_depends_on_where_it_came_from():
    assert level_after(0, 38.0) == 0
    assert level_after(1, 38.0) == 1


def test_each_level_has_its_clock():
    fractions = by_level([1.0, 0.9, 0.75, 0.5, 0.3], beyond=1.0)
    assert clock_fraction(np.arange(5), fractions).tolist() == [1, 0.9, 0.75, 0.5, 0.3]


@given(st.lists(chains, min_size=2, max_size=4), st.floats(0.0, 1e4), st.floats(-10, 45))
def test_chains_side_by_side_are_each_chain_alone(found, dt_s, ambient_c):
    """Columns of different devices, each with its own time and air, do not touch each other."""
    lumps = len(found[0].resistance_k_per_w)
    same = [chain for chain in found if len(chain.resistance_k_per_w) == lumps]
    together = RcChain(
        np.hstack([chain.heat_capacity_j_per_k for chain in same]),
        np.hstack([chain.resistance_k_per_w for chain in same]),
    )
    rng = np.random.default_rng(3)
    start_c, power_w = rng.uniform(20, 60, (2, lumps, len(same)))
    times_s, airs_c = dt_s * np.arange(1, len(same) + 1), ambient_c + np.arange(len(same))
    after_c = together.advance(start_c, power_w, times_s, airs_c)
    hottest_c = together.steady_state_c(power_w, airs_c).max()
    for place, chain in enumerate(same):
        row = slice(place, place + 1)
        alone_c = chain.advance(start_c[:, row], power_w[:, row], times_s[row], airs_c[row])
        np.testing.assert_allclose(after_c[:, row], alone_c, rtol=0, atol=1e-12 * hottest_c)
