"""The standard question, answered by hand, and each way of getting it wrong that peers took.

A Qwen3-4B with every weight at W bits and a 16-bit KV cache reads a prompt of 2048 tokens and
writes 256, on 85.3 GB/s and 50 TFLOP/s without any loss. Every number below is worked out from the
model's configuration; none comes from the program.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from hw_models.soc import load_soc
from sim import Result, load_scenario, simulate

LAYERS, HIDDEN, FFN, VOCAB = 36, 2560, 9728, 151_936
Q_HEADS, KV_HEADS, HEAD_DIM = 32, 8, 128
PROMPT, STEPS = 2048, 256
BANDWIDTH_BYTES_PER_S, RATE_FLOPS_PER_S = 85.3e9, 50e12

QKV_O = HIDDEN * HEAD_DIM * (2 * Q_HEADS + 2 * KV_HEADS)
MLP = 3 * HIDDEN * FFN
LAYER_MATRICES = QKV_O + MLP
HEAD = VOCAB * HIDDEN
MATRICES = LAYERS * LAYER_MATRICES + HEAD
KV_BYTES_PER_TOKEN = 2 * 2 * LAYERS * KV_HEADS * HEAD_DIM
MEAN_CONTEXT = PROMPT + (1 + STEPS) / 2

LAYER_ROWS = HEAD_DIM * (Q_HEADS + 2 * KV_HEADS) + HIDDEN + 2 * FFN + HIDDEN
SCALE_BYTES = 2 * (LAYERS * LAYER_ROWS + VOCAB)
NORM_BYTES = 2 * (LAYERS * (2 * HIDDEN + 2 * HEAD_DIM) + HIDDEN)


def step_floor_s(bits: int) -> float:
    """Bytes that a decode step must read, over the bandwidth; scales and norms left out."""
    moved = MATRICES * bits / 8 + KV_BYTES_PER_TOKEN * MEAN_CONTEXT
    return moved / BANDWIDTH_BYTES_PER_S


def prefill_flops(causal: bool) -> float:
    """Multiply-adds count two; the LM head runs on one position."""
    pairs = PROMPT * (PROMPT + 1) / 2 if causal else PROMPT**2
    attention = LAYERS * 2 * 2 * Q_HEADS * HEAD_DIM * pairs
    return 2.0 * LAYERS * LAYER_MATRICES * PROMPT + 2.0 * HEAD + attention


@functools.cache
def answer(bits: int = 4, kv: str = "int16", activations: str = "int16") -> Result:
    scenario = load_scenario(
        None,
        [
            "device=ideal_85gbps_50tflops",
            "model=qwen3-4b",
            f"deployment.weights={{body: w{bits}, lm_head: w{bits}, embedding: w{bits}}}",
            f"deployment.kv_cache.dtype={kv}",
            f"deployment.activations={activations}",
            f"session={{turns: [{{prompt_tokens: {PROMPT}, output_tokens: {STEPS + 1}}}]}}",
        ],
    )
    return simulate(scenario)


def weight_bytes(result: Result, phase: str, contains: str) -> float:
    """Weight bytes of one step in the tasks whose name contains a word."""
    (group,) = (group for group in result.program.groups if group.phase == phase)
    return sum(
        repeat * float(task.weight_bytes[0])
        for task, repeat in group.tasks()
        if contains in task.name
    )


def decode_column(result: Result, name: str) -> np.ndarray:
    """One quantity per decode step, all tasks together."""
    (group,) = (group for group in result.program.groups if group.phase == "decode")
    return sum(repeat * getattr(task, name) for task, repeat in group.tasks())


def test_the_hand_arithmetic_itself():
    assert LAYER_MATRICES == 100_925_440
    assert MATRICES == 4_022_272_000
    assert KV_BYTES_PER_TOKEN == 147_456
    assert 1 / step_floor_s(4) == pytest.approx(36.6, rel=2e-3)
    assert 1 / step_floor_s(16) == pytest.approx(10.20, rel=1e-3)
    assert prefill_flops(causal=True) / RATE_FLOPS_PER_S == pytest.approx(0.322, abs=5e-4)
    assert prefill_flops(causal=False) / RATE_FLOPS_PER_S == pytest.approx(0.347, abs=5e-4)


@pytest.mark.parametrize(("bits", "tokens_per_s"), [(4, 36.6), (8, 19.6), (16, 10.20)])
def test_decode_rate_is_at_the_floor_and_never_above_it(bits, tokens_per_s):
    rate = answer(bits).summary().tokens_per_s
    assert rate == pytest.approx(tokens_per_s, rel=5e-3)
    assert rate <= 1 / step_floor_s(bits)


@pytest.mark.parametrize("bits", [4, 16])
def test_prefill_lies_between_the_causal_floor_and_full_attention(bits):
    prefill_s = answer(bits).summary().prefill_s
    assert prefill_s >= prefill_flops(causal=True) / RATE_FLOPS_PER_S
    assert prefill_s <= prefill_flops(causal=False) / RATE_FLOPS_PER_S


def test_every_step_takes_at_least_its_own_floor():
    """Not only the mean: no step gains what another loses."""
    result = answer(4)
    decode = result.groups[-1]
    context = PROMPT + 1 + np.arange(STEPS)
    floor_s = (MATRICES / 2 + KV_BYTES_PER_TOKEN * context) / BANDWIDTH_BYTES_PER_S
    ratio = (decode.ends_s - decode.starts_s) / floor_s
    assert ratio.min() >= 1.0
    assert ratio.max() <= 1.005


def test_a_step_streams_exactly_these_weight_bytes():
    """4-bit matrices, a 16-bit scale per output row, 16-bit norms."""
    expected = MATRICES / 2 + SCALE_BYTES + NORM_BYTES
    assert answer(4).summary().weight_bytes_per_step == expected
    assert expected == pytest.approx(2.011e9, rel=2e-3)


def test_andesvl_4b_streams_2_011_gb_a_step_and_147_456_bytes_of_cache_per_token():
    overrides = [
        "device=ideal_85gbps_50tflops",
        "deployment.weights={body: w4, lm_head: w4, embedding: w4}",
        "deployment.kv_cache.dtype=int16",
    ]
    result = simulate(load_scenario(None, overrides))
    matrices = result.summary().weight_bytes_per_step - SCALE_BYTES - NORM_BYTES
    assert matrices == 2_011_136_000
    assert result.program.kv_bytes_per_token == 147_456


# What peers got wrong, one test each.


def test_head_dim_is_the_configured_one_not_hidden_over_heads():
    assert HIDDEN // Q_HEADS != HEAD_DIM
    for name, heads in (("q_proj", Q_HEADS), ("k_proj", KV_HEADS)):
        elements = LAYERS * HIDDEN * heads * HEAD_DIM
        scales, fused_norm = 2 * LAYERS * heads * HEAD_DIM, 2 * LAYERS * HEAD_DIM
        assert weight_bytes(answer(8), "decode", name) == elements + scales + fused_norm


def test_the_lm_head_is_read_in_every_step():
    assert weight_bytes(answer(4), "decode", "lm_head") == HEAD / 2 + 2 * VOCAB


def test_swiglu_has_three_matrices():
    scales = 2 * LAYERS * (2 * FFN + HIDDEN)
    found = weight_bytes(answer(8), "decode", "mlp.")
    assert found == LAYERS * MLP + scales


def test_gb_are_decimal():
    result = answer(16)
    assert result.soc.dram.peak_bytes_per_s == 85.3e9
    moved = result.program.total("dram_bytes", "decode")
    assert result.summary().decode_s == pytest.approx(moved / 85.3e9, rel=1e-3)


def test_traffic_is_bytes_not_elements():
    streamed = {
        bits: answer(bits).summary().weight_bytes_per_step - NORM_BYTES for bits in (4, 8, 16)
    }
    for bits, nbytes in streamed.items():
        assert nbytes / (MATRICES + HIDDEN) == pytest.approx(bits / 8, rel=2e-3)


def test_the_embedding_table_is_a_look_up_of_one_row_per_token():
    row = HIDDEN + 2
    assert weight_bytes(answer(8), "decode", "embed_tokens") == row
    assert weight_bytes(answer(8), "prefill", "embed_tokens") == row * PROMPT


def test_a_tied_table_is_streamed_once_a_step():
    assert answer(16).summary().weight_bytes_per_step < 2 * MATRICES + 2 * HEAD


def test_the_cache_has_key_value_heads_not_query_heads():
    reads = decode_column(answer(), "kv_read_bytes")
    assert reads.tolist() == (KV_BYTES_PER_TOKEN * (PROMPT + 1 + np.arange(STEPS))).tolist()
    assert set(decode_column(answer(), "kv_write_bytes")) == {KV_BYTES_PER_TOKEN}


def test_the_lm_head_runs_on_one_prompt_position():
    (group,) = (group for group in answer().program.groups if group.phase == "prefill")
    (head,) = (task for task, _ in group.tasks() if task.name == "lm_head")
    assert head.flops.tolist() == [2.0 * HEAD]


def test_prefill_flops_are_counted_exactly_with_the_causal_half():
    assert answer().program.total("flops", "prefill") == prefill_flops(causal=True)


def test_compression_of_weights_leaves_arithmetic_and_cache_alone():
    """One peer's int4 also quartered compute time and quantised the KV cache."""
    small, large = answer(4), answer(16)
    assert small.program.total("flops") == large.program.total("flops")
    assert small.program.kv_bytes_per_token == large.program.kv_bytes_per_token
    assert small.summary().prefill_s >= prefill_flops(causal=True) / RATE_FLOPS_PER_S


