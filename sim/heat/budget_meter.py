"""When the running mean of a phone's power moves the state of its budget.

While the power stays as it is, the mean goes straight for it. So the first poll that moves the
state is known in closed form, and all before it are left out.
"""

from __future__ import annotations

import math

import numpy as np

from hw_models import power
from hw_models.thermal import Columns
from sim.heat.columns import HeatColumns
from sim.heat.die_sensor import SAME_INSTANT


class BudgetMeter:
    """Keeps the running mean of one phone's power.

    Attributes
    ----------
    state
        How many clock fractions down the budget has pushed the clock, shape (1,).
    mean_w
        Running mean of the power [W], shape (1,).
    """

    def __init__(self, heat: HeatColumns) -> None:
        governors = heat.governors
        self._heat = heat
        self._budget_w, self._period_s, self._constant_s, self._hysteresis_w = (
            float(column[0])
            for column in (
                governors.budget_w,
                governors.budget_period_s,
                governors.budget_constant_s,
                governors.budget_hysteresis_w,
            )
        )
        self._states = int(governors.budget_states[0])
        self._due_s = math.inf
        self.mean_w = np.atleast_1d(heat.resting_w())
        self.state = np.zeros(1, dtype=np.int64)

    def due_s(self, now_s: float, power_w: float) -> float:
        """Return the next poll that moves the state at constant power, else infinity [s]."""
        self._due_s = math.inf
        if self._states:
            reached_s = now_s + self._wait_s(power_w)
            if reached_s < math.inf:
                first = math.floor(now_s / self._period_s + SAME_INSTANT) + 1
                polls = max(first, math.ceil(reached_s / self._period_s - SAME_INSTANT))
                self._due_s = polls * self._period_s
        return self._due_s

    def _wait_s(self, power_w: float) -> float:
        """Return the seconds until the mean is where a poll moves the state [s]."""
        mean_w, state = float(self.mean_w[0]), int(self.state[0])
        floor_w = self._budget_w - self._hysteresis_w
        if power_w > self._budget_w and state < self._states:
            is_there, limit_w = mean_w >= self._budget_w, self._budget_w
        elif power_w < floor_w and state:
            is_there, limit_w = mean_w < floor_w, floor_w
        else:
            return math.inf
        if is_there:
            return 0.0
        return power.reaches_s(mean_w, power_w, limit_w, self._constant_s)

    def is_due(self, at_s: float) -> bool:
        """Return whether the poll announced last takes place by ``at_s``."""
        return at_s >= self._due_s

    def flow(self, die_w: Columns, dt_s: float) -> None:
        """Let the device take constant power, that of the die given, for ``dt_s`` [W, s]."""
        self.mean_w = self._heat.mean_w(self.mean_w, die_w, dt_s)

    def poll(self, power_w: float) -> bool:
        """Hold the mean against the budget and return whether the state moved."""
        before = self.state
        self.state = self._heat.governors.spend(before, self.mean_w, np.array([power_w]))
        return bool(self.state[0] != before[0])
