"""Records from both engines: what happened to each operator in each step.

The event engine saw every operator; the max-plus engine re-runs its recurrences operator by
operator, all steps under the same conditions at once, and only when somebody asks for records. A
step across a change of conditions is replayed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.conditions import Conditions, timed_at
from sim.engine.maxplus import State, apply, task_matrix
from sim.engine.timed import FloatColumn, TimedGroup, TimedTask
from sim.engine.times import GroupTimes, Replayed, Span
from sim.records import COLUMNS, RecordTable, bound_of

TIMES = ("ready_s", "fetch_start_s", "fetch_end_s", "start_s", "end_s", "dram_s")
Rows = dict[str, NDArray[Any]]
Block = tuple[NDArray[np.int64], Rows]
"""Where rows belong in the order of their group, and the rows."""


def run_records(groups: Sequence[GroupTimes]) -> RecordTable:
    """Return the records of all steps that ran, in the order of the groups."""
    if not groups:  # memory ran out before the first group ended
        return RecordTable({name: np.empty(0) for name in COLUMNS})
    parts = [_in_order(list(_blocks(times))) for times in groups]
    return RecordTable({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})


def _blocks(times: GroupTimes) -> Iterator[Block]:
    """Yield rows of one group with their places in it."""
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
) -> Iterator[Block]:
    """Yield rows of steps under constant conditions: the recurrences, operator by operator."""
    group = timed_at(times.priced, conditions)
    starts = np.zeros(group.steps)
    starts[chosen] = times.starts_s[chosen]
    is_chosen = np.zeros(group.steps, dtype=np.bool_)
    is_chosen[chosen] = True
    for position, (task, ran, layers, columns) in enumerate(_walk(group, starts)):
        kept = is_chosen[ran]
        rows = {name: column[kept] for name, column in columns.items()}
        places = ran[kept] * operator_count(group) + position
        yield places, _rows(group, task, ran[kept], layers[kept], rows)


def _across(times: GroupTimes, span: Span) -> Iterator[Block]:
    """Yield rows of one step across changes of conditions, replayed again."""
    from sim.engine.replay import replay_step

    _, seen = replay_step(times.priced, span.first, span.conditions, span.changes)
    yield from _replayed(times, span.conditions, seen, float(times.starts_s[span.first]))


def _replayed(
    times: GroupTimes, conditions: Conditions, seen: Sequence[Replayed], start_s: float = 0.0
) -> Iterator[Block]:
    """Yield rows of what the event engine saw.

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
        yield places, _rows(group, slowed[task], steps, layers, shifted)


def operator_count(group: TimedGroup) -> int:
    """Return how many operators a step has, counting those that do not run in it."""
    return sum(segment.repeat * len(segment.tasks) for segment in group.segments)


def _walk(
    group: TimedGroup, starts: FloatColumn
) -> Iterator[tuple[TimedTask, NDArray[np.int64], NDArray[np.int64], Rows]]:
    """Yield each operator in program order with the steps it ran in and its times."""
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
                ran = np.flatnonzero(task.tiles)
                times = _times(task, state, after, starts)
                layers = np.full(ran.shape, layer)
                yield task, ran, layers, {name: column[ran] for name, column in times.items()}
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


def _rows(
    group: TimedGroup,
    task: TimedTask,
    steps: NDArray[np.int64],
    layers: NDArray[np.int64],
    times: Rows,
) -> Rows:
    """Return the record columns of one task in the given steps."""
    count = len(steps)
    compute_s = (task.tiles * task.compute_s)[steps]
    launch_s = (task.tiles * task.launch_s)[steps]
    demand, zeros = task.demand, np.zeros(count)
    return {
        "phase": np.full(count, group.phase),
        "turn": np.full(count, group.turn),
        "step": steps,
        "layer": layers,
        "name": np.full(count, task.name),
        "kind": np.full(count, task.kind),
        "unit": np.full(count, task.unit),
        **times,
        "compute_s": compute_s,
        "launch_s": launch_s,
        "wait_s": times["end_s"] - times["ready_s"] - compute_s - launch_s,
        "dram_read_bytes": demand.read_bytes[steps] if demand else zeros,
        "dram_write_bytes": demand.write_bytes[steps] if demand else zeros,
        "flops": demand.flops[steps] if demand else zeros,
        "tiles": task.tiles[steps],
        "bound": bound_of(compute_s, times["dram_s"], launch_s),
    }


def _in_order(blocks: list[Block]) -> Rows:
    """Join blocks of rows and sort them by their place in the run."""
    order = np.argsort(np.concatenate([places for places, _ in blocks]), kind="stable")
    return {name: np.concatenate([rows[name] for _, rows in blocks])[order] for name in COLUMNS}
