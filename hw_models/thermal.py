"""Heat: a chain of lumps from the die to the air, solved exactly, and two stepwise governors.

All laws take columns over runs: temperatures and powers have shape (lumps, runs), levels (runs,).
One run is a column of one. The runs may be of one device or each of a device of its own.

Not modelled: radiation apart from convection, heat spread within a lump, charging, sunlight and
the hand that holds the phone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers, in_rows
from hw_models.thermal_parts import Thermal

Columns = NDArray[np.float64]
Levels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RcChain:
    """Lumps of heat capacity C_i [J/K], each joined to the next outwards by R_i [K/W].

        C_i dT_i/dt = P_i + (T_{i-1} - T_i) / R_{i-1} - (T_i - T_{i+1}) / R_i,   T_n = ambient

    The last resistance leads to the ambient air. Linear, so any time step is exact. Both columns
    have shape (lumps, devices), where devices is 1 or as many as there are runs.

    >>> lump = RcChain(np.array([[180.0]]), np.array([[3.5]]))
    >>> lump.steady_state_c(np.array([[4.0]]), ambient_c=25.0).tolist()
    [[39.0]]
    >>> round(float(lump.time_constants_s[0, 0]), 6)
    630.0
    """

    heat_capacity_j_per_k: Columns
    resistance_k_per_w: Columns

    @classmethod
    def of(cls, *thermals: Thermal) -> Self:
        """Build the chains die, spreader, body of devices, one column each."""
        capacities = [
            in_rows(item.heat_capacity.value for item in (part.die, part.spreader, part.body))
            for part in thermals
        ]
        resistances = [
            in_rows(
                [
                    part.die.resistance_to_next.value,
                    part.spreader.resistance_to_next.value,
                    part.body.resistance_to_ambient.value,
                ]
            )
            for part in thermals
        ]
        return cls(np.hstack(capacities), np.hstack(resistances))

    @cached_property
    def conductance_w_per_k(self) -> Columns:
        """Conductance matrix G of `C dT/dt = P - G (T - ambient)`, shape (lumps, lumps, devices).

        Symmetric and positive definite.
        """
        outward = 1 / self.resistance_k_per_w
        count = len(outward)
        place = np.arange(count)
        conductance = np.zeros((count, count, outward.shape[1]))
        conductance[place, place] = outward
        conductance[place[1:], place[1:]] += outward[:-1]
        conductance[place[1:], place[:-1]] = conductance[place[:-1], place[1:]] = -outward[:-1]
        return conductance

    @cached_property
    def time_constants_s(self) -> Columns:
        """Time constants, longest first [s], shape (lumps, devices)."""
        rates_per_s, _, _ = self.modes
        return 1 / rates_per_s

    @cached_property
    def modes(self) -> tuple[Columns, Columns, Columns]:
        """Decay rates [1/s], ascending, and the matrices from lumps to modes and back.

        The modes are those of the symmetric C^-1/2 G C^-1/2. Shapes (lumps, devices) and twice
        (lumps, lumps, devices).
        """
        root = np.sqrt(self.heat_capacity_j_per_k)
        symmetric = self.conductance_w_per_k / (root[:, None] * root)
        rates_per_s, modes = np.linalg.eigh(np.moveaxis(symmetric, -1, 0))
        to_modes, from_modes = modes.T * root, np.moveaxis(modes, 0, -1) / root[:, None]
        rates_per_s, to_modes, from_modes = map(
            np.ascontiguousarray, (rates_per_s.T, to_modes, from_modes)
        )
        return rates_per_s, to_modes, from_modes

    @cached_property
    def resistances_k_per_w(self) -> Columns:
        """Rise of lump i by power into lump j, G^-1, shape (lumps, lumps, devices).

        It is the resistance that the ways of both to the air have in common.
        """
        to_air = np.cumsum(self.resistance_k_per_w[::-1], axis=0)[::-1]
        place = np.arange(len(to_air))
        return to_air[np.maximum(place[:, None], place)]

    def steady_state_c(self, power_w: Columns, ambient_c: Numbers) -> Columns:
        """Temperatures [C] after constant power [W per lump] for ever: ambient + G^-1 P."""
        return ambient_c + _times(self.resistances_k_per_w, power_w)

    def advance(
        self, temperatures_c: Columns, power_w: Columns, dt_s: Numbers, ambient_c: Numbers
    ) -> Columns:
        """Temperatures [C] after `dt_s` of constant power, on the way to its steady state."""
        return self.towards(temperatures_c, self.steady_state_c(power_w, ambient_c), dt_s)

    def towards(self, temperatures_c: Columns, final_c: Columns, dt_s: Numbers) -> Columns:
        """Temperatures [C] after `dt_s` on the way to a steady state, shape (lumps, runs).

            T(dt) = T_inf + exp(-C^-1 G dt) (T - T_inf)

        The matrix exponential is taken through the eigenvectors of the symmetrised matrix, so
        there is no step-size limit and no accumulated error. Several times of one run are as good
        as several runs.
        """
        rates_per_s, to_modes, from_modes = self.modes
        excess = _times(to_modes, temperatures_c - final_c)
        return final_c + _times(from_modes, np.exp(rates_per_s * np.negative(dt_s)) * excess)

    def course(
        self, lump: int, temperatures_c: Columns, final_c: Columns, dt_s: Columns
    ) -> Columns:
        """Temperatures [C] of one lump at several times, shape (times, runs), as in `towards`."""
        rates_per_s, to_modes, from_modes = self.modes
        excess = from_modes[lump] * _times(to_modes, temperatures_c - final_c)
        course_c: Columns = final_c[lump]
        for part, rate_per_s in zip(excess, rates_per_s, strict=True):
            course_c = course_c + part * np.exp(rate_per_s * np.negative(dt_s))
        return course_c

    def followed(
        self,
        lump: int,
        temperatures_c: Columns,
        final_c: Columns,
        dt_s: Numbers,
        before_c: Columns,
        constant_s: Columns,
    ) -> Columns:
        """Temperatures [C] of what follows a lump, after `dt_s` as in `towards`, shape (runs,).

            tau dM/dt = T_lump - M,   T_lump = T_inf + sum_k a_k exp(-r_k t)
            M(dt) = T_inf + (M - T_inf) E + sum_k a_k (exp(-r_k dt) - E) / (1 - r_k tau)

        with E = exp(-dt / tau). Exact, since the lump's course is a sum of exponentials; where a
        rate meets 1 / tau, the quotient is its limit. It takes no heat. An infinite `constant_s`
        [s] leaves `before_c` [C] as it is.
        """
        rates_per_s, to_modes, from_modes = self.modes
        kept = np.exp(np.negative(dt_s) / constant_s)
        parts = from_modes[lump] * _times(to_modes, temperatures_c - final_c)
        follows_c: Columns = final_c[lump] + (before_c - final_c[lump]) * kept
        for part_c, rate_per_s in zip(parts, rates_per_s, strict=True):
            follows_c = follows_c + part_c * _lagging(rate_per_s, kept, dt_s, constant_s)
        return follows_c


def _lagging(rate_per_s: Columns, kept: Columns, dt_s: Numbers, constant_s: Columns) -> Columns:
    """Return what a part exp(-r t) of a lump's course leaves in what follows it, after `dt_s`."""
    away = (1.0 / constant_s - rate_per_s) * dt_s
    is_near = np.abs(away) < NEAR
    apart = np.where(is_near, 1.0, 1.0 - rate_per_s * constant_s)
    limit = dt_s / constant_s * kept * (1.0 + away / 2.0 + away**2 / 6.0)
    left: Columns = np.where(
        is_near, limit, (np.exp(rate_per_s * np.negative(dt_s)) - kept) / apart
    )
    return left


