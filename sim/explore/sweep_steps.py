"""Step times of many runs at once: fewer columns, the same seconds.

A step group may hold the steps of a thousand scenarios side by side. Two facts make that cheap:

- an operator that does not depend on the context costs the same in every step, so one column
  stands for all of them (`narrowed`);
- between two jumps of its tile counts a step's duration is the largest of several affine functions
  of the context: convex and piecewise linear. If it meets its chord in the middle of an interval
  it is affine on all of it, so the ends decide every step between (`step_seconds_by_context`).

Not modelled: rates that change inside a step, as everywhere in the max-plus engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn
from workloads.program import StepGroup
from workloads.tasks import COLUMN_NAMES, Column, Task

Indices = NDArray[np.int64]
Item = TypeVar("Item", StepGroup, Task)

CHORD_TOLERANCE = 1e-12
"""Relative distance from the chord below which an interval counts as affine."""


def narrowed(group: StepGroup) -> StepGroup:
    """Return the group with the tasks that are equal in every step cut to one column."""
    return _with_tasks(group, _narrow)


def at_steps(group: StepGroup, steps: Indices) -> StepGroup:
    """Return the group with only the given steps; narrow tasks stay narrow."""

    def chosen(column: Column) -> Column:
        return column if column.shape[0] == 1 < group.steps else column[steps]

    return _with_columns(
        _with_tasks(group, lambda task: _with_columns(task, chosen)),
        lambda column: column[steps],
    )


def distinct(group: StepGroup) -> tuple[StepGroup, Indices]:
    """Return a group without repeated steps, and for every step its place there."""
    narrow = narrowed(group)
    columns = [getattr(task, name) for task, _ in narrow.tasks() for name in COLUMN_NAMES]
    varying = [column for column in columns if column.shape[0] == group.steps > 1]
    if group.switches is not None:
        varying.append(group.switches)
    if group.setup != type(group.setup)():
        varying.append((np.arange(group.steps) == 0).astype(float))  # the first step pays for it
    if not varying:
        return at_steps(narrow, np.zeros(1, dtype=np.int64)), np.zeros(group.steps, dtype=np.int64)
    _, first, step_of = np.unique(
        np.stack(varying, axis=1), axis=0, return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return at_steps(narrow, first[order]), place[step_of]


def grows_evenly(group: StepGroup) -> bool:
    """Return whether all sizes of a group change by the same from each step to the next.

    A group whose first step pays for something besides does not.
    """
    if group.setup != type(group.setup)():
        return False
    columns = [getattr(task, name) for task, _ in group.tasks() for name in COLUMN_NAMES]
    varying = [column for column in columns if column.shape[0] > 1 and _varies(column)]
    return all(map(_is_affine, varying))


def _is_affine(column: Column) -> bool:
    chord = np.linspace(column[0], column[-1], len(column))
    return bool((np.abs(column - chord) <= CHORD_TOLERANCE * np.abs(chord).max()).all())


def step_seconds_by_context(pricing: Pricing, group: StepGroup) -> FloatColumn:
    """Return the duration of each step of a group whose context grows by one token a step [s].

    Shape (steps,), or (devices, steps) of many. Steps between two jumps are interpolated from the
    fewest contexts that decide them, on every device.
    """
    group = narrowed(group)
    starts = np.flatnonzero(_jumps(pricing, group))
    intervals = np.stack([starts, np.append(starts[1:], group.steps) - 1], axis=1)
    known = np.zeros(group.steps, dtype=bool)
    seconds: FloatColumn = np.zeros(group.steps)
    while len(intervals):
        low, high = intervals.T
        middle = (low + high) // 2
        asked = np.flatnonzero(np.bincount(np.concatenate([low, middle, high])))
        new = asked[~known[asked]]
        if len(new):
            found = step_seconds(pricing.group(at_steps(group, new)))
            if found.ndim > seconds.ndim:
                seconds = np.zeros((*found.shape[:-1], group.steps))
            seconds[..., new], known[new] = found, True
        share = (middle - low) / np.maximum(high - low, 1)
        chord = _between(seconds[..., low], seconds[..., high], share)
        bent = np.abs(chord - seconds[..., middle]) > CHORD_TOLERANCE * chord
        split = _on_any_device(bent) & (high - low > 1)
        halves = [np.stack([low, middle], 1), np.stack([middle, high], 1)]
        intervals = np.concatenate([half[split] for half in halves])
    return _filled(seconds, np.flatnonzero(known))


def _filled(seconds: FloatColumn, known: Indices) -> FloatColumn:
    """Return the durations with those between known steps interpolated."""
    steps = np.arange(seconds.shape[-1])
    after = np.searchsorted(known, steps)
    low, high = known[np.maximum(after - 1, 0)], known[after]
    share = (steps - low) / np.maximum(high - low, 1)
    return _between(seconds[..., low], seconds[..., high], share)


def _between(low: FloatColumn, high: FloatColumn, share: FloatColumn) -> FloatColumn:
    return low + share * (high - low)


def _jumps(pricing: Pricing, group: StepGroup) -> NDArray[np.bool_]:
    """Return where a step differs from the one before by more than an affine change of sizes."""
    jumps = np.zeros(group.steps, dtype=bool)
    jumps[0] = True
    columns = [*pricing.jumps_of(group), *([] if group.switches is None else [group.switches])]
    for task, _ in group.tasks():
        columns.extend(pricing.units.jumps(task, group.phase))
    for column in columns:
        if column.shape[-1] > 1:
            jumps[1:] |= _on_any_device(np.diff(column) != 0)
    return jumps


def _on_any_device(said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what is said of steps, shape (steps,), on at least one of the devices."""
    return np.asarray(said.reshape(-1, said.shape[-1]).any(axis=0))


def _with_tasks(group: StepGroup, change: Callable[[Task], Task]) -> StepGroup:
    segments = tuple(
        replace(segment, tasks=tuple(map(change, segment.tasks))) for segment in group.segments
    )
    return replace(group, segments=segments)


def _narrow(task: Task) -> Task:
    if task.runs.shape == (1,):
        return task
    columns = {name: getattr(task, name) for name in COLUMN_NAMES}
    if any(map(_varies, columns.values())):
        return task
    narrow: dict[str, Any] = {name: column[:1] for name, column in columns.items()}
    return replace(task, **narrow)


def _varies(column: Column) -> bool:
    repeats_one_number = column.strides == (0,)
    return not repeats_one_number and bool((column != column[0]).any())


def _with_columns(item: Item, change: Callable[[Column], Column]) -> Item:
    """Return a group or a task with each of its columns changed."""
    columns = {part.name: getattr(item, part.name) for part in fields(item)}
    changed: dict[str, Any] = {
        name: change(column) for name, column in columns.items() if isinstance(column, np.ndarray)
    }
    return replace(item, **changed)
