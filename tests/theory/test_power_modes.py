"""A power mode is a lower clock that was chosen: slower by 1 / c, an operation cheaper by c^g."""

from __future__ import annotations

import numpy as np
import pytest

import sim
from hw_models.power_modes import with_clock
from hw_models.soc import SocSpec, list_socs, load_soc
from sim.engine.conditions import Conditions, timed_at
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from sim.planning import plan
from workloads.scenario import Scenario

ASKED = {
    "device": "dimensity_9500",
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 64, "output_tokens": 16}]},
}


def ran(clock: float, **more: object) -> sim.Result:
    around = {"clock_fraction": clock, **more}
    return sim.simulate({**ASKED, "environment": around})


def without_rows(soc: SocSpec) -> SocSpec:
    """Return a device whose requests are all served at the streaming rate: no bus limit of size."""
    known = soc.parameters()
    same = {path: 1.0 for path in known if path.startswith("dram.efficiency.")}
    return soc.with_values({"dram.row_bytes": 0.0, **same})


@pytest.mark.parametrize("device", ["dimensity_9500", "snapdragon_8_gen_3", "apple_a19_pro"])
def test_a_chosen_clock_times_every_stack_as_a_forced_one_does(device: str) -> None:
    phone = without_rows(load_soc(device))
    slow = with_clock(phone, 0.6)
    for stack in phone.stacks:
        scenario = Scenario.from_mapping({**ASKED, "device": device, "stack": stack})
        program = plan(scenario, phone).program
        for group in program.groups:
            forced = timed_at(
                Pricing(phone, phone.stack(stack)).group(group), Conditions(clock=0.6)
            )
            chosen = Pricing(slow, slow.stack(stack)).group(group)
            assert step_seconds(chosen) == pytest.approx(step_seconds(forced), rel=1e-9), stack


def test_energy_per_operation_falls_with_the_voltage_and_that_of_bytes_does_not() -> None:
    fast, slow = ran(1.0), ran(0.5)
    factor = 0.5**fast.soc.power.exponent
    assert slow.energy.compute_j == pytest.approx(factor * fast.energy.compute_j, rel=1e-9)
    assert slow.energy.dram_j == pytest.approx(fast.energy.dram_j, rel=1e-9)
    assert slow["time_to_first_token_s"] > 1.5 * fast["time_to_first_token_s"]


def test_a_governor_caps_the_same_clock() -> None:
    for name in list_socs():
        phone = load_soc(name)
        before, after = phone.parameters(), with_clock(phone, 0.7).parameters()
        for path in [path for path in before if ".clock_fraction" in path]:
            expected = min(0.7, before[path].value)
            assert 0.7 * after[path].value == pytest.approx(expected, rel=1e-12), (name, path)


def test_a_lower_clock_is_never_hotter_nor_faster_and_changes_a_device_once() -> None:
    clocks = (1.0, 0.8, 0.6, 0.4)
    runs = [ran(clock, ambient_c=40.0) for clock in clocks]
    rates = [run["tokens_per_s"] for run in runs]
    assert rates == sorted(rates, reverse=True)
    powers = [run["mean_power_w"] for run in runs]
    assert powers == sorted(powers, reverse=True)
    slow = with_clock(load_soc("dimensity_9500"), 0.6)
    assert with_clock(slow, 0.6) is slow


def test_draws_and_sweeps_give_the_runs_of_a_mode() -> None:
    run = ran(0.5)
    draws = run.draws(4, seed=2)
    alone = sim.simulate(run.scenario, device=draws.devices[3])
    assert alone["tokens_per_s"] == pytest.approx(draws["tokens_per_s"][3], rel=1e-9)
    base = {**ASKED, "environment": {"clock_fraction": 0.5}}
    spec = SweepSpec(base=base, axes={"session.turns.0.prompt_tokens": (32, 64)})
    row = evaluate(spec, 0, 2)[1]
    assert row["fingerprint"] == run.fingerprint
    assert row["energy_j"] == pytest.approx(run["energy_j"], rel=1e-9)
    assert np.isclose(row["sustained_tokens_per_s"], run["sustained_tokens_per_s"], rtol=1e-9)
