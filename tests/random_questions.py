"""Scenarios drawn at random by number: one turn, with and without image, eviction and drafting."""

from __future__ import annotations

from typing import Any

import numpy as np

Asked = dict[str, Any]

DEVICES = (
    "dimensity_9500",
    "dimensity_9300",
    "snapdragon_8_elite",
    "snapdragon_8_gen_3",
    "snapdragon_8_gen_2",
    "apple_a18_pro",
)
TEXT_MODELS = ("smollm2-135m", "qwen3-0.6b", "gemma3-270m", "llama-3.2-1b", "qwen2.5-1.5b")
VISION_MODELS = ("andesvl-0.6b", "andesvl-1b")
BODIES = ("w2", "w3", "w4", "w4_g128", "w8")
PROMPTS = (1, 7, 64, 128, 129, 500, 1024, 3000)


def drawn(number: int) -> Asked:
    """Return the scenario of a number: one turn, at random with images, eviction, drafting."""
    rng = np.random.default_rng([number, 31])

    def one(items: Any) -> Any:
        return items[int(rng.integers(len(items)))]

    sees = rng.random() < 0.3
    turn: Asked = {"prompt_tokens": one(PROMPTS), "output_tokens": one((2, 8, 33, 128))}
    if sees:
        turn["images_px"] = [[one((448, 720, 1080)), one((448, 1280, 2400))]]
    cache: Asked = {"dtype": one(("int8", "int16"))}
    if rng.random() < 0.3:
        policy = one(("okv", "snapkv", "h2o", "tova"))
        cache["eviction"] = {"policy": policy, "keep": one((0.3, 0.5, 0.9))}
    deployment: Asked = {"weights": {"body": one(BODIES), "lm_head": "w8"}, "kv_cache": cache}
    if rng.random() < 0.3:
        deployment["speculation"] = drafting(one((0.5, 0.7, 0.9)), one((2, 4, 6)))
    return {
        "device": one(DEVICES),
        "model": one(VISION_MODELS if sees else TEXT_MODELS),
        "deployment": deployment,
        "session": {"turns": [turn]},
    }


def drafting(alpha: float, depth: int = 4) -> Asked:
    """Return speculation with a draft head of a given acceptance and depth."""
    return {"method": "eagle", "depth": depth, "acceptance": {"alpha": alpha}}
