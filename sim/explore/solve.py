"""How far one setting can go: the largest or smallest value that still meets every target.

From the scenario's own value the search doubles its stride until a value fails, then halves the
bracket. That is right where meeting a target at one value implies meeting it on the way there, as
holds for tokens, images and temperatures. The search does not take this on trust: values on both
sides of the limit are tried, and the answer says where the rule broke.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sim.errors import SimError
from sim.explore.scales import Scale

Goal = Literal["largest", "smallest"]

MOST_DOUBLINGS = 40
SAME_DOUBLINGS = 8
"""Where so many doublings change no metric, more will not either."""
UNCHANGED = 1e-2
"""From where on nothing changes is found to this share of itself."""
RESOLUTION = 1e-3
"""A limit that is no whole number is found to this share of its bracket."""
ALIKE = 1e-9
"""Relative difference of two metrics that counts as rounding."""
CHECKS = 3
"""Values tried on each side of the limit to see whether the rule of the search holds."""


@dataclass(frozen=True)
class Look:
    """What one value gives.

    Attributes
    ----------
    binding
        What fails at this value: a target, ``memory``, ``heat`` or a rule of the scenario in words;
        empty where everything is met.
    metrics
        Metrics by name; empty where the scenario breaks a rule.
    is_outside
        No scenario may say the value, whatever else it says.
    warnings
        What the run at this value warns of.
    """

    value: float
    binding: str
    metrics: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_outside: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def meets(self) -> bool:
        """Whether every target is met and the run fits in memory."""
        return not self.binding


@dataclass(frozen=True)
class Limit:
    """The answer: the last value that meets the targets, and what fails beyond it.

    Attributes
    ----------
    best
        The run at the limit; ``None`` where no value meets the targets.
    beyond
        The nearest value tried that fails; ``None`` where every value tried meets the targets.
    exceptions
        Values beyond the limit that meet the targets, or within it that do not; those that fall
        short of the first that meets them are none.
    same_from
        Where no limit binds: from this value on to the best one no metric changes.
    """

    scale: Scale
    goal: Goal
    best: Look | None
    beyond: Look | None
    exceptions: tuple[float, ...]
    looks: int
    same_from: float | None = None

    @property
    def binds(self) -> bool:
        """Whether something is in the way, rather than the end of what can be said or tried."""
        return self.beyond is not None and not self.beyond.is_outside

    @property
    def binding(self) -> str:
        """What stands in the way beyond the limit; empty where nothing was found that does."""
        return self.beyond.binding if self.beyond else ""


def solve(
    scale: Scale,
    goal: Goal,
    look: Callable[[float], Look],
    ends: tuple[float, float] | None = None,
) -> Limit:
    """Return how far a setting can go.

    Parameters
    ----------
    look
        Says what a value gives; called once for each value.
    ends
        The least and the greatest value of interest; the search looks no further.

    Raises
    ------
    SimError
        Where the ends leave no value.
    """
    search = _Search(scale, 1.0 if goal == "largest" else -1.0, look, ends)
    good, bad = search.bracket()
    if good is not None and bad is not None:
        good, bad = search.narrowed(good, bad)
    exceptions = search.exceptions(good, bad)
    return Limit(scale, goal, good, bad, exceptions, len(search.seen))


class _Search:
    """One search; ``sign`` turns the smallest value into the largest of the negated ones."""

    def __init__(
        self,
        scale: Scale,
        sign: float,
        look: Callable[[float], Look],
        ends: tuple[float, float] | None,
    ) -> None:
        self._scale, self._sign, self._look = scale, sign, look
        low, high = ends or (scale.least, np.inf)
        if low > high:
            raise SimError(f"{scale.name} must have ends in order. Got [{low:g}, {high:g}].")
        self._low, self._high = (low, high) if sign > 0 else (-high, -low)
        self.seen: dict[float, Look] = {}

    def at(self, place: float) -> Look:
        """Return what the value at a place gives, places ascending towards the goal."""
        value = self._scale.rounded(self._sign * place)
        if value not in self.seen:
            self.seen[value] = self._look(value)
        return self.seen[value]

    def place(self, look: Look) -> float:
        """Return where a look stands."""
        return self._sign * look.value

    def bracket(self) -> tuple[Look | None, Look | None]:
        """Return a value that meets the targets and one beyond it that does not, if there are."""
        start = self.at(min(max(self._sign * self._scale.start, self._low), self._high))
        if start.meets:
            return self._strides(start, 1.0, until_meets=False)
        bad, good = self._strides(start, -1.0, until_meets=True)
        if good is not None:
            return good, bad
        _, good = self._strides(start, 1.0, until_meets=True)
        return (None, bad) if good is None else self._strides(good, 1.0, until_meets=False)

    def _strides(self, start: Look, way: float, *, until_meets: bool) -> tuple[Look, Look | None]:
        """Return the last look of the start's kind and the first of the other, doubling strides."""
        last, stride, unchanged = start, abs(start.value) or 1.0, 0
        for _ in range(MOST_DOUBLINGS):
            place = min(max(self.place(last) + way * stride, self._low), self._high)
            if place == self.place(last):
                break
            found = self.at(place)
            if found.meets == until_meets:
                return last, found
            left_the_rules = bool(last.metrics) and not found.metrics
            if until_meets and left_the_rules:
                if stride <= self._least(start):
                    break  # the last is as far as the setting goes
                stride /= 2.0  # nearer values may still be allowed
                continue
            unchanged = unchanged + 1 if found.meets and _are_alike(found, last) else 0
            last, stride = found, 2.0 * stride
            if unchanged == SAME_DOUBLINGS:
                break
        return last, None

    def _least(self, start: Look) -> float:
        return self._scale.step or RESOLUTION * (abs(start.value) or 1.0)

    def narrowed(self, good: Look, bad: Look) -> tuple[Look, Look]:
        """Return the bracket halved until its ends are neighbours."""
        width = self.place(bad) - self.place(good)
        least = self._scale.step or RESOLUTION * width
        while self.place(bad) - self.place(good) > least * (1.0 + RESOLUTION):
            middle = self.at((self.place(good) + self.place(bad)) / 2.0)
            if middle in (good, bad):
                break
            good, bad = (middle, bad) if middle.meets else (good, middle)
        return good, bad

    def exceptions(self, good: Look | None, bad: Look | None) -> tuple[float, ...]:
        """Return the values that break the rule of the search, after trying some on each side."""
        places = [self.place(look) for look in self.seen.values() if look.metrics]
        if not places:
            return ()
        nearest = min(places) if np.isinf(self._low) else self._low
        strides_on = max(places) + 2.0 * (max(places) - min(places))
        farthest = strides_on if np.isinf(self._high) else self._high
        for end, far in ((good, nearest), (bad, farthest)):
            if end is not None and self.place(end) != far:
                for share in np.arange(1, CHECKS + 1) / CHECKS:
                    self.at(self.place(end) + float(share) * (far - self.place(end)))
        limit = self.place(good) if good is not None else -np.inf
        met = [self.place(look) for look in self.seen.values() if look.meets]
        first = min((place for place in met if place <= limit), default=-np.inf)
        broken = [
            look.value
            for look in self.seen.values()
            if look.metrics and self.place(look) >= first
            if look.meets != (self.place(look) <= limit)
        ]
        return tuple(sorted(broken))


def _are_alike(one: Look, other: Look) -> bool:
    """Return whether two runs have the same metrics."""
    if one.metrics.keys() != other.metrics.keys():
        return False
    return all(
        value == other.metrics[name]
        if not isinstance(value, float) or other.metrics[name] is None
        else abs(value - other.metrics[name]) <= ALIKE * abs(value)
        for name, value in one.metrics.items()
    )


def same_from(scale: Scale, look: Callable[[float], Look], best: Look) -> float | None:
    """Return the first value, to a hundredth, from which on no metric changes up to the best.

    ``None`` where the best value alone gives what it gives.
    """
    other, same = look(scale.start), best
    if other.meets and _are_alike(other, best):
        return other.value
    least = max(scale.step, UNCHANGED * abs(best.value - other.value))
    while abs(same.value - other.value) > least * (1.0 + RESOLUTION):
        middle = look(scale.rounded((same.value + other.value) / 2.0))
        if middle.meets and _are_alike(middle, best):
            same, least = middle, max(scale.step, UNCHANGED * abs(middle.value))
        else:
            other = middle
    return None if same is best else same.value
