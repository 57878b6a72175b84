"""The eviction policies a scenario may name; `workloads.eviction` says what each of them answers.

A policy is a class below `Eviction` whose ``policy`` is a `Literal` with its name. Ours stand in
`EvictionPolicy`; other packages name theirs in the entry point group ``andesim.eviction_policies``.

Defaults are those of the paper or software each class names; where no source gives one, the class
says "assumed".

Not modelled: pooling of scores, which is far cheaper than the scores.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from workloads.eviction import AttentionShape, Eviction, EvictionWork
from workloads.one_of import OneOf, by_name
from workloads.session import MAX_TOKENS, Tokens
from workloads.tasks import Column

Fraction = Annotated[float, Field(gt=0.0, le=1.0)]

ROUNDING = 1e-9
"""Taken off a share before it is rounded up, so that 0.55 of 100 tokens is 55 and not 56."""


class NoEviction(Eviction):
    """Keep every token."""

    policy: Literal["none"] = "none"


class SlidingWindow(Eviction):
    """StreamingLLM: keep the first tokens (sinks) and the newest, in a ring (arXiv 2309.17453).

    Attributes
    ----------
    window, sinks
        Newest and first tokens that stay [tokens].
    """

    policy: Literal["sliding_window"] = "sliding_window"
    window: Tokens = 1024
    sinks: Annotated[int, Field(ge=0, le=MAX_TOKENS)] = 4

    def _retained(self, prompt: int, produced: Column) -> Column:
        return np.minimum(prompt + produced, self.sinks + self.window)

    def peak_prefill_tokens(self, prompt: int, chunk: int) -> int:
        """Return the sinks, the window and the chunk being computed, if the prompt is longer."""
        return min(prompt, self.sinks + self.window + chunk)


class Budgeted(Eviction):
    """Keep a share of the prompt, or a number of tokens.

    Attributes
    ----------
    keep
        Fraction of the prompt kept.
    budget_tokens
        Tokens kept per layer, in place of the fraction.
    """

    keep: Fraction
    budget_tokens: Tokens | None = None

    def budget(self, prompt: int) -> int:
        """Return the tokens kept per layer, a share rounded up to a whole number [tokens].

        >>> SnapKv(keep=0.55).budget(100)
        55
        """
        return self.budget_tokens or math.ceil(self.keep * prompt - ROUNDING)


class PrefillEnd(Budgeted):
    """Score all tokens with the last queries of the prompt when prefill ends, keep the best.

    Peak memory of prefill is not lowered: the whole prompt is in the cache before the choice.

    Attributes
    ----------
    window
        Newest tokens, whose queries score and which always stay.
    pool
        Width of the pooling of the scores; it costs nothing countable.
    rereads_keys
        Whether scoring reads K again. True for fused attention, which keeps no attention weights.
    """

    keep: Fraction = 0.5
    window: Tokens = 32
    pool: Annotated[int, Field(ge=1)] = 7
    rereads_keys: bool = True

    def kept_tokens(self, prompt: int) -> int:
        """Return the tokens kept per layer (mean over layers): budget, at least the window."""
        return min(prompt, max(self.budget(prompt), self.window))

    def _retained(self, prompt: int, produced: Column) -> Column:
        return self.kept_tokens(prompt) + produced

    def prefill_work(self, prompt: int, chunk: int, shape: AttentionShape) -> EvictionWork:
        """Return the work of scoring and compacting once.

        FLOPs = 2 * window * S * heads * head_dim * layers; K re-read = half the KV bytes;
        compaction = read and write of what is kept. Nothing if nothing is dropped.
        """
        kept = float(self.retained_tokens(prompt, 0))
        if kept >= prompt:
            return EvictionWork()
        return EvictionWork(
            scoring_flops=2.0 * self.window * prompt * shape.heads * shape.head_dim * shape.layers,
            scoring_read_bytes=self.rereads_keys * prompt * shape.kv_bytes_per_token / 2,
            compaction_bytes=2 * kept * shape.kv_bytes_per_token,
        )


class SnapKv(PrefillEnd):
    """SnapKV: pooled votes of the last 32 queries, per head (arXiv 2404.14469)."""

    policy: Literal["snapkv"] = "snapkv"


class Okv(PrefillEnd):
    """Stand-in for OPPO's unpublished OKV: SnapKV mechanics, half of the prompt kept (assumed)."""

    policy: Literal["okv"] = "okv"


class PyramidKv(PrefillEnd):
    """PyramidKV: SnapKV with budgets that fall linearly over the layers (arXiv 2406.02069).

    Attributes
    ----------
    slope
        The last layer gets 1/slope of the mean budget beyond the window.
    """

    policy: Literal["pyramidkv"] = "pyramidkv"
    slope: Annotated[float, Field(ge=1.0)] = 20.0  # costs follow from the mean alone


