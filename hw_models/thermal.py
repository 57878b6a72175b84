"""Heat: a chain of lumps from the die to the air, solved exactly, and two stepwise governors.

Not modelled: radiation apart from convection, heat spread within a lump, charging, sunlight and
the hand that holds the phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hw_models.schema import Thermal

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class RcChain:
    """Lumps of heat capacity C_i [J/K], each joined to the next outwards by R_i [K/W].

        C_i dT_i/dt = P_i + (T_{i-1} - T_i) / R_{i-1} - (T_i - T_{i+1}) / R_i,   T_n = ambient

    The last resistance leads to the ambient air. Linear, so any time step is exact.

    >>> lump = RcChain((180.0,), (3.5,))
    >>> lump.steady_state_c([4.0], ambient_c=25.0).tolist()
    [39.0]
    >>> round(float(lump.time_constants_s[0]), 6)
    630.0
    """

    heat_capacity_j_per_k: tuple[float, ...]
    resistance_k_per_w: tuple[float, ...]

    @classmethod
    def of(cls, thermal: Thermal) -> Self:
        """Build the chain die, spreader, body of a device."""
        die, spreader, body = thermal.die, thermal.spreader, thermal.body
        return cls(
            (die.heat_capacity.value, spreader.heat_capacity.value, body.heat_capacity.value),
            (
                die.resistance_to_next.value,
                spreader.resistance_to_next.value,
                body.resistance_to_ambient.value,
            ),
        )

    @cached_property
    def conductance_w_per_k(self) -> Vector:
        """Conductance matrix G of `C dT/dt = P - G (T - ambient)`; symmetric, positive definite."""
        outward = 1 / np.asarray(self.resistance_k_per_w)
        inward = np.concatenate([[0.0], outward[:-1]])
        return np.diag(outward + inward) - np.diag(outward[:-1], 1) - np.diag(outward[:-1], -1)

    @cached_property
    def time_constants_s(self) -> Vector:
        """Time constants of the chain, longest first [s]."""
        rates_per_s, _ = self.modes
        return 1 / rates_per_s

    @cached_property
    def modes(self) -> tuple[Vector, Vector]:
        """Decay rates [1/s], ascending, and modes (columns) of the matrix C^-1/2 G C^-1/2."""
        root = np.sqrt(self.heat_capacity_j_per_k)
        rates_per_s, modes = np.linalg.eigh(self.conductance_w_per_k / np.outer(root, root))
        return rates_per_s, modes

    def steady_state_c(self, power_w: Sequence[float], ambient_c: float) -> Vector:
        """Temperatures [C] after constant power [W per lump] for ever: ambient + G^-1 P."""
        return ambient_c + np.linalg.solve(self.conductance_w_per_k, np.asarray(power_w))

    def advance(
        self,
        temperatures_c: Sequence[float] | Vector,
        power_w: Sequence[float],
        dt_s: float,
        ambient_c: float,
    ) -> Vector:
        """Temperatures [C] after `dt_s` of constant power: T_inf + exp(-C^-1 G dt) (T - T_inf).

        The matrix exponential is taken through the eigenvectors of the symmetrised matrix, so
        there is no step-size limit and no accumulated error.
        """
        return self.course(temperatures_c, power_w, np.array([dt_s]), ambient_c)[:, 0]

    def course(
        self,
        temperatures_c: Sequence[float] | Vector,
        power_w: Sequence[float],
        dt_s: Vector,
        ambient_c: float,
    ) -> Vector:
        """Temperatures [C] at several instants of constant power, shape (lumps, instants)."""
        rates_per_s, modes = self.modes
        root = np.sqrt(self.heat_capacity_j_per_k)
        final_c = self.steady_state_c(power_w, ambient_c)
        excess = modes.T @ (root * (np.asarray(temperatures_c) - final_c))
        decayed = np.exp(-np.outer(rates_per_s, dt_s)) * excess[:, None]
        course_c: Vector = final_c[:, None] + (modes @ decayed) / root[:, None]
        return course_c

    def ceiling_c(
        self, temperatures_c: Sequence[float] | Vector, power_w: Sequence[float], ambient_c: float
    ) -> Vector:
        """Temperatures [C] that no lump exceeds while the power stays as it is.

        The steady state, raised so that no lump starts above it: heat only flows downhill.
        """
        final_c = self.steady_state_c(power_w, ambient_c)
        ceiling: Vector = final_c + max(0.0, float(np.max(np.asarray(temperatures_c) - final_c)))
        return ceiling


def next_level(
    level: int, temperature_c: float, trip_c: Sequence[float], hysteresis_c: float
) -> int:
    """Throttling level after one reading of the sensor: one step up, one step down, or none.

    Level i is in force above trip_c[i - 1] and left below trip_c[i - 1] - hysteresis; level 0 is
    unthrottled. Source: the step_wise governor of the Linux thermal framework.

    >>> next_level(0, 43.5, [39, 43], 2.0), next_level(1, 38.0, [39, 43], 2.0)
    (1, 1)
    """
    if level < len(trip_c) and temperature_c >= trip_c[level]:
        return level + 1
    if level > 0 and temperature_c < trip_c[level - 1] - hysteresis_c:
        return level - 1
    return level


def next_state(
    state: int,
    states: int,
    temperature_c: float,
    before_c: float,
    trip_c: float,
    hysteresis_c: float,
) -> int:
    """Cooling state of a single passive trip after one poll: one up, one down, or as it was.

    Up while the temperature is at the trip and rises, down while it is below and falls; once in
    force, the trip counts as lower by the hysteresis. Source: the step_wise governor of the Linux
    thermal framework, `get_target_state`.

    >>> next_state(0, 7, 86.0, 84.0, 85.0, 2.0), next_state(3, 7, 84.0, 84.5, 85.0, 2.0)
    (1, 3)
    """
    if temperature_c >= trip_c - (hysteresis_c if state else 0.0):
        return min(state + (temperature_c > before_c), states)
    return max(0, state - (temperature_c < before_c))


def clock_fraction(level: int, fractions: Sequence[float]) -> float:
    """Fraction of the full clock at a throttling level; 1 at level 0.

    >>> clock_fraction(0, [0.9, 0.5]), clock_fraction(2, [0.9, 0.5])
    (1.0, 0.5)
    """
    return fractions[level - 1] if level else 1.0
