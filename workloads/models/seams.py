"""The places where ``transformers`` lets a caller in: attention, experts, and the cache.

An attention call arrives whole, with its window; the experts of a mixture arrive as one product per
weight, with the experts per token; a cache call is one write, and what it returns is the cache.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.errors import WorkloadError
from workloads.models.graph_recorder import GraphRecorder
from workloads.models.lean_import import without_optimisers
from workloads.models.torchvision_names import import_torchvision

NAME = "andesim_capture"
INDEXED = "andesim_capture_indexed"
"""The same where an indexer chooses the tokens that are seen; it needs a mask for that."""
_listening: list[GraphRecorder] = []


def register() -> None:
    """Register the seams with ``transformers``; calling it again changes nothing."""
    import_torchvision()
    with without_optimisers():
        from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
        from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, _attention)
    ALL_ATTENTION_FUNCTIONS.register(INDEXED, _attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(INDEXED, eager_mask)
    ALL_EXPERTS_FUNCTIONS.register(NAME, _experts)


class Listening:
    """While open, the seams tell ``recorder``."""

    def __init__(self, recorder: GraphRecorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        _listening.append(self._recorder)

    def __exit__(self, *failure: Any) -> None:
        _listening.pop()


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **given: Any
) -> tuple[Tensor, None]:
    """Stand for attention: query (1, heads, T, d), result (1, T, heads, depth of the value).

    On ``meta`` nothing is computed; with weights the products are made, without caps and sinks.
    """
    recorder = _listening[-1] if _listening else None
    causal = given.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    window = given.get("sliding_window", getattr(module, "sliding_window", None))
    if given.get("indices") is not None:
        settings: Any = module.config
        window = settings.index_topk  # a token sees as many as a window of that length has
    with recorder.muted() if recorder else nullcontext():
        if query.is_meta:
            batch, heads, new, _ = query.shape
            out = query.new_zeros((batch, new, heads, value.shape[-1]))
        else:
            out = attended(query, key, value, bool(causal), window, given.get("scaling"))
    if recorder is None:
        return out, None
    sinks = [given["s_aux"]] if isinstance(given.get("s_aux"), Tensor) else []
    recorder.note(
        "aten.scaled_dot_product_attention",
        [query, key, value, *sinks],
        [out],
        causal=bool(causal),
        window_tokens=int(window) if window else None,
    )
    return out, None


def attended(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, window: int | None, scale: float | None
) -> Tensor:
    """Return attention of real tensors: queries (1, heads, T, d), the last T of the S keys seen.

    Result (1, T, heads, depth of the value), contiguous. Keys and values may have fewer heads.
    """
    new, seen = query.shape[2], key.shape[2]
    whole = causal and new == seen and (window is None or window >= seen)
    mask = None if whole or not causal else _mask(new, seen, window, query.device)
    out = functional.scaled_dot_product_attention(
        query, key, value, mask, is_causal=whole and new > 1, scale=scale, enable_gqa=True
    )
    return out.transpose(1, 2).contiguous()


@lru_cache(maxsize=16)
def _mask(new: int, seen: int, window: int | None, device: torch.device) -> Tensor | None:
    """Return which of the keys each new token sees, (new, seen); None: all do."""
    distance = torch.arange(seen - new, seen, device=device)[:, None]
    distance = distance - torch.arange(seen, device=device)
    mask = distance >= 0
    if window is not None:
        mask = mask & (distance < window)
    return None if bool(mask.all()) else mask


def _experts(module: nn.Module, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Stand for the experts of a mixture: hidden states (tokens, hidden), indices (tokens, k)."""
    recorder = _listening[-1]
    given = [item for item in (*args, *kwargs.values()) if isinstance(item, Tensor)]
    chosen = next(item for item in given if not item.dtype.is_floating_point)
    scores = [item for item in given if item.dtype.is_floating_point]
    tokens, each = hidden_states.shape[0], chosen.shape[-1]
    matrices = {n: p for n, p in module.named_parameters(recurse=False) if p.dim() == 3}
    down = [name for name in matrices if "down" in name or name in ("w2", "wo")]
    if len(down) != 1 or len(matrices) not in (2, 3):
        raise WorkloadError(
            f"{recorder.path}: expert weights must be up and down matrices. "
            f"Got {', '.join(matrices)}."
        )
    bias = dict(module.named_parameters(recurse=False))
    expanded: list[Tensor] = []
    for name, matrix in matrices.items():
        if name not in down:
            expanded.append(
                _product(recorder, hidden_states, matrix, bias.get(f"{name}_bias"), tokens, each)
            )
    hidden = _gated(module, expanded)
    last = _product(recorder, hidden, matrices[down[0]], bias.get(f"{down[0]}_bias"), tokens, each)
    with recorder.muted():
        out = hidden_states.new_zeros((tokens, last.shape[-1]))
    recorder.note("moe.combine", [last, *scores], [out], experts_per_token=each)
    return out


