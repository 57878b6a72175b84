"""Rows of a sweep: points in, one row of metrics each out, whatever evaluates them.

Points that differ only in token counts go through `sim.explore.sweep_batch` together, all others
through `sim.simulate`; both give the same numbers. A point whose scenario breaks a rule becomes a
row with the message in `error` and no metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.assumed import device_of
from sim.errors import SimError
from sim.explore.designs import TOKEN_PATHS, Range, SweepSpec
from sim.explore.sweep_batch import MAX_CONTEXTS, Batch, is_batchable
from sim.explore.sweep_verdicts import judged
from sim.fingerprint import fingerprints
from sim.metrics import metric_columns
from sim.planning import running
from sim.simulation import simulate
from workloads.errors import WorkloadError
from workloads.scenario import Scenario

RAN: dict[str, type] = {"device": str, "stack": str}
"""What ran, in each row; an axis of the same name stands in its place."""
SAID: dict[str, type] = {"warnings": str, "fingerprint": str, "error": str}
"""What is said of each row; warnings a line each."""
MOST_AT_ONCE = 4096
"""Most points of a pass: what a stopped sweep may lose."""
RULE_BREAKS = (WorkloadError, HardwareError, SimError)

Row = dict[str, Any]


def evaluate(spec: SweepSpec, start: int, stop: int) -> list[Row]:
    """Return the rows of points `start` to `stop`, in order."""
    points = spec.rows(start, stop)
    rows: list[Row] = [{} for _ in points]
    structures: dict[str, list[int]] = {}
    for index, values in enumerate(points):
        structures.setdefault(_structure(spec, values), []).append(index)
    for members in structures.values():
        for index, metrics in _structure_rows(spec, [(i, points[i]) for i in members]):
            rows[index] = metrics
    names = list(spec.paths)
    kinds = list(axis_types(spec).values())
    shown = [list(map(_cell, values, kinds)) for values in points]
    axes = [dict(zip(names, cells, strict=True)) for cells in shown]
    return [values | row | values for values, row in zip(axes, rows, strict=True)]


def rows_at_once(spec: SweepSpec) -> int:
    """Return how many points in a row one pass evaluates; 1 where each is simulated by itself."""
    try:
        first = Scenario.from_mapping(spec.mapping(spec.rows(0, 1)[0]), "scenario")
        shares = not spec.targets and is_batchable(first)
    except RULE_BREAKS:
        shares = False
    return min(spec.rows_alike, MOST_AT_ONCE) if shares else 1


def _structure(spec: SweepSpec, values: Sequence[Any]) -> str:
    """Return what must be equal for two points to share a pass."""
    pairs = zip(spec.paths, values, strict=True)
    return repr([value for path, value in pairs if path not in TOKEN_PATHS])


def _structure_rows(
    spec: SweepSpec, members: Sequence[tuple[int, Sequence[Any]]]
) -> Iterator[tuple[int, Row]]:
    """Yield the row of each member: in one pass where that is possible, else one by one."""
    try:
        base = Scenario.from_mapping(spec.mapping(members[0][1]), "scenario")
        rows = {}
        if len(members) > 1 and not spec.targets and is_batchable(base):
            soc = running(base, device_of(base))
            tokens = _tokens(spec, [values for _, values in members], base)
            if soc.stack(base.stack).prompt_graph is None:  # else its first decode steps differ
                rows = _batch_rows(base, soc, tokens, spec.seed)
    except RULE_BREAKS:
        rows = {}  # one of them may be at fault alone: each gets its own verdict
    for place, (index, values) in enumerate(members):
        yield index, rows[place] if place in rows else _own_row(spec, values)


def _tokens(
    spec: SweepSpec, points: Sequence[Sequence[Any]], base: Scenario
) -> list[tuple[int, int]]:
    """Return the prompt and output tokens of points, checked as a scenario checks them."""
    places = {path: place for place, path in enumerate(spec.paths)}
    columns = []
    for path in TOKEN_PATHS:
        own = getattr(base.session.turns[0], path.rpartition(".")[2])
        column = [own if path not in places else values[places[path]] for values in points]
        for count in column:
            if type(count) is not int or count <= 0:
                raise SimError(f"{path} must be a whole number above 0. Got {count!r}.")
        columns.append(column)
    return list(zip(*columns, strict=True))


def _batch_rows(
    base: Scenario, soc: SocSpec, tokens: Sequence[tuple[int, int]], seed: int
) -> dict[int, Row]:
    """Return the rows a batch can give, by place; those it does not know are left out."""
    prompts, outputs = np.array(tokens, dtype=np.int64).T
    batch = Batch(base, soc, prompts, outputs)
    if batch.contexts > MAX_CONTEXTS or batch.outgrown().any():
        return {}
    columns = metric_columns(batch.facts)
    names = fingerprints(base, soc, tokens, seed)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    warned = batch.warnings()
    ran = {"device": soc.id, "stack": base.stack or soc.default_stack}
    return {
        place: dict(zip(columns, row, strict=True))
        | ran
        | {"warnings": _joined(warned[place]), "fingerprint": name, "error": None}
        for place, (row, name) in enumerate(zip(rows, names, strict=True))
        if columns["fits"][place]
    }


def _own_row(spec: SweepSpec, values: Sequence[Any]) -> Row:
    """Return the row of one point, simulated by itself."""
    try:
        scenario = Scenario.from_mapping(spec.mapping(values), "scenario")
        result = simulate(scenario, seed=spec.seed)
    except RULE_BREAKS as error:
        return {"fingerprint": None, "error": str(error)}
    said = judged(spec, result) if spec.targets else {}
    ran = {"device": result.soc.id, "stack": result.stack, "warnings": _joined(result.warnings)}
    return result.metrics() | said | ran | {"fingerprint": result.fingerprint, "error": None}


def _joined(warnings: Sequence[str]) -> str | None:
    return "\n".join(warnings) or None


def _cell(value: Any, kind: type) -> Any:
    """Return a value as the column of its axis holds it: what is no text becomes JSON in one."""
    return value if kind is not str or isinstance(value, str) else json.dumps(value, default=str)


def axis_types(spec: SweepSpec) -> dict[str, type]:
    """Return the type of each axis' column: bool, int, float, or text for all else and mixtures."""
    return {path: _axis_type(axis) for path, axis in spec.axes.items()}


def _axis_type(axis: tuple[Any, ...] | Range) -> type:
    values = (axis.at(0.0), axis.at(0.5), axis.at(1.0)) if isinstance(axis, Range) else axis
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return float if float in kinds else int
    return bool if kinds == {bool} else str
