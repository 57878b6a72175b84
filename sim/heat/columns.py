"""What heat asks of a device, as columns over runs: lumps, who heats which, and the governors.

Computation, DRAM and idle parts heat the die, charging the spreader (the battery lies there), the
display the body. A column has an entry for every run, or one entry that all runs share; so one
device with many runs, many devices with a run each, and a single run are the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from hw_models import power
from hw_models.laws import Numbers, in_a_row
from hw_models.soc import SocSpec
from hw_models.thermal import Columns, RcChain
from sim.heat.governors import Governors

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DIE, SPREADER, BODY = 0, 1, 2
"""Places of the lumps along their axis."""

_T = TypeVar("_T", bound="DataclassInstance")


@dataclass(frozen=True, eq=False)
class HeatColumns:
    """The heat network of one device or of one for each run.

    Attributes
    ----------
    heat_capacity_j_per_k, resistance_k_per_w
        Of the lumps, shape (lumps, runs or 1).
    ambient_c
        Temperature of the air [C], shape (runs or 1,), like all that follow.
    charging_w, idle_w, host_poll_w, display_w
        Heat of charging, of what is always on, of the host while a step runs, of the display [W].
    leakage_at_25c_w, leakage_doubling_k
        Leakage of a die at 25 C [W], and the rise that doubles it [K].
    voltage_exponent
        Power of the clock with which the energy of an operation grows.
    """

    heat_capacity_j_per_k: Columns
    resistance_k_per_w: Columns
    ambient_c: Columns
    charging_w: Columns
    idle_w: Columns
    host_poll_w: Columns
    display_w: Columns
    leakage_at_25c_w: Columns
    leakage_doubling_k: Columns
    voltage_exponent: Columns
    governors: Governors

    @classmethod
    def of(
        cls, socs: SocSpec | Sequence[SocSpec], ambient_c: Numbers, charging_w: Numbers = 0.0
    ) -> HeatColumns:
        """Return the columns of one device that all runs share, or of a device for each run.

        A device whose numbers are columns (`SocSpec.with_values`) stands for as many.

        Parameters
        ----------
        ambient_c, charging_w
            A number, or an entry for each run [C, W].
        """
        each = [socs] if isinstance(socs, SocSpec) else socs
        chain = RcChain.of(*(soc.thermal for soc in each))
        powers = [soc.power for soc in each]
        return cls(
            heat_capacity_j_per_k=chain.heat_capacity_j_per_k,
            resistance_k_per_w=chain.resistance_k_per_w,
            ambient_c=np.atleast_1d(np.asarray(ambient_c, dtype=np.float64)),
            charging_w=np.atleast_1d(np.asarray(charging_w, dtype=np.float64)),
            idle_w=in_a_row(part.idle_w.value for part in powers),
            host_poll_w=in_a_row(part.host_poll_w.value for part in powers),
            display_w=in_a_row(part.display_w.value for part in powers),
            leakage_at_25c_w=in_a_row(part.leakage_w.value for part in powers),
            leakage_doubling_k=in_a_row(part.leakage_doubling_k.value for part in powers),
            voltage_exponent=in_a_row(part.exponent for part in powers),
            governors=Governors.of([soc.thermal for soc in each]),
        )

    @cached_property
    def chain(self) -> RcChain:
        """The chain of die, spreader and body."""
        return RcChain(self.heat_capacity_j_per_k, self.resistance_k_per_w)

    def only(self, runs: NDArray[np.bool_]) -> HeatColumns:
        """Return the columns of the runs that a mask chooses, shape (runs,)."""
        return replace(_only(self, runs), governors=_only(self.governors, runs))

    def at_rest_c(self, runs: int) -> Columns:
        """Return lumps as warm as the air [C], shape (lumps, runs)."""
        return np.zeros((len(self.heat_capacity_j_per_k), runs)) + self.ambient_c

    def leakage_w(self, die_c: Columns) -> Columns:
        """Return the leakage of dies [W], shape (runs,)."""
        leak = self.leakage_at_25c_w, self.leakage_doubling_k
        return np.asarray(power.leakage_w(die_c, *leak))

    def clocked_w(self, dynamic_w: Columns, switched_w: Numbers, clock: Columns) -> Columns:
        """Return the dynamic power at a clock [W], given it at full clock, shape (runs,).

        ``switched_w`` of it is of logic whose voltage falls with the clock.
        """
        parts = np.subtract(dynamic_w, switched_w), switched_w
        return np.asarray(power.clocked_w(*parts, clock, self.voltage_exponent))

    def resting_w(self) -> Columns:
        """Return the power of a device at rest and as warm as the air [W], shape (runs or 1,)."""
        return np.asarray(self.idle_w + self.display_w + self.leakage_w(self.ambient_c))

    def mean_w(self, before_w: Columns, die_w: Columns, dt_s: Numbers) -> Columns:
        """Return the running mean of the device's own power after a while [W], shape (runs,)."""
        taken_w = die_w + self.display_w
        constant_s = self.governors.budget_constant_s
        return np.asarray(power.mean_power_w(before_w, taken_w, dt_s, constant_s))

    def die_w(self, leakage_w: Columns, other_w: Columns) -> Columns:
        """Return the power of the die [W], shape (runs,).

        ``other_w`` is what it has besides leakage and idle parts: steps, the host, other apps.
        """
        return self.idle_w + leakage_w + other_w

    @cached_property
    def has_skin(self) -> bool:
        """Whether any governor reads a spot of the skin."""
        return bool(np.isfinite(self.governors.skin_constant_s).any())

    def skin_c(
        self, before_c: Columns, temperatures_c: Columns, die_w: Columns, dt_s: Numbers
    ) -> Columns:
        """Return spots of the skin after ``dt_s`` of constant power of the die [C], shape (runs,).

        ``temperatures_c`` are those of the lumps before.
        """
        follows = before_c, self.governors.skin_constant_s
        return self.chain.followed(SPREADER, temperatures_c, self.steady_c(die_w), dt_s, *follows)

    @property
    def outside_w(self) -> Columns:
        """What heats spreader and body [W], shape (runs or 1,)."""
        return self.charging_w + self.display_w

    @cached_property
    def _outside_c(self) -> Columns:
        """The steady state with no power in the die [C]."""
        powers_w = np.zeros((len(self.heat_capacity_j_per_k), len(self.outside_w)))
        powers_w[SPREADER], powers_w[BODY] = self.charging_w, self.display_w
        return self.chain.steady_state_c(powers_w, self.ambient_c)

    def steady_c(self, die_w: Columns) -> Columns:
        """Return temperatures after constant power of the die for ever [C], shape (lumps, runs)."""
        steady_c: Columns = self._outside_c + self.chain.resistances_k_per_w[:, DIE] * die_w
        return steady_c

    def advance(self, temperatures_c: Columns, die_w: Columns, dt_s: Numbers) -> Columns:
        """Return temperatures after ``dt_s`` of constant power of the die [C], same shape."""
        return self.chain.towards(temperatures_c, self.steady_c(die_w), dt_s)


def _only(item: _T, runs: NDArray[np.bool_]) -> _T:
    """Return a dataclass with its columns cut to some runs, those that all share left alone."""
    columns = {part.name: getattr(item, part.name) for part in fields(item)}
    cut = {
        name: column[..., runs]
        for name, column in columns.items()
        if isinstance(column, np.ndarray) and column.shape[-1] > 1
    }
    return replace(item, **cut)
