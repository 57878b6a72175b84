"""What the controls of the sidebar are called, also in messages that know only a field's name."""

from __future__ import annotations

import re
from typing import Final

LABELS: Final = {
    "model": "Model",
    "device": "Device",
    "stack": "Software stack",
    "images": "Images",
    "image_width_px": "Width [px]",
    "image_height_px": "Height [px]",
    "prompt_tokens": "Prompt tokens",
    "output_tokens": "Output tokens",
    "body": "Body",
    "body_bits": "Body bits per weight",
    "lm_head": "LM head",
    "lm_head_bits": "Head bits",
    "embedding": "Embedding",
    "embedding_bits": "Table bits",
    "vision": "Vision",
    "vision_bits": "Vision bits",
    "kv_dtype": "KV cache format",
    "context_tokens": "Context [tokens], 0 = as needed",
    "eviction": "Eviction policy",
    "keep": "Share of the KV cache kept",
    "speculation": "Speculation",
    "depth": "Draft depth [tokens]",
    "acceptance": "Acceptance (an input)",
    "adapters": "LoRA adapters",
    "rank": "LoRA rank",
    "ambient_c": "Ambient [°C]",
    "background": "Background",
    "start": "Start",
    "clock_fraction": "Power mode, share of the clock",
    "threads": "CPU threads, 0 = stack's",
    "app_budget_gib": "App budget [GiB], 0 = device's",
    "most_first_token_s": "First token within [s]",
    "least_tokens_per_s": "Tokens/s at least",
    "what_if": "What-if device values",
}

_OF_A_SCENARIO: Final = {
    "environment.app_budget_bytes": "app_budget_gib",
    "kv_cache.capacity_tokens": "context_tokens",
    "kv_cache.dtype": "kv_dtype",
    "kv_cache.eviction": "eviction",
    "lora.adapters": "adapters",
    "lora.rank": "rank",
    "acceptance.alpha": "acceptance",
    "images_px": "images",
}
"""Ends of a scenario's paths that the sidebar calls otherwise, and its own name of each."""
_PARTS: Final = ("session", "deployment", "environment")
"""Of a scenario; the same last name in a device file is another thing."""
_NAMED: Final = re.compile(
    r"^(?P<where> *(?:baseline: )?)(?P<path>[a-z_][\w.\[\]]*)(?= )", re.MULTILINE
)


def labelled(text: str) -> str:
    """Return a message in which a sentence that begins with a field names its control, too.

    >>> labelled("body_bits must be at most 16.")
    'Body bits per weight (body_bits) must be at most 16.'
    >>> labelled("environment.ambient_c must be at most 50.")
    'Ambient [°C] (environment.ambient_c) must be at most 50.'
    >>> labelled("dram.rate must be above 0.")
    'dram.rate must be above 0.'
    """
    return _NAMED.sub(_with_label, text)


def _with_label(found: re.Match[str]) -> str:
    path = re.sub(r"(\[\d+\]|\.\d+)", "", found["path"])
    root, dot, _ = path.partition(".")
    ends = [name for end, name in _OF_A_SCENARIO.items() if path.endswith(end)]
    name = ends[0] if ends else path.rpartition(".")[2]
    is_ours = name in LABELS and (not dot or root in _PARTS)
    label = LABELS[name].partition(",")[0] if is_ours else ""
    said = f"{label} ({found['path']})" if label else found["path"]
    return found["where"] + said
