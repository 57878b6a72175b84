"""A setting moves an answer, is refused, or is said to have no effect: none is ignored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from sim import load_scenario, simulate
from sim.explore.sweep_rows import RULE_BREAKS
from sim.results import Result
from workloads.scenario import Scenario, with_override

TEXT = {"turns": [{"prompt_tokens": 64, "output_tokens": 24}]}
IMAGE = {"turns": [{"prompt_tokens": 64, "output_tokens": 24, "images_px": [[1080, 2400]]}]}
PHONE = {"device": "dimensity_9500", "model": "andesvl-0.6b"}
GPU = {"device": "snapdragon_8_elite", "stack": "llamacpp_gpu"}
EVICTS = {"kv_cache": {"eviction": {"policy": "snapkv", "budget_tokens": 50}}}
DRAFTS = {"method": "eagle", "acceptance": {"alpha": 0.7}}
LONE: dict[str, Any] = {"prompt_tokens": 64, "output_tokens": 16}
CLIENTS = {
    "until_s": 8,
    "clients": {
        "a": {"arrivals": {"process": "poisson", "per_s": 0.3}, "turns": [LONE]},
        "b": {"turns": [{**LONE, "at_s": 2}, {**LONE, "think_s": 1}]},
    },
}
BASES: dict[str, dict[str, Any]] = {
    "image": {**PHONE, "session": IMAGE},
    "no image": {**PHONE, "session": TEXT},
    "own processor": {**GPU, "model": "smolvlm2-500m", "session": IMAGE},
    "words": {**GPU, "model": "qwen3-0.6b", "session": TEXT},
    "no cache": {**GPU, "model": "mamba2-2.7b", "session": TEXT},
    "experts": {"device": "apple_m4", "stack": "mlx_gpu", "model": "olmoe-1b-7b", "session": TEXT},
    "network": {"device": "dimensity_9500", "model": "resnet50", "network": {"calls": 2}},
    "drafts": {**PHONE, "deployment": {"speculation": DRAFTS}, "session": TEXT},
    "looks up": {
        **PHONE,
        "deployment": {"speculation": {**DRAFTS, "method": "ngram"}},
        "session": TEXT,
    },
    "evicts": {**GPU, "model": "qwen3-0.6b", "deployment": EVICTS, "session": TEXT},
    "clients": {**GPU, "model": "qwen3-0.6b", "session": CLIENTS},
}
EVICTION = "deployment.kv_cache.eviction"
SETTINGS: list[tuple[str, Any]] = [
    *((f"deployment.weights.{one}", "w3") for one in ("body", "lm_head", "embedding", "vision")),
    ("deployment.weights.layers", {"0-3": "w2"}),
    ("deployment.activations", "int8"),
    ("deployment.images.preprocessor", "mtk_sdk"),
    ("deployment.images.max_size_px", 500),
    *((f"deployment.placement.{one}", "cpu") for one in ("vision", "body", "lm_head", "draft")),
    ("deployment.placement.sampling", "cpu"),
    ("deployment.clusters", ["big"]),
    ("deployment.kv_cache.dtype", "int4"),
    ("deployment.kv_cache.capacity_tokens", 3000),
    ("deployment.kv_cache.buckets", [1500, 3000]),
    (EVICTION, {"policy": "snapkv", "keep": 0.25}),
    (EVICTION, {"policy": "sliding_window", "window": 4000}),
    (EVICTION, {"policy": "local_snapkv"}),
    (EVICTION, {"policy": "quest", "budget_tokens": 4000}),
    (f"{EVICTION}.keep", 0.9),
    (f"{EVICTION}.pool", 5),
    ("deployment.prefill_chunk_tokens", 48),
    ("deployment.speculation", {"method": "medusa", "acceptance": {"alpha": 0.5}}),
    ("deployment.speculation.image_factor", 0.8),
    ("deployment.verify_buckets", [1, 2, 16]),
    ("deployment.lora", {"adapters": ["a"]}),
    ("deployment.fusion", "none"),
    ("deployment.vision_overlap", True),
    ("deployment.free_vision_after_encode", "reload"),
    ("deployment.routing_skew", 0.5),
    ("deployment.pruning.layers", 2),
    ("deployment.pruning.heads", 0.5),
    ("deployment.pruning.ffn", 0.5),
    ("environment.ambient_c", 35),
    ("environment.background", "video_call"),
    ("environment.start", "cold"),
    ("assume.dram.rate", "4 GT/s"),
    ("assume.stacks.neuropilot.bandwidth_fraction", 0.2),
    ("assume.stacks.llamacpp_gpu.bandwidth_fraction", 0.2),
    ("assume.stacks.llamacpp_cpu.bandwidth_fraction", 0.2),
    ("assume.units.npu.dram_fraction", 0.1),
    ("assume.units.gpu.dram_fraction", 0.1),
    ("assume.units.cpu.dram_fraction", 0.1),
    ("environment.battery_wh", 10),
    ("session.queue.when_full", "drop_oldest"),
    ("session.queue.preemption", "turn"),
    ("session.turns.0.at_s", 3.0),
    ("session.turns.0.think_s", 2.0),
    ("session.clients.a.arrivals.per_s", 0.4),
    ("session.clients.a.length_spread", 0.4),
    ("session.clients.a.turns.0.at_s", 4.0),
    ("session.clients.a.turns.0.think_s", 4.0),
    ("session.clients.b.turns.0.client", "c"),
    ("session.clients.b.turns.1.at_s", 4.0),
]


def numbers(node: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of nested data by its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from numbers(value, f"{path}.{key}")
    elif isinstance(node, list | tuple):
        for place, value in enumerate(node):
            yield from numbers(value, f"{path}.{place}")
    elif isinstance(node, int | float):
        yield path, float(node)


def answer(result: Result) -> dict[str, float]:
    """Return every number that an answer says."""
    cold = result.cold_start()
    parts = (result.metrics(), result.session_summary().as_dict(), result.energy.parts())
    return dict(numbers([*parts, result.ledger.peak.total_bytes, cold.read_s, cold.total_s]))


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        math.isclose(one[key], other[key], rel_tol=1e-9) or one[key] == other[key] for key in one
    )


def bare(base: str) -> Scenario:
    return Scenario.from_mapping(BASES[base])


@pytest.mark.parametrize("base", BASES)
def test_no_setting_is_ignored_in_silence(base):
    before = simulate(bare(base))
    told, silent = answer(before), []
    for path, value in SETTINGS:
        try:
            asked = Scenario.from_mapping(with_override(BASES[base], path, value))
            found = simulate(asked)
        except RULE_BREAKS:
            continue
        said = any("no effect" in text and path in text for text in found.warnings)
        if same(told, answer(found)) and not said:
            silent.append((path, value))
    assert silent == []
    assert not before.warnings


@pytest.mark.parametrize(
    ("base", "path", "value", "told"),
    [
        ("words", "deployment.images.max_size_px", 500, "qwen3-0.6b encodes no images"),
        ("no image", "deployment.placement.vision", "gpu", "no turn has an image"),
        ("no cache", "deployment.kv_cache.dtype", "q8_0", "mamba2-2.7b keeps no KV cache"),
        ("image", "deployment.routing_skew", 0.5, "andesvl-0.6b has no experts"),
        ("image", "deployment.lora", {"adapters": ["a"]}, "no turn names an adapter"),
        ("words", EVICTION, {"policy": "quest"}, "has 87 tokens, and all of them stay"),
        ("evicts", f"{EVICTION}.keep", 0.9, "budget_tokens says how many"),
        ("network", "deployment.weights.lm_head", "w4", "a network is one graph"),
        ("words", "assume.stacks.genie.layer_s", "1 ms", "the run is on another stack"),
        ("words", "assume.units.npu.dram_fraction", 0.5, "nothing runs on that unit"),
        ("looks up", "deployment.placement.draft", "cpu", "looked up on the host"),
        ("words", "environment.over_budget", "reclaim", None),
        ("image", "deployment.weights.vision", "w4", None),
    ],
)
def test_a_setting_without_effect_says_why(base, path, value, told):
    asked = Scenario.from_mapping(with_override(BASES[base], path, value))
    said = [text for text in simulate(asked).warnings if "no effect" in text]
    assert len(said) == (told is not None)
    if told:
        assert said[0].startswith(f"{path} has no effect: ")
        assert told in said[0]


def test_a_size_at_its_default_is_told_where_the_model_has_a_rule_of_its_own():
    path = "deployment.images.max_size_px"
    default = bare("image").deployment.images.max_size_px
    own = simulate(Scenario.from_mapping(with_override(BASES["own processor"], path, default)))
    assert own.warnings == (
        f"{path} has no effect: images of smolvlm2-500m follow its own processor.",
    )
    acting = Scenario.from_mapping(with_override(BASES["image"], path, default))
    assert simulate(acting).warnings == ()


def test_several_settings_of_one_reason_are_one_sentence():
    sets = ("deployment.weights.vision=q8_0", "deployment.placement.vision=cpu")
    text = "session={turns: [{prompt_tokens: 8, output_tokens: 2}]}"
    base = ("model=qwen3-0.6b", "stack=llamacpp_cpu", text)
    [said] = simulate(load_scenario(None, (*base, *sets))).warnings
    assert said.startswith("deployment.weights.vision, deployment.placement.vision have no effect")


@pytest.mark.parametrize("model", ["olmoe-1b-7b", "mamba2-2.7b"])
def test_layers_of_any_model_can_be_pruned_and_each_takes_its_bytes_along(model):
    base = {**GPU, "model": model, "session": TEXT}
    cuts = [with_override(base, "deployment.pruning.layers", layers) for layers in (0, 4, 8)]
    held = [simulate(Scenario.from_mapping(cut))["weight_bytes_per_step"] for cut in cuts]
    assert held[0] - held[1] == pytest.approx(held[1] - held[2], rel=1e-9)
    assert held[0] - held[1] > 0


def test_a_tree_of_drafts_on_a_model_without_a_cache_ends():
    tree = {"method": "medusa", "acceptance": {"alpha": 0.5}}
    asked = with_override(BASES["no cache"], "deployment.speculation", tree)
    assert simulate(Scenario.from_mapping(asked))["tokens_per_s"] > 0


def test_options_of_a_command_that_change_nothing_are_told(andesim, tmp_path):
    text = "--set=session={turns: [{prompt_tokens: 8, output_tokens: 2}]}"
    small = ("--set=model=andesvl-0.6b", text)
    reason = "--minutes has no effect: no --target is given."
    assert reason in andesim("simulate", *small, "--minutes=5").err
    assert reason in andesim("solve", "--largest=prompt=[8, 16]", *small, "--minutes=5").err
    assert reason not in andesim("simulate", *small, "--minutes=5", "--uncertainty=8").err
    spec = tmp_path / "sweep.yaml"
    base = "base: {device: dimensity_9500, model: andesvl-0.6b, session: {turns: [{}]}}"
    spec.write_text(f"{base}\naxes: {{model: [andesvl-0.6b]}}\n")
    told = andesim("sweep", str(spec), "-o", str(tmp_path / "r.parquet"), "--uncertainty=8").err
    assert "--uncertainty has no effect: no --target is given." in told
