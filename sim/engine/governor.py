"""The phone around a run: heat, the thermal governor, and other apps, with the instants of change.

Heat flows through die, spreader and body under constant power between two changes, solved exactly.
The governor reads the body's temperature once per sensor period and moves one level at most.
Computation, DRAM and idle parts heat the die, charging the spreader (the battery lies there), the
display the body. Leakage follows the die's temperature at the start of each piece.

While a group runs, the power is the group's mean. Not modelled: the power of single operators, and
governors that look ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hw_models import power
from hw_models.soc import SocSpec
from hw_models.thermal import RcChain, clock_fraction, next_level
from sim.engine.conditions import NOMINAL, Conditions
from workloads.background import Background

DIE, BODY = 0, -1
MOST_DEMAND = 0.95
"""Other apps never take the whole bus, however much they ask for."""

PowerLaw = Callable[[Conditions], float]


@dataclass(frozen=True, slots=True)
class Load:
    """What other apps ask for from ``at_s`` on; ``None``: nothing [s]."""

    at_s: float
    background: Background | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Temperatures after an instant, the governor's level, and the power before it [s, C, W]."""

    at_s: float
    die_c: float
    spreader_c: float
    body_c: float
    level: int
    power_w: float


class Phone:
    """Heat, governor and other apps over time; both engines drive it.

    Parameters
    ----------
    loads
        Instants at which other apps change, ascending; may be endless.
    charging_w
        Heat of charging [W].

    Attributes
    ----------
    conditions
        The rates in force now.
    readings
        What the sensor saw, a row per sensor period.
    """

    def __init__(
        self, soc: SocSpec, ambient_c: float, loads: Iterator[Load], charging_w: float = 0.0
    ) -> None:
        self._soc, self._governor = soc, soc.thermal.governor
        self._chain = RcChain.of(soc.thermal)
        self._trips_c = [trip.value for trip in self._governor.trip_c]
        self._fractions = [fraction.value for fraction in self._governor.clock_fraction]
        self._ambient_c, self._charging_w = ambient_c, charging_w
        self._law: PowerLaw | None = None
        self._loads = loads
        self._load, self._next_load = next(loads), next(loads, None)
        self._reading = 1
        self.level = 0
        self.now_s = 0.0
        self.temperatures_c = np.full(len(self._chain.heat_capacity_j_per_k), ambient_c)
        self.hottest_body_c = ambient_c
        self.leakage_j = self.background_j = self.heat_j = 0.0
        self.changes = 0
        self.readings: list[Reading] = []
        self.conditions = self._conditions()

    @property
    def next_change_s(self) -> float:
        """The next instant at which conditions may change: a reading, or other apps [s]."""
        reading_s = self._reading * self._governor.sensor_period_s.value
        return min(reading_s, self._next_load.at_s if self._next_load else np.inf)

    def run(self, law: PowerLaw | None, from_s: float) -> None:
        """Set what runs from ``from_s`` on: its power by conditions [W]; ``None``: nothing."""
        self.advance(from_s)
        self._law = law

    def advance(self, to_s: float) -> None:
        """Let heat flow until ``to_s``, at most `next_change_s`, and make the change due there."""
        if to_s > self.now_s:
            self._flow(to_s - self.now_s)
            self.now_s = to_s
        if to_s < self.next_change_s:
            return
        if self._next_load is not None and to_s >= self._next_load.at_s:
            self._load, self._next_load = self._next_load, next(self._loads, None)
        if to_s >= self._reading * self._governor.sensor_period_s.value:
            self._read()
        self._set(self._conditions())

    def _set(self, conditions: Conditions) -> None:
        self.changes += conditions != self.conditions
        self.conditions = conditions

    def _read(self) -> None:
        self._reading += 1
        hysteresis_c = self._governor.hysteresis_c.value
        body_c = float(self.temperatures_c[BODY])
        self.level = next_level(self.level, body_c, self._trips_c, hysteresis_c)
        die_c, spreader_c, body_c = self.temperatures_c.tolist()
        self.readings.append(
            Reading(self.now_s, die_c, spreader_c, body_c, self.level, sum(self._powers_w()))
        )

    def _powers_w(self) -> tuple[float, float, float]:
        """Return the power that heats die, spreader and body [W]."""
        parts, other = self._soc.power, self._load.background
        leakage_w = float(
            power.leakage_w(
                self.temperatures_c[DIE], parts.leakage_w.value, parts.leakage_doubling_k.value
            )
        )
        die_w = parts.idle_w.value + leakage_w + (other.power_w.value if other else 0.0)
        if self._law is not None:
            die_w += parts.host_poll_w.value + self._law(self.conditions)
        return die_w, self._charging_w, parts.display_w.value

    def _flow(self, dt_s: float) -> None:
        parts, other = self._soc.power, self._load.background
        powers_w = self._powers_w()
        leakage_w = power.leakage_w(
            self.temperatures_c[DIE], parts.leakage_w.value, parts.leakage_doubling_k.value
        )
        self.leakage_j += float(leakage_w) * dt_s
        self.background_j += (other.power_w.value if other else 0.0) * dt_s
        self.heat_j += sum(powers_w) * dt_s
        self.temperatures_c = self._chain.advance(
            self.temperatures_c, powers_w, dt_s, self._ambient_c
        )
        self.hottest_body_c = max(self.hottest_body_c, float(self.temperatures_c[BODY]))

    def _conditions(self) -> Conditions:
        conditions = replace(NOMINAL, clock=clock_fraction(self.level, self._fractions))
        other = self._load.background
        if other is None:
            return conditions
        memory = self._soc.dram
        served = memory.peak_bytes_per_s * memory.efficiency.read_80.value
        asked = (other.display_bytes_per_s, None, other.gpu_bytes_per_s, other.cpu_bytes_per_s)
        demands = [item.value / served if item else 0.0 for item in asked]
        excess = max(1.0, sum(demands) / MOST_DEMAND)
        demands = [share / excess for share in demands]
        return replace(conditions, host=1.0 - other.host_share.value, demands=tuple(demands))
