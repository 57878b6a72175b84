"""Which polls of the die matter: those that may change the state of its governor.

While the power stays as it is, the temperature at the polls to come is known. So the first one at
the trip is looked up, and all before it are left out.
"""

from __future__ import annotations

import math

import numpy as np

from hw_models.thermal import Columns, ceiling_c
from sim.heat.columns import DIE, HeatColumns

SAME_INSTANT = 1e-9
"""Polls nearer than this share of a period are the same."""


class DieSensor:
    """Polls the die of one phone.

    Attributes
    ----------
    state
        How many clock fractions down the die has pushed the clock, shape (1,).
    """

    def __init__(self, heat: HeatColumns) -> None:
        self._heat = heat
        self._trip_c = float(heat.governors.die_trip_c[0])
        self._period_s = float(heat.governors.die_period_s[0])
        self._before_c = np.array([-np.inf])
        self._due_s = math.inf
        self.state = np.zeros(1, dtype=np.int64)

    def next_poll_s(self, now_s: float) -> float:
        """Return the first instant of the grid after ``now_s`` [s]."""
        return (math.floor(now_s / self._period_s + SAME_INSTANT) + 1) * self._period_s

    def due_s(
        self, now_s: float, horizon_s: float, temperatures_c: Columns, die_w: Columns
    ) -> float:
        """Return the next poll until ``horizon_s`` that may change the state, else infinity [s]."""
        self._due_s = math.inf
        first_s = self.next_poll_s(now_s)
        if first_s > horizon_s:
            return math.inf
        if self.state[0]:
            self._due_s = first_s
        elif ceiling_c(temperatures_c, self._heat.steady_c(die_w))[DIE, 0] >= self._trip_c:
            first = round(first_s / self._period_s)
            last = math.floor(horizon_s / self._period_s + SAME_INSTANT)
            polls_s = np.arange(first, last + 1, dtype=np.float64) * self._period_s
            course_c = self._heat.advance(temperatures_c, die_w, polls_s - now_s)
            hot_s = polls_s[course_c[DIE] >= self._trip_c]
            self._due_s = float(hot_s[0]) if hot_s.size else math.inf
        return self._due_s

    def is_due(self, at_s: float) -> bool:
        """Return whether the poll announced last takes place by ``at_s``."""
        return at_s >= self._due_s

    def poll(self, die_c: Columns) -> bool:
        """Read the die [C] and return whether the state moved.

        Of the polls left out it is known only that the die was below its trip.
        """
        before = self.state
        self.state = self._heat.governors.poll(before, die_c, self._before_c)
        self._before_c = die_c if self.state[0] else np.array([-np.inf])
        return bool(self.state[0] != before[0])
