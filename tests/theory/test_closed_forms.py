"""Traces of the catalogue are the closed form of their architecture, from the file's keys alone."""

import pytest

from workloads import closed_forms
from workloads.attended import visible_pairs
from workloads.catalogue import get_entry
from workloads.closed_forms import causal_flops
from workloads.model_facts import cache_bytes_16bit
from workloads.models.entry import text_part
from workloads.operators import cost
from workloads.trace_file import load_trace

DENSE = [
    *("llama-2-7b", "llama-3-8b", "llama-3.2-1b", "mistral-7b-v0.3", "phi-3.5-mini", "phi-4-mini"),
    "phi-3-mini",
    *("qwen2-7b", "qwen2.5-3b", "qwen3-0.6b", "qwen3-14b", "smollm2-360m", "smollm3-3b"),
    *("gemma-2b", "gemma2-2b", "gemma3-1b", "gemma3-4b", "granite-3.3-2b", "olmo2-1b"),
]
MIXTURES = ["qwen3-30b-a3b", "olmoe-1b-7b", "mixtral-8x7b", "gpt-oss-20b"]
SIZES = [(1, 1024), (1, 8192), (1, 32_768), (1, 131_072), (128, 1024), (128, 32_768)]


def keys(model):
    """The text part of a catalogue entry."""
    return text_part(get_entry(model))


def counted(model, phase, new, seen):
    """The same from the trace."""
    return sum(
        repeat * cost(operator, {"T": new, "S": seen}).causal_flops
        for repeat, operator in load_trace(model).phases[phase].operators()
    )


@pytest.mark.parametrize("model", DENSE + MIXTURES)
def test_flops_are_those_of_the_closed_form_from_1k_to_128k(model):
    for new, seen in SIZES:
        assert counted(model, "decode", new, seen) == causal_flops(keys(model), new, seen, new)
        assert counted(model, "prefill", new, seen) == causal_flops(keys(model), new, seen, 1)


@pytest.mark.parametrize("model", DENSE + MIXTURES)
@pytest.mark.parametrize("tokens", [1024, 8192, 32_768, 131_072])
def test_a_windowed_layer_holds_its_window_and_no_more(model, tokens):
    held = cache_bytes_16bit(load_trace(model), tokens)
    assert held == closed_forms.cache_bytes_16bit(keys(model), tokens)


@pytest.mark.parametrize(("new", "seen"), [(1, 1), (4, 9), (9, 9), (5, 40)])
@pytest.mark.parametrize("window", [None, 1, 6, 100])
def test_pairs_are_those_counted_one_token_at_a_time(new, seen, window):
    each = range(seen - new + 1, seen + 1)
    assert visible_pairs(new, seen, window) == sum(min(window or n, n) for n in each)


def test_gemma3_4b_at_32k_holds_a_fifth_of_a_full_cache():
    """Five full layers of 34: 0.7 GiB, where 34 full ones would take 4.25 GiB."""
    held = cache_bytes_16bit(load_trace("gemma3-4b"), 32_768)
    assert held == (5 * 32_768 + 29 * 1024) * 2 * 4 * 256 * 2
    assert held / 2**30 == pytest.approx(0.738, abs=0.001)


@pytest.mark.parametrize(
    ("model", "phase", "new", "seen", "macs"),
    [
        ("qwen3-4b", "prefill", 16, 16, 58_562_117_632),
        ("qwen3-4b", "decode", 1, 160, 4_069_457_920),
        ("qwen3-30b-a3b", "prefill", 16, 16, 44_052_512_768),
        ("qwen3-30b-a3b", "decode", 1, 160, 3_104_571_392),
    ],
)
def test_counts_that_were_made_by_hand(model, phase, new, seen, macs):
    assert counted(model, phase, new, seen) == 2 * macs


def test_the_parameters_of_gemma_3n_are_those_of_its_architecture():
    """The text part of Gemma 3n E4B, tensor by tensor: 35 layers, 20 with keys of their own.

    Published totals count its towers, so this is what its own is held against.
    """
    h, layers, own, side, width, rank, d = 2048, 35, 20, 256, 16_384, 64, 256
    tables = 262_400 * h + 262_144 * layers * side
    between = h * layers * side + side + 6 * h * h + h
    attention = 2 * h * h + d
    mixing = 4 * 4 + 4 * 16 + 4 * h + 2 * h  # four streams: coefficients, router, its norm, scale
    low_rank, beside, norms = 2 * h * rank + h, 2 * h * side + h, 4 * h
    layer = attention + 3 * h * width + mixing + low_rank + beside + norms
    keys_and_values = 2 * h * 2 * d + d
    total = tables + between + layers * layer + own * keys_and_values
    assert load_trace("gemma3n-e4b").total_parameters == total == 6_835_235_568
