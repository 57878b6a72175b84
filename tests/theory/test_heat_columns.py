"""Heat of many devices at once: every column is the run of its device alone."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from hw_models.soc import SocSpec, load_soc
from sim.heat.columns import BODY, DIE, HeatColumns
from sim.heat.course import decoding, sustained_fractions
from sim.heat.phone import Load, Phone
from sim.heat.warp import Pieces, warped

PHONE = load_soc("dimensity_9500")
RUNS = 24


def devices() -> list[SocSpec]:
    """Phones and others, with and without a governor of the die, every number drawn."""
    rng = np.random.default_rng(7)
    bases = [PHONE, load_soc("ideal_85gbps_50tflops"), load_soc("snapdragon_x_elite")]
    found = []
    for place in range(RUNS):
        soc = bases[place % len(bases)]
        moved = {
            path: float(rng.uniform(item.low, item.high))
            for path, item in soc.parameters().items()
            if path.startswith(("thermal.", "power.")) and item.low is not None
        }
        found.append(soc.with_values(moved))
    return found


SOCS = devices()
RNG = np.random.default_rng(8)
AIR_C, POWER_W = RNG.uniform(10.0, 40.0, RUNS), RNG.uniform(0.0, 14.0, RUNS)
CHARGING_W = RNG.uniform(0.0, 4.0, RUNS)


def test_the_tenth_minute_of_each_device_is_its_own():
    together = sustained_fractions(SOCS, AIR_C, POWER_W, CHARGING_W)
    alone = [
        sustained_fractions(soc, float(air_c), np.array([power_w]), float(charging_w))[0]
        for soc, air_c, power_w, charging_w in zip(SOCS, AIR_C, POWER_W, CHARGING_W, strict=True)
    ]
    assert 0.2 < np.mean(together < 1.0) < 0.9
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_the_temperatures_of_each_device_are_its_own():
    """Each steps on the grid of its own sensors, however many others stand beside it."""
    together = history(SOCS, AIR_C, POWER_W, CHARGING_W)
    for run, soc in enumerate(SOCS):
        alone = history([soc], AIR_C[[run]], POWER_W[[run]], CHARGING_W[[run]])
        np.testing.assert_allclose(together[:, :, run], alone[:, :, 0], rtol=1e-12)


def history(socs, air_c, power_w, charging_w):
    """Times, clock and temperatures of the first stretches, shape (stretches, names, runs)."""
    names = ("start_s", "end_s", "clock", "body_c", "die_c")
    return np.array(
        [
            np.broadcast_arrays(*(getattr(part, name) for name in names))
            for part in islice(decoding(socs, air_c, power_w, charging_w), 200)
        ]
    )


def test_governed_runs_are_those_of_one_phone_each():
    """Pieces and waits under every governor: instants, temperatures and energy of a lone phone."""
    seconds = RNG.uniform(0.5, 90.0, (4, RUNS))
    traffic_w, switched_w = RNG.uniform(2.0, 14.0, (2, 4, RUNS))
    from_s = np.array([0.0, 70.0, 0.0, 200.0])
    dynamic_j = (traffic_w + switched_w) * seconds
    rows = zip(seconds, dynamic_j, switched_w * seconds, from_s, strict=True)
    runs = warped(HeatColumns.of(SOCS, AIR_C, CHARGING_W), Pieces.of(rows, RUNS), keeps_marks=True)
    assert 0.2 < runs.is_throttled.mean() < 0.9
    for run, soc in enumerate(SOCS):
        phone = Phone(soc, float(AIR_C[run]), iter([Load(0.0, None)]), float(CHARGING_W[run]))
        pieces = zip(seconds[:, run], traffic_w[:, run], switched_w[:, run], from_s, strict=True)
        ends_s, switched_s = np.array(list(alone(phone, pieces, soc.power.exponent))).T
        np.testing.assert_allclose(runs.ends.now_s[:, run], ends_s, rtol=1e-11)
        np.testing.assert_allclose(runs.switched_s[:, run], switched_s, rtol=1e-10)
        for name in ("hottest_body_c", "hottest_die_c", "highest_mean_w", "leakage_j"):
            found = getattr(runs.governed, name)[run]
            assert found == pytest.approx(getattr(phone, name), rel=1e-10), name
        whole_s, _ = runs.at(3, run, np.array([0.0, seconds[3, run]]))
        np.testing.assert_allclose(whole_s, [runs.begins.now_s[3, run], ends_s[3]], rtol=1e-11)


def alone(phone, pieces, exponent):
    """Take one phone through pieces of work; yield their ends and integrals of the voltage."""
    now_s = 0.0
    for left_s, traffic_w, switched_w, from_s in pieces:
        phone.run(None, now_s)
        while phone.next_change_s < from_s:
            phone.advance(phone.next_change_s)
        now_s, summed_s, is_done = max(now_s, from_s), 0.0, False
        phone.run(lambda at, a=traffic_w, b=switched_w: clocked(a, b, at.clock, exponent), now_s)
        while not is_done:
            clock, due_s = phone.conditions.clock, phone.next_change_s
            to_s = min(now_s + left_s / clock, due_s)
            left_s -= (to_s - now_s) * clock
            summed_s += (to_s - now_s) * clock ** (1.0 + exponent)
            now_s, is_done = to_s, to_s < due_s
            phone.advance(to_s)
        yield now_s, summed_s


def clocked(traffic_w, switched_w, clock, exponent):
    return traffic_w * clock + switched_w * clock ** (1.0 + exponent)


def test_a_device_whose_numbers_are_columns_is_as_many_devices():
    """Drawn devices may come as one device with columns, or as a list: the same runs."""
    paths = ("thermal.die.resistance_to_next", "thermal.governor.trip_c.0", "power.idle_w")
    ranges = [PHONE.parameters()[path] for path in paths]
    drawn = {
        path: RNG.uniform(item.low, item.high, RUNS)
        for path, item in zip(paths, ranges, strict=True)
    }
    each = [
        PHONE.with_values({path: float(column[run]) for path, column in drawn.items()})
        for run in range(RUNS)
    ]
    together = sustained_fractions(PHONE.with_values(drawn), AIR_C, POWER_W)
    np.testing.assert_allclose(together, sustained_fractions(each, AIR_C, POWER_W), rtol=1e-12)


def test_many_runs_of_one_device_are_runs_of_as_many_equal_devices():
    together = sustained_fractions(PHONE, 25.0, POWER_W)
    np.testing.assert_allclose(together, sustained_fractions([PHONE] * RUNS, 25.0, POWER_W))


def test_chosen_columns_are_those_of_the_chosen_devices():
    chosen = POWER_W > 7.0
    part = HeatColumns.of(SOCS, AIR_C).only(chosen)
    whole = HeatColumns.of([soc for soc, is_in in zip(SOCS, chosen, strict=True) if is_in], 25.0)
    np.testing.assert_array_equal(part.heat_capacity_j_per_k, whole.heat_capacity_j_per_k)
    np.testing.assert_array_equal(part.governors.die_period_s, whole.governors.die_period_s)
    np.testing.assert_array_equal(part.ambient_c, AIR_C[chosen])


def test_what_a_phone_is_given_is_stored_until_it_reaches_the_air():
    """Over a second from ambient the lumps hold all the heat, leakage and display included."""
    phone = Phone(PHONE, 25.0, iter([Load(0.0, None)]), charging_w=2.0)
    phone.run(lambda _: 8.0, 0.0)
    phone.advance(1.0)
    heat = HeatColumns.of(PHONE, 25.0, 2.0)
    stored_j = (heat.heat_capacity_j_per_k * (phone.temperatures_c - 25.0)).sum()
    assert stored_j == pytest.approx(phone.heat_j, rel=1e-3)
    rates_w = heat.heat_capacity_j_per_k * (phone.temperatures_c - 25.0)
    assert rates_w[DIE, 0] > 8.0
    assert rates_w[BODY, 0] == pytest.approx(PHONE.power.display_w.value, rel=0.05)
