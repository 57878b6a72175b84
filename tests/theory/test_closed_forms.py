"""Traces of the catalogue against the closed form of their architecture, from the file's keys alone.

Per layer and token, with h hidden, H heads and G key-value heads of d, k experts of width I each::

    h*(H + 2*G)*d + H*d*h + 3*k*h*I + h*E        multiply-accumulates of weights
    pairs * H * 2*d                              of attention, over the pairs a mask leaves
"""

import pytest

from workloads.catalogue import cache_bytes_16bit, get_entry
from workloads.models.entry import text_part
from workloads.operators import cost
from workloads.trace_file import load_trace

DENSE = [
    *("llama-2-7b", "llama-3-8b", "llama-3.2-1b", "mistral-7b-v0.3", "phi-3.5-mini", "phi-4-mini"),
    *("qwen2-7b", "qwen2.5-3b", "qwen3-0.6b", "qwen3-14b", "smollm2-360m", "smollm3-3b"),
    *("gemma-2b", "gemma2-2b", "gemma3-1b", "gemma3-4b", "granite-3.3-2b", "olmo2-1b"),
]
MIXTURES = ["qwen3-30b-a3b", "olmoe-1b-7b", "mixtral-8x7b", "gpt-oss-20b"]
SIZES = [(1, 1024), (1, 8192), (1, 32_768), (1, 131_072), (128, 1024), (128, 32_768)]


def keys(model):
    """The text part of a catalogue entry."""
    return text_part(get_entry(model))


def windows(model):
    """The window of each layer, None for a layer that sees everything: from the file's own keys."""
    part = keys(model)
    layers, window = part["num_hidden_layers"], part.get("sliding_window")
    periods = {"gemma2": 2, "gemma3_text": part.get("sliding_window_pattern", 6), "gpt_oss": 2}
    period = periods.get(part["model_type"])
    if period is None:
        return [None] * layers
    return [None if (layer + 1) % period == 0 else window for layer in range(layers)]


def pairs(new, seen, window):
    """Pairs of a token and one it sees, counted one token at a time."""
    each = range(seen - new + 1, seen + 1)
    return sum(each) if window is None else sum(min(window, tokens) for tokens in each)


def closed_form(model, new, seen, logits):
    """Causal matrix FLOP of ``new`` tokens that see ``seen``, with ``logits`` rows of logits."""
    part = keys(model)
    h, heads = part["hidden_size"], part["num_attention_heads"]
    groups, d = part.get("num_key_value_heads", heads), part.get("head_dim", h // heads)
    experts = part.get("num_experts", part.get("num_local_experts", 0))
    each = part.get("num_experts_per_tok", 1)
    width = part.get("moe_intermediate_size", part["intermediate_size"])
    weights = h * (2 * heads + 2 * groups) * d + 3 * each * h * width + h * experts
    attention = sum(pairs(new, seen, window) for window in windows(model)) * heads * 2 * d
    layers = part["num_hidden_layers"]
    return 2 * (new * layers * weights + attention + logits * h * part["vocab_size"])


def counted(model, phase, new, seen):
    """The same from the trace."""
    return sum(
        repeat * cost(operator, {"T": new, "S": seen}).causal_flops
        for repeat, operator in load_trace(model).phases[phase].operators()
    )


@pytest.mark.parametrize("model", DENSE + MIXTURES)
def test_flops_are_those_of_the_closed_form_from_1k_to_128k(model):
    for new, seen in SIZES:
        assert counted(model, "decode", new, seen) == closed_form(model, new, seen, new)
        assert counted(model, "prefill", new, seen) == closed_form(model, new, seen, 1)


@pytest.mark.parametrize("model", DENSE + MIXTURES)
@pytest.mark.parametrize("tokens", [1024, 8192, 32_768, 131_072])
def test_a_windowed_layer_holds_its_window_and_no_more(model, tokens):
    part = keys(model)
    heads = part["num_attention_heads"]
    groups, d = part.get("num_key_value_heads", heads), part.get("head_dim")
    each = 2 * groups * (d or part["hidden_size"] // heads)
    held = sum(min(tokens, window or tokens) for window in windows(model))
    assert cache_bytes_16bit(load_trace(model), tokens) == 2 * each * held


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
