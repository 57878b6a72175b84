"""Threads placed on clusters by name: what those compute and draw, on every road alike."""

from __future__ import annotations

import math

import pytest

import sim
from hw_models.clusters import WEIGHTS, rate
from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from hw_models.threads import with_threads
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from tests.theory.test_threads import ASKED, FRACTION, MATRIX, PHONE, STACK


def ran(*clusters: str, **deployment: object) -> sim.Result:
    placed = {"clusters": list(clusters)} if clusters else {}
    return sim.simulate({**ASKED, "deployment": {**placed, **deployment}})


@pytest.mark.parametrize(
    ("clusters", "cores"), [(("prime",), 1), (("big",), 3), (("middle", "little"), 4)]
)
def test_placed_threads_compute_with_the_cores_of_their_clusters(clusters, cores):
    phone = load_soc(PHONE)
    found, before = with_threads(phone, STACK, None, clusters), phone.parameters()
    cpu = phone.units["cpu"]
    alone = sum(
        min(cores, cpu.clusters[name].cores.value)
        * cpu.clusters[name].clock.value
        * cpu.cores[cpu.clusters[name].core].weights_per_cycle.value
        for name in clusters
    )
    after, share = found.parameters(), alone / rate(cpu, 4, WEIGHTS)
    assert after[MATRIX].value == pytest.approx(before[MATRIX].value * share, rel=1e-9)
    drawing = min(1.0, cores / 2)
    assert after[FRACTION].value == pytest.approx(before[FRACTION].value * drawing, rel=1e-9)
    power = "units.cpu.active_w"
    assert after[power].value == pytest.approx(before[power].value * cores / 4, rel=1e-9)
    assert set(found.units["cpu"].clusters) == set(clusters)
    assert with_threads(found, STACK, None, clusters) is found


def test_all_clusters_are_no_placement():
    phone = load_soc(PHONE)
    assert with_threads(phone, STACK, None, tuple(phone.units["cpu"].clusters)) is phone
    assert ran(*phone.units["cpu"].clusters)["decode_s"] == ran()["decode_s"]


def test_fast_cores_are_never_slower_than_slow_ones():
    fast, slow = (ran(name, threads=1) for name in ("prime", "little"))
    assert fast["time_to_first_token_s"] < slow["time_to_first_token_s"]
    assert fast["decode_s"] <= slow["decode_s"]


def test_a_cluster_that_is_not_there_is_refused_with_the_nearest_name():
    with pytest.raises(HardwareError, match=r"Got 'primes'. Did you mean 'prime'"):
        ran("primes")
    ideal = load_soc("ideal_85gbps_50tflops")
    stacks = {"ideal": ideal.stack().model_copy(update={"unit": "cpu"})}
    other = ideal.model_copy(update={"units": {"cpu": ideal.units["npu"]}, "stacks": stacks})
    with pytest.raises(HardwareError, match="None are known of it"):
        with_threads(other, "ideal", None, ("big",))


def test_more_threads_than_a_cluster_has_cores_are_told():
    assert any("3 cores" in text for text in ran("big", threads=6).warnings)


def test_another_unit_has_no_clusters():
    run = sim.simulate({**ASKED, "stack": "genie", "deployment": {"clusters": ["big"]}})
    assert any("deployment.clusters has no effect" in text for text in run.warnings)


def test_draws_and_sweeps_give_the_runs_of_a_placement():
    run = ran("big")
    draws = run.draws(4, seed=1)
    alone = sim.simulate(run.scenario, device=draws.devices[2])
    assert alone["decode_s"] == pytest.approx(draws["decode_s"][2], rel=1e-9)
    base = {**ASKED, "deployment": {"clusters": ["big"]}}
    row = evaluate(SweepSpec(base=base, axes={"session.turns.0.prompt_tokens": (32, 64)}), 0, 2)[1]
    assert row["fingerprint"] == run.fingerprint
    for name, value in run.metrics().items():
        if isinstance(value, float) and not math.isnan(value):
            assert row[name] == pytest.approx(value, rel=1e-9), name
