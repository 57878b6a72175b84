"""Eviction in PyTorch on a tiny random decoder: against a masked oracle, and by hand."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from workloads.behaviour import eviction_rules as rules
from workloads.behaviour.eviction_torch import (
    NEVER,
    EvictingCache,
    Prefilled,
    Rule,
    Store,
    attention_weights,
    prefill,
    run,
    with_scored_attention,
)
from workloads.behaviour.record_eviction import policies, rule_for
from workloads.errors import WorkloadError
from workloads.models.andesvl import build
from workloads.models.config import DecoderConfig, ModelConfig

pytestmark = pytest.mark.torch

LAYERS, HEADS, KV_HEADS, DEPTH = 3, 4, 2, 8
PROMPT, STEPS = 96, 24
CONFIG = DecoderConfig(LAYERS, 32, 48, HEADS, KV_HEADS, DEPTH, 50, True, 1e4, 1e-5)


@pytest.fixture(scope="module")
def plain():
    return build(ModelConfig("tiny", CONFIG), device="cpu", dtype=torch.float32, seed=1)


@pytest.fixture(scope="module")
def model(plain):
    return with_scored_attention(plain)


@pytest.fixture(scope="module")
def ids():
    return torch.randint(50, (PROMPT + STEPS + 1,), generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def prefilled(model, ids):
    return prefill(model, ids[:PROMPT])


class MaskedOracle:
    """Holds every key and hides those that were dropped: what shrinking must equal."""

    def __init__(self, prefilled, dropped_at):
        self.prefilled, self.dropped_at = prefilled, dropped_at

    def attend(self, layer, query, keys, values):
        seen = self.prefilled[layer]
        keys, values = torch.cat((seen.keys, keys), 1), torch.cat((seen.values, values), 1)
        step = torch.arange(query.shape[1])[:, None]
        causal = torch.arange(keys.shape[1]) <= PROMPT + step
        held = self.dropped_at[layer][:, None].int() > step
        weights = attention_weights(query, keys, (causal & held)[:, None])
        return (weights @ values[:, None]).flatten(0, 1)


def loss_of(model, cache, ids):
    with torch.inference_mode():
        hidden = model.hidden(ids[PROMPT:-1], cache, model.model.span(PROMPT, STEPS))
        return torch.nn.functional.cross_entropy(model.logits(hidden), ids[PROMPT + 1 :]).item()


def cases():
    return [pytest.param(policy, id=f"{policy.policy}-{keep}") for keep, policy in policies(PROMPT)]


def test_keeping_all_is_the_plain_model(plain, model, prefilled, ids):
    with torch.inference_mode():
        cache = plain.cache(PROMPT + STEPS)
        hidden = plain.hidden(ids[:-1], cache, plain.model.span(0, PROMPT + STEPS))
        logits = plain.logits(hidden)[PROMPT:]
    expected = torch.nn.functional.cross_entropy(logits, ids[PROMPT + 1 :]).item()
    assert run(model, prefilled, Rule(), ids[PROMPT:]).loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("policy", cases())
def test_tensors_shrink_to_what_the_policy_predicts(model, prefilled, ids, policy):
    outcome = run(model, prefilled, rule_for(policy, PROMPT, LAYERS), ids[PROMPT:])
    law = policy.retained_tokens(PROMPT, np.arange(STEPS + 1))
    assert outcome.retained.double().mean(dim=0).tolist() == law.tolist()


@pytest.mark.parametrize("policy", cases())
def test_what_was_dropped_explains_what_is_held(model, prefilled, ids, policy):
    outcome = run(model, prefilled, rule_for(policy, PROMPT, LAYERS), ids[PROMPT:])
    for step in range(STEPS + 1):
        held = (outcome.dropped_at[..., : PROMPT + step] > step).sum(dim=-1)
        assert (held == outcome.retained[:, step, None]).all()


@pytest.mark.parametrize(
    "rule",
    [
        rules.SlidingWindowRule(4, 20),
        rules.H2oRule(24),
        rules.TovaRule(24),
        rules.SnapKvRule((40, 36, 32), window=16),
    ],
    ids=["sliding_window", "h2o", "tova", "pyramid"],
)
def test_a_shrunken_cache_is_a_masked_one(model, prefilled, ids, rule):
    outcome = run(model, prefilled, rule, ids[PROMPT:])
    oracle = MaskedOracle(prefilled, outcome.dropped_at)
    assert outcome.loss == pytest.approx(loss_of(model, oracle, ids), rel=1e-5)
    assert outcome.loss != pytest.approx(run(model, prefilled, Rule(), ids[PROMPT:]).loss, rel=1e-7)


def test_the_window_holds_sinks_and_the_newest(model, prefilled, ids):
    outcome = run(model, prefilled, rules.SlidingWindowRule(4, 20), ids[PROMPT:])
    held = (outcome.dropped_at == NEVER).nonzero()[:, 2].view(LAYERS, KV_HEADS, -1)
    newest = range(PROMPT + STEPS - 20, PROMPT + STEPS)
    assert (held == torch.tensor([0, 1, 2, 3, *newest])).all()


def test_tova_chooses_one_set_for_all_heads(model, prefilled, ids):
    dropped_at = run(model, prefilled, rules.TovaRule(24), ids[PROMPT:]).dropped_at
    assert (dropped_at[:, 0] == dropped_at[:, 1]).all()


def seen(*weights):
    """A layer of one head whose prompt had these rows of attention."""
    rows = torch.tensor([weights], dtype=torch.float32)
    return Prefilled(torch.zeros(1, rows.shape[2], 2), torch.zeros(1, rows.shape[2], 2), rows)


def kept(mask):
    return mask[0].nonzero().flatten().tolist()


def test_h2o_adds_all_queries_up_and_protects_the_newest():
    layer = seen([1.0, 0, 0, 0, 0, 0], [0.6, 0.4, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0])
    assert kept(rules.H2oRule(4).at_prefill_end(0, layer)) == [0, 2, 4, 5]


def test_h2o_drops_the_least_attended_of_the_older():
    store = Store.of(seen([0.5, 0.1, 0.4, 0.0]), steps=1)
    assert kept(rules.H2oRule(3).after_step(store, torch.zeros(1, 4))) == [0, 2, 3]


def test_tova_asks_the_last_query_only():
    layer = seen([1.0, 0, 0, 0], [0, 0.5, 0.2, 0.3])
    assert kept(rules.TovaRule(2).at_prefill_end(0, layer)) == [1, 3]


def test_snapkv_lets_a_vote_count_for_its_neighbours():
    votes = [0.0] * 20
    votes[5], votes[13] = 0.5, 0.2
    rule = rules.SnapKvRule((7 + 2,), window=2, pool=7)
    assert kept(rule.at_prefill_end(0, seen(votes, votes))) == [*range(2, 9), 18, 19]


def test_quest_reads_the_page_that_holds_the_best_key():
    layer = seen([0.0] * 16)
    layer.keys[0, 6] = torch.tensor([3.0, -2.0])
    rule = rules.QuestRule(page=4, pages=2)
    read = rule.to_read(Store.of(layer, steps=1), torch.tensor([[[1.0, -1.0]]]))
    assert kept(read) == [4, 5, 6, 7, 12, 13, 14, 15]


def test_quest_reads_no_more_than_predicted(model, prefilled, ids):
    policy = next(p for keep, p in policies(PROMPT) if p.policy == "quest" and keep == 0.5)
    outcome = run(model, prefilled, rule_for(policy, PROMPT, LAYERS), ids[PROMPT:])
    law = policy.loaded_tokens(PROMPT, np.arange(1, STEPS + 1))
    short = law - outcome.loaded.mean(dim=0).numpy()
    assert short.min() > -1
    assert short.max() < policy.page


@pytest.mark.parametrize(
    ("mean", "layers"), [(64, 30), (256, 30), (33, 7), (100, 2), (500, 5), (32, 3)]
)
def test_pyramid_budgets_fall_and_lose_no_token(mean, layers):
    budgets = rules.pyramid_budgets(mean, window=32, layers=layers, slope=20, prompt=512)
    assert sum(budgets) == mean * layers
    assert all(later <= earlier + 1 for earlier, later in pairwise(budgets))
    assert 32 <= min(budgets) <= max(budgets) <= 512


def test_prefill_remembers_causal_attention(prefilled):
    weights = prefilled[0].weights
    group = HEADS // KV_HEADS
    assert torch.allclose(weights.sum(dim=-1), torch.full((KV_HEADS, PROMPT), float(group)))
    assert weights.triu(1).abs().max() == 0


def test_more_steps_than_a_byte_counts_are_refused(model, prefilled):
    with pytest.raises(WorkloadError, match="below 255"):
        run(model, prefilled, Rule(), torch.zeros(257, dtype=torch.int64))


def test_models_whose_attention_differs_are_refused():
    config = DecoderConfig(1, 32, 48, 4, 2, 8, 50, True, 1e4, 1e-5, qk_norm=True)
    with pytest.raises(WorkloadError, match="QK norms"):
        with_scored_attention(build(ModelConfig("normed", config), device="cpu"))


def test_stores_own_their_shrunken_tensors(prefilled):
    cache = EvictingCache(prefilled, rules.H2oRule(10), STEPS)
    for store in cache.stores:
        assert store.tokens == 10
        assert store.keys.untyped_storage().nbytes() == KV_HEADS * 10 * DEPTH * 4
