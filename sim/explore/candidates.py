"""Settings that a sizing looked at, what each gives, and what it gives up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.explore.targets import Target
from workloads.scenario import Scenario, with_override

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


def _undominated(gains: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows no other row beats: at least as good everywhere, better somewhere."""
    finite = np.maximum(gains, -1e300)
    as_good = (finite[:, None] >= finite[None]).all(axis=2)
    better = (finite[:, None] > finite[None]).any(axis=2)
    beaten: NDArray[np.bool_] = np.any(as_good & better, axis=0)
    return np.logical_not(beaten)
