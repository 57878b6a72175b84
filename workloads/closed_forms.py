"""What a decoder's architecture implies, from the keys of its file alone, to check traces against.

Per layer and token, with ``h`` hidden, ``H`` heads and ``G`` key-value heads of ``d``, ``k``
experts of width ``I`` out of ``E`` each (dense: one expert, no router)::

    2*h*(H + G)*d + 3*k*h*I + h*E                multiply-accumulates of weights
    pairs * H * 2*d                              of attention, over the pairs a causal mask leaves

Not covered: recurrent layers, a latent cache, shared caches or experts, feed-forward layers without
a gate; `attends_plainly` says which types are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workloads.attended import visible_pairs

_PLAIN = frozenset(
    [
        *("bitnet", "gemma", "gemma2", "gemma3_text", "gpt_oss", "granite", "llama", "mistral"),
        *("mixtral", "olmo2", "olmoe", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3"),
    ]
)
_PERIODS = {"gemma2": 2, "gemma3_text": 6, "gpt_oss": 2}
"""Every how many-th layer sees everything, of types whose other layers have a window."""

_WINDOWED = ("mistral", "mixtral", "phi3")
"""Types whose every layer has the window that the file gives, if it gives one."""


def attends_plainly(part: Mapping[str, Any]) -> bool:
    """Return whether the text part of an entry is of a type the closed forms cover."""
    return part.get("model_type") in _PLAIN


def windows(part: Mapping[str, Any]) -> list[int | None]:
    """Return the window of each layer [tokens], None for one that sees everything."""
    layers = int(part["num_hidden_layers"])
    period = _PERIODS.get(str(part["model_type"]))
    if period is None:
        everywhere = part["model_type"] in _WINDOWED
        return [part.get("sliding_window") if everywhere else None] * layers
    period = int(part.get("sliding_window_pattern", period))
    return [None if (n + 1) % period == 0 else part["sliding_window"] for n in range(layers)]


def causal_flops(part: Mapping[str, Any], new: int, seen: int, logits: int) -> int:
    """Return the matrix FLOP of ``new`` tokens that see ``seen``, with ``logits`` rows of logits.

    Arguments:
        part: the text part of an entry, of a type that `attends_plainly`.
        new, seen: tokens T and S.
        logits: tokens whose logits are computed.
    """
    h, heads, groups, d = _heads(part)
    experts = int(part.get("num_experts", part.get("num_local_experts", 0)))
    each = int(part.get("num_experts_per_tok", 1))
    width = int(part.get("moe_intermediate_size", part["intermediate_size"]))
    weights = 2 * h * (heads + groups) * d + 3 * each * h * width + h * experts
    pairs = sum(int(visible_pairs(new, seen, window)) for window in windows(part))
    layers = int(part["num_hidden_layers"])
    rows = logits * h * int(part["vocab_size"])
    return 2 * (new * layers * weights + pairs * heads * 2 * d + rows)


def cache_bytes_16bit(part: Mapping[str, Any], tokens: int) -> int:
    """Return the cache bytes of ``tokens`` tokens at 16 bit: a windowed layer holds its window."""
    _, _, groups, d = _heads(part)
    held = sum(min(tokens, window or tokens) for window in windows(part))
    return 2 * 2 * groups * d * held


def _heads(part: Mapping[str, Any]) -> tuple[int, int, int, int]:
    h, heads = int(part["hidden_size"]), int(part["num_attention_heads"])
    d = part.get("head_dim") or h // heads
    return h, heads, int(part.get("num_key_value_heads") or heads), int(d)
