"""Speculative decoding on a real decoder: draft, verify, reject and resample.

A step drafts up to ``depth`` tokens, computes the target's probabilities for all of them in one
pass, and keeps drafts from the left as long as the test of Leviathan et al. (arXiv 2211.17192)
accepts them. The tokens that come out have the target's own distribution, whatever the draft.
Greedy decoding is the same algorithm with probabilities that are 0 or 1.

Not modelled: trees of drafts, and speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from workloads.models.andesvl import LanguageModel
from workloads.models.decoder import KVCache


@dataclass(frozen=True)
class Sampler:
    """Turns logits into probabilities, and draws.

    Arguments:
        temperature: 0 is greedy, all probability on the largest logit.
        random: the only source of chance.
    """

    temperature: float
    random: torch.Generator

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the distribution over the last dimension."""
        if self.temperature == 0:
            return functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()
        return torch.softmax(logits / self.temperature, dim=-1)

    def draw(self, weights: Tensor) -> int:
        """Return a token with probability proportional to its weight."""
        return int(torch.multinomial(weights, 1, generator=self.random))

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        return float(torch.rand((), generator=self.random))


@dataclass(frozen=True)
class Runner:
    """A model, the cache it writes, and the layers it runs."""

    model: LanguageModel
    cache: KVCache
    layers: Sequence[int]

    @classmethod
    def whole(cls, model: LanguageModel, capacity: int) -> Runner:
        """Return a runner of all layers with an empty cache for ``capacity`` tokens."""
        return cls(model, model.cache(capacity), range(model.config.decoder.layers))

    def logits(self, tokens: Sequence[int], start: int) -> Tensor:
        """Return (tokens, vocab) logits of tokens that stand at position ``start`` and on."""
        decoder = self.model.model
        span = decoder.span(start, len(tokens))
        hidden = decoder.embed(torch.tensor(tokens))
        for layer in self.layers:
            hidden = decoder.layers[layer](hidden, self.cache, span)
        return self.model.logits(hidden)


class Draft(Protocol):
    """Proposes what may follow the tokens committed so far."""

    def propose(
        self, tokens: Sequence[int], depth: int, sampler: Sampler
    ) -> tuple[list[int], Tensor]:
        """Return at most ``depth`` tokens, and the (tokens, vocab) they were drawn from."""


@dataclass(frozen=True)
class NgramDraft:
    """Prompt lookup: what followed when the newest few tokens stood in the text before.

    Of several places the latest is taken after which ``depth`` tokens, or else most, stand.

    Arguments:
        vocab: tokens in the vocabulary.
        longest: the longest n-gram looked up; shorter ones are tried if it is not found.
    """

    vocab: int
    longest: int = 3

    def propose(
        self, tokens: Sequence[int], depth: int, sampler: Sampler
    ) -> tuple[list[int], Tensor]:
        """Return what followed the longest n-gram found; none, if none is."""
        found = self._lookup(list(tokens), depth)
        return found, functional.one_hot(torch.tensor(found, dtype=torch.int64), self.vocab).float()

    def _lookup(self, tokens: list[int], depth: int) -> list[int]:
        for size in range(min(self.longest, len(tokens) - 1), 0, -1):
            newest = tokens[-size:]
            follow = [
                tokens[start + size : start + size + depth]
                for start in reversed(range(len(tokens) - size))
                if tokens[start : start + size] == newest
            ]
            if follow:
                return max(follow, key=len)  # of equals the first, which is the latest match
        return []


@dataclass(frozen=True)
class SelfDraft:
    """Some of the target's own layers, on the target's own cache.

    What a draft writes there, the verification writes over.
    """

    runner: Runner

    def propose(
        self, tokens: Sequence[int], depth: int, sampler: Sampler
    ) -> tuple[list[int], Tensor]:
        """Return ``depth`` tokens drawn one after the other."""
        return _chain(self.runner, tokens, len(tokens) - 1, depth, sampler)


