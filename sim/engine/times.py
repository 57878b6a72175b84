"""What an engine hands back, as plain data: when steps and operators ran, under which conditions.

Sums over groups are here too: they know which seconds two steps share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim.engine.conditions import Conditions
from sim.engine.timed import FloatColumn, TimedGroup, TimedTask
from sim.errors import SimError
from workloads.program import StepGroup

Change = tuple[float, Conditions]
"""Seconds after a step's start, and the conditions from then on."""


ClockMeans = tuple[FloatColumn, FloatColumn]
"""Time means in each step, or one for all: of the clock, and of what voltage makes of it."""
FULL_CLOCK: ClockMeans = np.ones(1), np.ones(1)


@dataclass(slots=True)
class Replayed:
    """The times of one operator in one step, all in seconds."""

    step: int
    layer: int
    task: TimedTask
    ready_s: float = 0.0
    fetch_start_s: float = 0.0
    fetch_end_s: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    dram_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive steps under the same conditions, or one step across changes of them.

    Attributes
    ----------
    replayed
        The event engine ran the step across its changes.
    """

    first: int
    count: int
    conditions: Conditions
    changes: tuple[Change, ...] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """When each step of a group started and ended [s].

    Attributes
    ----------
    timed
        What the engine ran; ``None`` where only times are known.
    spans
        Under which conditions the steps ran.
    operators
        What the event engine saw of each operator; empty after the max-plus engine.
    clocks
        What `clock_means` says of columns over runs; ``None``: what spans tell.
    """

    group: StepGroup
    starts_s: FloatColumn
    ends_s: FloatColumn
    timed: TimedGroup | None = None
    spans: tuple[Span, ...] = ()
    operators: tuple[Replayed, ...] = ()
    clocks: ClockMeans | None = None

    @property
    def priced(self) -> TimedGroup:
        """What the engine ran; records need it."""
        if self.timed is None:
            raise SimError("Records must come from a run of an engine. Got step times alone.")
        return self.timed

    @property
    def start_s(self) -> float:
        """Start of the first step [s]."""
        return float(self.starts_s[0])

    @property
    def end_s(self) -> float:
        """End of the last step [s]."""
        return float(self.ends_s[-1])


def clock_means(times: GroupTimes, exponent: float) -> ClockMeans:
    """Return the time means of c and of c^(1 + exponent) in each step, c the fraction of the clock.

    1 where no conditions are known; of shape (steps,) or one entry, with columns over runs (runs,
    steps).
    """
    if times.clocks is not None:
        return times.clocks
    if not times.spans:
        return FULL_CLOCK
    mean, switched = np.ones((2, times.group.steps))
    for span in times.spans:
        if span.conditions.clock == 1.0 and not span.changes:
            continue
        where = slice(span.first, span.first + span.count)
        instants_s = np.array([0.0, *(at_s for at_s, _ in span.changes)])
        last_s = float((times.ends_s - times.starts_s)[span.first])
        parts = np.diff(np.append(instants_s, last_s)) / last_s if last_s else np.ones(1)
        clocks = np.array([span.conditions.clock, *(later.clock for _, later in span.changes)])
        mean[where] = (parts * clocks[: len(parts)]).sum()
        switched[where] = (parts * clocks[: len(parts)] ** (1.0 + exponent)).sum()
    return mean, switched


def span_s(groups: Iterable[GroupTimes]) -> float:
    """Return the sum of the durations of all steps [s]; of two steps at once both count."""
    return sum(float((times.ends_s - times.starts_s).sum()) for times in groups)


def hidden_s(groups: Sequence[GroupTimes]) -> float:
    """Return the seconds in which prefill steps ran beside the encoding of images [s]."""
    return float(hidden_in_s(groups)[0])


def hidden_in_s(groups: Sequence[GroupTimes]) -> FloatColumn:
    """Return the same as a column over runs, shape (..., 1)."""
    shared = (
        _shared_s(ahead, times)
        for ahead, times in pairwise(groups)
        if times.group.images_needed is not None
    )
    return sum(shared, np.zeros(1))


def _shared_s(one: GroupTimes, other: GroupTimes) -> FloatColumn:
    """Return the seconds that the steps of one group share with those of the other [s]."""
    begun_s = np.maximum(one.starts_s[..., :, None], other.starts_s[..., None, :])
    ended_s = np.minimum(one.ends_s[..., :, None], other.ends_s[..., None, :])
    shared_s: FloatColumn = np.maximum(0.0, ended_s - begun_s).sum(axis=(-1, -2))
    return shared_s[..., None]
