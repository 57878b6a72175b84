"""What queries of attention see: tokens and pairs, behind windows and causal masks."""

from __future__ import annotations

import numpy as np

from workloads.errors import WorkloadError
from workloads.extent import Size


def keys_read(queries: Size, context: Size, window: int | None) -> Size:
    """Return how many keys ``queries`` new tokens read together.

    ``min(context, window + queries - 1)``; all of ``context`` without a window.

    >>> keys_read(1, 4096, 512)
    512
    """
    return context if window is None else _least(context, window + queries - 1)


def visible_pairs(queries: Size, context: Size, window: int | None = None) -> Size:
    """Return the number of (query, key) pairs that a causal mask leaves.

    The last query sees the last key. Without a window ``T*S - T*(T-1)/2``; with one the sum of
    ``min(window, j)`` for ``j`` from ``S-T+1`` to ``S``. Raises `WorkloadError` for ``S < T``.

    >>> visible_pairs(4, 4)
    10
    >>> visible_pairs(4, 4, window=2)
    7
    """
    if np.any(np.asarray(context) < queries):
        raise WorkloadError(f"context S must hold the new tokens T. Got S={context}, T={queries}.")
    if window is None:
        return queries * context - queries * (queries - 1) // 2
    return _windowed_sum(context, window) - _windowed_sum(context - queries, window)


def _windowed_sum(tokens: Size, window: int) -> Size:
    """Sum of ``min(window, j)`` for ``j`` from 1 to ``tokens``."""
    ramp = _least(tokens, window)
    return ramp * (ramp + 1) // 2 + (tokens - ramp) * window


def _least(first: Size, second: Size) -> Size:
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    least: Size = np.minimum(first, second)
    return least
