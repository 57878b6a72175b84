"""Structured pruning changes a trace as building the smaller model would."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim import load_scenario, simulate
from workloads.catalogue import get_entry, get_model, trace_for
from workloads.errors import WorkloadError
from workloads.pruning import Pruning, prune, pruned_shape

FAMILIES = ("qwen3-0.6b", "qwen2.5-0.5b", "llama-2-7b", "phi-3.5-mini", "gemma3-1b")


def shapes(trace, phase):
    return [
        (segment.repeat, operator.kind, operator.module, operator.inputs, operator.outputs)
        for segment in trace.phases[phase].segments
        for operator in segment.operators
    ]


@pytest.mark.torch
def smaller_class(model, shape):
    from workloads.capture import capture_entry

    smaller = {
        **get_entry(model)["text_config"],
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.q_heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.intermediate,
    }
    return capture_entry(smaller, model)


def smaller_andesvl(model, shape):
    from workloads.capture import capture

    config = get_model(model)
    smaller = replace(
        config.decoder,
        layers=shape.layers,
        q_heads=shape.q_heads,
        kv_heads=shape.kv_heads,
        intermediate=shape.intermediate,
    )
    return capture(replace(config, decoder=smaller))


@pytest.mark.parametrize("model", [*FAMILIES, "andesvl-0.6b"])
def test_pruned_trace_equals_the_trace_of_the_smaller_module(model):
    pytest.importorskip("torch")
    pruning = Pruning(layers=3, heads=0.5, ffn=0.25)
    shape = pruned_shape(trace_for(model).decoder, pruning)
    built = (smaller_class if model in FAMILIES else smaller_andesvl)(model, shape)
    pruned = prune(trace_for(model), pruning)
    for phase in ("prefill", "decode"):
        assert shapes(pruned, phase) == shapes(built, phase)
    assert pruned.parameters == built.parameters
    assert pruned.kv_elements_per_token == built.kv_elements_per_token


def test_no_pruning_is_the_same_trace():
    trace = trace_for("qwen3-0.6b")
    assert prune(trace, Pruning()) is trace


def test_pruning_half_the_ffn_removes_half_its_weights():
    scenario = ("model=qwen3-4b", "session={turns: [{prompt_tokens: 32, output_tokens: 4}]}")
    whole = simulate(load_scenario(None, (*scenario, "deployment.weights=bpw4"))).summary()
    half = simulate(
        load_scenario(None, (*scenario, "deployment.weights=bpw4", "deployment.pruning.ffn=0.5"))
    ).summary()
    removed = 36 * 3 * 2560 * 9728 / 2 * 4 / 8
    assert whole.weight_bytes_per_step - half.weight_bytes_per_step == pytest.approx(removed)
    assert half.tokens_per_s > whole.tokens_per_s


def test_all_layers_cannot_go():
    with pytest.raises(WorkloadError, match=r"pruning\.layers must be below the model's 28"):
        prune(trace_for("qwen3-0.6b"), Pruning(layers=28))
