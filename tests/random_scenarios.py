"""Scenarios drawn at random over everything that may be asked, for tests of relations.

A number names a scenario for good: the same on every machine, so a failing one can be asked again.
Sizes are small, since what is tested is what happens and not how long it takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DEVICES = ["dimensity_9500", "snapdragon_8_elite", "snapdragon_x_elite", "ideal_85gbps_50tflops"]
TEXT_MODELS = ["qwen3-0.6b", "qwen2.5-0.5b", "gemma3-270m", "smollm2-135m"]
VISION_MODELS = ["andesvl-0.6b", "andesvl-1b"]
PROFILES = ["idle", "scrolling", "video_call", "game"]
POLICIES: list[dict[str, Any]] = [
    {"policy": "sliding_window", "window": 64, "sinks": 2},
    {"policy": "snapkv", "keep": 0.5},
    {"policy": "h2o", "keep": 0.5},
    {"policy": "okv", "keep": 0.4},
    {"policy": "quest"},
]
SURVIVAL = {"survival": [0.7, 0.4, 0.2, 0.1]}
METHODS: list[dict[str, Any]] = [
    {"method": "ngram", "depth": 3, "acceptance": SURVIVAL},
    {"method": "eagle", "depth": 4, "acceptance": SURVIVAL},
    {"method": "medusa", "depth": 3, "tree_nodes": 8, "acceptance": SURVIVAL},
    {"method": "ngram", "depth": 2, "acceptance": {"alpha": 0.6}},
]


def scenario(number: int) -> dict[str, Any]:
    """Return the scenario of a number, as a mapping."""
    rng = np.random.default_rng(number)
    device, sees = _one(rng, DEVICES), rng.random() < 0.4
    model = _one(rng, VISION_MODELS if sees else TEXT_MODELS)
    adapters = ["ui", "qa"] if rng.random() < 0.25 else []
    return {
        "device": device,
        "model": model,
        "deployment": _deployment(rng, adapters),
        "environment": _environment(rng),
        "session": _session(rng, sees, adapters),
    }


def plain(number: int) -> dict[str, Any]:
    """Return a scenario of one turn without mechanisms: what a sweep evaluates in one pass."""
    rng = np.random.default_rng([number, 1])
    sees = rng.random() < 0.4
    deployment = _deployment(rng, [])
    kept = {name: deployment[name] for name in ("weights", "kv_cache") if name in deployment}
    kept.get("kv_cache", {}).pop("eviction", None)
    environment: dict[str, Any] = {"ambient_c": float(_one(rng, [10, 25, 35]))}
    if rng.random() < 0.3:
        environment["start"] = "cold"
    if rng.random() < 0.3:
        environment["app_budget_bytes"] = int(rng.uniform(0.2e9, 3e9))
    return {
        "device": _one(rng, DEVICES),
        "model": _one(rng, VISION_MODELS if sees else TEXT_MODELS),
        "deployment": kept,
        "environment": environment,
        "session": {"turns": [_turn(rng, sees, [])]},
    }


def _one(rng: np.random.Generator, items: list[Any]) -> Any:
    return items[int(rng.integers(len(items)))]


def _deployment(rng: np.random.Generator, adapters: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rng.random() < 0.5:
        found["weights"] = {"body": _one(rng, ["w4", "w8", "w4_g128", "q4_0"])}
    cache: dict[str, Any] = {}
    if rng.random() < 0.4:
        cache["dtype"] = _one(rng, ["int8", "int16"])
    if rng.random() < 0.3:
        cache["capacity_tokens"] = 4096
    if rng.random() < 0.3:
        cache["eviction"] = _one(rng, POLICIES)
    if cache:
        found["kv_cache"] = cache
    if rng.random() < 0.3:
        found["speculation"] = _one(rng, METHODS)
    if adapters:
        found["lora"] = {"rank": 16, "adapters": adapters, "resident": 1}
    if rng.random() < 0.2:
        found["free_vision_after_encode"] = _one(rng, [True, False, "reload"])
    return found


def _environment(rng: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {"ambient_c": float(_one(rng, [10, 25, 35, 42]))}
    kind = rng.random()
    if kind < 0.3:
        later = [
            {"at_s": round(float(rng.uniform(0.1, 3.0)), 3), "profile": _one(rng, PROFILES)}
            for _ in range(int(rng.integers(1, 3)))
        ]
        found["background"] = [{"at_s": 0.0, "profile": "idle"}, *later]
    elif kind < 0.5:
        found["background"] = _one(rng, PROFILES)
    if rng.random() < 0.3:
        found["app_budget_bytes"] = int(rng.uniform(0.2e9, 3e9))
        found["over_budget"] = _one(rng, ["stop", "spill"])
    if rng.random() < 0.2:
        found["start"] = "cold"
    if rng.random() < 0.15:
        found["charging_heat_w"] = 4.0
    return found


def _turn(rng: np.random.Generator, sees: bool, adapters: list[str]) -> dict[str, Any]:
    turn: dict[str, Any] = {
        "prompt_tokens": int(rng.integers(1, 400)),
        "output_tokens": int(rng.integers(1, 40)),
    }
    if sees:
        turn["images_px"] = [[280, 280]] * int(rng.integers(0, 3))
    if adapters:
        turn["adapter"] = _one(rng, adapters)
    return turn


def _session(rng: np.random.Generator, sees: bool, adapters: list[str]) -> dict[str, Any]:
    kind = rng.random()
    if kind < 0.5:
        return {"turns": [_turn(rng, sees, adapters)]}
    turns = [_turn(rng, sees, adapters) for _ in range(int(rng.integers(2, 4)))]
    if kind < 0.8:
        for index, turn in enumerate(turns):
            turn["at_s"] = round(index * float(rng.uniform(0.0, 2.0)), 3)
        return {"turns": turns}
    clients = {
        "assistant": {"turns": turns[:1], "priority": 1},
        "keyboard": {
            "turns": turns[1:2],
            "priority": 0,
            "arrivals": {"process": "closed", "think_s": 0.3, "count": 3},
        },
    }
    return {"clients": clients, "queue": {"preemption": _one(rng, ["step", "turn"])}}
