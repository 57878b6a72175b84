"""Decode of latent attention is the absorbed form, by its closed form; prefill the expanded one."""

import pytest

from workloads.operators import cost
from workloads.trace_file import load_trace

# layers, heads, latent, rotated key, key and value of a head
MODELS = {"deepseek-v2-lite": (27, 16, 512, 64, 128, 128), "minicpm3-4b": (62, 40, 256, 32, 64, 64)}
DECODE = [
    (m, new, seen) for m in MODELS for new, seen in [(1, 1), (1, 160), (1, 32_768), (4, 4096)]
]
PREFILL = [(m, new, seen) for m in MODELS for new, seen in [(128, 128), (128, 4096)]]


def attention_costs(model, phase, new, seen):
    """The costs of what runs over the cache or expands it, a repeat each."""
    return [
        (repeat, cost(operator, {"T": new, "S": seen}))
        for repeat, operator in load_trace(model).phases[phase].operators()
        if operator.kind in ("attention", "matmul") or "kv_b_proj" in operator.module
    ]


@pytest.mark.parametrize(("model", "new", "seen"), DECODE)
def test_decode_has_the_work_of_the_absorbed_form(model, new, seen):
    layers, heads, latent, rotated, key, value = MODELS[model]
    found = sum(r * c.matmul_flops for r, c in attention_costs(model, "decode", new, seen))
    products = new * heads * latent * (key + value)
    over_latents = new * seen * heads * (2 * latent + rotated)
    assert found == 2 * layers * (products + over_latents)


@pytest.mark.parametrize(("model", "new", "seen"), DECODE)
def test_decode_reads_each_latent_and_the_expansion_once(model, new, seen):
    layers, heads, latent, rotated, key, value = MODELS[model]
    costs = attention_costs(model, "decode", new, seen)
    assert sum(r * c.kv_read_elements for r, c in costs) == layers * seen * (latent + rotated)
    weights = sum(r * use.elements for r, c in costs for use in c.weights)
    assert weights == layers * latent * heads * (key + value)


@pytest.mark.parametrize(("model", "new", "seen"), PREFILL)
def test_prefill_expands_every_latent_it_sees(model, new, seen):
    layers, heads, latent, rotated, key, value = MODELS[model]
    found = sum(r * c.matmul_flops for r, c in attention_costs(model, "prefill", new, seen))
    expansion = seen * latent * heads * (key + value)
    attention = new * seen * heads * (key + rotated + value)
    assert found == 2 * layers * (expansion + attention)
