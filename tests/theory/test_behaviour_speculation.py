"""Speculative decoding on tiny random decoders: what comes out is the target's, exactly."""

from itertools import product

import pytest
import torch
from scipy.stats import chisquare

from workloads.behaviour import speculation_torch
from workloads.behaviour.speculation_torch import (
    ModelDraft,
    NgramDraft,
    Runner,
    Sampler,
    SelfDraft,
    decode,
    round_to_nearest,
    rounded_copy,
    verify,
)
from workloads.behaviour.weights import in_halves
from workloads.models.andesvl import build, generate
from workloads.models.config import DecoderConfig, ModelConfig

pytestmark = pytest.mark.torch

PROMPT = [1, 2, 0, 2, 1, 2, 0]


def tiny(vocab, layers=3):
    config = DecoderConfig(layers, 32, 64, 4, 2, 8, vocab, True, 1e4, 1e-5)
    model = build(ModelConfig("tiny", config), device="cpu", dtype=torch.float32, seed=1)
    model.model.embed_tokens.weight.mul_(0.1)  # else the newest token decides the next by itself
    return model


def sampler(temperature=1.0, seed=0):
    return Sampler(temperature, torch.Generator().manual_seed(seed))


def draft_of(kind, target):
    model, cache = target.model, target.cache
    if kind == "ngram":
        return NgramDraft(model.config.decoder.vocab)
    if kind == "early_exit":
        return SelfDraft(Runner(model, cache, range(1)))
    if kind == "layer_skip":
        return SelfDraft(Runner(model, cache, [1]))
    return ModelDraft(Runner.whole(rounded_copy(model, bits=2, group=8), cache.keys.shape[2]))


KINDS = ["ngram", "early_exit", "layer_skip", "rounded"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 4])
def test_greedy_output_is_the_targets_own(kind, depth):
    model = tiny(vocab=40)
    target = Runner.whole(model, 80)
    out = decode(target, draft_of(kind, target), PROMPT, 48, depth, sampler(temperature=0))
    assert out.tokens[:48] == generate(model, PROMPT, 48)
    assert sum(out.accepted) + len(out.accepted) == len(out.tokens)
    assert 0 < sum(out.accepted) < sum(out.drafted)


def test_a_draft_that_is_the_target_is_always_accepted():
    model = tiny(vocab=40)
    target = Runner.whole(model, 80)
    out = decode(target, ModelDraft(Runner.whole(model, 80)), PROMPT, 30, 4, sampler())
    assert out.accepted == [4] * 6


@torch.inference_mode()
def exact_distribution(model, length):
    """Probability of each continuation of the prompt, by enumeration."""
    vocab = model.config.decoder.vocab
    exact = []
    for sequence in product(range(vocab), repeat=length):
        logits = Runner.whole(model, 20).logits([*PROMPT, *sequence], 0)
        rows = torch.softmax(logits[len(PROMPT) - 1 : -1], dim=-1)
        exact.append(rows.gather(1, torch.tensor(sequence)[:, None]).prod().item())
    return exact


def p_value(model, kind, runs=200, length=2, depth=2):
    """Chi-square p of the continuations sampled with a draft against the exact distribution."""
    vocab, chance = model.config.decoder.vocab, sampler(seed=5)
    counts = [0] * vocab**length
    target = Runner.whole(model, 20)
    draft = draft_of(kind, target)
    for _ in range(runs):
        first, second = decode(target, draft, PROMPT, length, depth, chance).tokens[:length]
        counts[first * vocab + second] += 1
    expected = [runs * p for p in exact_distribution(model, length)]
    return chisquare(counts, expected, sum_check=False).pvalue


@pytest.mark.parametrize("kind", ["ngram", "layer_skip", "rounded"])
def test_sampled_output_has_the_targets_distribution(kind):
    assert p_value(tiny(vocab=3, layers=2), kind) > 0.01


def test_the_distribution_test_would_see_a_wrong_algorithm(monkeypatch):
    def accept_all(target, draft, drafted, sampler):
        return len(drafted), sampler.draw(target[-1])

    monkeypatch.setattr(speculation_torch, "verify", accept_all)
    assert p_value(tiny(vocab=3, layers=2), "rounded") < 1e-6


def test_a_draft_is_accepted_as_often_as_the_distributions_overlap():
    p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.2, 0.3, 0.5])
    chance, runs = sampler(), 4000
    target, draft = torch.stack((p, p)), q[None]
    outcomes = [verify(target, draft, [chance.draw(q)], chance) for _ in range(runs)]
    accepted = sum(count for count, _ in outcomes) / runs
    assert accepted == pytest.approx(torch.minimum(p, q).sum().item(), abs=0.03)
    rejected = {token for count, token in outcomes if count == 0}
    assert rejected == {0}  # the only token p likes better than q does


def test_drafts_are_accepted_from_the_left():
    certain = torch.eye(4)
    assert verify(certain[[1, 2, 3]], certain[[1, 0]], [1, 0], sampler()) == (1, 2)
    assert verify(certain[[1, 2, 3]], certain[[1, 2]], [1, 2], sampler()) == (2, 3)


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([1, 2, 3, 9, 1, 2, 3], [9, 1]),
        ([3, 7, 1, 3, 8, 2, 3], [8, 2]),  # the latest match of the longest suffix
        ([5, 5, 5], [5]),
        ([5] * 9, [5, 5]),
        ([1, 2, 3, 4], []),
    ],
)
def test_prompt_lookup(tokens, found):
    drafted, probabilities = NgramDraft(vocab=10).propose(tokens, 2, sampler())
    assert drafted == found
    assert probabilities.shape == (len(found), 10)


def test_a_draft_model_forgets_what_was_rejected():
    model = tiny(vocab=40)
    reused = ModelDraft(Runner.whole(model, 80))
    reused.propose(PROMPT, 4, sampler())
    changed = [*PROMPT, 39, 17]
    fresh = ModelDraft(Runner.whole(model, 80)).propose(changed, 3, sampler())
    again = reused.propose(changed, 3, sampler())
    assert again[0] == fresh[0]
    assert torch.allclose(again[1], fresh[1], atol=1e-6)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_rounding_errs_by_half_a_level_at_most(bits):
    weight = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    rounded = round_to_nearest(weight, bits, group=32)
    groups = weight.unflatten(1, (-1, 32))
    level = (groups.amax(-1) - groups.amin(-1)) / (2**bits - 1)
    error = (rounded - weight).unflatten(1, (-1, 32)).abs().amax(-1)
    assert (error <= level / 2 * 1.0001).all()
    assert all(len(row.unique()) <= 2**bits for row in rounded.unflatten(1, (-1, 32)).flatten(0, 1))


def test_rows_of_gguf_projections_go_to_their_halves():
    heads, depth = 3, 8
    halves = torch.arange(heads * depth)[:, None]
    gguf = [
        head * depth + half * depth // 2 + pair
        for head in range(heads)
        for pair in range(depth // 2)
        for half in range(2)
    ]
    assert torch.equal(in_halves(halves[gguf], heads), halves)
