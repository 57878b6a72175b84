"""Prefill in chunks: graphs of a fixed size compute padding, other kernels what is left."""

from __future__ import annotations

import pytest

import sim
from sim.calibration.rows import observe
from sim.evidence.measured import MeasuredRun
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate

PROMPT = "session.turns.0.prompt_tokens"


def asked(stack: str, prompt: int, chunk: int | None) -> dict[str, object]:
    return {
        "device": "dimensity_9500",
        "stack": stack,
        "model": "qwen3-0.6b",
        "deployment": {"prefill_chunk_tokens": chunk},
        "session": {"turns": [{"prompt_tokens": prompt, "output_tokens": 4}]},
    }


def new_tokens(result: sim.Result) -> list[float]:
    [group] = [group for group in result.program.groups if group.phase == "prefill"]
    return group.new_tokens.tolist()


@pytest.mark.parametrize(
    ("stack", "prompt", "expected"),
    [
        ("llamacpp_cpu", 64, [64.0]),
        ("llamacpp_cpu", 700, [512.0, 188.0]),
        ("llamacpp_cpu", 1024, [512.0, 512.0]),
        ("neuropilot", 64, [512.0]),
        ("neuropilot", 700, [512.0, 512.0]),
    ],
)
def test_the_last_chunk_is_padded_by_graphs_of_a_fixed_size_alone(stack, prompt, expected):
    run = sim.simulate(asked(stack, prompt, 512))
    assert new_tokens(run) == expected
    assert run["useful_flops"] <= run["flops"] * (1 + 1e-9)


LLAMA = (("dimensity_9500", "llamacpp_cpu"), ("dimensity_9500", "geniex_llamacpp_gpu"))
HEXAGON = (
    ("snapdragon_8_elite", "llamacpp_hexagon"),
    ("snapdragon_8_elite", "geniex_llamacpp_npu"),
)


@pytest.mark.parametrize(("device", "stack"), [*LLAMA, *HEXAGON])
def test_llama_cpp_takes_512_tokens_at_once_where_nobody_says_otherwise(device, stack):
    """Its default n_ubatch; nothing is padded, and weights are read once per batch."""
    own, whole = (
        sim.simulate(asked(stack, 1100, chunk) | {"device": device}) for chunk in (None, 1100)
    )
    assert new_tokens(own) == [512.0, 512.0, 76.0]
    assert new_tokens(whole) == [1100.0]
    [batches], [one] = (
        [group for group in run.program.groups if group.phase == "prefill"] for run in (own, whole)
    )
    assert batches.visible_tokens.tolist() == [512.0, 1024.0, 1100.0]
    assert 2.0 < batches.total("weight_bytes") / one.total("weight_bytes") < 3.0  # the head once


@pytest.mark.parametrize("metric", ["time_to_first_token_s", "prefill_tokens_per_s"])
def test_a_measured_row_of_llama_cpp_is_asked_as_its_default_computes(metric):
    told = {"device": "snapdragon_8_elite", "model": "llama-3.2-1b", "weights": "q4_0"}
    told |= {"stack": "llamacpp_cpu", "prompt_tokens": 1100, metric: 1.0}
    steps = {
        batch: observe(MeasuredRun(id="a", ubatch_tokens=batch, **told), metric)
        .groups[0]
        .new_tokens
        for batch in (None, 512, 256, 2048)
    }
    assert steps[None].tolist() == steps[512].tolist() == [512.0, 512.0, 76.0]
    assert steps[256].tolist() == [256.0] * 4 + [76.0]
    assert steps[2048].tolist() == [1100.0]


def test_a_chunk_that_holds_the_prompt_changes_nothing_where_nothing_is_padded():
    whole, chunked = (sim.simulate(asked("llamacpp_cpu", 64, chunk)) for chunk in (None, 512))
    for name in ("time_to_first_token_s", "flops", "useful_flops", "energy_j", "peak_dram_bytes"):
        assert chunked[name] == pytest.approx(whole[name], rel=1e-9), name


def test_chunks_skip_the_upper_half_of_a_long_prompts_square():
    """Of n chunks (n + 1) / 2n of the scores are computed, so a long prompt comes sooner."""
    whole, chunked = (sim.simulate(asked("llamacpp_cpu", 4096, chunk)) for chunk in (4096, None))
    assert chunked["time_to_first_token_s"] < 0.9 * whole["time_to_first_token_s"]
    saved = whole["flops"] - chunked["flops"]
    layers, heads, dim = 28, 16, 128
    square = 2 * 2 * layers * heads * dim * 4096**2
    assert saved == pytest.approx(square * (1 - 9 / 16), rel=1e-6)


@pytest.mark.parametrize(
    ("stack", "chunk"), [("llamacpp_cpu", None), ("llamacpp_cpu", 512), ("neuropilot", 512)]
)
def test_a_sweep_of_prompts_gives_the_rows_of_single_runs(stack, chunk):
    spec = SweepSpec(base=asked(stack, 64, chunk), axes={PROMPT: (64, 700, 1100)})
    for prompt, row in zip((64, 700, 1100), evaluate(spec, 0, 3), strict=True):
        alone = sim.simulate(asked(stack, prompt, chunk))
        for name in ("time_to_first_token_s", "flops", "energy_j", "peak_dram_bytes"):
            assert row[name] == pytest.approx(alone[name], rel=1e-9), (prompt, name)
