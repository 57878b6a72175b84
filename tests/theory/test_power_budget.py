"""Power with the clock and its budget: closed forms, equal engines, bursts that a rest pays."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest

from hw_models import power
from hw_models.soc import SocSpec, load_soc
from sim import Scenario, simulate
from sim.heat.course import decoding, sustained_fractions
from sim.heat.phone import Load, Phone

PHONE = load_soc("apple_a19_pro")
BUDGET = PHONE.thermal.budget
assert BUDGET is not None
BURST_W = np.array([9.0])


def run(engine: str, soc: SocSpec, **turn: object):
    session = {"turns": [{"prompt_tokens": 40, "output_tokens": 40, **turn}]}
    scenario = Scenario.from_mapping(
        {"device": "apple_a19_pro", "model": "smollm2-135m", "session": session}
    )
    return simulate(scenario, engine=engine, soc=soc)  # type: ignore[arg-type]


def quick() -> SocSpec:
    """A slow phone whose budget is spent within seconds, and whose die latches."""
    latched = PHONE.with_overrides({"thermal.latch": {"trip_c": "60 C", "clock_fraction": 0.8}})
    return latched.with_values(
        {
            "dram.rate": 5e7,
            "thermal.budget.time_constant_s": 8.0,
            "thermal.budget.sensor_period_s": 1.1,
            "thermal.die.heat_capacity": 0.5,
        }
    )


def test_the_budget_is_reached_when_the_closed_form_says():
    """tau ln((P - rest) / (P - budget)), then the next poll."""
    first = next(part for part in decoding(PHONE, 25.0, BURST_W) if part.clock[0] < 1.0)
    flow = decoding(PHONE, 25.0, BURST_W)
    powers = list(takewhile(lambda part: part.clock[0] == 1.0, flow))
    lengths_s = np.array([float((part.end_s - part.start_s)[0]) for part in powers])
    mean_power_w = float((lengths_s * [part.power_w[0] for part in powers]).sum() / lengths_s.sum())
    rest_w = 0.5 + 0.7 + 0.15
    waited_s = power.reaches_s(rest_w, mean_power_w, BUDGET.sustained_w.value, 70.0)
    assert first.start_s[0] == pytest.approx(waited_s, abs=2 * BUDGET.sensor_period_s.value)


def test_running_mean_and_its_inverse_are_one_law():
    seconds = power.reaches_s(1.0, 10.0, 5.0, 50.0)
    assert float(power.mean_power_w(1.0, 10.0, seconds, 50.0)) == pytest.approx(5.0, rel=1e-12)
    assert power.reaches_s(1.0, 4.0, 5.0, 50.0) == np.inf
    assert power.reaches_s(6.0, 4.0, 5.0, 50.0) == pytest.approx(50.0 * np.log(2.0))


def test_ten_minutes_end_at_the_budget():
    """Whatever the burst takes, the last minute takes the budget, in steps of its clocks."""
    for burst_w in (6.0, 9.0, 14.0):
        parts = takewhile(
            lambda part: part.start_s[0] < 600.0,
            decoding(PHONE, 25.0, np.array([burst_w]), switched_w=0.7 * burst_w),
        )
        watts = [
            (float(p.end_s[0] - p.start_s[0]), float(p.power_w[0]), p.start_s[0]) for p in parts
        ]
        last = [(dt_s, w) for dt_s, w, start_s in watts if start_s >= 480.0]
        mean_w = sum(dt_s * w for dt_s, w in last) / sum(dt_s for dt_s, _ in last)
        assert mean_w == pytest.approx(BUDGET.sustained_w.value, rel=0.06)


def test_a_spent_budget_begins_at_the_clock_that_holds_it():
    """The state that later polls would leave alone, and the full clock where power is small."""
    budget_w = BUDGET.sustained_w.value
    for burst_w in (2.0, 6.0, 9.0):
        first = next(decoding(PHONE, 25.0, np.array([burst_w]), mean_w=budget_w))
        taken_w = 0.5 + 0.7 + 0.15 + PHONE.power.host_poll_w.value
        clocks = [1.0, *(item.value for item in BUDGET.clock_fraction)]
        holds = [clock for clock in clocks if taken_w + burst_w * clock <= budget_w]
        assert first.clock[0] == max(holds, default=clocks[-1])


def test_a_lower_clock_pays_for_itself():
    """The same budget leaves a higher clock where the voltage falls with it."""
    stiff, soft = sustained_fractions(
        PHONE, 25.0, np.array([9.0, 9.0]), 0.0, 10, np.array([0.0, 7.0])
    )
    assert soft > 1.2 * stiff


def test_a_rest_pays_for_the_next_burst():
    """Three runs back to back: each burst is shorter than the first; a long rest restores it."""
    phone = Phone(PHONE, 25.0, iter([Load(0.0, None)]))
    bursts_s = []
    for start_s in (0.0, 180.0, 360.0, 2000.0):
        while phone.next_change_s < start_s:
            phone.advance(phone.next_change_s)
        phone.run(lambda conditions: 9.0 * conditions.clock**2, start_s)
        while phone.next_change_s < start_s + 85.0:
            phone.advance(phone.next_change_s)
        phone.run(None, start_s + 85.0)
        slowed_s = next(at_s for at_s, now in phone.history if at_s > start_s and now.clock < 1.0)
        bursts_s.append(slowed_s - start_s)
    first, second, third, rested = bursts_s
    assert second < first
    assert third < first
    assert rested == pytest.approx(first, abs=6.0)


def test_duty_cycled_chat_keeps_its_clock():
    """Five seconds of decode in twenty: the mean stays below the budget for half an hour."""
    phone = Phone(PHONE, 25.0, iter([Load(0.0, None)]))
    for turn in range(90):
        phone.run(lambda conditions: 8.0 * conditions.clock, turn * 20.0)
        while phone.next_change_s < turn * 20.0 + 5.0:
            phone.advance(phone.next_change_s)
        phone.run(None, turn * 20.0 + 5.0)
        while phone.next_change_s < (turn + 1) * 20.0:
            phone.advance(phone.next_change_s)
    assert min(now.clock for _, now in phone.history) == 1.0


def test_engines_agree_with_budget_voltage_and_latch():
    soc = quick()
    auto, event = run("auto", soc), run("event", soc)
    assert any(reading.budget_level for reading in auto.heat.readings)
    assert min(reading.clock for reading in auto.heat.readings) < 0.8
    for mine, theirs in zip(auto.groups, event.groups, strict=True):
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-9, atol=1e-12)
    other = event.summary().as_dict()
    for name, value in auto.summary().as_dict().items():
        expected = other[name]
        close = expected if expected is None else pytest.approx(expected, rel=1e-6)
        assert value == close, name


def test_what_was_spent_became_heat():
    """The parts of the energy add up to the heat that left the chip, clock by clock."""
    result = run("auto", quick())
    assert result.heat.changes > 3
    assert result.energy.total_j == pytest.approx(result.heat.heat_j, rel=0.02)


def test_a_busy_unit_costs_its_seconds():
    silent = PHONE.with_values({"units.gpu.active_w": 0.0})
    busy, quiet = run("auto", PHONE), run("auto", silent)
    expected_j = PHONE.units["gpu"].active_w.value * busy.busy_s
    assert busy.energy.active_j == pytest.approx(expected_j, rel=1e-9)
    assert quiet.energy.active_j == 0.0
    assert busy.energy.compute_j == pytest.approx(quiet.energy.compute_j, rel=1e-12)


def test_a_latched_phone_stays_slow_when_it_is_cool_again():
    phone = Phone(quick(), 25.0, iter([Load(0.0, None)]))
    phone.run(lambda conditions: 20.0 * conditions.clock, 0.0)
    while phone.next_change_s < 30.0:
        phone.advance(phone.next_change_s)
    phone.run(None, 30.0)
    while phone.next_change_s < 600.0:
        phone.advance(phone.next_change_s)
    assert phone.temperatures_c[0, 0] < 35.0
    assert phone.conditions.clock == 0.8
