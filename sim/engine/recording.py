"""Records from both engines: what happened to each operator in each step.

The event engine saw every operator; the max-plus engine re-runs its recurrences operator by
operator, all steps under the same conditions at once, and only when somebody asks for records. A
step across a change of conditions is replayed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.conditions import Conditions, timed_at
from sim.engine.maxplus import State, apply, task_matrix
from sim.engine.timed import FloatColumn, TimedGroup, TimedTask
from sim.engine.times import GroupTimes, Replayed, Span
from sim.records import BOUNDS, COLUMNS, RecordTable, longest_of
from workloads.tasks import Task

TIMES = ("ready_s", "fetch_start_s", "fetch_end_s", "start_s", "end_s", "dram_s")
Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Ran:
    """One operator in some steps of its group, what its records derive from; columns per step.

    Attributes
    ----------
    places
        Where its records belong in the order of the group.
    steps, layers
        Indices from 0.
    times
        The columns of `TIMES` [s].
    conditions
        Those in force, at the start of a step across changes.
    """

    group: TimedGroup
    task: TimedTask
    places: NDArray[np.int64]
    steps: NDArray[np.int64]
    layers: NDArray[np.int64]
    times: Rows
    conditions: Conditions

    @property
    def elapsed_s(self) -> FloatColumn:
        """From the end of the operator before it to its own [s]."""
        return np.asarray(self.times["end_s"] - self.times["ready_s"])

    def busy_s(self) -> tuple[FloatColumn, FloatColumn]:
        """Return the seconds of arithmetic and of launch overhead [s]."""
        tiles = self.task.tiles
        compute_s, launch_s = tiles * self.task.compute_s, tiles * self.task.launch_s
        return compute_s[self.steps], launch_s[self.steps]

    def wait_s(self) -> FloatColumn:
        """Return the seconds in which its compute stage stood idle for it [s]."""
        compute_s, launch_s = self.busy_s()
        return self.elapsed_s - compute_s - launch_s

    def seconds_by_bound(self) -> dict[str, float]:
        """Return the elapsed seconds of the steps that each of `BOUNDS` bounds [s]."""
        compute_s, launch_s = self.busy_s()
        longest = longest_of(compute_s, self.times["dram_s"], launch_s)
        found = np.bincount(longest, weights=self.elapsed_s, minlength=len(BOUNDS))
        return dict(zip(BOUNDS, found.tolist(), strict=True))


def run_records(groups: Sequence[GroupTimes]) -> RecordTable:
    """Return the records of all steps that ran, in the order of the groups."""
    if not groups:  # memory ran out before the first group ended
        return RecordTable({name: np.empty(0) for name in COLUMNS})
    parts = [_in_order(list(operators_that_ran(times))) for times in groups]
    return RecordTable({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})


def operators_that_ran(times: GroupTimes) -> Iterator[Ran]:
    """Yield each operator of a group with the steps it ran in, in no order."""
    steady: dict[Conditions, list[int]] = {}
    by_step: dict[int, list[Replayed]] = {}
    for operator in times.operators:
        by_step.setdefault(operator.step, []).append(operator)
    for span in times.spans:
        steps = range(span.first, span.first + span.count)
        seen = [operator for step in steps for operator in by_step.get(step, ())]
        if seen:
            yield from _replayed(times, span.conditions, seen)
        elif span.changes:
            yield from _across(times, span)
        else:
            steady.setdefault(span.conditions, []).extend(steps)
    for conditions, chosen in steady.items():
        yield from _evaluated(times, conditions, np.array(chosen))


def _evaluated(
    times: GroupTimes, conditions: Conditions, chosen: NDArray[np.int64]
) -> Iterator[Ran]:
    """Yield operators of steps under constant conditions: the recurrences, one by one."""
    group = timed_at(times.priced, conditions)
    starts = np.zeros(group.steps)  # a run cut short has no times of its later steps
    starts[chosen] = times.starts_s[chosen]
    is_chosen = np.zeros(group.steps, dtype=np.bool_)
    is_chosen[chosen] = True
    stride = operator_count(group)
    for position, (task, layer, before, after) in enumerate(_walk(group)):
        steps = np.flatnonzero(is_chosen & (task.tiles > 0))
        columns = _times(task, before, after, starts)
        kept = {name: column[steps] for name, column in columns.items()}
        places, layers = steps * stride + position, np.full(steps.shape, layer)
        yield Ran(group, task, places, steps, layers, kept, conditions)


def _across(times: GroupTimes, span: Span) -> Iterator[Ran]:
    """Yield the operators of one step across changes of conditions, replayed again."""
    from sim.engine.replay import replay_step

    _, seen = replay_step(times.priced, span.first, span.conditions, span.changes)
    yield from _replayed(times, span.conditions, seen, float(times.starts_s[span.first]))


def _replayed(
    times: GroupTimes, conditions: Conditions, seen: Sequence[Replayed], start_s: float = 0.0
) -> Iterator[Ran]:
    """Yield what the event engine saw.

    Compute and launch seconds are those under the conditions at the start of the step.
    """
    group = timed_at(times.priced, conditions)
    slowed = {
        task: later
        for before, after in zip(times.priced.segments, group.segments, strict=True)
        for task, later in zip(before.tasks, after.tasks, strict=True)
    }
    by_task: dict[TimedTask, list[int]] = {}
    for row, operator in enumerate(seen):
        by_task.setdefault(operator.task, []).append(row)
    for task, rows in by_task.items():
        chosen = [seen[row] for row in rows]
        steps = np.array([operator.step for operator in chosen])
        layers = np.array([operator.layer for operator in chosen])
        columns = {name: np.array([getattr(o, name) for o in chosen]) for name in TIMES}
        shifted = {
            name: column if name == "dram_s" else column + start_s
            for name, column in columns.items()
        }
        places = steps * operator_count(group) + np.array(rows)
        yield Ran(group, slowed[task], places, steps, layers, shifted, conditions)


def operator_count(group: TimedGroup) -> int:
    """Return how many operators a step has, counting those that do not run in it."""
    return sum(segment.repeat * len(segment.tasks) for segment in group.segments)


def _walk(group: TimedGroup) -> Iterator[tuple[TimedTask, int, State, State]]:
    """Yield each operator in program order with its layer and the states around it."""
    state: State = np.zeros((group.buffers + 1, group.steps))
    matrices = {
        task: task_matrix(task, group.buffers)
        for segment in group.segments
        for task in segment.tasks
    }
    layer = 0
    for segment in group.segments:
        for _ in range(segment.repeat):
            for task in segment.tasks:
                after = apply(matrices[task], state)
                yield task, layer, state, after
                state = after
            layer += segment.is_layer


def _times(task: TimedTask, before: State, after: State, starts: FloatColumn) -> Rows:
    """Return the times of an operator from the states around it, a row per step [s].

    Its first tile is fetched once the stage is idle and a buffer free: entries 0 and d.
    """
    ready = before[1]
    if task.is_barrier:
        fetch_start = fetch_end = start = ready
    else:
        fetch_start, fetch_end = np.maximum(before[0], before[-1]), after[0]
        start = np.maximum(ready, fetch_start + task.fetch_s)
    return {
        "ready_s": starts + ready,
        "fetch_start_s": starts + fetch_start,
        "fetch_end_s": starts + fetch_end,
        "start_s": starts + start,
        "end_s": starts + after[1],
        "dram_s": task.tiles * task.fetch_s,
    }


def _rows(ran: Ran) -> Rows:
    """Return the record columns of one operator."""
    count, steps, task, times = len(ran.steps), ran.steps, ran.task, ran.times
    compute_s, launch_s = ran.busy_s()
    demand, zeros = task.demand, np.zeros(count)
    return {
        "phase": np.full(count, ran.group.phase),
        "turn": np.full(count, ran.group.turn),
        "step": steps,
        "layer": ran.layers,
        "name": np.full(count, task.name),
        "kind": np.full(count, task.kind),
        "unit": np.full(count, task.unit),
        **times,
        "compute_s": compute_s,
        "launch_s": launch_s,
        "wait_s": ran.wait_s(),
        "dram_read_bytes": _read_bytes(task, demand, steps) if demand else zeros,
        "dram_write_bytes": demand.write_bytes[steps] if demand else zeros,
        "flops": demand.flops[steps] if demand else zeros,
        "tiles": task.tiles[steps],
        "bound": np.array(BOUNDS)[longest_of(compute_s, times["dram_s"], launch_s)],
    }


def _read_bytes(task: TimedTask, demand: Task, steps: NDArray[np.int64]) -> FloatColumn:
    """Return what a task reads from the DRAM in some steps, less what the system cache serves."""
    cached = 0.0 if task.cached_bytes is None else task.cached_bytes
    return np.asarray(np.broadcast_to(demand.read_bytes - cached, demand.runs.shape)[steps])


def _in_order(blocks: Sequence[Ran]) -> Rows:
    """Join the records of operators and sort them by their place in the run."""
    order = np.argsort(np.concatenate([ran.places for ran in blocks]), kind="stable")
    parts = [_rows(ran) for ran in blocks]
    return {name: np.concatenate([part[name] for part in parts])[order] for name in COLUMNS}
