"""Classes that are handed their recurrent state as tensors and walk their tokens one by one: RWKV.

A call takes the state and returns it, changed in place, where other classes keep a cache. The loop
over tokens is one kernel on a device, so it is noted as one scan: the work of its single tokens,
without running the tokens that follow the first two.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from workloads.models.folding import work_of
from workloads.models.graph_recorder import GraphRecorder

LOOP = "rwkv_linear_attention"
"""The function of a class's module that walks over tokens."""


def carries_state(model: nn.Module) -> bool:
    """Return whether a class takes its state itself and has no cache."""
    known = inspect.signature(model.forward).parameters
    return "state" in known and not {"cache", "past_key_values", "cache_params"} & set(known)


def carried(model: nn.Module, recorder: GraphRecorder, ids: Tensor) -> list[Tensor]:
    """Return the state that a first token, ids (1, 1), leaves; its tensors get the role."""
    with recorder.muted():
        state = model(input_ids=ids, use_cache=True).state
    for tensor in state:
        recorder.tag(tensor, "state")
    return state


@contextmanager
def loops_as_scans(model: nn.Module, recorder: GraphRecorder) -> Iterator[None]:
    """Let the loop over tokens of a class's module, where it has one, be noted as one scan."""
    module = sys.modules[type(model).__module__]
    loop = getattr(module, LOOP, None)
    if loop is None:
        yield
        return
    setattr(module, LOOP, partial(_scan, loop, recorder, {}))
    try:
        yield
    finally:
        setattr(module, LOOP, loop)


def _scan(
    loop: Callable[..., Any],
    recorder: GraphRecorder,
    known: dict[int, tuple[int, int]],
    decay: Tensor,
    first: Tensor,
    key: Tensor,
    value: Tensor,
    state: Any = None,
    return_state: bool = False,
) -> tuple[Tensor, Any]:
    """Stand for the loop: keys and values (1, T, hidden), decay and bonus of the first (hidden)."""

    def walked(tokens: int) -> tuple[Tensor, Any]:
        cut = (tensor[:, :tokens] for tensor in (key, value))
        return loop(decay, first, *cut, state=state, return_state=return_state)

    def work(tokens: int) -> tuple[int, int]:
        if tokens not in known:
            with recorder.aside() as events:
                walked(tokens)
            known[tokens] = work_of(events)
        return known[tokens]

    new = key.shape[1]
    with recorder.muted():
        out, left = walked(1 if key.is_meta else new)
        out = torch.empty_like(key) if key.is_meta else out
    if recorder.is_muted:
        return out, left
    once, twice = work(1), work(min(2, new))
    total = tuple(a + (new - 1) * (b - a) for a, b in zip(once, twice, strict=True))
    held = [decay, first, key, value, *(state or ())]
    recorder.note("scan", held, [out, *(left or ())], work=total)
    return out, left