def _product(
    recorder: GraphRecorder, x: Tensor, matrix: Tensor, bias: Tensor | None, tokens: int, each: int
) -> Tensor:
    """Record the product of each token with the matrices of its experts."""
    depth = x.shape[-1]
    held = matrix if matrix.shape[-1] == depth else matrix.transpose(1, 2)
    if held.shape[-1] != depth:
        raise WorkloadError(f"{recorder.path}: expert weights must fit {depth} features.")
    with recorder.muted():
        out = x.new_zeros((tokens * each, held.shape[1]))
    weights = [held] if bias is None else [held, bias]
    recorder.note("moe.linear", [x, *weights], [out], experts_per_token=each)
    return out


def _gated(module: Any, expanded: list[Tensor]) -> Tensor:
    """Apply the module's own gate or activation between its two products."""
    if len(expanded) == 2:
        return module.act_fn(expanded[0]) * expanded[1]
    if getattr(module, "has_gate", True) and hasattr(module, "_apply_gate"):
        return module._apply_gate(expanded[0])
    return module.act_fn(expanded[0])


class CacheSeam:
    """Watches a ``transformers`` cache object: writes, reads and recurrent state."""

    def __init__(self, cache: Any, recorder: GraphRecorder) -> None:
        self._cache, self._recorder = cache, recorder
        self._replaced: list[str] = []
        for name, stand_in in {
            "update": self._update,
            "update_indexer": self._update,
            "get_conv_state": self._state_read,
            "get_recurrent_state": self._state_read,
            "get_linear_cache": self._state_read,
            "set_linear_cache": self._state_written,
            "update_conv_state": self._state_written,
            "update_recurrent_state": self._state_written,
        }.items():
            original = getattr(cache, name, None)
            if original is not None:
                setattr(cache, name, _bound(stand_in, original))
                self._replaced.append(name)

    def lift(self) -> None:
        """Stop watching."""
        for name in self._replaced:
            delattr(self._cache, name)
        self._replaced.clear()

    def _update(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = [item for item in (*args, *kwargs.values()) if isinstance(item, Tensor)][:2]
        with self._recorder.muted():
            held = original(*args, **kwargs)
            written = [torch.empty_like(tensor) for tensor in given]
        index = next(item for item in (*args, *kwargs.values()) if isinstance(item, int))
        window = getattr(self._cache.layers[index], "sliding_window", None)
        for tensor, place in zip(given, written, strict=True):
            self._recorder.tag(place, "kv_write")
            self._recorder.note("aten.copy", [tensor], [place], window_tokens=window)
        for tensor in (held,) if isinstance(held, Tensor) else held:
            self._recorder.tag(tensor, "kv_read")
        return held

    def _state_read(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        state = original(*args, **kwargs)
        if isinstance(state, Tensor):
            self._recorder.tag(state, "state")
        return state

    def _state_written(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = next(item for item in (*args, *kwargs.values()) if isinstance(item, Tensor))
        with self._recorder.muted():
            state = original(*args, **kwargs)
            if not isinstance(state, Tensor):  # the cache keeps the tensor itself
                state = torch.empty_like(given)
        self._recorder.tag(state, "state")
        self._recorder.note("aten.copy", [given], [state])
        return state


def _bound(stand_in: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: stand_in(original, *args, **kwargs)
