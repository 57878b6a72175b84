"""Sparse attention with an index: each step scores every token and attends to the chosen ones."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.families import BASE, LATENT
from workloads.operators import cost

pytestmark = pytest.mark.torch

LAYERS, HEADS, CHOSEN = 3, 4, 2048
INDEX_HEADS, INDEX_DEPTH = 4, 16
LATENT_SIZE, ROTATED, KEY, VALUE = 32, 8, 16, 16
ENTRY = {
    "model_type": "deepseek_v32",
    **BASE,
    **LATENT,
    "index_topk": CHOSEN,
    "index_n_heads": INDEX_HEADS,
    "index_head_dim": INDEX_DEPTH,
}


@pytest.fixture(scope="module")
def trace():
    from workloads.capture import capture_entry

    return capture_entry(ENTRY, "indexed")


def costs(trace, phase, new, seen):
    """The costs of attention, of its absorbed products and of the index, a repeat each."""
    return [
        (repeat, cost(operator, {"T": new, "S": seen}))
        for repeat, operator in trace.phases[phase].operators()
        if operator.kind in ("attention", "matmul")
    ]


@pytest.mark.parametrize(("new", "seen"), [(1, 1), (1, 2048), (1, 2049), (1, 131_072)])
def test_a_step_scores_all_tokens_and_attends_to_the_chosen(trace, new, seen):
    found = costs(trace, "decode", new, seen)
    index = seen * (INDEX_HEADS * INDEX_DEPTH + INDEX_HEADS)
    products = HEADS * LATENT_SIZE * (KEY + VALUE)
    chosen = min(seen, CHOSEN)
    over_latents = chosen * HEADS * (2 * LATENT_SIZE + ROTATED)
    assert sum(r * c.matmul_flops for r, c in found) == 2 * LAYERS * (
        index + products + over_latents
    )
    read = chosen * (LATENT_SIZE + ROTATED) + seen * INDEX_DEPTH
    assert sum(r * c.kv_read_elements for r, c in found) == LAYERS * read


def test_the_cache_holds_every_latent_and_every_key_of_the_index(trace):
    held = sum(part.elements for part in trace.cache if part.window_tokens is None)
    assert held == LAYERS * (LATENT_SIZE + ROTATED + INDEX_DEPTH)


def test_prefill_attends_to_no_more_than_the_chosen(trace):
    """Each of 64 tokens behind 8,128 others sees the chosen; the class expands every latent."""
    attention = [
        (repeat, cost(operator, {"T": 64, "S": 8192}))
        for repeat, operator in trace.phases["prefill"].operators()
        if operator.kind == "attention"
    ]
    pairs = 64 * CHOSEN * HEADS * (KEY + ROTATED + VALUE)
    assert sum(r * c.causal_flops for r, c in attention) == 2 * LAYERS * pairs


def test_a_real_run_makes_the_calls_of_the_trace(trace):
    import torch

    from tests.theory.test_families import sized
    from workloads.models.from_transformers import build, read_config
    from workloads.models.latent import absorbed
    from workloads.models.text_phases import _segments
    from workloads.models.text_shape import context_of

    torch.manual_seed(0)
    built = build(read_config(ENTRY, "indexed"), "real", "cpu")
    seen = absorbed(_segments(built, context_of(built), 1, 70))
    assert sized(seen, {}) == sized(trace.phases["decode"].segments, {"T": 1, "S": 70})