NEAR = 1e-4
"""Below it the series of (exp(x) - 1) / x to the second power is exact to 1e-13."""


def ceiling_c(temperatures_c: Columns, final_c: Columns) -> Columns:
    """Temperatures [C] that no lump exceeds on the way to a steady state.

    The steady state, raised so that no lump starts above it: heat only flows downhill.
    """
    ceiling: Columns = final_c + np.maximum(0.0, (temperatures_c - final_c).max(axis=0))
    return ceiling


def _times(matrix: Columns, columns: Columns) -> Columns:
    """Return the product of a matrix with a vector, run by run."""
    product: Columns = np.einsum("ijr,jr->ir", matrix, columns)
    return product


def by_level(*devices: Iterable[Numbers], beyond: float) -> Columns:
    """Gather what devices have per throttling level, level 0 first, shape (levels + 1, devices).

    Beyond a device's last level the entries are `beyond`.

    >>> by_level([1.0, 0.9, 0.5], [1.0, 0.7], beyond=0.0).tolist()
    [[1.0, 1.0], [0.9, 0.7], [0.5, 0.0], [0.0, 0.0]]
    """
    parts = [in_rows(items) for items in devices]
    longest = 1 + max(len(part) for part in parts)
    table = np.full((longest, sum(part.shape[1] for part in parts)), float(beyond))
    place = 0
    for part in parts:
        table[: len(part), place : place + part.shape[1]] = part
        place += part.shape[1]
    return table


