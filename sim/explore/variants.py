"""One scenario on many variants of its device at once.

Steps that cost the same are priced once per variant, and all variants of one program stand side by
side as columns of the max-plus engine. The metrics are computed by `sim.metrics` itself, on a
`Result` per variant whose operators are merged by what the metrics can tell apart.

A run whose rates change on the way (other apps, throttling, several clients) or for which memory
may not suffice is simulated once per variant instead, which is slower. Where prefill runs beside
the encoding of images, the two units' transfers are taken not to disturb each other: nearly true,
since encoders are bound by arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models.soc import SocSpec
from hw_models.tree import moved_each
from sim.engine.conditions import NOMINAL
from sim.engine.maxplus import step_ends_beside, step_seconds, step_starts
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn, TimedGroup, TimedSegment, TimedTask
from sim.engine.times import GroupTimes
from sim.explore.sweep_steps import at_steps, narrowed
from sim.planning import budget_bytes, graph_options, runtime_bytes
from sim.results import Result
from sim.simulation import Engine, simulate
from workloads.graph import GraphOptions
from workloads.program import COLUMN_NAMES, ProgramSegment, StepGroup, Task

MetricColumns = dict[str, NDArray[np.float64]]


def variant_metrics(result: Result, values: Mapping[str, NDArray[np.float64]]) -> MetricColumns:
    """Return the metrics of a run with parameters moved, one entry per variant, NaN for None.

    To those of `sim.metrics.Summary` it adds `reply_s`, the makespan.

    Parameters
    ----------
    values
        Dotted parameter path to its value in each variant, SI, shape (variants,); at least one.
    """
    variants = len(next(iter(values.values())))
    result.soc.with_values({path: float(column[0]) for path, column in values.items()})  # checks
    columns = {path: column.tolist() for path, column in values.items()}
    socs: list[SocSpec] = moved_each(result.soc, columns, variants)
    if not (_is_steady(result) and result.fits):
        return _columns([_numbers(_again(result, soc)) for soc in socs])
    found: list[dict[str, float]] = [{} for _ in socs]
    for members, shape in _shapes(result, socs, "auto"):
        for index, metrics in zip(members, shape.metrics([socs[i] for i in members]), strict=True):
            found[index] = metrics
    return _columns(found)


def reply_seconds(result: Result, socs: Sequence[SocSpec]) -> FloatColumn:
    """Return the makespan of a run on each device [s]; quicker than all its metrics.

    As if memory sufficed; a run that is not slowed down by heat is taken not to be on any device.
    """
    if not _is_steady(result):
        return np.array([_again(result, soc).makespan_s for soc in socs])
    found = np.empty(len(socs))
    for members, shape in _shapes(result, socs, "maxplus"):  # its program is all that matters
        found[members] = shape.makespans_s([socs[i] for i in members])
    return found


def _shapes(
    result: Result, socs: Sequence[SocSpec], engine: Engine
) -> Iterator[tuple[list[int], _Shape]]:
    """Yield the devices that run the same program, as indices, with that program's shape."""
    programs: dict[GraphOptions, list[int]] = {}
    for index, soc in enumerate(socs):
        options = graph_options(result.scenario, soc, soc.stack(result.stack))
        programs.setdefault(options, []).append(index)
    own = graph_options(result.scenario, result.soc, result.soc.stack(result.stack))
    for options, members in programs.items():
        run = result if options == own else _again(result, socs[members[0]], engine)
        yield members, _Shape.of(run)


def _columns(found: Sequence[Mapping[str, float]]) -> MetricColumns:
    return {name: np.array([metrics[name] for metrics in found]) for name in found[0]}


def _again(result: Result, soc: SocSpec, engine: Engine = "auto") -> Result:
    return simulate(result.scenario, engine=engine, seed=result.seed, soc=soc)


def _is_steady(result: Result) -> bool:
    """Return whether the steps of a run follow each other at nominal rates, weights in DRAM."""
    spans = [span for times in result.groups for span in times.spans]
    nominal = all(span.conditions == NOMINAL and not span.changes for span in spans)
    clients = {turn.client for turn in result.session.turns}
    never_mapped = result.scenario.environment.over_budget == "stop"
    return nominal and len(clients) == 1 and never_mapped


def _is_ended_or_slowed(run: Result) -> bool:
    """Return whether memory or the governor interferes in a run that was priced without either."""
    heat = run.heat
    return not run.fits or bool(is_hot(run.soc, heat.hottest_body_c, heat.hottest_die_c))


def is_hot(soc: SocSpec, body_c: Any, die_c: Any) -> NDArray[np.bool_]:
    """Return which temperatures reach a trip of one of the governors."""
    body, die = soc.thermal.governor, soc.thermal.die_governor
    hot = np.asarray(body_c) >= body.trip_c[0].value
    return np.asarray(hot | (np.asarray(die_c) >= die.trip_c.value) if die else hot)


