"""The die's governor: step-wise rules, polls that matter, and what it does to hot and cool runs."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.soc import load_soc
from hw_models.thermal import RcChain, next_level, next_state
from sim.heat.course import Lumps, decoding, may_trip, stays_cool, sustained_fractions
from sim.heat.phone import Load, Phone

PHONE = load_soc("dimensity_9500")
CHAIN = RcChain.of(PHONE.thermal)
DIE = PHONE.thermal.die_governor
temperatures = st.lists(st.floats(20.0, 110.0), min_size=3, max_size=3)


@given(st.integers(0, 7), st.floats(60, 110), st.floats(60, 110))
def test_a_poll_moves_one_state_and_only_with_the_trend(state, die_c, before_c):
    after = next_state(state, 7, die_c, before_c, 85.0, 2.0)
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
    powers_w = (die_w, 0.0, 0.7)
    after_c = CHAIN.advance(start_c, powers_w, dt_s, 25.0)
    assert (after_c <= CHAIN.ceiling_c(start_c, powers_w, 25.0) + 1e-9).all()


def test_a_course_is_its_instants_one_by_one():
    start_c, powers_w, instants_s = [70.0, 40.0, 30.0], (9.0, 0.0, 0.7), np.array([0.0, 3.0, 60.0])
    course_c = CHAIN.course(start_c, powers_w, instants_s, 25.0)
    for place, dt_s in enumerate(instants_s):
        alone_c = CHAIN.advance(start_c, powers_w, float(dt_s), 25.0)
        np.testing.assert_allclose(course_c[:, place], alone_c, rtol=1e-12)


@pytest.mark.parametrize("power_w", [3.0, 7.0, 12.0])
def test_columns_follow_the_rules_of_one(power_w):
    """The rules on arrays are those of `next_level` and `next_state`."""
    body = PHONE.thermal.governor
    trips_c, hysteresis_c = [trip.value for trip in body.trip_c], body.hysteresis_c.value
    level, state, before_c = 0, 0, -np.inf
    fractions = [1.0, *(item.value for item in body.clock_fraction)]
    states = [1.0, *(item.value for item in DIE.clock_fraction)]
    powers = np.array([power_w, power_w / 2])
    for part in takewhile(lambda part: part.end_s < 700, decoding(PHONE, 35.0, powers)):
        assert part.clock[0] == min(fractions[level], states[state])
        if part.end_s % body.sensor_period_s.value == 0:
            level = next_level(level, float(part.body_c[0]), trips_c, hysteresis_c)
        if part.end_s % DIE.sensor_period_s.value == 0 and may_trip_at(power_w):
            polled = next_state(state, 7, float(part.die_c[0]), before_c, 85.0, 2.0)
            state, before_c = polled, float(part.die_c[0])


def may_trip_at(power_w: float) -> bool:
    return bool(may_trip(Lumps(PHONE, 35.0), np.array([power_w]))[0])


def test_the_phone_of_the_engines_and_the_columns_agree():
    """They differ in when leakage is set anew while the die is cool."""
    phone = Phone(PHONE, 25.0, iter([Load(0.0, None)]))
    phone.run(lambda conditions: 11.0 * conditions.clock, 0.0)
    clock_s = 0.0
    while phone.next_change_s < 600.0:
        before_s, clock = phone.now_s, phone.conditions.clock
        phone.advance(phone.next_change_s)
        clock_s += clock * max(0.0, phone.now_s - max(before_s, 540.0))
    expected = sustained_fractions(PHONE, 25.0, np.array([11.0]))[0]
    assert clock_s / 60.0 == pytest.approx(expected, abs=0.03)


@given(
    st.lists(st.floats(0.0, 15.0), min_size=1, max_size=4),
    st.floats(15.0, 40.0),
    st.sampled_from(("dimensity_9500", "snapdragon_x_elite")),
)
def test_a_run_that_surely_stays_cool_keeps_its_clock(powers_w, ambient_c, device):
    soc, dynamic_w = load_soc(device), np.array(powers_w)
    cool = stays_cool(Lumps(soc, ambient_c), dynamic_w, 600.0)
    parts = takewhile(lambda part: part.start_s < 600.0, decoding(soc, ambient_c, dynamic_w))
    assert (np.min([part.clock for part in parts], axis=0)[cool] == 1.0).all()


def test_the_bound_on_a_cool_run_is_tight():
    powers_w = np.array([0.0, 3.0, 4.0, 11.0])
    assert stays_cool(Lumps(PHONE, 25.0), powers_w, 600.0).tolist() == [True, True, True, False]


def test_a_hot_run_slows_within_a_minute_and_a_cool_one_does_not():
    minute = takewhile(lambda part: part.end_s <= 60, decoding(PHONE, 25.0, np.array([14.0, 4.0])))
    hot, cool = np.min([part.clock for part in minute], axis=0)
    assert hot < 1.0
    assert cool == 1.0


def test_the_die_is_held_at_its_trip():
    later = [
        part
        for part in takewhile(
            lambda part: part.end_s < 900, decoding(PHONE, 25.0, np.array([14.0]))
        )
        if part.start_s > 120
    ]
    assert max(part.die_c[0] for part in later) < 85.0 + 5.0


def test_a_device_without_a_die_governor_is_left_alone():
    host = load_soc("ideal_85gbps_50tflops")
    assert host.thermal.die_governor is None
    assert not may_trip(Lumps(host, 25.0), np.array([1e4])).any()
    phone = Phone(host, 25.0, iter([Load(0.0, None)]))
    phone.run(lambda _: 1e4, 0.0)
    assert phone.next_change_s == host.thermal.governor.sensor_period_s.value
