"""The die's passive trip: polled on a fixed grid, one clock fraction up or down per poll.

A die heats within seconds, a body within minutes, so this is what slows the first minute of a hot
run. Polls that cannot change anything are left out: the temperature at the polls to come is known
while the power stays as it is.

Not modelled: several sensors on the die and hot spots between them, and emergency limits of the
hardware itself.
"""

from __future__ import annotations

import math

import numpy as np

from hw_models.schema import DieGovernor
from hw_models.thermal import RcChain, Vector, clock_fraction, next_state

Powers = tuple[float, float, float]
"""Heat into die, spreader and body [W]."""

DIE = 0
SAME_INSTANT = 1e-9
"""Polls nearer than this share of a period are the same."""


class DieSensor:
    """Polls the die of one phone.

    Parameters
    ----------
    governor
        ``None``: nothing ever happens.

    Attributes
    ----------
    level
        How many clock fractions down the die has pushed the clock.
    """

    def __init__(self, governor: DieGovernor | None, chain: RcChain, ambient_c: float) -> None:
        self._chain, self._ambient_c = chain, ambient_c
        self._trip_c = governor.trip_c.value if governor else math.inf
        self._hysteresis_c = governor.hysteresis_c.value if governor else 0.0
        self._period_s = governor.sensor_period_s.value if governor else math.inf
        self._fractions = [item.value for item in governor.clock_fraction] if governor else []
        self._before_c = -math.inf
        self._due_s = math.inf
        self.level = 0

    @property
    def clock(self) -> float:
        """The fraction of the full clock that is left."""
        return clock_fraction(self.level, self._fractions)

    def next_poll_s(self, now_s: float) -> float:
        """Return the first instant of the grid after ``now_s`` [s]."""
        return (math.floor(now_s / self._period_s + SAME_INSTANT) + 1) * self._period_s

    def due_s(
        self, now_s: float, horizon_s: float, temperatures_c: Vector, powers_w: Powers
    ) -> float:
        """Return the next poll until ``horizon_s`` that may change the level, else infinity [s]."""
        self._due_s = math.inf
        first_s = self.next_poll_s(now_s)
        if first_s > horizon_s:
            return math.inf
        ceiling_c = self._chain.ceiling_c(temperatures_c, powers_w, self._ambient_c)
        if self.level:
            self._due_s = first_s
        elif ceiling_c[DIE] >= self._trip_c:
            polls_s = self._polls_s(first_s, horizon_s)
            course_c = self._chain.course(
                temperatures_c, powers_w, polls_s - now_s, self._ambient_c
            )
            hot_s = polls_s[course_c[DIE] >= self._trip_c]
            self._due_s = float(hot_s[0]) if hot_s.size else math.inf
        return self._due_s

    def is_due(self, at_s: float) -> bool:
        """Return whether the poll announced last takes place by ``at_s``."""
        return at_s >= self._due_s

    def poll(self, die_c: float) -> bool:
        """Read the die [C] and return whether the level moved."""
        before, states = self.level, len(self._fractions)
        self.level = next_state(
            before, states, die_c, self._before_c, self._trip_c, self._hysteresis_c
        )
        self._before_c = die_c if self.level else -math.inf
        return self.level != before

    def _polls_s(self, first_s: float, horizon_s: float) -> Vector:
        first = round(first_s / self._period_s)
        last = math.floor(horizon_s / self._period_s + SAME_INSTANT)
        return np.arange(first, last + 1, dtype=np.float64) * self._period_s
