"""How far each step group has come: the times of its steps and the conditions they ran under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from sim.engine.conditions import Conditions, timed_at
from sim.engine.maxplus import step_ends_beside, step_seconds
from sim.engine.timed import FloatColumn, TimedGroup, TimedSegment
from sim.engine.times import Change, Replayed, Span
from sim.errors import SimError
from sim.heat.phone import PowerLaw
from workloads.program import StepGroup

RECENT = 64
"""Durations of groups to keep at hand."""

Priced = tuple[TimedGroup, PowerLaw]
"""A group with seconds, and its mean dynamic power under given conditions [W]."""


@dataclass(slots=True)
class Progress:
    """A step group while it runs.

    Attributes
    ----------
    price
        Gives the group its seconds and its power, once it runs: many never do, where memory runs
        out or the session ends.
    law_beside
        Mean power while it runs beside the group before it; ``None`` where it never does [W].
    is_held
        Whether its activations are allocated.
    operators
        What the event engine saw; empty where the max-plus engine ran.
    is_parted
        Whether the steps that are left belong to a group of their own (`sim.engine.open_graph`).
    """

    group: StepGroup
    price: Callable[[], Priced]
    done: int = 0
    spans: list[Span] = field(default_factory=list)
    operators: list[Replayed] = field(default_factory=list)
    law_beside: PowerLaw | None = None
    is_held: bool = False
    is_parted: bool = False
    _starts: list[FloatColumn] = field(default_factory=list)
    _ends: list[FloatColumn] = field(default_factory=list)
    _priced: Priced | None = None

    @property
    def is_done(self) -> bool:
        """Whether all steps have run that are its own."""
        return self.is_parted or self.done == self.group.steps

    @property
    def timed(self) -> TimedGroup:
        """The group with seconds."""
        return self._known[0]

    @property
    def law(self) -> PowerLaw:
        """Mean dynamic power of the group under given conditions [W]."""
        return self._known[1]

    @property
    def _known(self) -> Priced:
        if self._priced is None:
            self._priced = self.price()
        return self._priced

    def add(
        self,
        starts_s: FloatColumn,
        ends_s: FloatColumn,
        conditions: Conditions,
        changes: Sequence[Change] = (),
        replayed: bool = False,
    ) -> None:
        """Note steps that have run [s]."""
        self.spans.append(Span(self.done, len(ends_s), conditions, tuple(changes), replayed))
        self._starts.append(starts_s)
        self._ends.append(ends_s)
        self.done += len(ends_s)

    @property
    def starts_s(self) -> FloatColumn:
        """Start of each step that has run [s]."""
        return np.concatenate([np.empty(0), *self._starts])

    @property
    def ends_s(self) -> FloatColumn:
        """End of each step that has run [s]."""
        return np.concatenate([np.empty(0), *self._ends])


class StepTimes:
    """Durations of steps under constant conditions; equal work is evaluated once.

    A step starts with both stages idle, and where its first segment holds barriers only, it lasts
    as long as that segment plus the rest. Turns of equal work share the rest.
    """

    def __init__(self) -> None:
        self._rest: dict[tuple[object, ...], FloatColumn] = {}
        self._recent: dict[tuple[tuple[TimedSegment, ...], Conditions], FloatColumn] = {}

    def seconds(self, group: TimedGroup, conditions: Conditions) -> FloatColumn:
        """Return the duration of each step of a group [s].

        Recent answers are kept, because governors switch back and forth between two clocks, and
        turns are often equal.
        """
        key = group.segments, conditions
        if key not in self._recent:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            self._recent[key] = _finite(self._seconds(group, conditions), group)
        return self._recent[key]

    def _seconds(self, group: TimedGroup, conditions: Conditions) -> FloatColumn:
        opening, *rest = group.segments
        if not rest or not all(task.is_barrier for task in opening.tasks):
            return step_seconds(timed_at(group, conditions))
        key = (conditions, *((segment.tasks, segment.repeat) for segment in rest))
        if key not in self._rest:
            self._rest[key] = step_seconds(timed_at(replace(group, segments=(*rest,)), conditions))
        slowed_s = [t.tiles * t.busy_s / conditions.speed_of(t) for t in opening.tasks]
        opening_s = sum(slowed_s, np.zeros(group.steps))
        seconds: FloatColumn = opening.repeat * opening_s + self._rest[key]
        return seconds

    def beside_s(self, ahead: TimedGroup, group: TimedGroup, conditions: Conditions) -> float:
        """Return the makespan of a group beside the one it waits for, transfers undisturbed [s]."""
        steps_s = self.seconds(ahead, conditions), self.seconds(group, conditions)
        assert group.images_needed is not None
        return float(step_ends_beside(*steps_s, group.images_needed)[-1])


def _finite(seconds: FloatColumn, group: TimedGroup) -> FloatColumn:
    """Return durations, or refuse ones that no clock could ever reach the end of."""
    if not np.isfinite(seconds.sum()):
        parts = ", ".join(part.name for part in group.segments)
        raise SimError(f"A step of {parts} must take a finite time. Got none: a fault of andesim.")
    return seconds


def first_steps(group: StepGroup, count: int) -> StepGroup:
    """Return a group cut to its first ``count`` steps, for runs that end inside it."""
    return group if count == group.steps else _part(group, slice(0, count))


def last_steps(group: StepGroup, done: int) -> StepGroup:
    """Return a group without its first ``done`` steps, for turns that others came in between."""
    return replace(_part(group, slice(done, None)), first=group.first + done)


def _part(group: StepGroup, steps: slice) -> StepGroup:
    segments = tuple(
        replace(part, tasks=tuple(_cut(task, steps) for task in part.tasks))
        for part in group.segments
    )
    whole: StepGroup = _cut(group, steps)
    return replace(whole, segments=segments)


def _cut(item: Any, steps: slice) -> Any:
    """Return a dataclass with every column cut to some of its entries."""
    columns = {
        part.name: getattr(item, part.name)[steps]
        for part in fields(item)
        if isinstance(getattr(item, part.name), np.ndarray)
    }
    return replace(item, **columns)
