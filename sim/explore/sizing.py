"""Sizing: which deployments meet the targets, what the trade is, and what stands in the way.

Free knobs are dotted paths with values in order of preference, the least painful first, since what
a format or a smaller image costs in answer quality is not modelled. Small spaces are enumerated,
large ones searched by differential evolution (Storn and Price 1997, scipy).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from sim.explore.targets import Target, slacks
from sim.metrics import known_metrics
from workloads.scenario import Scenario, with_override

MAX_ENUMERATED = 2_000
"""Largest space that is enumerated; beyond, it is searched."""

MAX_SCANNED = 200
"""Most values of one knob that are all tried to find the largest; beyond, they are bisected."""

SEARCH_GENERATIONS = 40
SEARCH_POPULATION = 15
"""Of the search, the population for each knob; both moderate, since each member is a run."""

UNREACHED = 10.0
"""Miss that stands for a metric without a value, as a share of the limit."""

CONCESSION = 1e-3
"""Miss that all concessions together weigh as much as in the search: they only break ties."""

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
    concessions
        Sum over the knobs of how far down its list of preferences each value stands.
    slacks
        Distance to each target, as a share of its limit; negative where it is missed.
    meets
        Whether every target is met and the run fits in memory.
    """

    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    concessions: int
    slacks: tuple[float, ...]
    meets: bool

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
        """Candidates that meet every target, fewest concessions first, then most slack."""
        good = [candidate for candidate in self.candidates if candidate.meets]
        return sorted(good, key=lambda found: (found.concessions, -min(found.slacks)))

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

        def missed(target: Target, found: Candidate) -> bool:
            return not target.is_met(found.metrics[target.metric])

        never = [t for t in self.targets if all(missed(t, found) for found in self.candidates)]
        return never or [t for t in self.targets if missed(t, self.closest[0])]


def size(base: Mapping[str, Any], knobs: Knobs, targets: Sequence[Target], seed: int = 0) -> Sizing:
    """Return which settings of the knobs meet the targets.

    Parameters
    ----------
    base
        Scenario as a mapping.
    """

    def tried(place: Place) -> Candidate | None:
        return _candidate_at(place, base, knobs, targets, seed)

    if math.prod(len(values) for values in knobs.values()) <= MAX_ENUMERATED:
        return _answer(targets, list(map(tried, _every_place(knobs))), exact=True)
    looks = _searched(tried, knobs, UNREACHED * len(targets), seed)
    return _answer(targets, looks, exact=False)


def largest(
    base: Mapping[str, Any],
    path: str,
    values: Sequence[Any],
    targets: Sequence[Target],
    seed: int = 0,
) -> Sizing:
    """Return the answer for one knob whose last values are preferred: `meeting` starts with it.

    Few values are all tried. Many are bisected: a value that meets the targets is then taken to
    imply that all smaller ones do, as holds for tokens and image sides against times and bytes.
    """
    preferred = values[::-1]
    exact = len(values) <= MAX_SCANNED

    def tried(index: int) -> Candidate | None:
        return _candidate_at((index,), base, {path: preferred}, targets, seed)

    count = len(preferred)
    looks = list(map(tried, range(count))) if exact else _bisected(tried, count)
    return _answer(targets, looks, exact)


def _answer(targets: Sequence[Target], looks: Sequence[Candidate | None], exact: bool) -> Sizing:
    found = tuple(candidate for candidate in looks if candidate is not None)
    return Sizing(tuple(targets), found, len(looks) - len(found), exact)


def _bisected(tried: Callable[[int], Candidate | None], count: int) -> list[Candidate | None]:
    """Return what was tried on the way to the first of ``count`` places that meets."""
    looks, low, high = [], 0, count - 1
    while low <= high:
        middle = (low + high) // 2
        found = tried(middle)
        looks.append(found)
        if found is not None and found.meets:
            high = middle - 1
        else:
            low = middle + 1
    return looks


def default_knobs(scenario: Scenario) -> dict[str, tuple[Any, ...]]:
    """Return what a sizing may change if the question does not say: formats, cache, images."""
    keeps = [{"policy": "none"}, *({"policy": "okv", "keep": keep} for keep in (0.5, 0.25))]
    knobs: dict[str, tuple[Any, ...]] = {
        "deployment.weights.body": ("w8", "w4_g128", "w4", "w3", "w2"),
        "deployment.kv_cache.dtype": ("int16", "int8", "int4"),
        "deployment.kv_cache.eviction": tuple(keeps),
    }
    if any(turn.images_px for turn in scenario.session.turns):
        knobs["deployment.images.max_size_px"] = (733, 588, 448)
    if scenario.deployment.lora is not None:
        knobs["deployment.lora.rank"] = (64, 32, 16, 8)
    return knobs


def _every_place(knobs: Knobs) -> list[Place]:
    return list(np.ndindex(*(len(values) for values in knobs.values())))


def _candidate_at(
    place: Place, base: Mapping[str, Any], knobs: Knobs, targets: Sequence[Target], seed: int
) -> Candidate | None:
    """Return the candidate at a place, or none where that is no valid scenario."""
    settings = {
        path: values[index] for (path, values), index in zip(knobs.items(), place, strict=True)
    }
    spec = SweepSpec(base=base, axes={p: (value,) for p, value in settings.items()}, seed=seed)
    [row] = evaluate(spec, 0, 1)
    if row["error"] is not None:
        return None
    metrics = {name: row[name] for name in known_metrics()}
    return _candidate(settings, metrics, sum(place), targets)


def _candidate(
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    concessions: int,
    targets: Sequence[Target],
) -> Candidate:
    met = all(target.is_met(metrics[target.metric]) for target in targets)
    return Candidate(
        settings, metrics, concessions, slacks(targets, metrics), met and bool(metrics["fits"])
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