class EveryStep(Budgeted):
    """Hold a fixed number of tokens and drop the worst as new ones come.

    Attributes
    ----------
    evict_batch
        Tokens dropped at a time, each time compacting the cache. None given: the freed slot is
        overwritten in place and nothing is moved.
    """

    evict_batch: Tokens | None = None

    def _retained(self, prompt: int, produced: Column) -> Column:
        budget = self.budget(prompt)
        excess: Column = np.maximum(0.0, prompt + produced - budget)
        return np.minimum(prompt + produced, budget + excess % (self.evict_batch or 1))

    def prefill_work(self, prompt: int, chunk: int, shape: AttentionShape) -> EvictionWork:
        """Return the work of adding up the prompt's attention and compacting once.

        FLOPs = one addition per causal attention weight, heads * layers * S(S + 1) / 2.
        """
        kept = float(self.retained_tokens(prompt, 0))
        if kept >= prompt:
            return EvictionWork()
        return EvictionWork(
            scoring_flops=shape.heads * shape.layers * prompt * (prompt + 1) / 2,
            compaction_bytes=2 * kept * shape.kv_bytes_per_token,
        )

    def decode_work(self, prompt: int, produced: ArrayLike, shape: AttentionShape) -> EvictionWork:
        """Return one addition per attention weight, and the compaction spread over its batch."""
        kept = self.retained_tokens(prompt, produced)
        zero = np.zeros(kept.shape)
        moved = zero
        if self.evict_batch:
            full = kept < prompt + np.asarray(produced)
            moved = np.where(full, 2 * kept * shape.kv_bytes_per_token / self.evict_batch, 0.0)
        return EvictionWork(kept * shape.heads * shape.layers, zero, moved)


class H2o(EveryStep):
    """H2O: heavy hitters of all attention so far and the newest, 10 % each (arXiv 2306.14048)."""

    policy: Literal["h2o"] = "h2o"
    keep: Fraction = 0.2


class Tova(EveryStep):
    """TOVA: drop the token the current query attends to least (arXiv 2401.06104)."""

    policy: Literal["tova"] = "tova"
    keep: Fraction = 0.5


class Quest(Eviction):
    """Quest: store all, read the pages whose key bounds score best (github mit-han-lab/quest).

    Attributes
    ----------
    page
        Tokens per page; its bounds, two key vectors, are as large as one token.
    budget_tokens
        Tokens of the pages read per step.
    """

    policy: Literal["quest"] = "quest"
    page: Tokens = 16
    budget_tokens: Tokens = 1024

    def loaded_tokens(self, prompt: int, produced: ArrayLike) -> Column:
        """Return the bounds of all pages and the pages read, S / page + budget, at most S."""
        stored = self.retained_tokens(prompt, produced)
        return np.minimum(stored, stored / self.page + self.budget_tokens)

    def decode_work(self, prompt: int, produced: ArrayLike, shape: AttentionShape) -> EvictionWork:
        """Return the FLOPs of scoring all pages, two products with their bounds."""
        stored = self.retained_tokens(prompt, produced)
        selects = stored > self.loaded_tokens(prompt, produced)
        flops = selects * 4.0 * stored / self.page * shape.heads * shape.head_dim * shape.layers
        zero = np.zeros(stored.shape)
        return EvictionWork(flops, zero, zero)


class LocalSnapKv(Eviction):
    """Keep a bounded cache from the first chunk on: sinks, the newest, and frequent ones between.

    As in MediaTek's LocalSnapKV: one index set for all layers and heads, the whole cache gathered
    after every forward pass once it is full.

    Attributes
    ----------
    cache_tokens
        Tokens that stay after each pass.
    sinks, window
        First and newest tokens among them that always stay [tokens].
    """

    policy: Literal["local_snapkv"] = "local_snapkv"
    cache_tokens: Tokens = 1024
    sinks: Annotated[int, Field(ge=0, le=MAX_TOKENS)] = 4
    window: Tokens = 128

    def _retained(self, prompt: int, produced: Column) -> Column:
        return np.minimum(prompt + produced, self.cache_tokens)

    def peak_prefill_tokens(self, prompt: int, chunk: int) -> int:
        """Return the bounded cache and the chunk being computed, if the prompt is longer."""
        return min(prompt, self.cache_tokens + chunk)

    def prefill_work(self, prompt: int, chunk: int, shape: AttentionShape) -> EvictionWork:
        """Return the work of every chunk after which the cache is over its bound."""
        if prompt <= self.cache_tokens:
            return EvictionWork()
        passes = math.ceil(prompt / chunk) - self.cache_tokens // chunk
        return self._work(float(passes), chunk, shape)

    def decode_work(self, prompt: int, produced: ArrayLike, shape: AttentionShape) -> EvictionWork:
        """Return the work of each step once the cache is full."""
        full = prompt + np.asarray(produced, dtype=np.float64) > self.cache_tokens
        return self._work(full.astype(np.float64), 1, shape)

    def _work(self, passes: float | Column, queries: int, shape: AttentionShape) -> EvictionWork:
        """Return one addition per attention weight and a gather of the cache, per pass."""
        weights = queries * self.cache_tokens * shape.heads * shape.layers
        moved = 2 * self.cache_tokens * shape.kv_bytes_per_token
        return EvictionWork(passes * weights, passes * 0.0, passes * moved)


EvictionPolicy = (
    NoEviction | SlidingWindow | H2o | SnapKv | PyramidKv | Tova | Quest | Okv | LocalSnapKv
)
EVICTION_POLICIES = OneOf(
    "policy", "andesim.eviction_policies", Eviction, by_name("policy", EvictionPolicy)
)
"""The policies above and those of other packages, each a subclass of `Eviction`."""

EvictionPart = Annotated[EvictionPolicy, EVICTION_POLICIES]
