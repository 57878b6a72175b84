"""Load the real module of a model: AndesVL's own, or the class of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from workloads.catalogue import get_entry, get_model, is_own
from workloads.measuring.phases import PhaseCall, phase_call, random_model
from workloads.models.entry import is_model_path


@dataclass(frozen=True)
class Loaded:
    """A model with random weights.

    Arguments:
        module: holds the weights.
        phases: those of its phases that can be called.
        call: returns a phase, by name, ready to be called at the given sizes.
    """

    module: nn.Module
    phases: frozenset[str]
    call: Callable[[str, Mapping[str, int]], PhaseCall]


def load(model: str, device: str, dtype: str) -> Loaded:
    """Return a model by catalogue id or path, with random weights in ``dtype`` on ``device``.

    Raises `WorkloadError` as `workloads.catalogue.get_entry` does, for a class that cannot be built
    and for a mixture of experts.
    """
    entry = get_entry(model)
    if is_own(entry):
        own = random_model(get_model(model), device, dtype)
        phases = frozenset({"vision", "prefill", "decode"})
        return Loaded(own, phases, partial(phase_call, own))
    from workloads.measuring.class_calls import class_call, random_class

    name = Path(model).name if is_model_path(model) else model
    built = random_class(entry, name, device, dtype)
    return Loaded(built.model, frozenset({"prefill", "decode"}), partial(class_call, built))
