"""Deployment mechanisms in a run move the right metric, the right way, by the right amount."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.soc import load_soc
from sim import load_scenario, simulate
from workloads.catalogue import trace_for
from workloads.compression import get_format
from workloads.errors import WorkloadError
from workloads.lora import parameters_per_rank
from workloads.recordings import read_recording
from workloads.turns import linear_sizes

IDEAL = "device=ideal_85gbps_50tflops"
SMALL = (
    "model=andesvl-0.6b",
    "session={turns: [{images_px: [[224, 224]], prompt_tokens: 40, output_tokens: 9}]}",
)
MECHANISMS = {
    "plain": (),
    "compressed": ("deployment.weights={body: sparse75_int4_entropy, lm_head: w8}",),
    "per layer": ("deployment.weights={body: w4, layers: {0-3: w8, 10-12: w2}}",),
    "okv": ("deployment.kv_cache.eviction={policy: okv, keep: 0.5}",),
    "h2o batches": ("deployment.kv_cache.eviction={policy: h2o, keep: 0.3, evict_batch: 4}",),
    "window": ("deployment.kv_cache.eviction={policy: sliding_window, window: 32, sinks: 4}",),
    "quest": ("deployment.kv_cache.eviction={policy: quest, page: 8, budget_tokens: 32}",),
    "local": ("deployment.kv_cache.eviction={policy: local_snapkv, cache_tokens: 64, window: 16}",),
    "eagle": ("deployment.speculation={method: eagle, depth: 3, acceptance: {alpha: 0.6}}",),
    "medusa": ("deployment.speculation={method: medusa, depth: 3, acceptance: {alpha: 0.6}}",),
    "ngram": ("deployment.speculation={method: ngram, acceptance: {survival: [0.5, 0.2]}}",),
    "early exit": (
        "deployment.speculation={method: early_exit, draft_layers: 4, acceptance: {alpha: 0.5}}",
    ),
    "lora": (
        "deployment.lora={rank: 8, adapters: [ui, ocr], resident: 1}",
        "session.turns.0.adapter=ui",
    ),
    "unfused": ("deployment.fusion=none",),
    "kivi": ("deployment.kv_cache.dtype=kivi2",),
    "pruned": ("deployment.pruning={layers: 4, ffn: 0.25}",),
    "placed": ("deployment.placement={vision: gpu, lm_head: cpu, sampling: cpu}",),
    "verify buckets": (
        "deployment.speculation={method: ngram, depth: 5, acceptance: {alpha: 0.5}}",
        "deployment.verify_buckets=[1, 16]",
    ),
    "overlap": (
        "deployment.placement.vision=gpu",
        "deployment.vision_overlap=true",
        "deployment.prefill_chunk_tokens=32",
        "session.turns.0.images_px=[[224, 224], [320, 224], [224, 320]]",
    ),
}
TOGETHER = ("compressed", "okv", "eagle", "lora", "kivi", "pruned", "overlap")
ALL = (
    *(override for name in TOGETHER for override in MECHANISMS[name]),
    "deployment.placement={vision: gpu, draft: cpu, sampling: cpu}",
)


def metrics(*overrides: str, engine="auto"):
    return simulate(load_scenario(None, overrides), engine=engine).summary()


@pytest.mark.parametrize("overrides", [*MECHANISMS.values(), ALL], ids=[*MECHANISMS, "all"])
@pytest.mark.parametrize("device", ["dimensity_9500", "snapdragon_8_elite"])
def test_engines_agree_with_every_mechanism(overrides, device):
    scenario = load_scenario(None, (*SMALL, f"device={device}", *overrides))
    fast, slow = simulate(scenario), simulate(scenario, engine="event")
    for mine, theirs in zip(fast.groups, slow.groups, strict=True):
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-9)
    assert fast.summary().energy_j == pytest.approx(slow.summary().energy_j, rel=1e-9)


@pytest.mark.parametrize("unit", ["npu", "gpu", "cpu"])
@pytest.mark.parametrize("name", ["w4", "w8", "w4_g128", "w8_g128"])
def test_per_channel_and_grouped_integers_run_on_every_unit_for_every_class(unit, name):
    weights = ", ".join(f"{part}: {name}" for part in ("body", "lm_head", "embedding", "vision"))
    placed = ", ".join(f"{part}: {unit}" for part in ("body", "lm_head", "vision", "draft"))
    result = simulate(
        load_scenario(
            None,
            (
                *SMALL,
                f"deployment.weights={{{weights}}}",
                f"deployment.placement={{{placed}}}",
                "deployment.speculation={method: eagle, depth: 3, acceptance: {alpha: 0.6}, "
                f"weights: {name}}}",
            ),
        )
    )
    assert {task.unit for group in result.program.groups for task, _ in group.tasks()} == {unit}
    head = next(
        task
        for task, _ in result.program.groups[-1].tasks()
        if task.tensor_class == "lm_head" and task.weight_bytes.any()
    )
    assert head.weight_bytes[0] == get_format(name).traffic_bytes(151_936, 1024)
    assert head.expanded_weights[0] == (151_936 * 1024 if "_g" in name else 0)


def test_sampling_on_a_unit_reads_every_logit_and_pays_the_hand_over():
    runs = {
        unit: simulate(load_scenario(None, (*SMALL, f"deployment.placement.sampling={unit}")))
        for unit in ("npu", "cpu")
    }
    for unit, result in runs.items():
        found = [record for record in result.records if record.kind == "sampling"]
        assert len(found) == 9  # one token from prefill, eight decode steps
        assert {record.unit for record in found} == {unit}
    tasks = [task for task, _ in runs["cpu"].program.groups[-1].tasks() if task.kind == "sampling"]
    assert tasks[0].vector_ops[0] == 4 * 151_936
    calls = [sum(r.kind == "graph_call" for r in result.records) for result in runs.values()]
    assert calls[1] == calls[0] + 9


def test_shipped_recordings_go_by_name_and_replay_exactly():
    spec = "deployment.speculation={method: ngram, depth: 7, acceptance: {trace: %s}}"
    counts = read_recording("accepted-ngram-ui-greedy", "accepted_tokens").counts
    result = simulate(load_scenario(None, (*SMALL, spec % "accepted-ngram-ui-greedy")))
    committed = result.program.groups[-1].committed_tokens
    assert committed[:-1].tolist() == [1 + min(7, count) for count in counts][: len(committed) - 1]
    with pytest.raises(WorkloadError, match="accepted-ngram-ui-greedy"):
        simulate(load_scenario(None, (*SMALL, spec % "accepted-ngram-ui-greedyy")))


def test_a_verify_width_no_graph_holds_is_told_with_its_remedy():
    spec = "deployment.speculation={method: ngram, depth: 7, acceptance: {alpha: 0.5}}"
    with pytest.raises(WorkloadError, match=r"8 tokens.*4.*deployment\.verify_buckets"):
        simulate(load_scenario(None, (*SMALL, spec, "deployment.verify_buckets=[1, 4]")))


def test_compression_divides_weight_traffic_by_the_bits():
    four, less = (
        metrics(f"deployment.weights={{body: bpw{bits}, lm_head: bpw{bits}}}", IDEAL)
        for bits in (4, 1.8)
    )
    norms = 36 * (2 * 2560 + 2 * 128) * 2 + 2560 * 2
    matrices = 36 * (26_214_400 + 74_711_040) + 388_956_160
    assert four.weight_bytes_per_step == matrices * 4 / 8 + norms
    assert less.weight_bytes_per_step == pytest.approx(matrices * 1.8 / 8 + norms, rel=1e-6)
    assert less.tokens_per_s > four.tokens_per_s


def test_kv_share_of_traffic_at_1_8_bits_4k_int8_is_a_quarter():
    """Literature: 302 MB of KV beside 905 MB of weights."""
    result = simulate(
        load_scenario(
            None,
            (
                IDEAL,
                "model=qwen3-4b",
                "deployment.weights={body: bpw1.8, lm_head: bpw1.8}",
                "deployment.kv_cache.dtype=int8",
                "session={turns: [{prompt_tokens: 4095, output_tokens: 2}]}",
            ),
        )
    )
    kv = result.program.total("kv_read_bytes", "decode")
    weights = result.program.weight_bytes_per_step
    assert kv == pytest.approx(302e6, rel=1e-3)
    assert kv / (kv + weights) == pytest.approx(0.25, abs=0.002)


def test_eviction_after_prefill_does_not_lower_the_prefill_peak():
    session = "session={turns: [{prompt_tokens: 2000, output_tokens: 20}]}"
    base = ("model=qwen3-1.7b", session)
    full = metrics(*base)
    evicted = metrics(*base, "deployment.kv_cache.eviction={policy: snapkv, keep: 0.25}")
    assert evicted.peak_dram_bytes >= full.peak_dram_bytes
    assert evicted.kv_tokens_final < full.kv_tokens_final


def test_local_eviction_bounds_the_cache_so_that_128k_prompts_run():
    long_prompt = "session={turns: [{prompt_tokens: 131072, output_tokens: 4}]}"
    base = ("model=andesvl-4b", long_prompt, "environment.app_budget_bytes=6 GB")
    assert not metrics(*base).fits
    bounded = metrics(
        *base, "deployment.kv_cache.eviction={policy: local_snapkv, cache_tokens: 4096}"
    )
    assert bounded.fits
    assert bounded.kv_tokens_final == 4096


def test_eviction_saves_bandwidth_only_where_a_smaller_graph_runs():
    base = (
        "model=andesvl-4b",
        "deployment.kv_cache.capacity_tokens=4096",
        "session={turns: [{prompt_tokens: 3900, output_tokens: 20}]}",
        "deployment.kv_cache.eviction={policy: snapkv, keep: 0.5}",
    )
    static = simulate(load_scenario(None, (*base, "deployment.kv_cache.buckets=[4096]")))
    smaller = simulate(load_scenario(None, (*base, "deployment.kv_cache.buckets=[2048, 4096]")))
    full = simulate(load_scenario(None, (*base[:3], "deployment.kv_cache.buckets=[4096]")))
    reads = [r.program.total("kv_read_bytes", "decode") for r in (static, smaller, full)]
    assert reads[0] == reads[2]
    assert reads[1] == pytest.approx(reads[2] / 2)


def test_lora_adds_66_mb_and_7_3_percent_of_traffic_at_1_8_bits():
    base = (IDEAL, "deployment.weights={body: bpw1.8, lm_head: bpw1.8}")
    adapter = ("deployment.lora={rank: 16, adapters: [ui]}", "session.turns.0.adapter=ui")
    plain = simulate(load_scenario(None, base))
    adapted = simulate(load_scenario(None, (*base, *adapter)))
    steps = plain.summary().decode_steps
    extra = (
        adapted.program.total("weight_bytes", "decode")
        - plain.program.total("weight_bytes", "decode")
    ) / steps
    sizes = linear_sizes(trace_for("andesvl-4b"))
    assert extra == 16 * parameters_per_rank(sizes) * 2
    assert extra == pytest.approx(66.1e6, rel=1e-3)
    assert extra / 0.9051e9 == pytest.approx(0.073, abs=5e-4)


def test_an_adapter_on_fused_projections_is_streamed_like_any_other():
    """Phi-3 has one matrix for query, key and value, and one for gate and up."""
    model = (IDEAL, "model=phi-3.5-mini", "session={turns: [{prompt_tokens: 8, adapter: ui}]}")
    for modules in ("[q]", "[k, v]", "[gate]", "[q, k, v, o, gate, up, down]"):
        lora = f"deployment.lora={{rank: 16, adapters: [ui], modules: {modules}}}"
        program = simulate(load_scenario(None, (*model, lora))).program
        decode = next(group for group in program.groups if group.phase == "decode")
        streamed = sum(
            repeat * task.weight_bytes[0]
            for task, repeat in decode.tasks()
            if task.tensor_class == "adapter"
        )
        assert streamed == program.resident_bytes["adapters"] > 0.0


def test_lora_flops_are_two_per_weight_and_token():
    adapter = ("deployment.lora={rank: 16, adapters: [ui]}", "session.turns.0.adapter=ui")
    plain, adapted = (simulate(load_scenario(None, (IDEAL, *extra))) for extra in ((), adapter))
    tokens = sum(float(group.new_tokens.sum()) for group in plain.program.groups[1:])
    sizes = linear_sizes(trace_for("andesvl-4b"))
    extra = adapted.program.total("flops") - plain.program.total("flops")
    assert extra == 2 * tokens * 16 * parameters_per_rank(sizes)


def test_vision_adapters_are_part_of_the_adapter_and_of_the_encoder():
    adapter = "deployment.lora={rank: 16, adapters: [ui], vision: %s}"
    with_vision, without = (
        simulate(load_scenario(None, (IDEAL, adapter % wanted, "session.turns.0.adapter=ui")))
        for wanted in ("true", "false")
    )
    # AIMv2-Large: per layer q, k, v, o (1024 x 1024) and gate, up, down (1024, 2816)
    per_rank = 24 * (4 * 2 * 1024 + 3 * (1024 + 2816))
    grown = (
        with_vision.program.resident_bytes["adapters"] - without.program.resident_bytes["adapters"]
    )
    assert grown == 16 * per_rank * 2
    flops = [run.program.total("flops", "vision") for run in (with_vision, without)]
    assert flops[0] - flops[1] == 2 * 2880 * 16 * per_rank
    assert with_vision.program.total("flops", "decode") == without.program.total("flops", "decode")


def test_switching_an_adapter_loads_rebinds_and_recomputes_the_cache():
    def session(second: str) -> str:
        return (
            "session={turns: [{prompt_tokens: 300, output_tokens: 4, adapter: ui}, "
            f"{{prompt_tokens: 20, output_tokens: 4, adapter: {second}}}]}}"
        )

    lora = "deployment.lora={rank: 16, adapters: [ui, ocr], resident: 2}"
    stay, switch = (
        simulate(load_scenario(None, ("model=andesvl-1b", lora, session(name))))
        for name in ("ui", "ocr")
    )
    prefills = [
        [float(group.new_tokens.sum()) for group in run.program.groups if group.phase == "prefill"]
        for run in (stay, switch)
    ]
    assert prefills[1][1] > prefills[0][1]
    assert switch.program.groups[2].setup.flash_bytes > 0.0
    assert stay.program.groups[2].setup.flash_bytes == 0.0


def test_turns_reuse_the_cache_of_earlier_turns():
    session = (
        "session={turns: [{prompt_tokens: 300, output_tokens: 4}, "
        "{prompt_tokens: 20, output_tokens: 4}]}"
    )
    result = simulate(load_scenario(None, ("model=andesvl-1b", session)))
    second = [group for group in result.program.groups if group.phase == "prefill"][1]
    assert second.steps == 1
    assert float(second.live_tokens[-1]) == 303 + 20


def test_speculation_commits_the_tokens_asked_in_fewer_steps():
    spec = "deployment.speculation={method: ngram, depth: 7, acceptance: {alpha: 0.8}}"
    plain, drafted = metrics(IDEAL), metrics(IDEAL, spec)
    assert drafted.output_tokens == plain.output_tokens == 128
    assert drafted.decode_steps < plain.decode_steps
    assert drafted.tokens_per_step == pytest.approx(127 / drafted.decode_steps)
    assert drafted.tokens_per_s > plain.tokens_per_s


def test_verification_is_free_up_to_the_width_the_formula_gives():
    """m* = (bytes / bandwidth) * FLOP/s / (2 P); it shrinks with the bits per weight."""

    def step_s(bits: float, width: int) -> float:
        spec = (
            "deployment.speculation={method: ngram, depth: 1, acceptance: {alpha: 0.0}, "
            f"tree_nodes: {width - 1}}}"
        )
        answer = metrics(
            IDEAL,
            "model=qwen3-4b",
            f"deployment.weights={{body: bpw{bits}, lm_head: bpw{bits}}}",
            "session={turns: [{prompt_tokens: 8, output_tokens: 4}]}",
            spec,
        )
        return answer.decode_s / answer.decode_steps

    for bits in (4.25, 1.8):
        free = bits / 8 / 85.3e9 * 50e12 / 2
        below, above = int(free * 0.5) + 2, int(free * 2)
        # attention and the host add little: below m* a step costs what one token costs
        assert step_s(bits, below) == pytest.approx(step_s(bits, 2), rel=0.05)
        assert step_s(bits, above) > 1.5 * step_s(bits, 2) * 0.9


def test_placement_moves_work_and_starts_another_graph():
    device = "device=snapdragon_8_elite"
    here = simulate(load_scenario(None, (*SMALL, device)))
    there = simulate(load_scenario(None, (*SMALL, device, "deployment.placement.lm_head=cpu")))
    units = {
        (record.name.rsplit(".", 1)[-1], record.unit)
        for record in there.records
        if record.phase == "decode" and record.kind == "linear"
    }
    assert ("lm_head", "cpu") in units
    assert ("q_proj", "npu") in units
    calls = [sum(r.kind == "graph_call" for r in run.records) for run in (here, there)]
    assert calls[1] > calls[0]


@pytest.mark.parametrize(("asked", "graphs"), [(1, 1), (4, 4), (30, 30), (45, 30), (60, 30)])
def test_a_step_calls_as_many_graphs_as_asked_but_no_more_than_layers(asked, graphs):
    soc = load_soc("dimensity_9500").with_overrides({"stacks.neuropilot.graphs_per_step": asked})
    scenario = load_scenario(None, ("model=smollm2-135m", "session={turns: [{prompt_tokens: 8}]}"))
    first = [record for record in simulate(scenario, soc=soc).records if record.phase == "prefill"]
    assert sum(record.kind == "graph_call" for record in first) == graphs
    layers = {record.layer for record in first if record.kind == "linear"}
    assert len(layers - {30}) == 30


def test_fusion_saves_launches_and_activation_traffic():
    runs = [
        simulate(load_scenario(None, (*SMALL, f"deployment.fusion={level}")))
        for level in ("none", "elementwise", "attention")
    ]
    launches = [len(run.records) for run in runs]
    traffic = [run.program.total("activation_read_bytes") for run in runs]
    assert launches[0] > launches[1] >= launches[2]
    assert traffic[0] >= traffic[1] >= traffic[2]


def test_same_seed_same_bits_and_streams_are_separate():
    spec = "deployment.speculation={method: ngram, acceptance: {alpha: 0.5}}"
    scenario = load_scenario(None, (*SMALL, spec))
    first, again, other = (simulate(scenario, seed=seed) for seed in (1, 1, 2))
    assert first.summary() == again.summary()
    assert first.fingerprint == again.fingerprint != other.fingerprint