def test_compression_of_the_cache_is_used():
    """One peer documents a KV compression ratio that nothing reads."""
    half = answer(4, kv="int8")
    assert half.program.kv_bytes_per_token == KV_BYTES_PER_TOKEN / 2
    saved_s = answer(4).summary().decode_s - half.summary().decode_s
    expected_s = STEPS * KV_BYTES_PER_TOKEN / 2 * MEAN_CONTEXT / BANDWIDTH_BYTES_PER_S
    assert saved_s == pytest.approx(expected_s, rel=5e-3)


def test_fused_attention_writes_no_score_matrix():
    """One peer charged a prompt x prompt matrix to its flash attention."""
    assert answer().program.total("activation_write_bytes", "prefill") == 0.0


def test_reads_overlap_arithmetic_instead_of_adding_to_it():
    """On a machine whose arithmetic takes a third of the transfers' time, it stays hidden."""
    rate_flops_per_s = 1e12
    rates = {f"units.npu.matrix.rates.a16w{bits}": rate_flops_per_s for bits in (4, 16)}
    soc = load_soc("ideal_85gbps_50tflops").with_overrides(rates)
    result = simulate(answer(4).scenario, soc=soc)
    arithmetic_s = result.program.total("flops", "decode") / rate_flops_per_s
    bytes_s = result.program.total("dram_bytes", "decode") / BANDWIDTH_BYTES_PER_S
    assert arithmetic_s > 0.3 * bytes_s
    assert bytes_s <= result.summary().decode_s < bytes_s + 0.1 * arithmetic_s


