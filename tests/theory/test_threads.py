"""Threads of a deployment: the rates of their cores, and a run that is the same on every road."""

from __future__ import annotations

import math

import pytest

import sim
from hw_models.clusters import WEIGHTS, rate
from hw_models.soc import load_soc
from hw_models.threads import BANDWIDTH_THREADS, with_threads
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
