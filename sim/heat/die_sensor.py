"""Which polls of the die matter: those that may change the state of its governor.

While the power stays as it is, the temperature at the polls to come is known. So the first one at
the trip is looked up, and all before it are left out.
"""

from __future__ import annotations

import numpy as np

from hw_models.thermal import Columns, Levels, ceiling_c
from sim.heat.columns import DIE, HeatColumns
from sim.heat.polls import SAME_INSTANT, Mask, next_poll_s


class DieSensor:
    """Polls the dies of phones; all columns have shape (runs,).

    Attributes
    ----------
    state
        How many clock fractions down the die has pushed the clock.
    """

    def __init__(self, heat: HeatColumns, runs: int) -> None:
        self._heat = heat
        self._trip_c, self._period_s = heat.governors.die_trip_c, heat.governors.die_period_s
        self._is_blind = bool(np.isinf(self._period_s).all())
        self._never_s = self._due_s = np.full(runs, np.inf)
        self._before_c = np.full(runs, -np.inf)
        self.state: Levels = np.zeros(runs, dtype=np.int64)

    def due_s(
        self, now_s: Columns, horizon_s: Columns, temperatures_c: Columns, final_c: Columns
    ) -> Columns:
        """Return the next poll until ``horizon_s`` that may change the state, else infinity [s].

        ``final_c`` are the temperatures that the lumps are on their way to [C].
        """
        self._due_s = self._never_s
        if self._is_blind:
            return self._due_s
        first_s = next_poll_s(now_s, self._period_s)
        is_polled, is_down = first_s <= horizon_s, self.state > 0
        if (is_polled & is_down).any():
            self._due_s = np.where(is_polled & is_down, first_s, np.inf)
        may_trip = ceiling_c(temperatures_c, final_c)[DIE] >= self._trip_c
        searched = is_polled & ~is_down & may_trip
        if searched.any():
            found_s = self._first_at_trip_s(now_s, first_s, horizon_s, temperatures_c, final_c)
            self._due_s = np.where(searched, found_s, self._due_s)
        return self._due_s

    def _first_at_trip_s(
        self,
        now_s: Columns,
        first_s: Columns,
        horizon_s: Columns,
        temperatures_c: Columns,
        final_c: Columns,
    ) -> Columns:
        """Return the first poll from ``first_s`` on that finds the die at its trip [s]."""
        period_s = np.where(np.isfinite(self._period_s), self._period_s, 1.0)
        last = np.floor(horizon_s / period_s + SAME_INSTANT)
        first = np.round(np.where(np.isfinite(first_s), first_s, horizon_s) / period_s)
        polls_s = (first + np.arange(int((last - first).max()) + 1)[:, None]) * period_s
        course_c = self._heat.chain.course(DIE, temperatures_c, final_c, polls_s - now_s)
        hot = (course_c >= self._trip_c) & (polls_s <= (last + 0.5) * period_s)
        found_s = np.take_along_axis(polls_s, hot.argmax(axis=0)[None], axis=0)[0]
        return np.where(hot.any(axis=0), found_s, np.inf)

    def poll(self, now_s: Columns, die_c: Columns, asked: Mask) -> Mask:
        """Read the dies that are due among those asked [C]; return whose state moved.

        Of the polls left out it is known only that the die was below its trip.
        """
        due = asked & (now_s >= self._due_s)
        if not due.any():
            return due
        before = self.state
        polled = self._heat.governors.poll(before, die_c, self._before_c)
        self.state = np.where(due, polled, before)
        seen_c = np.where(self.state > 0, die_c, -np.inf)
        self._before_c = np.where(due, seen_c, self._before_c)
        return np.asarray(self.state != before)
