"""KV-cache eviction: how many tokens stay, how many are read, and what choosing them costs.

Every policy answers the same questions with pure functions of token counts. ``prompt`` is the
number of tokens in the cache when prefill ends; ``produced`` the tokens generated since, as a
number or an array. A recording (``trace``) replaces the counts and leaves the costs.

Not modelled: which tokens are kept and the accuracy lost, longer replies after aggressive eviction,
and follow-up questions that meet an already pruned cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workloads.errors import WorkloadError
from workloads.recordings import read_recording
from workloads.session import Strict
from workloads.tasks import Column


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """What the cost of eviction depends on in a model.

    Attributes
    ----------
    heads
        Query heads of a layer.
    kv_bytes_per_token
        Bytes of K and V of one token over all layers [B].
    """

    layers: int
    heads: int
    head_dim: int
    kv_bytes_per_token: float


@dataclass(frozen=True, slots=True)
class EvictionWork:
    """Work that choosing and moving tokens adds: a number for prefill, an entry per decode step.

    Attributes
    ----------
    scoring_flops
        FLOPs that score the tokens.
    scoring_read_bytes
        Cache read once more for the scores [B].
    compaction_bytes
        Kept tokens read and written back to back [B].
    """

    scoring_flops: float | Column = 0.0
    scoring_read_bytes: float | Column = 0.0
    compaction_bytes: float | Column = 0.0


class Eviction(Strict):
    """What all policies answer; this base keeps everything, at no cost.

    A policy overrides `_retained`, and where choosing costs work `prefill_work` and `decode_work`.

    Attributes
    ----------
    trace
        File with recorded ``retained_tokens``.
    """

    trace: str | None = None

    def retained_tokens(self, prompt: int, produced: ArrayLike) -> Column:
        """Return the tokens stored per layer (mean over layers), ``produced`` tokens on.

        Raises `WorkloadError` where a recording is shorter than that.
        """
        counts = np.asarray(produced, dtype=np.float64)
        return self._replayed(counts) if self.trace else self._retained(prompt, counts)

    def loaded_tokens(self, prompt: int, produced: ArrayLike) -> Column:
        """Return the tokens a length-aware kernel reads per layer (mean over layers)."""
        return self.retained_tokens(prompt, produced)

    def peak_prefill_tokens(self, prompt: int, chunk: int) -> int:
        """Return the most tokens the cache holds during prefill in chunks of ``chunk`` tokens."""
        return prompt

    def prefill_work(self, prompt: int, chunk: int, shape: AttentionShape) -> EvictionWork:
        """Return the work of evicting during and at the end of prefill."""
        return EvictionWork()

    def decode_work(self, prompt: int, produced: ArrayLike, shape: AttentionShape) -> EvictionWork:
        """Return the work of evicting in each decode step."""
        zero = np.zeros(np.shape(produced))
        return EvictionWork(zero, zero, zero)

    def _retained(self, prompt: int, produced: Column) -> Column:
        return prompt + produced

    def _replayed(self, produced: Column) -> Column:
        counts = np.asarray(
            read_recording(str(self.trace), "retained_tokens").counts, dtype=np.float64
        )
        if produced.size and produced.max() >= counts.size:
            raise WorkloadError(
                f"{self.trace} must cover {int(produced.max())} generated tokens. "
                f"Got {counts.size - 1}. Record a longer run or ask for fewer output tokens."
            )
        return np.asarray(counts[produced.astype(np.int64)])
