"""Clusters of a processor: rates are sums over the cores that threads run on."""

from __future__ import annotations

import pytest

from hw_models.clusters import PER_CYCLE, rate
from hw_models.errors import HardwareError
from hw_models.soc import SocSpec, list_socs, load_soc
from sim import simulate
from sim.evidence.conditions import as_run
from sim.evidence.measured import MeasuredRun

PHONE = "snapdragon_8_gen_3"
"""One Cortex-X4 at 3.3 GHz, five A720 (three at 3.2, two at 3.0), two A520 at 2.3 GHz."""


def processors() -> list[SocSpec]:
    known = [load_soc(name) for name in list_socs()]
    return [soc for soc in known if "cpu" in soc.units and soc.units["cpu"].clusters]


@pytest.mark.parametrize(
    ("threads", "gigacycles"),
    [(1, 3.3), (2, 6.5), (4, 12.9), (5, 15.9), (6, 18.9)],
)
def test_threads_run_on_the_fastest_cores_first(threads: int, gigacycles: float) -> None:
    cpu = load_soc(PHONE).units["cpu"]
    assert rate(cpu, threads, "int8_per_cycle") == pytest.approx(96 * gigacycles * 1e9, rel=1e-9)


def test_threads_beyond_the_cores_add_nothing_and_fractions_add_in_proportion() -> None:
    cpu = load_soc(PHONE).units["cpu"]
    rates = [rate(cpu, threads, "int8_per_cycle") for threads in (4, 4.5, 5, 8, 80)]
    assert rates[1] == pytest.approx((rates[0] + rates[2]) / 2, rel=1e-9)
    assert rates[3] == rates[4] > rates[2]


def test_the_rates_of_every_processor_follow_from_its_own_cores() -> None:
    """None is measured on another chip, and more bits are no faster."""
    found = processors()
    assert len(found) > 40
    for soc in found:
        cpu = soc.units["cpu"]
        assert cpu.threads is not None
        for key, per_cycle in PER_CYCLE.items():
            if item := cpu.matrix.rates.get(key):
                assert item.value == rate(cpu, cpu.threads.value, per_cycle), soc.id
                assert item.kind == "derived"
        assert cpu.matrix.rates["a8w8"].value <= cpu.matrix.rates["a8w4"].value


def test_a_what_if_rate_stays_and_a_what_if_clock_moves_the_rates() -> None:
    phone, path = load_soc(PHONE), "units.cpu.matrix.rates.a8w4"
    assert phone.with_overrides({path: "2 TFLOP/s"}).parameters()[path].value == 2e12
    clusters = "units.cpu.clusters"
    faster = phone.with_overrides({f"{clusters}.prime.clock": "6.6 GHz"})
    gained = faster.parameters()[path].value - phone.parameters()[path].value
    assert gained == pytest.approx(96 * 3.3e9, rel=1e-9)


def test_a_device_file_reads_back_as_it_was() -> None:
    phone = load_soc(PHONE)
    assert phone.with_overrides({}).parameters() == phone.parameters()


def test_cores_of_no_known_kind_are_refused_by_name() -> None:
    with pytest.raises(HardwareError, match=r"listed under cores. Got 'cortex-x5'.*cortex-x4"):
        load_soc(PHONE).with_overrides({"units.cpu.clusters.prime.core": "cortex-x5"})


@pytest.mark.parametrize(
    ("threads", "share"), [(1, 19.8 / 48.6), (2, 29.4 / 48.6), (6, 66.6 / 48.6)]
)
def test_a_run_computes_with_the_cores_of_its_threads(threads: int, share: float) -> None:
    """Weights a cycle: six on an X4, three on an A720; 6 x 3.3 + 3 x 3 x 3.2 on four threads."""
    phone, path = load_soc(PHONE), "units.cpu.matrix.rates.a8w4"
    run = MeasuredRun(id="a", stack="mnn_cpu", threads=threads)
    found = as_run(run, phone, "mnn_cpu").parameters()[path].value
    assert found == pytest.approx(share * phone.parameters()[path].value, rel=1e-9)


@pytest.mark.parametrize(
    "device", ["snapdragon_8_gen_2", "dimensity_9500", "tensor_g1", "apple_m4"]
)
def test_more_bits_are_not_faster_on_any_stack_of_a_processor(device: str) -> None:
    """Weights of 8 bits against 4, in the prompt and in decode."""
    stacks = [name for name, stack in load_soc(device).stacks.items() if stack.unit == "cpu"]
    assert len(stacks) > 4
    turn = {"session.turns": [{"prompt_tokens": 128, "output_tokens": 3}]}
    for stack in stacks:
        asked = {"device": device, "stack": stack, "model": "llama-3.2-1b", **turn}
        narrow, wide = (
            simulate(set={**asked, "deployment.weights.body": bits}) for bits in ("w4", "w8")
        )
        for name in ("prefill_s", "time_per_output_token_s"):
            assert wide[name] >= narrow[name] * (1.0 - 1e-9), (stack, name)
