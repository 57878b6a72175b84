"""Prefill in chunks: graphs of a fixed size compute padding, other kernels what is left."""

from __future__ import annotations

import pytest

import sim
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


def test_a_chunk_that_holds_the_prompt_changes_nothing_where_nothing_is_padded():
    whole, chunked = (sim.simulate(asked("llamacpp_cpu", 64, chunk)) for chunk in (None, 512))
    for name in ("time_to_first_token_s", "flops", "useful_flops", "energy_j", "peak_dram_bytes"):
        assert chunked[name] == pytest.approx(whole[name], rel=1e-9), name


def test_chunks_skip_the_upper_half_of_a_long_prompts_square():
    """Of n chunks (n + 1) / 2n of the scores are computed, so a long prompt comes sooner."""
    whole, chunked = (sim.simulate(asked("llamacpp_cpu", 4096, chunk)) for chunk in (None, 512))
    assert chunked["time_to_first_token_s"] < 0.9 * whole["time_to_first_token_s"]
    saved = whole["flops"] - chunked["flops"]
    layers, heads, dim = 28, 16, 128
    square = 2 * 2 * layers * heads * dim * 4096**2
    assert saved == pytest.approx(square * (1 - 9 / 16), rel=1e-6)


@pytest.mark.parametrize("stack", ["llamacpp_cpu", "neuropilot"])
def test_a_sweep_of_prompts_gives_the_rows_of_single_runs(stack):
    spec = SweepSpec(base=asked(stack, 64, 512), axes={PROMPT: (64, 700, 1100)})
    for prompt, row in zip((64, 700, 1100), evaluate(spec, 0, 3), strict=True):
        alone = sim.simulate(asked(stack, prompt, 512))
        for name in ("time_to_first_token_s", "flops", "energy_j", "peak_dram_bytes"):
            assert row[name] == pytest.approx(alone[name], rel=1e-9), (prompt, name)
