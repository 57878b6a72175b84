"""A governor that reads a spot of the skin over the board: closed forms, engines, a Galaxy S25."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest

from docs.galaxy_s25 import CUTS_S, GOVERNOR, TOKENS_S, device, lagged_board_c, replay, series
from hw_models.soc import SocSpec, load_soc
from hw_models.thermal import RcChain
from sim import Scenario, simulate
from sim.heat.columns import SPREADER, HeatColumns
from sim.heat.course import decoding, stays_cool, sustained_fractions

CHAIN = RcChain(np.array([[2.0], [60.0], [180.0]]), np.array([[4.0], [1.0], [3.5]]))
COLD_C = np.full((3, 1), 25.0)
FINAL_C = CHAIN.steady_state_c(np.array([[5.0], [0.0], [0.7]]), 25.0)


def followed(dt_s: float, constant_s: float, start_c=COLD_C, before_c: float = 25.0) -> float:
    before, constant = np.array([before_c]), np.array([constant_s])
    return float(CHAIN.followed(SPREADER, start_c, FINAL_C, dt_s, before, constant)[0])


def test_a_spot_follows_the_board_as_its_integral_says():
    steps, dt_s, constant_s = 20_000, 0.003, 40.0
    course_c = CHAIN.course(SPREADER, COLD_C, FINAL_C, (np.arange(steps)[:, None] + 0.5) * dt_s)
    found = 25.0
    for board_c in course_c[:, 0]:
        found += dt_s * (board_c - found) / constant_s
    assert followed(steps * dt_s, constant_s) == pytest.approx(found, abs=1e-4)


def test_two_steps_are_as_good_as_one():
    middle_c, spot_c = CHAIN.towards(COLD_C, FINAL_C, 17.0), followed(17.0, 40.0)
    assert followed(30.0, 40.0, middle_c, spot_c) == pytest.approx(followed(47.0, 40.0), abs=1e-10)


def test_a_spot_as_slow_as_the_chain_itself_is_no_corner():
    """Where 1 / tau meets a rate of the chain the quotient is its limit."""
    constant_s = float(CHAIN.time_constants_s[1, 0])
    exact, near = followed(60.0, constant_s), followed(60.0, constant_s * (1.0 + 1e-6))
    assert exact == pytest.approx(near, rel=1e-6)
    beside = [followed(60.0, constant_s * (1.0 + sign * 3e-4)) for sign in (-1.0, 1.0)]
    assert exact == pytest.approx(np.mean(beside), rel=1e-7)


def test_a_quick_spot_is_the_board_and_an_endless_one_stays():
    board_c = float(CHAIN.towards(COLD_C, FINAL_C, 60.0)[SPREADER, 0])
    assert followed(60.0, 1e-3) == pytest.approx(board_c, abs=1e-3)
    assert followed(60.0, np.inf) == pytest.approx(25.0, abs=0.0)


def skinned(constant_s: float = 3.0) -> SocSpec:
    """A slow phone whose governor reads a spot that is hot within seconds."""
    soc = load_soc("apple_a19_pro").with_overrides(
        {"thermal.skin": {"time_constant_s": constant_s}}
    )
    return soc.with_values(
        {
            "dram.rate": 5e7,
            "thermal.spreader.heat_capacity": 4.0,
            "thermal.governor.sensor_period_s": 1.3,
            "thermal.budget.sustained_w": 100.0,
            **{f"thermal.governor.trip_c.{place}": 26.0 + place for place in range(4)},
        }
    )


def run(engine: str, soc: SocSpec):
    session = {"turns": [{"prompt_tokens": 40, "output_tokens": 40}]}
    scenario = Scenario.from_mapping(
        {"device": "apple_a19_pro", "model": "smollm2-135m", "session": session}
    )
    return simulate(scenario, engine=engine, soc=soc)  # type: ignore[arg-type]


def test_engines_agree_while_the_skin_governs():
    auto, event = run("auto", skinned()), run("event", skinned())
    assert min(reading.clock for reading in auto.heat.readings) < 0.9
    for mine, theirs in zip(auto.groups, event.groups, strict=True):
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-9, atol=1e-12)


def test_without_the_spot_the_same_run_is_not_slowed():
    """Its body is a lump of minutes."""
    body = skinned().with_overrides({"thermal.skin": None})
    assert min(reading.clock for reading in run("auto", body).heat.readings) == 1.0


def test_devices_with_and_without_a_spot_are_columns_of_one_run():
    quick, slow, body = skinned(), skinned(60.0), skinned().with_overrides({"thermal.skin": None})
    socs, powers_w = [quick, slow, body], np.array([6.0, 6.0, 6.0])
    together = sustained_fractions(socs, 25.0, powers_w)
    alone = [sustained_fractions(soc, 25.0, powers_w[:1])[0] for soc in socs]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert together[0] < 1.0


@pytest.mark.parametrize("power_w", [0.5, 1.5, 3.0, 6.0])
def test_a_run_that_is_said_to_stay_cool_keeps_its_clock(power_w):
    """The bound is of the board, which is warmer than the body and than what follows it."""
    soc = skinned(30.0).with_values({"thermal.governor.trip_c.0": 32.0})
    powers_w = np.array([power_w])
    is_cool = bool(stays_cool(HeatColumns.of(soc, 25.0), powers_w, 300.0)[0])
    parts = takewhile(lambda part: part.end_s[0] < 300.0, decoding(soc, 25.0, powers_w))
    assert not is_cool or min(part.clock[0] for part in parts) == 1.0
    assert is_cool is (power_w < 1.0)


def test_one_threshold_of_a_lagged_board_is_where_all_three_runs_leave_the_full_clock():
    """Of the board itself it would have to fall by 8 K; the series was read every 2 to 4 s."""
    itself_c, lagged_c = (np.mean(lagged_board_c(each), axis=1) for each in (1e-3, 60.0))
    assert np.ptp(itself_c) > 7.0
    assert np.ptp(lagged_c) < 1.0
    assert lagged_c.mean() == pytest.approx(39.0, abs=0.3)  # the first trip of a Pixel's skin


def test_bursts_shorten_as_measured_once_the_governor_reads_the_spot():
    course = replay(device())
    measured_s = [np.mean(cut) - begin for cut, (begin, _) in zip(CUTS_S, TOKENS_S, strict=True)]
    np.testing.assert_allclose(course.bursts_s(), measured_s, atol=10.0)
    np.testing.assert_allclose(course.bursts_s()[:2], measured_s[:2], atol=4.0)
    assert course.bursts_s() == sorted(course.bursts_s(), reverse=True)
    shown = series()
    clocks = [
        float(rows["gpu_clock_hz"].mean() / 1.2e9)
        for begin, end in TOKENS_S
        for rows in [shown[(shown["time_s"] >= begin) & (shown["time_s"] < end)]]
    ]
    np.testing.assert_allclose(course.mean_clocks(), clocks, atol=0.06)


def test_neither_the_body_nor_a_budget_of_power_gives_them():
    """The body warms for minutes; a mean of the power forgets alike in every rest."""
    body_s = replay(device(thermal__skin=None)).bursts_s()
    assert body_s[1] > 45.0
    assert body_s[2] > 30.0
    far = {**GOVERNOR["thermal.governor"], "trip_c": [60.0]}
    budget = {
        "sustained_w": 6.0,
        "time_constant_s": 57.0,
        "clock_fraction": [0.9, 0.8, 0.7, 0.6, 0.5],
        "hysteresis_w": 0.3,
        "sensor_period_s": 3.0,
    }
    for sustained_w, constant_s in ((4.0, 100.0), (6.0, 57.0), (7.5, 30.0)):
        moved = {"sustained_w": sustained_w, "time_constant_s": constant_s}
        held = device(thermal__skin=None, thermal__governor=far, thermal__budget=budget | moved)
        first_s, _, third_s = replay(held).bursts_s()
        assert 20.0 < first_s < 45.0
        assert third_s > 0.7 * first_s  # measured: a fifth
