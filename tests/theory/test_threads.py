"""Threads of a deployment: the rates of their cores, and a run that is the same on every road."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sim
from hw_models.clusters import BANDWIDTH_THREADS, WEIGHTS, drawn, rate
from hw_models.soc import load_soc
from hw_models.threads import with_threads
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate

PHONE, STACK = "snapdragon_8_gen_3", "llamacpp_cpu"
ASKED = {
    "device": PHONE,
    "stack": STACK,
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 64, "output_tokens": 16}]},
}
MATRIX = "units.cpu.matrix.rates.a8w4"
FRACTION = f"stacks.{STACK}.bandwidth_fraction"


def ran(threads: int | None, **more: object) -> sim.Result:
    return sim.simulate({**ASKED, "deployment": {"threads": threads, **more}})


@pytest.mark.parametrize("threads", [1, 2, 3, 6, 8])
def test_rates_bandwidth_and_power_are_those_of_the_cores(threads: int) -> None:
    phone = load_soc(PHONE)
    found, before, cpu = with_threads(phone, STACK, threads), phone.parameters(), phone.units["cpu"]
    after = found.parameters()
    share = rate(cpu, threads, WEIGHTS) / rate(cpu, 4, WEIGHTS)
    drawn = min(1.0, threads / BANDWIDTH_THREADS.value)
    for path, factor in {MATRIX: share, FRACTION: drawn, "units.cpu.active_w": threads / 4}.items():
        assert after[path].value == pytest.approx(before[path].value * factor, rel=1e-9)
        assert after[path].low == pytest.approx(before[path].low * factor, rel=1e-9)
        assert after[path].high == pytest.approx(before[path].high * factor, rel=1e-9)


def test_a_device_with_its_threads_is_changed_once() -> None:
    two = with_threads(load_soc(PHONE), STACK, 2)
    assert with_threads(two, STACK, 2) is two
    back = with_threads(two, STACK, 4).parameters()
    for path, item in load_soc(PHONE).parameters().items():
        assert back[path].value == pytest.approx(item.value, rel=1e-12), path


def test_the_devices_own_number_changes_nothing() -> None:
    own = ran(None)
    assert ran(4).makespan_s == pytest.approx(own.makespan_s, rel=1e-9)
    assert ran(4)["energy_j"] == pytest.approx(own["energy_j"], rel=1e-9)


def test_more_threads_are_never_slower_and_more_than_the_cores_are_said_to_be() -> None:
    runs = [ran(threads) for threads in (1, 2, 3, 4, 6, 8, 16)]
    seconds = [run["time_to_first_token_s"] for run in runs]
    assert seconds == sorted(seconds, reverse=True)
    assert runs[-1].makespan_s == pytest.approx(runs[-2].makespan_s, rel=1e-9)
    assert any("8 cores" in text for text in runs[-1].warnings)
    assert not any("deployment.threads" in text for text in runs[-2].warnings)


def test_a_stack_of_another_unit_says_that_threads_do_nothing() -> None:
    run = sim.simulate({**ASKED, "stack": "genie", "deployment": {"threads": 2}})
    assert any("deployment.threads has no effect" in text for text in run.warnings)
    assert run.makespan_s == pytest.approx(sim.simulate({**ASKED, "stack": "genie"}).makespan_s)


def test_a_drawn_device_is_that_of_its_threads_and_not_changed_again() -> None:
    run = ran(2)
    draws = run.draws(6, seed=1)
    for index in (0, 5):
        alone = sim.simulate(run.scenario, device=draws.devices[index])
        for name in ("time_to_first_token_s", "tokens_per_s", "energy_j"):
            assert alone[name] == pytest.approx(draws[name][index], rel=1e-9)


def test_a_sweep_of_lengths_gives_the_rows_of_single_runs() -> None:
    base = {**ASKED, "deployment": {"threads": 2}}
    spec = SweepSpec(base=base, axes={"session.turns.0.prompt_tokens": (32, 64)})
    row = evaluate(spec, 0, 2)[1]
    alone = ran(2)
    assert row["fingerprint"] == alone.fingerprint
    for name, value in alone.metrics().items():
        if isinstance(value, float) and not math.isnan(value):
            assert row[name] == pytest.approx(value, rel=1e-9), name


def test_threads_can_be_solved_for() -> None:
    found = sim.sweep({**ASKED}, {"deployment.threads": [1, 2, 4]})
    assert found["tokens_per_s"].is_monotonic_increasing


GB, GIB = 1e9, 2**30
ONEPLUS_15R = {
    # 30.4 and 45.2 GiB/s by clusters, 59.0 with four threads: BigMoeOnEdge, OnePlus 15R
    "units.cpu.clusters.prime.bandwidth": f"{45.2 * GIB / GB:.9f} GB/s",
    "units.cpu.clusters.big.bandwidth": f"{30.4 * GIB / GB:.9f} GB/s",
    "units.cpu.dram_fraction": 59.0 * GIB / (76.8 * GB),
    "dram.rate": "9.6 GT/s",
}
LLAMACPP_F16 = {1: 6.27, 4: 25.45, 7: 24.41, 8: 24.58}
"""Tokens/s of Llama-3.2-1B in fp16 on a Snapdragon 8 Gen 3 by threads (C940, C942, C944, C946)."""


def one_core(gb_per_s: float) -> dict[str, str]:
    clusters = load_soc(PHONE).units["cpu"].clusters
    return {f"units.cpu.clusters.{name}.core_bandwidth": f"{gb_per_s} GB/s" for name in clusters}


@pytest.mark.parametrize(
    ("threads", "gib_per_s"), [(1, 22.6), (2, 45.2), (3, 59.0), (4, 59.0), (8, 59.0)]
)
def test_clusters_draw_their_own_and_all_together_what_the_unit_draws(threads, gib_per_s):
    """The prime cluster's two cores first, then half of the other's, then the shared bound."""
    phone = load_soc("snapdragon_8_elite_gen_5").with_overrides(ONEPLUS_15R)
    shared = phone.units["cpu"].dram_fraction.value * phone.dram.peak_bytes_per_s
    found = drawn(phone.units["cpu"], threads, shared)
    assert float(found) == pytest.approx(gib_per_s * GIB, rel=1e-6)


def test_known_bandwidths_of_clusters_stand_in_place_of_the_share():
    phone = load_soc(PHONE).with_overrides(one_core(10.0))
    before = phone.parameters()[FRACTION]
    for threads, factor in ((1, 0.25), (2, 0.5), (4, 1.0)):
        after = with_threads(phone, STACK, threads).parameters()[FRACTION]
        assert after.value == pytest.approx(before.value * factor, rel=1e-9)
    assert load_soc(PHONE).parameters()[FRACTION].value == before.value


def test_the_range_of_a_clusters_bandwidth_widens_that_of_the_share():
    phone = load_soc(PHONE)
    given = {
        path: {"value": value, "low": "5 GB/s", "high": "15 GB/s", "kind": "assumed"}
        | {"source": "assumption"}
        for path, value in one_core(10.0).items()
    }
    one = with_threads(phone.with_overrides(one_core(10.0)), STACK, 1).parameters()[FRACTION]
    ranged = with_threads(phone.with_parameters(given, {}), STACK, 1).parameters()[FRACTION]
    assert ranged.value == pytest.approx(one.value, rel=1e-9)
    assert ranged.low <= one.low
    assert ranged.high >= one.high


def test_a_core_of_one_bandwidth_gives_the_published_rates_by_threads():
    """Cores that draw 13.6 GB/s each until all draw 55, from the rows of one thread and of four."""
    phone = load_soc(PHONE).with_overrides({**one_core(13.6), "units.cpu.dram_fraction": 0.71})
    rates = {}
    for threads in LLAMACPP_F16:
        found = drawn(phone.units["cpu"], threads, 0.71 * phone.dram.peak_bytes_per_s)
        rates[threads] = float(found)
    for threads, measured in LLAMACPP_F16.items():
        simulated = rates[threads] / rates[4] * LLAMACPP_F16[4]
        assert simulated == pytest.approx(measured, rel=0.05)


def test_a_column_of_devices_draws_what_each_of_them_does():
    phone = load_soc(PHONE).with_overrides(one_core(10.0))
    path = "units.cpu.clusters.prime.core_bandwidth"
    column = np.array([[5e9], [10e9], [20e9]])
    found = with_threads(phone.with_values({path: column}), STACK, 1).parameters()[FRACTION].value
    for index, value in enumerate(np.ravel(column)):
        alone = with_threads(phone.with_values({path: float(value)}), STACK, 1)
        expected = alone.parameters()[FRACTION].value
        assert np.ravel(found)[index] == pytest.approx(expected, rel=1e-12)
