"""The eviction rules themselves: which tokens a layer keeps, given real attention.

Budgets are tokens per layer and head. Each rule is written from its paper, in its simplest form,
and knows nothing of the counts `workloads.eviction_policies` predicts for it.

Not modelled: LocalSnapKV, whose choice is shared by all layers, and OKV, which is unpublished and
stands as SnapKV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from workloads.behaviour.eviction_torch import Prefilled, Rule, Store


def best(scores: Tensor, count: int) -> Tensor:
    """Return a mask of the ``count`` highest scores in each row."""
    mask = torch.zeros_like(scores, dtype=torch.bool)
    return mask.scatter(-1, scores.topk(count, dim=-1).indices, True)


def all_but_worst(scores: Tensor) -> Tensor:
    """Return a mask of all but the lowest score in each row."""
    mask = torch.ones_like(scores, dtype=torch.bool)
    return mask.scatter(-1, scores.argmin(dim=-1, keepdim=True), False)


def newest_protected(scores: Tensor, count: int) -> Tensor:
    """Return the scores with those of the last ``count`` tokens made infinite."""
    newest = torch.arange(scores.shape[-1]) >= scores.shape[-1] - count
    return scores.masked_fill(newest, float("inf"))


@dataclass(frozen=True)
class SlidingWindowRule(Rule):
    """StreamingLLM: the first tokens and the newest (arXiv 2309.17453)."""

    sinks: int
    window: int

    def at_prefill_end(self, layer: int, seen: Prefilled) -> Tensor:
        """Keep sinks and window."""
        heads, prompt, _ = seen.keys.shape
        places = torch.arange(prompt).expand(heads, -1)
        return (places < self.sinks) | (places >= prompt - self.window)

    def after_step(self, store: Store, weights: Tensor) -> Tensor | None:
        """Drop the oldest token that is no sink."""
        places = torch.arange(weights.shape[1]).expand_as(weights)
        return places != self.sinks if weights.shape[1] > self.sinks + self.window else None


@dataclass(frozen=True)
class H2oRule(Rule):
    """H2O: the newest tokens, and those with most attention from all queries (arXiv 2306.14048).

    Arguments:
        budget: tokens kept, half of them the newest.
    """

    budget: int

    def at_prefill_end(self, layer: int, seen: Prefilled) -> Tensor:
        """Keep the newest and the heavy hitters."""
        return best(newest_protected(seen.weights.sum(dim=1), self.budget // 2), self.budget)

    def after_step(self, store: Store, weights: Tensor) -> Tensor | None:
        """Drop the token with the least attention so far."""
        if weights.shape[1] <= self.budget:
            return None
        return all_but_worst(newest_protected(store.scores, self.budget // 2))


@dataclass(frozen=True)
class TovaRule(Rule):
    """TOVA: the tokens the last query attends to most, one choice per layer (arXiv 2401.06104)."""

    budget: int

    def at_prefill_end(self, layer: int, seen: Prefilled) -> Tensor:
        """Keep what the last query of the prompt sees most of."""
        last = seen.weights[:, -1]
        return best(last.mean(dim=0, keepdim=True), self.budget).expand_as(last)

    def after_step(self, store: Store, weights: Tensor) -> Tensor | None:
        """Drop what the current query sees least of."""
        if weights.shape[1] <= self.budget:
            return None
        return all_but_worst(weights.mean(dim=0, keepdim=True)).expand_as(weights)


@dataclass(frozen=True)
class SnapKvRule(Rule):
    """SnapKV: the last queries vote once, votes are pooled (arXiv 2404.14469).

    PyramidKV is the same with a budget that differs per layer (arXiv 2406.02069).

    Arguments:
        budgets: tokens kept in each layer, the window among them, and never less than it.
        window: newest tokens; their queries vote and they always stay.
        pool: a vote counts for neighbours up to half this width away (maximum).
    """

    budgets: Sequence[int]
    window: int = 32
    pool: int = 7

    def at_prefill_end(self, layer: int, seen: Prefilled) -> Tensor:
        """Keep the window and the tokens with most votes."""
        votes = seen.weights[:, -self.window :].sum(dim=1)
        older = votes[:, : -self.window]
        pooled = functional.max_pool1d(older, self.pool, stride=1, padding=self.pool // 2)
        votes = torch.cat((pooled, votes[:, -self.window :]), dim=1)
        budget = max(self.budgets[layer], self.window)
        return best(newest_protected(votes, self.window), budget)


@dataclass(frozen=True)
class QuestRule(Rule):
    """Quest: keep all, read the pages that may matter most to the query (arXiv 2406.10774).

    A page's bound is the largest product any key between its minima and maxima could have with the
    query, here with any query of the group. The newest page is always read (assumed).

    Arguments:
        page: tokens per page.
        pages: pages read per step.
    """

    page: int
    pages: int

    def to_read(self, store: Store, query: Tensor) -> Tensor | None:
        """Return the tokens of the best pages."""
        heads, stored, depth = store.keys.shape
        count = self.read_to_choose(stored)
        if count <= self.pages:
            return None
        short = count * self.page - stored
        filled = torch.cat((store.keys, store.keys[:, -1:].expand(-1, short, -1)), dim=1)
        blocks = filled.view(heads, count, self.page, depth)
        low, high = blocks.amin(dim=2)[:, None], blocks.amax(dim=2)[:, None]
        grouped = torch.unflatten(query, 0, (heads, -1))
        bounds = torch.maximum(grouped * low, grouped * high).sum(dim=-1).amax(dim=1)
        chosen = best(newest_protected(bounds, 1), self.pages)
        return chosen.repeat_interleave(self.page, dim=1)[:, :stored]

    def read_to_choose(self, stored: int) -> int:
        """Return the pages; the two bounds of one are as large as a token."""
        return -(-stored // self.page)


def pyramid_budgets(mean: int, window: int, layers: int, slope: float, prompt: int) -> list[int]:
    """Return PyramidKV's budgets, which fall linearly and have the given mean exactly,
    or the window if that is more.

    Beyond the window the last layer has 1/slope of the mean and the first what is left of twice
    the mean, at most the prompt. Running sums are rounded, so that no token is lost.

    >>> pyramid_budgets(mean=100, window=32, layers=4, slope=20, prompt=512)
    [165, 121, 79, 35]
    """
    beyond = max(0, mean - window)
    first = min(2 * beyond - beyond / slope, prompt - window)
    layer = torch.arange(layers, dtype=torch.float64)
    exact = window + first + (2 * beyond - 2 * first) * layer / (layers - 1)
    sums = exact.cumsum(0).round().to(torch.int64)
    return sums.diff(prepend=torch.zeros(1, dtype=torch.int64)).tolist()
