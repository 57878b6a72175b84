"""The die's governor: step-wise rules, polls that matter, and what it does to hot and cool runs."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.soc import load_soc
from hw_models.thermal import RcChain, ceiling_c, next_state
from sim.heat.columns import HeatColumns
from sim.heat.course import decoding, stays_cool, sustained_fractions
from sim.heat.phone import Load, Phone

PHONE = load_soc("dimensity_9500")
CHAIN = RcChain.of(PHONE.thermal)
DIE = PHONE.thermal.die_governor
temperatures = st.lists(st.floats(20.0, 110.0), min_size=3, max_size=3)


@given(st.integers(0, 7), st.floats(60, 110), st.floats(60, 110))
def test_a_poll_moves_one_state_and_only_with_the_trend(state, die_c, before_c):
    now = np.array([state]), 7, np.array([die_c]), np.array([before_c])
    (after,) = next_state(*now, 85.0, 2.0)
    assert abs(after - state) <= 1
    assert 0 <= after <= 7
    if after > state:
        assert die_c >= (83.0 if state else 85.0)
        assert die_c > before_c
    if after < state:
        assert die_c < 83.0
        assert die_c < before_c


@given(temperatures, st.floats(0.0, 20.0), st.floats(0.0, 3000.0))
def test_no_lump_exceeds_its_ceiling(start_c, die_w, dt_s):
    start_c, powers_w = np.array(start_c)[:, None], np.array([[die_w], [0.0], [0.7]])
    after_c = CHAIN.advance(start_c, powers_w, dt_s, 25.0)
    assert (after_c <= ceiling_c(start_c, CHAIN.steady_state_c(powers_w, 25.0)) + 1e-9).all()


def test_a_course_is_its_instants_one_by_one():
    start_c, powers_w = np.array([[70.0], [40.0], [30.0]]), np.array([[9.0], [0.0], [0.7]])
    instants_s = np.array([0.0, 3.0, 60.0])
    course_c = CHAIN.advance(start_c, powers_w, instants_s, 25.0)
    for place, dt_s in enumerate(instants_s):
        alone_c = CHAIN.advance(start_c, powers_w, float(dt_s), 25.0)
        np.testing.assert_allclose(course_c[:, [place]], alone_c, rtol=1e-12)


@pytest.mark.parametrize("power_w", [3.0, 7.0, 12.0])
def test_a_long_run_obeys_the_rules_as_the_kernel_words_them(power_w):
    """The step_wise governor, once more as plain conditions on the temperatures of a run."""
    body = PHONE.thermal.governor
    trips_c, hysteresis_c = [trip.value for trip in body.trip_c], body.hysteresis_c.value
    level, state, before_c = 0, 0, -np.inf
    fractions = [1.0, *(item.value for item in body.clock_fraction)]
    states = [1.0, *(item.value for item in DIE.clock_fraction)]
    stretches = decoding(PHONE, 35.0, np.array([power_w]))
    for part in takewhile(lambda part: part.end_s[0] < 700, stretches):
        assert part.clock[0] == min(fractions[level], states[state])
        if part.end_s[0] % body.sensor_period_s.value == 0:
            if level < len(trips_c) and part.body_c[0] >= trips_c[level]:
                level += 1
            elif level > 0 and part.body_c[0] < trips_c[level - 1] - hysteresis_c:
                level -= 1
        if part.end_s[0] % DIE.sensor_period_s.value == 0:
            die_c = part.die_c[0]
            if die_c >= 85.0 - (2.0 if state else 0.0):
                state = min(state + (die_c > before_c), 7)
            else:
                state = max(0, state - (die_c < before_c))
            before_c = die_c


def test_the_phone_of_the_engines_and_the_columns_agree():
    """One phone is a column of one: minutes of decoding are its clocks."""
    phone = Phone(PHONE, 25.0, iter([Load(0.0, None)]))
    phone.run(lambda conditions: 11.0 * conditions.clock, 0.0)
    clock_s = 0.0
    while phone.next_change_s < 600.0:
        before_s, clock = phone.now_s, phone.conditions.clock
        phone.advance(phone.next_change_s)
        clock_s += clock * max(0.0, phone.now_s - max(before_s, 540.0))
    clock_s += phone.conditions.clock * (600.0 - phone.now_s)
    expected = sustained_fractions(PHONE, 25.0, np.array([11.0]))[0]
    assert 0.3 < expected < 0.95
    assert clock_s / 60.0 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("device", ["dimensity_9500", "snapdragon_x_elite"])
def test_a_run_that_surely_stays_cool_keeps_its_clock(device):
    rng = np.random.default_rng(5)
    soc, dynamic_w, ambient_c = load_soc(device), rng.uniform(0, 15, 300), rng.uniform(15, 40, 300)
    cool = stays_cool(HeatColumns.of(soc, ambient_c), dynamic_w, 600.0)
    assert 30 < cool.sum() < 270
    assert (lowest_clocks(soc, ambient_c, dynamic_w, 600.0)[cool] == 1.0).all()


def lowest_clocks(soc, ambient_c, dynamic_w, until_s):
    """The lowest clock of each run that begins before an instant; runs step apart."""
    parts = takewhile(
        lambda part: part.start_s.min() < until_s, decoding(soc, ambient_c, dynamic_w)
    )
    return np.min([np.where(part.start_s < until_s, part.clock, 1.0) for part in parts], axis=0)


def test_the_bound_on_a_cool_run_is_tight():
    powers_w = np.array([0.0, 3.0, 4.0, 11.0])
    assert stays_cool(HeatColumns.of(PHONE, 25.0), powers_w, 600.0).tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_a_hot_run_slows_within_a_minute_and_a_cool_one_does_not():
    hot, cool = lowest_clocks(PHONE, 25.0, np.array([14.0, 4.0]), 60.0)
    assert hot < 1.0
    assert cool == 1.0


def test_the_die_is_held_at_its_trip():
    later = [
        part
        for part in takewhile(
            lambda part: part.end_s[0] < 900, decoding(PHONE, 25.0, np.array([14.0]))
        )
        if part.start_s[0] > 120
    ]
    assert max(part.die_c[0] for part in later) < 85.0 + 5.0


def test_a_device_without_a_die_governor_is_left_alone():
    host = load_soc("ideal_85gbps_50tflops")
    assert host.thermal.die_governor is None
    assert sustained_fractions(host.with_values({}), 25.0, np.array([0.0])) == 1.0
    phone = Phone(host, 25.0, iter([Load(0.0, None)]))
    phone.run(lambda _: 1e4, 0.0)
    assert phone.next_change_s == host.thermal.governor.sensor_period_s.value