@dataclass(frozen=True)
class _Shape:
    """A program, ready to be priced on many devices.

    Attributes
    ----------
    run
        The run of the program on one of the devices.
    distinct, step_of
        Each group cut to steps that differ, and for every step which of them it is.
    merged
        Each group with its operators merged.
    """

    run: Result
    distinct: tuple[StepGroup, ...]
    step_of: tuple[NDArray[np.int64], ...]
    merged: tuple[StepGroup, ...]

    @classmethod
    def of(cls, run: Result) -> _Shape:
        """Return the shape of a run's program."""
        pairs = [_distinct(group) for group in run.program.groups]
        return cls(
            run=run,
            distinct=tuple(group for group, _ in pairs),
            step_of=tuple(step_of for _, step_of in pairs),
            merged=tuple(_merged(group) for group in run.program.groups),
        )

    def metrics(self, socs: Sequence[SocSpec]) -> list[dict[str, float]]:
        """Return the metrics on each device."""
        pricings = [Pricing(soc, soc.stack(self.run.stack)) for soc in socs]
        seconds = [_stacked_seconds(pricings, group) for group in self.distinct]
        runs = [self._result(soc, [column[i] for column in seconds]) for i, soc in enumerate(socs)]
        return [_numbers(_again(run, run.soc) if _is_ended_or_slowed(run) else run) for run in runs]

    def makespans_s(self, socs: Sequence[SocSpec]) -> FloatColumn:
        """Return the makespan on each device at nominal rates [s]."""
        pricings = [Pricing(soc, soc.stack(self.run.stack)) for soc in socs]
        now_s = np.zeros((len(socs), 1))
        ahead_s = start_s = now_s
        for group, distinct, step_of in zip(self.merged, self.distinct, self.step_of, strict=True):
            durations_s = _stacked_seconds(pricings, distinct)[:, step_of]
            if group.images_needed is None:
                start_s = np.maximum(now_s, group.at_s)
                now_s = start_s + durations_s.sum(axis=1, keepdims=True)
            else:
                needed = group.images_needed
                now_s = step_ends_beside(ahead_s, durations_s, needed, start_s)[:, -1:]
            ahead_s = durations_s
        return now_s[:, 0]

    def _result(self, soc: SocSpec, seconds: Sequence[FloatColumn]) -> Result:
        groups: list[GroupTimes] = []
        now_s = 0.0
        for group, distinct_s, step_of in zip(self.merged, seconds, self.step_of, strict=True):
            durations_s = distinct_s[step_of]
            if group.images_needed is None:
                ends_s = step_starts(durations_s, max(now_s, group.at_s)) + durations_s
            else:
                ahead_s = groups[-1].ends_s - groups[-1].starts_s
                begun_s = groups[-1].start_s
                ends_s = step_ends_beside(ahead_s, durations_s, group.images_needed, begun_s)
            groups.append(GroupTimes(group, ends_s - durations_s, ends_s))
            now_s = groups[-1].end_s
        held = self.run.ledger.holding("runtime", runtime_bytes(soc.stack(self.run.stack)))
        ledger = replace(held, budget_bytes=budget_bytes(self.run.scenario, soc))
        return replace(self.run, soc=soc, groups=tuple(groups), ledger=ledger, observed=None)


def _numbers(result: Result) -> dict[str, float]:
    metrics = {"reply_s": result.makespan_s, **result.metrics()}
    return {name: np.nan if value is None else float(value) for name, value in metrics.items()}


def _distinct(group: StepGroup) -> tuple[StepGroup, NDArray[np.int64]]:
    """Return a group without repeated steps, and for every step its place there."""
    narrow = narrowed(group)
    columns = [getattr(task, name) for task, _ in narrow.tasks() for name in COLUMN_NAMES]
    varying = [column for column in columns if column.shape[0] == group.steps]
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


def _merged(group: StepGroup) -> StepGroup:
    """Return a group with one operator for each kind of arithmetic, of the same totals per step."""
    alike: dict[tuple[str, str, int], list[tuple[Task, int]]] = {}
    for task, repeat in group.tasks():
        kind = (task.unit, task.activations, task.operand_bits)
        alike.setdefault(kind, []).append((task, repeat))
    tasks = tuple(_summed(members) for members in alike.values())
    return replace(group, segments=(ProgramSegment("merged", 1, tasks),))


def _summed(members: Sequence[tuple[Task, int]]) -> Task:
    totals = {
        name: sum(repeat * task.runs * getattr(task, name) for task, repeat in members)
        for name in COLUMN_NAMES
    }
    like, _ = members[0]
    return like.with_columns(**(totals | {"runs": 1.0}))


def _stacked_seconds(pricings: Sequence[Pricing], group: StepGroup) -> NDArray[np.float64]:
    """Return the seconds of each step on each device, shape (devices, steps)."""
    timed = [pricing.group(group) for pricing in pricings]
    alike: dict[object, list[int]] = {}
    for index, one in enumerate(timed):
        layout = (one.buffers, tuple((part.repeat, len(part.tasks)) for part in one.segments))
        alike.setdefault(layout, []).append(index)
    seconds = np.empty((len(pricings), group.steps))
    for members in alike.values():
        side_by_side = _side_by_side([timed[i] for i in members])
        seconds[members] = step_seconds(side_by_side).reshape(len(members), group.steps)
    return seconds


def _side_by_side(groups: Sequence[TimedGroup]) -> TimedGroup:
    """Return groups of one layout as one group with all their steps."""
    steps = groups[0].steps
    segments = tuple(
        TimedSegment(
            parts[0].name,
            parts[0].repeat,
            tuple(
                _joined(tasks, steps) for tasks in zip(*(part.tasks for part in parts), strict=True)
            ),
        )
        for parts in zip(*(group.segments for group in groups), strict=True)
    )
    return replace(groups[0], steps=steps * len(groups), segments=segments)


def _joined(tasks: Sequence[TimedTask], steps: int) -> TimedTask:
    """Return one task over all steps; of its times only what the engine reads is kept."""

    def column(name: str) -> NDArray[Any]:
        parts = [getattr(task, name) for task in tasks]
        joined = np.concatenate(parts)
        return joined if len(joined) == steps * len(tasks) else np.repeat(joined, steps)

    fetch_s, busy_s = column("fetch_s"), column("busy_s")
    return replace(
        tasks[0],
        tiles=column("tiles"),
        tile_bytes=fetch_s,
        rate_bytes_per_s=np.ones_like(fetch_s),
        compute_s=busy_s,
        launch_s=np.zeros_like(busy_s),
    )
