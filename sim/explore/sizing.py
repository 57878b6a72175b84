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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.assumed import device_of
from sim.errors import SimError
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import RULE_BREAKS, evaluate
from sim.explore.targets import Target
from sim.explore.uncertainty import nominal_metrics
from sim.explore.variants import MetricColumns
from sim.planning import ACTIVATION_BITS, formats
from sim.simulation import simulate
from sim.verdicts import MINUTES, later_values, meets_all
from workloads.kv_cache import get_kv_format
from workloads.scenario import Scenario, with_override
from workloads.weight_formats import get_format

MAX_ENUMERATED = 2_000
"""Largest space that is enumerated; beyond, it is searched."""

SEARCH_GENERATIONS = 40
SEARCH_POPULATION = 15
"""Of the search, the population for each knob; both moderate, since each member is a run."""

UNREACHED = 10.0
"""Miss that stands for a metric without a value, as a share of the limit."""

SAME = 1e-9
"""Share up to which two values of a metric count as one."""

CONCESSION = 1e-3
"""Miss that all concessions together weigh as much as in the search: they only break ties."""

BODIES = ("w8", "w4_g128", "w4", "w3", "w2")
CACHES = ("int16", "int8", "int4")
KEEPS = (0.5, 0.25)
"""What a sizing steps down to: formats of the weights and of the cache, shares of it kept."""

Knobs = Mapping[str, Sequence[Any]]
Place = tuple[int, ...]
"""An index into each knob's values."""


@dataclass(frozen=True)
class Candidate:
    """One setting of the knobs and what it gives.

    Attributes
    ----------
    settings
        Value of each knob by dotted path.
    metrics
        Every metric of `sim.metrics.METRICS` by name.
    later
        What the metrics that targets bound are in the minute asked about, by name; ``None`` where
        the run has no such value.
    steps
        How far down its list of preferences each knob's value stands, by dotted path.
    slacks
        Distance to each target, as a share of its limit; negative where it is missed. The lesser of
        that at first and that in the minute asked about.
    meets
        Whether every target is met, at first and in that minute, and the run fits in memory.
    """

    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    later: Mapping[str, float | None]
    steps: Mapping[str, int]
    slacks: tuple[float, ...]
    meets: bool

    @property
    def concessions(self) -> int:
        """Steps down the lists of preferences, over all knobs."""
        return sum(self.steps.values())

    @property
    def given_up(self) -> dict[str, Any]:
        """The settings that are not the preferred ones."""
        return {path: self.settings[path] for path, step in self.steps.items() if step}

    @property
    def _mildness(self) -> tuple[int, int, float]:
        """What orders settings that meet: few steps, no long one, no more effect than is needed."""
        return self.concessions, max(self.steps.values(), default=0), min(self.slacks)

    @property
    def miss(self) -> float:
        """Sum of the shares by which targets are missed."""
        return sum(min(UNREACHED, -slack) for slack in self.slacks if slack < 0.0)

    def scenario(self, base: Mapping[str, Any]) -> Scenario:
        """Return the scenario of a mapping with these settings."""
        mapping = dict(base)
        for path, value in self.settings.items():
            mapping = with_override(mapping, path, value)
        return Scenario.from_mapping(mapping)


@dataclass(frozen=True)
class Sizing:
    """The answer to a sizing question.

    Attributes
    ----------
    candidates
        Every setting that was evaluated and is a valid scenario.
    failed
        Number of settings that are no valid scenario.
    exact
        Whether every setting was evaluated.
    """

    targets: tuple[Target, ...]
    candidates: tuple[Candidate, ...] = field(repr=False)
    failed: int
    exact: bool

    @property
    def meeting(self) -> list[Candidate]:
        """Candidates that meet every target, least concession first; among equals the mildest."""
        good = [candidate for candidate in self.candidates if candidate.meets]
        return sorted(good, key=lambda found: found._mildness)

    @property
    def closest(self) -> list[Candidate]:
        """All candidates, smallest total miss first, then fewest concessions."""
        return sorted(self.candidates, key=lambda found: (found.miss, found.concessions))

    @property
    def front(self) -> list[Candidate]:
        """Candidates that no other beats in every target at once, concessions counted as one."""
        if not self.candidates:
            return []
        gains = np.array([[*found.slacks, -found.concessions] for found in self.candidates])
        return [self.candidates[index] for index in np.flatnonzero(_undominated(gains))]

    @property
    def blocking(self) -> list[Target]:
        """Targets that no candidate meets; else, if none meets all, those the closest misses.

        None where memory alone stands in the way.
        """
        if not self.candidates or self.meeting:
            return []

        def missed(found: Candidate) -> list[Target]:
            pairs = zip(self.targets, found.slacks, strict=True)
            return [target for target, slack in pairs if not target.holds(slack)]

        by_all = set.intersection(*(set(missed(found)) for found in self.candidates))
        return [t for t in self.targets if t in by_all] or missed(self.closest[0])


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
    looks = _searched(tried, knobs, UNREACHED * len(targets), seed)
    return _answer(targets, looks, exact=False)


