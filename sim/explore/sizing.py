"""Sizing: which deployments meet the targets, what the trade is, and what stands in the way.

Free knobs are dotted paths with values in order of preference, the least painful first, since what
a format or a smaller image costs in answer quality is not modelled. Unless the question frees
others, they are how weights and cache are stored and what the cache forgets, each from what the
scenario has downwards: images, adapters and the model stay as they were asked for. Small spaces are
enumerated, large ones searched by differential evolution (Storn and Price 1997, scipy).

A setting meets the targets as in `sim.verdicts`, on the device's own numbers: at first, and in a
later minute of decoding without a pause.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sim.explore.candidates import UNREACHED, Candidate, Knobs, Place, Sizing
from sim.explore.searching import searched
from sim.explore.sweep_rows import RULE_BREAKS
from sim.explore.targets import Target
from sim.explore.uncertainty import nominal_metrics
from sim.explore.variants import MetricColumns
from sim.simulation import simulate
from sim.verdicts import MINUTES, later_values, meets_all
from workloads.scenario import Scenario, with_override

MAX_ENUMERATED = 2_000
"""Largest space that is enumerated; beyond, it is searched."""

SAME = 1e-9
"""Share up to which two values of a metric count as one."""


def size(
    base: Mapping[str, Any],
    knobs: Knobs,
    targets: Sequence[Target],
    seed: int = 0,
    minutes: int = MINUTES,
) -> Sizing:
    """Return which settings of the knobs meet the targets.

    Parameters
    ----------
    base
        Scenario as a mapping.
    minutes
        Minute of decoding without a pause that targets must hold for.
    """

    def tried(place: Place) -> Candidate | None:
        return _candidate_at(place, base, knobs, targets, seed, minutes)

    if math.prod(len(values) for values in knobs.values()) <= MAX_ENUMERATED:
        return _answer(targets, list(map(tried, _every_place(knobs))), exact=True)
    looks = searched(tried, knobs, UNREACHED * len(targets), seed)
    return _answer(targets, looks, exact=False)


def _answer(targets: Sequence[Target], looks: Sequence[Candidate | None], exact: bool) -> Sizing:
    found = tuple(candidate for candidate in looks if candidate is not None)
    return Sizing(tuple(targets), found, len(looks) - len(found), exact)


def _every_place(knobs: Knobs) -> list[Place]:
    return list(np.ndindex(*(len(values) for values in knobs.values())))


def _candidate_at(
    place: Place,
    base: Mapping[str, Any],
    knobs: Knobs,
    targets: Sequence[Target],
    seed: int,
    minutes: int,
) -> Candidate | None:
    """Return the candidate at a place, or none where that is no valid scenario."""
    settings = {
        path: values[index] for (path, values), index in zip(knobs.items(), place, strict=True)
    }
    mapping = dict(base)
    try:
        for path, value in settings.items():
            mapping = with_override(mapping, path, value)
        result = simulate(Scenario.from_mapping(mapping, "scenario"), seed=seed)
    except RULE_BREAKS:
        return None
    columns = nominal_metrics(result, minutes)
    met = all(bool(found[0]) for found in meets_all(targets, columns))
    steps = dict(zip(knobs, place, strict=True))
    later = {target.metric: _later(target.metric, columns) for target in targets}
    return Candidate(settings, result.metrics(), later, steps, _slacks(targets, columns), met)


def _later(metric: str, columns: MetricColumns) -> float | None:
    value = float(later_values(metric, columns)[0])
    return None if math.isnan(value) else value


def _slacks(targets: Sequence[Target], columns: MetricColumns) -> tuple[float, ...]:
    """Return the distance to each target, the lesser of that at first and that later."""
    return tuple(
        min(
            target.slack(float(values[0]))
            for values in (columns[target.metric], later_values(target.metric, columns))
        )
        for target in targets
    )


def changing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the metrics that are otherwise later than at first, in any of some settings.

    Parameters
    ----------
    rows
        Settings as plain data, each with its ``metrics`` and ``later``.
    """
    names = rows[0]["later"] if rows else ()
    return [
        name
        for name in names
        if any(not _is_same(row["metrics"][name], row["later"][name]) for row in rows)
    ]


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=SAME)
