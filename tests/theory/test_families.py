"""Small models of many families, run for real with random weights, are what their traces say."""

import math

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.families import FAMILIES, entry

pytestmark = pytest.mark.torch


def sized(phase, sizes):
    """Every operator of a phase with its shapes at the given sizes, in order."""
    return [
        (
            segment.name,
            segment.repeat,
            operator.name,
            operator.module,
            [[int(e.at(sizes)) for e in t.shape] for t in (*operator.inputs, *operator.outputs)],
            [tensor.role for tensor in (*operator.inputs, *operator.outputs)],
        )
        for segment in phase
        for operator in segment.operators
    ]


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    """A family's trace, and the same class with random weights."""
    import torch

    from workloads.capture import capture_entry
    from workloads.models.from_transformers import build, read_config

    torch.manual_seed(0)
    config = read_config(entry(request.param), request.param)
    return capture_entry(entry(request.param), request.param), build(config, "real", "cpu"), config


def test_a_real_run_makes_the_calls_of_the_trace(family):
    from workloads.models.text_phases import _segments
    from workloads.models.text_shape import context_of

    trace, built, _ = family
    seen = _segments(built, context_of(built), 1, 70)
    assert sized(seen, {}) == sized(trace.phases["decode"].segments, {"T": 1, "S": 70})
    layers = [s for s in _segments(built, context_of(built), 64, 192) if s.name != "head"]
    said = [s for s in trace.phases["prefill"].segments if s.name != "head"]
    assert sized(layers, {}) == sized(said, {"T": 64, "S": 192})


def test_parameters_are_those_of_the_class(family):
    trace, built, _ = family
    assert trace.total_parameters == sum(p.numel() for p in built.model.parameters())


def test_the_cache_of_a_plain_run_is_as_large_as_the_trace_says(family):
    import torch
    from transformers import AutoModelForCausalLM, DynamicCache

    from workloads.models.from_transformers import _cache_name

    trace, _, config = family
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(
        config, attn_implementation="eager", experts_implementation="eager"
    ).to(torch.bfloat16)
    cache = DynamicCache(config=model.config)
    tokens = 40
    with torch.inference_mode():
        model.eval()(
            torch.ones((1, tokens), dtype=torch.long),
            **{_cache_name(model): cache, "use_cache": True},
        )
    held = states = 0
    for layer in cache.layers:
        for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
            held += tensor.numel() if tensor is not None else 0
        for kind in ("conv_states", "recurrent_states"):
            for tensor in (getattr(layer, kind, None) or {}).values():
                states += tensor.numel() * tensor.element_size() if tensor is not None else 0
    # between steps transformers keeps window - 1 tokens: the next one is the window's last
    expected = sum(
        part.elements * (min(tokens, part.window_tokens - 1) if part.window_tokens else tokens)
        for part in trace.cache
    )
    assert held == expected
    assert states == trace.state_bytes


def test_the_steps_read_every_weight_once(family):
    trace, built, _ = family
    read = set()
    for _, operator in trace.phases["decode"].operators():
        read |= {t.parameter for t in operator.inputs if t.role == "weight"}
    names = {name for name, _ in built.model.named_parameters()}
    path = f"{built.layers_path}."
    starred = {
        path + "*." + name[len(path) :].partition(".")[2] if name.startswith(path) else name
        for name in names
    }
    assert starred - read == set()
    assert math.isfinite(trace.active_parameters)