def _answer(targets: Sequence[Target], looks: Sequence[Candidate | None], exact: bool) -> Sizing:
    found = tuple(candidate for candidate in looks if candidate is not None)
    return Sizing(tuple(targets), found, len(looks) - len(found), exact)


def default_knobs(scenario: Scenario) -> dict[str, tuple[Any, ...]]:
    """Return what a sizing may change if the question does not say: formats and the cache.

    Each list begins with what the scenario has, or else its stack's default, and steps down.
    """
    soc = device_of(scenario)
    stored = formats(scenario, soc, soc.stack(scenario.stack))
    body, cache = stored.weights.format_for("body"), stored.kv
    lighter = (name for name in BODIES if get_format(name).traffic_bits < body.traffic_bits)
    if scenario.network is not None:
        own = stored.activations
        narrower = (n for n in ("int16", "int8") if ACTIVATION_BITS[n] < ACTIVATION_BITS[own])
        return {
            "deployment.weights.body": (body.id, *lighter),
            "deployment.activations": (own, *narrower),
        }
    smaller = (name for name in CACHES if get_kv_format(name).bits < cache.bits)
    return {
        "deployment.weights.body": (body.id, *lighter),
        "deployment.kv_cache.dtype": (cache.id, *smaller),
        "deployment.kv_cache.eviction": tuple(_evictions(scenario)),
    }


def _evictions(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """Yield the scenario's own policy, then the same one, or `okv`, that keeps less."""
    given = scenario.deployment.kv_cache.eviction
    named = {name: getattr(given, name, None) for name in ("policy", "keep")}
    own = {name: value for name, value in named.items() if value is not None}
    own |= given.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    yield own
    if own["policy"] != "none" and "keep" not in own:
        return
    policy = "okv" if own["policy"] == "none" else own["policy"]
    for keep in KEEPS:
        if keep < own.get("keep", 1.0):
            yield {**own, "policy": policy, "keep": keep}


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


def _searched(
    tried: Callable[[Place], Candidate | None], knobs: Knobs, invalid: float, seed: int
) -> list[Candidate | None]:
    """Return what differential evolution looks at, each place once.

    Parameters
    ----------
    invalid
        Miss of a place that is no valid scenario.
    """
    from scipy.optimize import differential_evolution

    looks: dict[Place, Candidate | None] = {}
    worst = max(1, sum(len(values) - 1 for values in knobs.values()))

    def miss(place: NDArray[np.float64]) -> float:
        at = tuple(round(index) for index in place.tolist())
        if at not in looks:
            looks[at] = tried(at)
        found = looks[at]
        if found is None:
            return invalid
        return found.miss + CONCESSION * found.concessions / worst

    differential_evolution(
        miss,
        bounds=[(0, len(values) - 1) for values in knobs.values()],
        integrality=[True] * len(knobs),
        maxiter=SEARCH_GENERATIONS,
        popsize=SEARCH_POPULATION,
        polish=False,
        rng=np.random.default_rng(seed),
    )
    return list(looks.values())


def _undominated(gains: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows no other row beats: at least as good everywhere, better somewhere."""
    finite = np.maximum(gains, -1e300)
    as_good = (finite[:, None] >= finite[None]).all(axis=2)
    better = (finite[:, None] > finite[None]).any(axis=2)
    beaten: NDArray[np.bool_] = np.any(as_good & better, axis=0)
    return np.logical_not(beaten)


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


def check_knobs(base: Mapping[str, Any], knobs: Knobs) -> None:
    """Refuse knobs without values, and knobs of which no value makes a valid scenario.

    Raises `SimError` with the knob and the first value's fault.
    """
    for path, values in knobs.items():
        if not values:
            raise SimError(f"--free {path} must have at least one value. Got none.")
        rows = evaluate(SweepSpec(base=base, axes={path: tuple(values)}), 0, len(values))
        if all(row["error"] for row in rows):
            raise SimError(f"{path} must have a valid value to be sized. Got {rows[0]['error']}")
