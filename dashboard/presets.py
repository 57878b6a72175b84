"""Named starting points: each is what it changes of the default choices."""

from __future__ import annotations

from typing import Any, Final

from dashboard.choices import Choices

CUSTOM: Final = "custom"

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "balanced": {},
    "smallest memory": {
        "model": "andesvl-1b",
        "body": "w4_g128",
        "lm_head": "w4_g128",
        "embedding": "w4_g128",
        "kv_dtype": "int8",
    },
    "fastest": {
        "model": "andesvl-0.6b",
        "body": "w4",
        "lm_head": "w4",
        "image_width_px": 448,
        "image_height_px": 448,
        "speculation": "ngram",
        "depth": 3,
        "acceptance": 0.4,
    },
    "long context": {
        "images": 0,
        "prompt_tokens": 8192,
        "output_tokens": 256,
        "kv_dtype": "int8",
        "eviction": "okv",
        "keep": 0.5,
        "most_first_token_s": 15.0,
    },
    "multi-LoRA agent": {
        "images": 2,
        "prompt_tokens": 256,
        "output_tokens": 64,
        "adapters": 4,
        "rank": 16,
        "most_first_token_s": 4.0,
    },
}


def preset(name: str) -> Choices:
    """Return the choices of a preset.

    >>> preset("balanced") == Choices()
    True
    """
    return Choices(**PRESETS[name])


def preset_of(choices: Choices) -> str:
    """Return the preset these choices are, or "custom".

    >>> preset_of(Choices(prompt_tokens=65))
    'custom'
    """
    return next((name for name in PRESETS if preset(name) == choices), CUSTOM)
