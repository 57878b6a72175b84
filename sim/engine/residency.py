"""The DRAM ledger: which class of bytes is resident when and why, the peak, whether it fits.

Classes: weights, embedding, vision, kv_cache, activations, draft, adapters, runtime.

Not modelled: page granularity and sharing with other processes; the budget stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sim.engine.timed import FloatColumn

LONGEST_TIMELINE = 4096
"""Longer timelines are thinned: of two neighbouring instants the one with more bytes is kept."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """A change of residency: ``delta_bytes`` of one class at one instant, and why [s, B]."""

    at_s: float
    resident_class: str
    delta_bytes: float
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Residency:
    """What is resident from ``at_s`` on, by class, and what happened then [s, B]."""

    at_s: float
    by_class: Mapping[str, float]
    cause: str = ""

    @property
    def total_bytes(self) -> float:
        """Resident bytes of all classes [B]."""
        return sum(self.by_class.values())

    @property
    def largest(self) -> str:
        """The class that holds most."""
        return max(self.by_class, key=lambda name: self.by_class[name])


@dataclass(frozen=True, slots=True)
class Ledger:
    """The residency of a run over time, against a budget.

    Attributes
    ----------
    budget_bytes
        What the app may occupy before the low-memory killer ends it [B].
    timeline
        Residency after each instant at which it changed, in order of time; of a long run the
        highest of neighbouring instants.
    """

    budget_bytes: float
    timeline: tuple[Residency, ...]

    @property
    def peak(self) -> Residency:
        """The residency at the first instant of the highest total."""
        return max(self.timeline, key=lambda residency: residency.total_bytes)

    @property
    def peak_bytes(self) -> FloatColumn:
        """The highest total, run by run where classes are columns over runs [B]."""
        totals = np.broadcast_arrays(*(item.total_bytes for item in self.timeline))
        highest: FloatColumn = np.max(totals, axis=0)
        return highest

    @property
    def overflow(self) -> Residency | None:
        """The residency at the first instant over budget, or ``None`` when the run fits."""
        over = (item for item in self.timeline if item.total_bytes > self.budget_bytes)
        return next(over, None)


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
        elif len(timeline) >= 2 * LONGEST_TIMELINE:
            timeline = thinned(timeline)
        timeline.append(Residency(change.at_s, by_class, change.cause))
    return Ledger(budget_bytes, tuple(timeline))


def thinned(timeline: list[Residency]) -> list[Residency]:
    """Return every second instant, the higher of each two, the first and the last.

    >>> steps = [Residency(float(i), {"weights": float(i % 3)}) for i in range(6)]
    >>> [item.at_s for item in thinned(steps)]
    [0.0, 2.0, 4.0, 5.0]
    """
    first, *inner, last = timeline
    pairs = zip(inner[::2], inner[1::2], strict=False)
    highest = [max(pair, key=lambda item: item.total_bytes) for pair in pairs]
    odd = inner[-1:] if len(inner) % 2 else []
    return [first, *highest, *odd, last]
