"""What stacks hold, what reclaim costs before the kill, and what a cold start waits for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hw_models.flash import read_seconds
from hw_models.reclaim import refetched_share
from hw_models.soc import SocSpec, load_soc
from sim import Scenario, simulate
from sim.held import held_by
from sim.loading import cold_start, read_s
from workloads.catalogue import trace_for

PHONE = load_soc("snapdragon_8_gen_3")
TENSORS = {"weights": 1e9, "embedding": 2e8, "kv_cache": 1e8}


def run(
    soc: SocSpec = PHONE,
    stack: str = "llamacpp_cpu",
    weights: dict[str, str] | None = None,
    **environment: object,
):
    scenario = Scenario.from_mapping(
        {
            "device": "snapdragon_8_gen_3",
            "stack": stack,
            "model": "qwen2.5-0.5b",
            "deployment": {"weights": weights} if weights else {},
            "environment": environment,
            "session": {"turns": [{"prompt_tokens": 32, "output_tokens": 8}]},
        }
    )
    return simulate(scenario, soc=soc)


def with_memory(stack: str, **memory: object) -> SocSpec:
    return PHONE.with_overrides(
        {f"stacks.{stack}.memory.{name}": value for name, value in memory.items()}
    )


def test_what_is_held_is_tensors_copies_buffers_and_runtime():
    soc = with_memory("genie", packed_share=0.5, embedding_share=0.1, graph_buffer="20 MB")
    stack = soc.stack("genie")
    held = held_by(stack, TENSORS)
    assert stack.runtime is not None
    graphs = stack.graphs_per_step.value * len(stack.cache_buckets_tokens)
    assert held == pytest.approx(
        {
            "weights": 1e9,
            "embedding": 2e7,
            "kv_cache": 1e8,
            "packed": 5e8,
            "graph_buffers": 2e7 * graphs,
            "runtime": stack.runtime.value,
        }
    )


def test_nothing_is_held_twice_unless_a_stack_says_so():
    plain = run()
    packed = run(with_memory("llamacpp_cpu", packed_share=1.0))
    assert "packed" not in plain.ledger.peak.by_class
    more = packed["peak_dram_bytes"] - plain["peak_dram_bytes"]
    assert more == pytest.approx(plain.ledger.peak.by_class["weights"], rel=1e-12)
    assert packed["tokens_per_s"] == plain["tokens_per_s"]


def test_a_table_that_is_not_shared_is_in_file_and_memory():
    """ExecuTorch exports head and table apart; llama.cpp reads one tensor twice."""
    formats = {"body": "w4_g32", "lm_head": "w8", "embedding": "w8"}
    shared, apart = (
        run(stack=stack, weights=formats) for stack in ("llamacpp_cpu", "executorch_xnnpack")
    )
    more = apart.program.file_bytes - shared.program.file_bytes
    assert more == pytest.approx(apart.ledger.peak.by_class["embedding"], rel=1e-12)
    assert more > 0.0


@pytest.mark.parametrize("bits", [16, 32])
def test_unpacked_weights_are_read_and_held_in_floating_point(bits):
    """Small in the file, wide in memory and in every pass; the table too."""
    formats = {"body": "w4", "lm_head": "w8", "embedding": "w8"}
    plain = run(weights=formats)
    wide = run(with_memory("llamacpp_cpu", unpacks_to=f"fp{bits}"), weights=formats)
    matrices = plain.program.resident_bytes["weights"]
    elements = trace_for("qwen2.5-0.5b").parameters
    held = wide.ledger.peak.by_class
    expected = elements["body"] + elements.get("lm_head", elements["embedding"])
    assert held["weights"] == pytest.approx(expected * bits / 8, rel=0.01)
    assert held["weights"] > matrices
    assert wide.program.file_bytes == plain.program.file_bytes
    per_step = wide["weight_bytes_per_step"] / plain["weight_bytes_per_step"]
    assert per_step == pytest.approx(held["weights"] / matrices, rel=1e-3)
    assert wide["tokens_per_s"] < plain["tokens_per_s"]
    assert not [text for text in wide.warnings if "unpacked" in text]


@pytest.mark.parametrize("churn", [1.0, 2.0, 8.0])
def test_what_lacks_is_fetched_again_and_never_more_than_all(churn):
    over = np.linspace(0.0, 2e9, 40)
    share = refetched_share(over, 1e9, churn)
    assert share[0] == 0.0
    assert (np.diff(share) >= 0.0).all()
    assert share.max() == 1.0


def test_the_rate_falls_with_memory_before_the_kill():
    """Reclaim costs flash reads, more of them the less memory is left; then the app is ended."""
    need = run()["peak_dram_bytes"]
    budgets = [1.01, 0.97, 0.9, 0.8, 0.7]
    runs = [run(app_budget_bytes=int(need * left), over_budget="reclaim") for left in budgets]
    rates = [result["tokens_per_s"] for result in runs]
    assert rates[0] == run()["tokens_per_s"]
    assert all(later < before for before, later in pairwise(rates))
    spilled = run(app_budget_bytes=int(need * 0.97), over_budget="spill")["tokens_per_s"]
    assert rates[1] > 1.5 * spilled
    little = PHONE.with_values({"dram.reclaim.swap": need * 0.05})
    assert not run(little, app_budget_bytes=int(need * 0.8), over_budget="reclaim")["fits"]
    assert run(little, app_budget_bytes=int(need * 0.97), over_budget="reclaim")["fits"]


def test_weights_of_a_graph_that_cannot_be_addressed_are_told():
    small = PHONE.with_overrides({"units.gpu.allocation_bytes": "100 MB"})
    told = [text for text in run(small, "llamacpp_gpu").warnings if "given at most" in text]
    assert len(told) == 1
    assert not [text for text in run(PHONE, "llamacpp_gpu").warnings if "given at most" in text]


def test_a_cold_start_is_its_parts_and_one_metric():
    result = run(stack="litert_gpu")
    stack, parts = result.soc.stack("litert_gpu"), result.cold_start()
    assert stack.memory.prepare is not None
    assert parts.prepare_s == result.program.file_bytes / stack.memory.prepare.value
    assert result["load_s"] == pytest.approx(
        parts.read_s + parts.graph_init_s + parts.prepare_s, rel=1e-12
    )
    assert result["load_s"] > parts.read_s


def test_a_hot_phone_reads_at_two_thirds():
    stack = PHONE.stack("llamacpp_cpu")
    cool, hot = (cold_start(PHONE, stack, 2e9, at_c).read_s for at_c in (25.0, 45.0))
    assert hot == pytest.approx(cool / PHONE.flash.hot.fraction.value, rel=0.03)
    assert read_s(load_soc("ideal_85gbps_50tflops"), 1e9, 60.0) == read_s(
        load_soc("ideal_85gbps_50tflops"), 1e9
    )


def test_rates_by_size_and_queue_are_those_of_a_phone():
    """Reads of a OnePlus 15R past the page cache, requests of so many KiB at a time [MiB/s]."""
    ufs = {"sequential_bytes_per_s": 2.72e9, "random_4k_bytes_per_s": 2e8, "latency_s": 1.6e-4}
    measured = {(128, 2): 954, (256, 2): 1536, (512, 2): 1882, (1024, 2): 2085, (8192, 2): 2529}
    measured |= {(4096, 2): 2460, (4096, 8): 2420}
    for (kib, depth), mib_per_s in measured.items():
        seconds = float(read_seconds(2**30, kib * 1024, **ufs, queue_depth=depth))
        assert 2**10 / seconds == pytest.approx(mib_per_s, rel=0.12)


def test_every_byte_from_flash_costs_its_energy():
    """The file of a cold start, and weights that come in again because memory lacks."""
    per_byte = PHONE.flash.energy.value
    cold = run(start="cold")
    assert cold["flash_read_bytes"] == cold.program.file_bytes
    assert cold.energy.flash_j == pytest.approx(per_byte * cold.program.file_bytes, rel=1e-12)
    lacking = run(app_budget_bytes=int(cold["peak_dram_bytes"] * 0.9), over_budget="spill")
    passes = sum(group.steps for group in lacking.program.groups)
    assert lacking["flash_read_bytes"] == pytest.approx(
        passes * lacking["weight_bytes_per_step"], rel=0.15
    )
    assert lacking.energy.flash_j == pytest.approx(per_byte * lacking["flash_read_bytes"])
    assert run().energy.flash_j == 0.0


def test_more_requests_at_a_time_and_larger_ones_are_never_slower():
    ufs = {"sequential_bytes_per_s": 3e9, "random_4k_bytes_per_s": 2e8, "latency_s": 2e-4}
    sizes, depths = [2**power for power in range(12, 24)], [1, 2, 4, 8, 32]
    seconds = np.array(
        [[float(read_seconds(2**30, g, **ufs, queue_depth=q)) for q in depths] for g in sizes]
    )
    assert (np.diff(seconds, axis=0) <= 1e-9).all()
    assert (np.diff(seconds, axis=1) <= 1e-3).all()
    assert (seconds >= 2**30 / 3e9).all()
