"""Phases of the ``transformers`` class of a configuration, ready to be called, timed and counted.

The class runs with random weights, a cache that is allocated once, and attention as one kernel, so
that its calls are those of its trace. What is folded there (a rotation, a norm) is one time here.

Not modelled: mixtures of experts, whose product per expert is not one call, and images.
"""

# mypy: disable-error-code="misc, no-any-return, no-untyped-call"
# (PyTorch's dispatch mode is not typed)

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from workloads.errors import WorkloadError
from workloads.measuring.phases import DTYPES, PhaseCall
from workloads.measuring.timer import Clock, OperatorCall
from workloads.models.events import Event
from workloads.models.folding import fold
from workloads.models.from_transformers import Built, build, cache_name, read_config
from workloads.models.graph_recorder import GraphRecorder
from workloads.models.held_cache import HeldLayer, held_cache, held_tensors, rewind
from workloads.models.seams import CacheSeam, Listening

STARTED = 8
"""Tokens that a model with recurrent state sees before a call is timed, so that it has one."""


class TimedRecorder(GraphRecorder):
    """Records each call with the seconds of its kernels, views and muted calls before it in."""

    real = True

    def __init__(self, model: nn.Module, inputs: Sequence[Tensor], clock: Clock) -> None:
        super().__init__(model, inputs)
        self._clock = clock
        self._since_last_s = 0.0

    def ran(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run one call and add its seconds to the one that is being recorded."""
        started_s = self._clock()
        out = func(*args, **kwargs)
        self._since_last_s += self._clock() - started_s
        return out

    def note(
        self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], **attributes: Any
    ) -> None:
        """Append one event with the seconds since the last."""
        before = len(self.events)
        super().note(name, inputs, outputs, **attributes)
        if len(self.events) > before:
            self.events[-1] = replace(self.events[-1], seconds=self._since_last_s)
            self._since_last_s = 0.0


class ClassPhase(nn.Module):
    """One phase of a class: token ids (1, T) to logits, behind the tokens its cache holds.

    Arguments:
        context: tokens that the last one sees, itself included.
    """

    def __init__(self, built: Built, new: int, context: int, last_only: bool) -> None:
        super().__init__()
        self.model = built.model
        self.cache = held_cache(built.config, context)
        self._before = context - new
        known = inspect.signature(built.model.forward).parameters
        self._given: dict[str, Any] = {cache_name(built.model): self.cache, "use_cache": True}
        if last_only and "logits_to_keep" in known:
            self._given["logits_to_keep"] = 1
        if any(not isinstance(layer, HeldLayer) for layer in self.cache.layers):
            weight = next(built.model.parameters())
            ids = torch.zeros((1, min(STARTED, context)), dtype=torch.long, device=weight.device)
            self.model(input_ids=ids, **self._given)

    def forward(self, ids: Tensor) -> Any:
        """Run the phase once; the cache is as before afterwards but for the new tokens."""
        rewind(self.cache, self._before)
        return self.model(input_ids=ids, **self._given)


@dataclass(frozen=True)
class ClassCall(PhaseCall):
    """A phase of a ``transformers`` class."""

    def operators(self) -> list[OperatorCall]:
        """Run once and return each operator with its seconds."""
        phase: Any = self.module
        recorder = TimedRecorder(self.model, [self.argument], self._operator_clock())
        seam = CacheSeam(phase.cache, recorder)
        try:
            with torch.inference_mode(), recorder, Listening(recorder):
                self.module(self.argument)
        finally:
            seam.lift()
        folded = fold(_written_together(recorder.events))
        return [OperatorCall(event.module, event.name, event.seconds) for event in folded]


def _written_together(events: Sequence[Event]) -> list[Event]:
    """Share the seconds of a write of keys and values, one call of the cache, by their elements."""
    found = list(events)
    for place, (first, second) in enumerate(pairwise(events)):
        pair = (first, second)
        together = all(event.name == "aten.copy" for event in pair) and second.seconds == 0.0
        if together and first.module == second.module:
            sizes = [event.outputs[0].elements for event in pair]
            found[place : place + 2] = [
                replace(event, seconds=first.seconds * size / sum(sizes))
                for event, size in zip(pair, sizes, strict=True)
            ]
    return found


def random_class(entry: Mapping[str, Any], name: str, device: str, dtype: str) -> Built:
    """Return the class of a configuration with random weights.

    Raises `WorkloadError` where it cannot be built, and for a mixture of experts.
    """
    built = build(read_config(entry, name), name, device)
    built.model.to(DTYPES[dtype]).requires_grad_(False)
    if any(p.dim() == 3 and "expert" in path for path, p in built.model.named_parameters()):
        raise WorkloadError(
            f"{name}: a model to measure must not be a mixture of experts, whose products are not "
            "timed one by one. Remedy: simulate it, or measure a dense model of its width."
        )
    return built


@torch.inference_mode()
def class_call(built: Built, phase: str, sizes: Mapping[str, int]) -> ClassCall:
    """Return a phase ready to be called: prefill or decode of ``T`` new tokens at context ``S``."""
    new, context = sizes["T"], sizes["S"]
    module = ClassPhase(built, new, context, last_only=phase == "prefill")
    device = next(built.model.parameters()).device
    ids = torch.zeros((1, new), dtype=torch.long, device=device)
    module(ids)  # allocates the cache
    buffers = tuple(built.model.buffers())
    return ClassCall(built.model, module, ids, held_tensors(module.cache), buffers)
