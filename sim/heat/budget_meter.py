"""When the running mean of a phone's power moves the state of its budget.

While the power stays as it is, the mean goes straight for it. So the first poll that moves the
state is known in closed form, and all before it are left out.
"""

from __future__ import annotations

import numpy as np

from hw_models import power
from hw_models.thermal import Columns, Levels
from sim.heat.columns import HeatColumns
from sim.heat.polls import SAME_INSTANT, Mask, next_poll_s


class BudgetMeter:
    """Keeps the running means of phones' power; all columns have shape (runs,).

    Attributes
    ----------
    state
        How many clock fractions down the budget has pushed the clock.
    mean_w
        Running mean of the power [W].
    """

    def __init__(self, heat: HeatColumns, runs: int) -> None:
        self._heat = heat
        self._is_free = not heat.governors.budget_states.any()
        self._never_s = self._due_s = np.full(runs, np.inf)
        self.mean_w = heat.resting_w() + np.zeros(runs)
        self.state: Levels = np.zeros(runs, dtype=np.int64)

    def due_s(self, now_s: Columns, power_w: Columns) -> Columns:
        """Return the next poll that moves the state at constant power, else infinity [s]."""
        self._due_s = self._never_s
        if self._is_free:
            return self._due_s
        reached_s = now_s + self._wait_s(power_w)
        is_reached = np.isfinite(reached_s)
        if is_reached.any():
            period_s = self._heat.governors.budget_period_s
            at_s = np.where(is_reached, reached_s, now_s)
            last_s = np.ceil(at_s / period_s - SAME_INSTANT) * period_s
            due_s = np.maximum(next_poll_s(now_s, period_s), last_s)
            self._due_s = np.where(is_reached, due_s, np.inf)
        return self._due_s

    def _wait_s(self, power_w: Columns) -> Columns:
        """Return the seconds until the mean is where a poll moves the state [s]."""
        limits, mean_w = self._heat.governors, self.mean_w
        floor_w = limits.budget_w - limits.budget_hysteresis_w
        rises = (power_w > limits.budget_w) & (self.state < limits.budget_states)
        falls = (power_w < floor_w) & (self.state > 0) & ~rises
        is_there = np.where(rises, mean_w >= limits.budget_w, mean_w < floor_w)
        limit_w = np.where(rises, limits.budget_w, floor_w)
        wait_s = power.reaches_s(mean_w, power_w, limit_w, limits.budget_constant_s)
        return np.where(rises | falls, np.where(is_there, 0.0, wait_s), np.inf)

    def flow(self, die_w: Columns, dt_s: Columns) -> None:
        """Let the devices take constant power, that of the die given, for ``dt_s`` [W, s]."""
        self.mean_w = self._heat.mean_w(self.mean_w, die_w, dt_s)

    def poll(self, now_s: Columns, power_w: Columns, asked: Mask) -> Mask:
        """Hold the means that are due among those asked against the budget; return who moved."""
        due = asked & (now_s >= self._due_s)
        if not due.any():
            return due
        before = self.state
        spent = self._heat.governors.spend(before, self.mean_w, power_w)
        self.state = np.where(due, spent, before)
        return np.asarray(self.state != before)
