"""Decode of latent attention is the absorbed form, by its closed form; prefill is the expanded one.

DeepSeek-V2-Lite: 27 layers, 16 heads, latent 512, rotated key 64, keys of 128 and values of 128 per
head.
"""

import pytest

from workloads.operators import cost
from workloads.trace_file import load_trace

LAYERS, HEADS, LATENT, ROTATED, KEY, VALUE = 27, 16, 512, 64, 128, 128
SIZES = [(1, 1), (1, 160), (1, 32_768), (4, 4096)]


def attention_costs(phase, new, seen):
    """The costs of what runs over the cache or expands it, a repeat each."""
    return [
        (repeat, cost(operator, {"T": new, "S": seen}))
        for repeat, operator in load_trace("deepseek-v2-lite").phases[phase].operators()
        if operator.kind in ("attention", "matmul") or "kv_b_proj" in operator.module
    ]


@pytest.mark.parametrize(("new", "seen"), SIZES)
def test_decode_has_the_work_of_the_absorbed_form(new, seen):
    found = sum(r * c.matmul_flops for r, c in attention_costs("decode", new, seen))
    products = new * HEADS * LATENT * (KEY + VALUE)
    over_latents = new * seen * HEADS * (2 * LATENT + ROTATED)
    assert found == 2 * LAYERS * (products + over_latents)


@pytest.mark.parametrize(("new", "seen"), SIZES)
def test_decode_reads_each_latent_and_the_expansion_once(new, seen):
    costs = attention_costs("decode", new, seen)
    assert sum(r * c.kv_read_elements for r, c in costs) == LAYERS * seen * (LATENT + ROTATED)
    weights = sum(r * use.elements for r, c in costs for use in c.weights)
    assert weights == LAYERS * LATENT * HEADS * (KEY + VALUE)


@pytest.mark.parametrize(("new", "seen"), [(128, 128), (128, 4096)])
def test_prefill_expands_every_latent_it_sees(new, seen):
    found = sum(r * c.matmul_flops for r, c in attention_costs("prefill", new, seen))
    expansion = seen * LATENT * HEADS * (KEY + VALUE)
    attention = new * seen * HEADS * (KEY + ROTATED + VALUE)
    assert found == 2 * LAYERS * (expansion + attention)