def level_bounds_c(
    level: Levels, trip_c: Columns, hysteresis_c: Numbers
) -> tuple[Columns, Columns]:
    """Temperatures below which throttling levels are left, and from which the next is entered [C].

    Level i is entered at trip_c[i] and left below trip_c[i] - hysteresis. Level 0 is unthrottled:
    its trip is -inf, and that beyond the last level inf. `trip_c` is a table `by_level`.
    """
    return _at(trip_c, level) - hysteresis_c, _at(trip_c, level + 1)


def next_level(
    level: Levels, temperature_c: Columns, trip_c: Columns, hysteresis_c: Numbers
) -> Levels:
    """Throttling levels after one reading of the sensor: one step up, one step down, or none.

    The levels are those of `level_bounds_c`. Source: the step_wise governor of the Linux thermal
    framework.

    >>> trips_c = by_level([-np.inf, 39, 43], beyond=np.inf)
    >>> next_level(np.array([0, 1]), np.array([43.5, 38.0]), trips_c, 2.0).tolist()
    [1, 1]
    """
    leaves_c, enters_c = level_bounds_c(level, trip_c, hysteresis_c)
    rises = temperature_c >= enters_c
    return level + rises - ((temperature_c < leaves_c) & ~rises)


def next_state(
    state: Levels,
    states: Levels | int,
    temperature_c: Columns,
    before_c: Columns,
    trip_c: Numbers,
    hysteresis_c: Numbers,
) -> Levels:
    """Cooling states of single passive trips after one poll: one up, one down, or as they were.

    Up while the temperature is at the trip and rises, down while it is below and falls; once in
    force, the trip counts as lower by the hysteresis. The highest state is `states`. Source: the
    step_wise governor of the Linux thermal framework, `get_target_state`.

    >>> now_c, before_c = np.array([86.0, 84.0]), np.array([84.0, 84.5])
    >>> next_state(np.array([0, 3]), 7, now_c, before_c, 85.0, 2.0).tolist()
    [1, 3]
    """
    hot = temperature_c >= trip_c - hysteresis_c * (state > 0)
    rises, falls = temperature_c > before_c, temperature_c < before_c
    moved: Levels = np.minimum(np.maximum(np.where(hot, state + rises, state - falls), 0), states)
    return moved


def next_spent(
    state: Levels,
    states: Levels | int,
    mean_w: Columns,
    power_w: Columns,
    budget_w: Numbers,
    hysteresis_w: Numbers,
) -> Levels:
    """States of a power budget after one poll: one up, one down, or as they were.

    Up while mean and present power are at the budget, down while both are below it by the
    hysteresis. Source: the running average power limit of processors, taken step by step.

    >>> mean_w, power_w = np.array([4.9, 4.9, 4.0]), np.array([6.0, 4.0, 4.0])
    >>> next_spent(np.array([0, 1, 1]), 7, mean_w, power_w, 4.6, 0.1).tolist()
    [1, 1, 0]
    """
    floor_w = np.subtract(budget_w, hysteresis_w)
    over = (mean_w >= budget_w) & (power_w > budget_w)
    under = (mean_w < floor_w) & (power_w < floor_w)
    moved: Levels = np.minimum(np.maximum(state + over - under, 0), states)
    return moved


def clock_fraction(level: Levels, fractions: Columns) -> Columns:
    """Fractions of the full clock at throttling levels, from a table `by_level`; 1 at level 0.

    >>> clock_fraction(np.array([0, 2]), by_level([1.0, 0.9, 0.5], beyond=1.0)).tolist()
    [1.0, 0.5]
    """
    return _at(fractions, level)


def _at(table: Columns, level: Levels) -> Columns:
    """Return the entry of each run's level, from a table by levels and devices."""
    devices = table.shape[1]
    entries: Columns = table[:, 0].take(level) if devices == 1 else table[level, np.arange(devices)]
    return entries
