"""Records from both engines: what happened to each operator in each step.

The event engine saw every operator; the max-plus engine re-runs its recurrences operator by
operator, all steps at once, and only when somebody asks for records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.maxplus import State, apply, task_matrix
from sim.engine.timed import FloatColumn, TimedGroup, TimedTask
from sim.records import COLUMNS, RecordTable, bound_of

if TYPE_CHECKING:
    from sim.engine.replay import ReplayedGroup

TIMES = ("ready_s", "fetch_start_s", "fetch_end_s", "start_s", "end_s", "dram_s")
Rows = dict[str, NDArray[Any]]


def replayed_records(groups: Sequence[TimedGroup], seen: Sequence[ReplayedGroup]) -> RecordTable:
    """Return the records of an event-engine run."""
    parts = []
    for group, log in zip(groups, seen, strict=True):
        by_task: dict[int, list[int]] = {}
        for row, operator in enumerate(log.operators):
            by_task.setdefault(id(operator.task), []).append(row)
        blocks = []
        for rows in by_task.values():
            chosen = [log.operators[row] for row in rows]
            steps = np.array([operator.step for operator in chosen])
            layers = np.array([operator.layer for operator in chosen])
            times = {name: np.array([getattr(o, name) for o in chosen]) for name in TIMES}
            blocks.append((np.array(rows), _rows(group, chosen[0].task, steps, layers, times)))
        parts.append(_in_order(blocks))
    return _table(parts)


def maxplus_records(groups: Sequence[TimedGroup], starts_s: Sequence[FloatColumn]) -> RecordTable:
    """Return the records of a max-plus run whose steps started at ``starts_s`` [s]."""
    parts = []
    for group, starts in zip(groups, starts_s, strict=True):
        operators = list(_walk(group, starts))
        blocks = [
            (steps * len(operators) + position, _rows(group, task, steps, layers, times))
            for position, (task, steps, layers, times) in enumerate(operators)
        ]
        parts.append(_in_order(blocks))
    return _table(parts)


def _walk(
    group: TimedGroup, starts: FloatColumn
) -> Iterator[tuple[TimedTask, NDArray[np.int64], NDArray[np.int64], Rows]]:
    """Yield each operator in program order with the steps it ran in and its times."""
    state: State = np.zeros((group.buffers + 1, group.steps))
    matrices = {
        id(task): task_matrix(task, group.buffers)
        for segment in group.segments
        for task in segment.tasks
    }
    layer = 0
    for segment in group.segments:
        for _ in range(segment.repeat):
            for task in segment.tasks:
                after = apply(matrices[id(task)], state)
                ran = np.flatnonzero(task.tiles)
                times = _times(task, state, after, starts)
                layers = np.full(ran.shape, layer)
                yield task, ran, layers, {name: column[ran] for name, column in times.items()}
                state = after
            layer += segment.is_layer


def _times(task: TimedTask, before: State, after: State, starts: FloatColumn) -> Rows:
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


def _in_order(blocks: list[tuple[NDArray[np.int64], Rows]]) -> Rows:
    """Join blocks of rows and sort them by their place in the run."""
    order = np.argsort(np.concatenate([places for places, _ in blocks]), kind="stable")
    return {name: np.concatenate([rows[name] for _, rows in blocks])[order] for name in COLUMNS}


def _table(parts: list[Rows]) -> RecordTable:
    if not parts:  # memory ran out before the first group ended
        return RecordTable({name: np.empty(0) for name in COLUMNS})
    return RecordTable({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})
