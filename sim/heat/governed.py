"""Phones under their governors over time, as columns over runs; one phone is a column of one.

Between two instants at which a clock may change, powers stay as they are and the lumps are advanced
exactly. Leakage follows the die's temperature at the start of each such piece. The body is read
once per period; die and mean power are polled where a poll can move something
(`sim.heat.die_sensor`, `sim.heat.budget_meter`).
"""

from __future__ import annotations

import numpy as np

from hw_models.laws import Numbers
from hw_models.thermal import Columns, Levels
from sim.heat.budget_meter import BudgetMeter
from sim.heat.columns import BODY, DIE, SPREADER, HeatColumns
from sim.heat.die_sensor import DieSensor
from sim.heat.polls import Mask


class GovernedHeat:
    """Temperatures, governors, and what they have reached; every column has shape (runs,).

    Attributes
    ----------
    now_s
        How far each run has come [s].
    temperatures_c
        Of die, spreader and body, shape (lumps, runs) [C].
    skin_c
        Of the spot of the skin that the body's governor reads, where it reads one [C].
    level
        How far the body's governor has gone.
    die, budget
        The governors of die and mean power.
    clock
        Fraction of the full clock that all leave.
    hottest_body_c, hottest_die_c, highest_mean_w, lowest_clock
        The highest and lowest so far [C, W].
    leakage_j
        Energy of leakage so far [J].
    """

    def __init__(self, heat: HeatColumns, runs: int) -> None:
        self.heat = heat
        self.now_s = np.zeros(runs)
        self.temperatures_c = heat.at_rest_c(runs)
        self.skin_c = self.temperatures_c[SPREADER]
        self.level = np.zeros(runs, dtype=np.int64)
        self.die, self.budget = DieSensor(heat, runs), BudgetMeter(heat, runs)
        self.clock = self.lowest_clock = np.ones(runs)
        self.hottest_die_c, self.hottest_body_c = self.temperatures_c[[DIE, BODY]]
        self.highest_mean_w = self.budget.mean_w
        self.leakage_j = np.zeros(runs)
        self._is_latched = np.zeros(runs, dtype=np.bool_)
        self._readings = np.ones(runs)
        self._leakage_w: Columns | None = None
        self._steady: tuple[Columns, Columns] | None = None

    def begin(self, mean_w: Numbers, spent: Levels) -> None:
        """Begin with a running mean of the power [W] and a state of the budget, shape (runs,)."""
        self.budget.mean_w, self.budget.state = mean_w + np.zeros(len(spent)), spent
        self.highest_mean_w = self.budget.mean_w
        self._set_clocks(np.ones(len(spent), dtype=np.bool_))

    @property
    def leakage_w(self) -> Columns:
        """Leakage at the temperature of the die [W]."""
        if self._leakage_w is None:
            self._leakage_w = self.heat.leakage_w(self.temperatures_c[DIE])
        return self._leakage_w

    @property
    def reading_s(self) -> Columns:
        """When the body is read next [s]."""
        return self._readings * self.heat.governors.period_s

    def die_w(self, other_w: Columns) -> Columns:
        """Return the power of the die, given that of all but leakage and idle parts [W]."""
        return self.heat.die_w(self.leakage_w, other_w)

    def due_s(self, die_w: Columns, horizon_s: Columns | float = np.inf) -> Columns:
        """Return when clocks may change next while the die takes constant power [s].

        That is at the next reading, at a poll that matters, or at ``horizon_s``.
        """
        horizon_s = np.minimum(self.reading_s, horizon_s)
        polled_s = self.die.due_s(self.now_s, horizon_s, self.temperatures_c, self._steady_c(die_w))
        metered_s = self.budget.due_s(self.now_s, die_w + self.heat.display_w)
        return np.minimum(np.minimum(horizon_s, polled_s), metered_s)

    def _steady_c(self, die_w: Columns) -> Columns:
        """Return where the lumps are on their way to; the last answer is kept [C]."""
        if self._steady is None or self._steady[0] is not die_w:
            self._steady = die_w, self.heat.steady_c(die_w)
        return self._steady[1]

    def flow(self, to_s: Columns, die_w: Columns) -> None:
        """Let heat flow until an instant of each run, at the power of the die [s, W]."""
        dt_s = to_s - self.now_s
        self.leakage_j = self.leakage_j + self.leakage_w * dt_s
        self.budget.flow(die_w, dt_s)
        self.highest_mean_w = np.maximum(self.highest_mean_w, self.budget.mean_w)
        if self.heat.has_skin:
            self.skin_c = self.heat.skin_c(self.skin_c, self.temperatures_c, die_w, dt_s)
        final_c = self._steady_c(die_w)
        self.temperatures_c = self.heat.chain.towards(self.temperatures_c, final_c, dt_s)
        self._leakage_w = None
        self.hottest_body_c = np.maximum(self.hottest_body_c, self.temperatures_c[BODY])
        self.hottest_die_c = np.maximum(self.hottest_die_c, self.temperatures_c[DIE])
        self.now_s = to_s

    def poll(self, other_w: Columns, asked: Mask) -> Mask:
        """Let sensors read that are due by now, and set clocks; return the runs that were set.

        ``asked`` are the runs at the instant that `due_s` named for them; ``other_w`` as in
        `die_w`.
        """
        if not asked.any():
            return asked
        reads = asked & (self.now_s >= self.reading_s)
        if reads.any():
            self._readings = self._readings + reads
            read = self.heat.governors.read(self.level, self.temperatures_c[BODY], self.skin_c)
            self.level = np.where(reads, read, self.level)
        moved: Mask = reads | self.die.poll(self.now_s, self.temperatures_c[DIE], asked)
        taken_w = self.die_w(other_w) + self.heat.display_w
        moved = moved | self.budget.poll(self.now_s, taken_w, asked)
        if moved.any():
            self._is_latched |= moved & (self.hottest_die_c >= self.heat.governors.latch_c)
            self._set_clocks(moved)
        return moved

    def _set_clocks(self, moved: Mask) -> None:
        """Set the clocks of runs whose governors moved."""
        states = self.level, self.die.state, self.budget.state, self._is_latched
        self.clock = np.where(moved, self.heat.governors.clock(*states), self.clock)
        self.lowest_clock = np.minimum(self.lowest_clock, self.clock)