@dataclass
class ModelDraft:
    """Another model with the same vocabulary and a cache of its own."""

    runner: Runner
    _cached: list[int] = field(default_factory=list)

    def propose(
        self, tokens: Sequence[int], depth: int, sampler: Sampler
    ) -> tuple[list[int], Tensor]:
        """Return ``depth`` tokens drawn one after the other, after those not yet in its cache."""
        start = min(_common(self._cached, tokens), len(tokens) - 1)
        drafted, probabilities = _chain(self.runner, tokens, start, depth, sampler)
        self._cached = [*tokens, *drafted[:-1]]
        return drafted, probabilities


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two sequences have in common at their start."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    )


def _chain(
    runner: Runner, tokens: Sequence[int], start: int, depth: int, sampler: Sampler
) -> tuple[list[int], Tensor]:
    """Draw ``depth`` tokens; the runner's cache holds the first ``start`` of those given."""
    new, drafted, rows = list(tokens[start:]), [], []
    for _ in range(depth):
        probabilities = sampler.probabilities(runner.logits(new, start)[-1])
        start += len(new)
        new = [sampler.draw(probabilities)]
        drafted += new
        rows.append(probabilities)
    return drafted, torch.stack(rows)


def verify(
    target: Tensor, draft: Tensor, drafted: Sequence[int], sampler: Sampler
) -> tuple[int, int]:
    """Return how many drafts are accepted, and the token the target adds.

    Draft x, drawn from q, is accepted with probability min(1, p(x) / q(x)). The token added is
    drawn from max(0, p - q) after a rejection, and from p if all are accepted.

    Arguments:
        target: p, (drafted + 1, vocab).
        draft: q, (drafted, vocab).
    """
    for place, token in enumerate(drafted):
        p, q = target[place], draft[place]
        if sampler.uniform() * q[token] >= p[token]:
            return place, sampler.draw((p - q).clamp(min=0))
    return len(drafted), sampler.draw(target[len(drafted)])


@dataclass
class Speculated:
    """What a run of speculative decoding did.

    Arguments:
        tokens: committed after the prompt.
        drafted, accepted: tokens in each step.
    """

    tokens: list[int] = field(default_factory=list)
    drafted: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)


@torch.inference_mode()
def decode(
    target: Runner,
    draft: Draft,
    prompt: Sequence[int],
    new_tokens: int,
    depth: int,
    sampler: Sampler,
) -> Speculated:
    """Return at least ``new_tokens`` tokens after a prompt; the last step is not cut.

    The target's cache must hold the prompt, the new tokens and ``depth`` more.
    """
    run = Speculated()
    if len(prompt) > 1:
        target.logits(prompt[:-1], 0)
    while len(run.tokens) < new_tokens:
        tokens = [*prompt, *run.tokens]
        drafted, q = draft.propose(tokens, depth, sampler)
        p = sampler.probabilities(target.logits([tokens[-1], *drafted], len(tokens) - 1))
        count, added = verify(p, q, drafted, sampler)
        run.tokens += [*drafted[:count], added]
        run.drafted.append(len(drafted))
        run.accepted.append(count)
    return run


def round_to_nearest(weight: Tensor, bits: int, group: int) -> Tensor:
    """Return a matrix rounded to 2^bits levels between minimum and maximum of each row's groups.

    >>> round_to_nearest(torch.tensor([[0.0, 0.2, 0.9, 1.0]]), bits=1, group=4).tolist()
    [[0.0, 0.0, 1.0, 1.0]]
    """
    groups = torch.unflatten(weight, 1, (-1, group))
    low, high = groups.aminmax(dim=-1, keepdim=True)
    scale = ((high - low) / (2**bits - 1)).clamp(min=torch.finfo(weight.dtype).tiny)
    rounded: Tensor = ((groups - low) / scale).round() * scale + low
    return rounded.flatten(1)


def rounded_copy(model: LanguageModel, bits: int, group: int) -> LanguageModel:
    """Return the model with the matrices of its layers rounded; the rest is shared."""
    with torch.device("meta"):
        copy = LanguageModel(model.config)
    weights = {
        name: round_to_nearest(weight, bits, group) if name.endswith("proj.weight") else weight
        for name, weight in model.state_dict().items()
    }
    copy.load_state_dict(weights, assign=True)
    return copy.eval().requires_grad_(False)