def test_no_error_hides_behind_another():
    """One peer was 2 % off the floor because two errors cancelled: so check the parts, not the sum.

    The operators' own transfer times must add up, class by class, to bytes over bandwidth.
    """
    records = answer(4).records
    decode = records["phase"] == "decode"
    parts = {
        "self_attn.q_proj": LAYERS
        * (HIDDEN * Q_HEADS * HEAD_DIM / 2 + 2 * Q_HEADS * HEAD_DIM + 2 * HEAD_DIM),
        "self_attn.k_proj": LAYERS
        * (HIDDEN * KV_HEADS * HEAD_DIM / 2 + 2 * KV_HEADS * HEAD_DIM + 2 * HEAD_DIM),
        "self_attn.o_proj": LAYERS * (HIDDEN * Q_HEADS * HEAD_DIM / 2 + 2 * HIDDEN + 2 * HIDDEN),
        "mlp.gate_proj": LAYERS * (HIDDEN * FFN / 2 + 2 * FFN),
        "mlp.down_proj": LAYERS * (HIDDEN * FFN / 2 + 2 * HIDDEN),
        "lm_head": HEAD / 2 + 2 * VOCAB,
    }
    for name, nbytes in parts.items():
        chosen = decode & np.char.endswith(records["name"].astype(str), name)
        moved_s = records["dram_s"][chosen].sum()
        assert moved_s == pytest.approx(STEPS * nbytes / BANDWIDTH_BYTES_PER_S, rel=1e-9), name


def test_a_session_that_does_not_fit_is_a_verdict_not_a_negative_size():
    soc = load_soc("ideal_85gbps_50tflops").with_overrides({"dram.capacity": "2 GiB"})
    summary = simulate(answer(4).scenario, soc=soc).summary()
    assert not summary.fits
    assert summary.tokens_per_s is None
    assert summary.peak_dram_bytes > 2 * 2**30
