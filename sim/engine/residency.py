"""The DRAM ledger: which class of bytes is resident when, the peak, and the out-of-memory verdict.

Classes: weights, embedding, vision, kv_cache, activations, draft, adapters, runtime. Weights are
resident from the start of a warm run; the activations of a phase live while it runs; the vision
encoder may be freed after the last image.

A model over budget may be mapped from flash instead: then as much of its weights stays resident as
fits beside the rest.

Not modelled: page granularity and sharing with other processes; the budget stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allocation:
    """A change of residency: ``delta_bytes`` of one class at one instant [s, B]."""

    at_s: float
    resident_class: str
    delta_bytes: float


@dataclass(frozen=True, slots=True)
class Residency:
    """What is resident from ``at_s`` on, by class [s, B]."""

    at_s: float
    by_class: Mapping[str, float]

    @property
    def total_bytes(self) -> float:
        """Resident bytes of all classes [B]."""
        return sum(self.by_class.values())


@dataclass(frozen=True, slots=True)
class Ledger:
    """The residency of a run over time, against a budget.

    Attributes
    ----------
    budget_bytes
        What the app may occupy before the low-memory killer ends it [B].
    timeline
        Residency after each instant at which it changed, in order of time.
    """

    budget_bytes: float
    timeline: tuple[Residency, ...]

    @property
    def peak(self) -> Residency:
        """The residency at the first instant of the highest total."""
        return max(self.timeline, key=lambda residency: residency.total_bytes)

    @property
    def overflow(self) -> Residency | None:
        """The residency at the first instant over budget, or ``None`` when the run fits."""
        over = (item for item in self.timeline if item.total_bytes > self.budget_bytes)
        return next(over, None)

    def holding(self, name: str, held_bytes: float) -> Ledger:
        """Return the ledger with one class at another, constant size [B]."""
        timeline = (
            Residency(item.at_s, {**item.by_class, name: held_bytes}) for item in self.timeline
        )
        return Ledger(self.budget_bytes, tuple(timeline))


def ledger(allocations: Iterable[Allocation], budget_bytes: float) -> Ledger:
    """Return the ledger of allocations; those of one instant apply together.

    >>> run = ledger([Allocation(0, "weights", 5.0), Allocation(1, "kv_cache", 2.0)], 6.0)
    >>> run.peak.total_bytes, run.overflow.at_s
    (7.0, 1)
    """
    by_class: dict[str, float] = {}
    timeline: list[Residency] = []
    for change in sorted(allocations, key=lambda item: item.at_s):
        held = by_class.get(change.resident_class, 0.0) + change.delta_bytes
        by_class = {**by_class, change.resident_class: held}
        if timeline and timeline[-1].at_s == change.at_s:
            timeline.pop()
        timeline.append(Residency(change.at_s, by_class))
    return Ledger(budget_bytes, tuple(timeline))


class Memory:
    """Residency while a run goes on: admits groups until the budget is exceeded.

    Parameters
    ----------
    resident_bytes
        Bytes of each class from the start [B].
    encodings
        Groups after whose end the vision encoder is freed; 0 keeps it.
    """

    def __init__(
        self, resident_bytes: Mapping[str, float], budget_bytes: float, encodings: int
    ) -> None:
        self.budget_bytes = budget_bytes
        self._vision_bytes = resident_bytes.get("vision", 0.0)
        self._encodings = encodings
        self._held_bytes = sum(resident_bytes.values())
        self._changes = [Allocation(0.0, name, held) for name, held in resident_bytes.items()]

    def start(self, activation_bytes: float, at_s: float) -> bool:
        """Allocate a group's activations; ``False`` if that is over budget [B, s]."""
        self._change("activations", activation_bytes, at_s)
        return self._held_bytes <= self.budget_bytes

    def end(self, phase: str, activation_bytes: float, at_s: float) -> None:
        """Free a group's activations, and the vision encoder after its last image [B, s]."""
        self._change("activations", -activation_bytes, at_s)
        self._encodings -= phase == "vision"
        if phase == "vision" and self._encodings == 0:
            self._change("vision", -self._vision_bytes, at_s)

    def ledger(self) -> Ledger:
        """Return what was resident when."""
        held = [change for change in self._changes if change.delta_bytes or not change.at_s]
        return ledger(held, self.budget_bytes)

    def _change(self, resident_class: str, delta_bytes: float, at_s: float) -> None:
        self._held_bytes += delta_bytes
        self._changes.append(Allocation(at_s, resident_class, delta_bytes))


def spilled(
    resident_bytes: Mapping[str, float], activation_bytes: float, budget_bytes: float
) -> dict[str, float]:
    """Return the residency of a model whose weights are mapped: they get what the rest leaves.

    >>> spilled({"weights": 8.0, "kv_cache": 1.0}, 1.0, 5.0)
    {'weights': 3.0, 'kv_cache': 1.0}
    """
    rest = sum(resident_bytes.values()) - resident_bytes["weights"] + activation_bytes
    return {**resident_bytes, "weights": max(0.0, budget_bytes - rest)}
