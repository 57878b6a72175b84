"""A cache that is allocated once and written in place, as runtimes keep it.

``transformers`` grows its cache by copying it at every step, which is no cost of the model. A held
layer has room for all tokens from the start; a call writes its own and reads what it may see.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call, misc"

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


class HeldLayer(DynamicLayer):
    """Keys and values of one layer: (1, heads, capacity, depth), filled from the front.

    Arguments:
        capacity: tokens it has room for.
        window: tokens that one token sees, itself included; None: all.
    """

    def __init__(self, capacity: int, window: int | None = None) -> None:
        super().__init__()
        self.capacity, self.length = capacity, 0
        self.sliding_window = window
        self.is_sliding = window is not None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate the layer."""
        self.device = key_states.device
        self.keys, self.values = (
            torch.zeros(
                (*given.shape[:2], self.capacity, given.shape[-1]),
                dtype=given.dtype,
                device=self.device,
            )
            for given in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write new keys and values, (1, heads, tokens, depth); return those that are seen."""
        if self.keys is None or self.values is None:
            self.lazy_initialization(key_states, value_states)
        first, start = self._first_seen(), self.length
        self.length = end = start + key_states.shape[-2]
        held: list[Any] = [self.keys, self.values]
        for tensor, new in zip(held, (key_states, value_states), strict=True):
            tensor[:, :, start:end].copy_(new)
        return held[0][:, :, first:end], held[1][:, :, first:end]

    def get_seq_length(self) -> int:
        """Return the tokens it holds."""
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many tokens a call sees, and the place of the first."""
        first = self._first_seen()
        return self.length + query_length - first, first

    def _first_seen(self) -> int:
        return 0 if self.sliding_window is None else max(0, self.length - self.sliding_window + 1)


def held_cache(config: Any, capacity: int) -> DynamicCache:
    """Return the cache of a configuration with room for ``capacity`` tokens; states as they are."""
    cache = DynamicCache(config=config)
    for index, layer in enumerate(cache.layers):
        if type(layer) in (DynamicLayer, DynamicSlidingWindowLayer):
            cache.layers[index] = HeldLayer(capacity, getattr(layer, "sliding_window", None))
    return cache


def rewind(cache: DynamicCache, tokens: int) -> None:
    """Let a cache hold its first ``tokens`` tokens again; what came later is overwritten."""
    for layer in cache.layers:
        if isinstance(layer, HeldLayer):
            layer.length = tokens


def held_tensors(cache: DynamicCache) -> tuple[Tensor, ...]:
    """Return the tensors of keys and values that are allocated."""
    held = [layer for layer in cache.layers if isinstance(layer, HeldLayer)]
    found = (tensor for layer in held for tensor in (layer.keys, layer.values))
    return tuple(tensor for tensor in found if tensor is not None)
