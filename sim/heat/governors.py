"""The governors that set the clock, as columns over runs; the lowest clock holds.

One reads the body, or a spot of the skin over the board, once per period and moves one level at
most. Another polls the die on a grid
of its own, one clock fraction up or down per poll: a die heats within seconds, a body within
minutes. A third holds the running mean of the device's power at its budget: a burst after a rest is
long, one after another burst short. A latch keeps a device slow whose die was too hot once. The
rules are those of `hw_models.thermal`.

Not modelled: several sensors on the die and hot spots between them, emergency limits of the
hardware itself, and governors that look ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import in_a_row
from hw_models.thermal import (
    Columns,
    Levels,
    by_level,
    clock_fraction,
    level_bounds_c,
    next_level,
    next_spent,
    next_state,
)
from hw_models.thermal_parts import Thermal


@dataclass(frozen=True, eq=False)
class Governors:
    """Trips, clocks and sensors of one device or of one for each run.

    Attributes
    ----------
    trips_c, clocks
        Temperature at which each level of the body's governor begins [C], and the fraction of the
        full clock it leaves; level 0 first, shape (levels + 1, runs or 1).
    hysteresis_c, period_s
        How far below its trip a level is left [K], and the time between readings [s]; shape
        (runs or 1,).
    die_trip_c, die_clocks, die_states, die_hysteresis_c, die_period_s
        The same for the die, which has one trip and ``die_states`` clocks below the full one. A
        die without a governor is never at its trip and never polled: both are infinite.
    budget_w, budget_constant_s, budget_clocks, budget_states, budget_hysteresis_w, budget_period_s
        Of the mean power [W]; without a budget it and its period are infinite.
    skin_constant_s
        With which the spot that the body's governor reads follows the spreader [s]; infinite where
        it reads the body itself.
    latch_c, latch_clock
        From which temperature of the die on the clock is this at most; infinite without a latch.
    """

    trips_c: Columns
    clocks: Columns
    hysteresis_c: Columns
    period_s: Columns
    die_trip_c: Columns
    die_clocks: Columns
    die_states: Levels
    die_hysteresis_c: Columns
    die_period_s: Columns
    budget_w: Columns
    budget_constant_s: Columns
    budget_clocks: Columns
    budget_states: Levels
    budget_hysteresis_w: Columns
    budget_period_s: Columns
    skin_constant_s: Columns
    latch_c: Columns
    latch_clock: Columns

    @classmethod
    def of(cls, thermals: Sequence[Thermal]) -> Governors:
        """Return the governors of devices, one column each."""
        bodies = [thermal.governor for thermal in thermals]
        dies = [thermal.die_governor for thermal in thermals]
        trips_c = [[-np.inf, *(trip.value for trip in body.trip_c)] for body in bodies]
        clocks = [[1.0, *(item.value for item in body.clock_fraction)] for body in bodies]
        die_clocks = [
            [1.0, *(item.value for item in die.clock_fraction)] if die else [1.0] for die in dies
        ]
        budgets, latches = zip(*((item.budget, item.latch) for item in thermals), strict=True)
        budget_clocks = [
            [1.0, *(item.value for item in part.clock_fraction)] if part else [1.0]
            for part in budgets
        ]
        return cls(
            trips_c=by_level(*trips_c, beyond=np.inf),
            clocks=by_level(*clocks, beyond=1.0),
            hysteresis_c=in_a_row(body.hysteresis_c.value for body in bodies),
            period_s=in_a_row(body.sensor_period_s.value for body in bodies),
            die_trip_c=in_a_row(die.trip_c.value if die else np.inf for die in dies),
            die_clocks=by_level(*die_clocks, beyond=1.0),
            die_states=np.array([len(clocks) - 1 for clocks in die_clocks]),
            die_hysteresis_c=in_a_row(die.hysteresis_c.value if die else 0.0 for die in dies),
            die_period_s=in_a_row(die.sensor_period_s.value if die else np.inf for die in dies),
            budget_w=in_a_row(part.sustained_w.value if part else np.inf for part in budgets),
            budget_constant_s=in_a_row(
                part.time_constant_s.value if part else 1.0 for part in budgets
            ),
            budget_clocks=by_level(*budget_clocks, beyond=1.0),
            budget_states=np.array([len(clocks) - 1 for clocks in budget_clocks]),
            budget_hysteresis_w=in_a_row(
                part.hysteresis_w.value if part else 0.0 for part in budgets
            ),
            budget_period_s=in_a_row(
                part.sensor_period_s.value if part else np.inf for part in budgets
            ),
            skin_constant_s=in_a_row(
                part.skin.time_constant_s.value if part.skin else np.inf for part in thermals
            ),
            latch_c=in_a_row(part.trip_c.value if part else np.inf for part in latches),
            latch_clock=in_a_row(part.clock_fraction.value if part else 1.0 for part in latches),
        )

    def read(self, level: Levels, body_c: Columns, skin_c: Columns) -> Levels:
        """Return the body's levels after a reading of it, or of a spot of the skin [C]."""
        read_c = np.where(np.isfinite(self.skin_constant_s), skin_c, body_c)
        return next_level(level, read_c, self.trips_c, self.hysteresis_c)

    def bounds_c(self, level: Levels) -> tuple[Columns, Columns]:
        """Return below and from which temperature a reading of the body changes its level [C]."""
        return level_bounds_c(level, self.trips_c, self.hysteresis_c)

    def poll(self, state: Levels, die_c: Columns, before_c: Columns) -> Levels:
        """Return the die's states after a poll, given what the poll before it read [C]."""
        trip_c, hysteresis_c = self.die_trip_c, self.die_hysteresis_c
        return next_state(state, self.die_states, die_c, before_c, trip_c, hysteresis_c)

    def spend(self, state: Levels, mean_w: Columns, power_w: Columns) -> Levels:
        """Return the budget's states after a poll, given mean and present power [W]."""
        limits = self.budget_w, self.budget_hysteresis_w
        return next_spent(state, self.budget_states, mean_w, power_w, *limits)

    def clock(
        self, level: Levels, state: Levels, spent: Levels, is_latched: NDArray[np.bool_]
    ) -> Columns:
        """Return the fraction of the full clock that all leave."""
        found: Columns = np.minimum.reduce(
            [
                clock_fraction(level, self.clocks),
                clock_fraction(state, self.die_clocks),
                clock_fraction(spent, self.budget_clocks),
                np.where(is_latched, self.latch_clock, 1.0),
            ]
        )
        return found
