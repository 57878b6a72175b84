"""The phone around a run: heat, the thermal governor, and other apps, with the instants of change.

Heat flows through die, spreader and body under constant power between two changes, solved exactly.
Two governors set the clock, and the lower one holds. One reads the body's temperature once per
sensor period and moves one level at most. The other polls the die (`sim.heat.die_sensor`).
Computation, DRAM and idle parts heat the die, charging the spreader (the battery lies there), the
display the body. Leakage follows the die's temperature at the start of each piece.

While a group runs, the power is the group's mean. Not modelled: the power of single operators, and
governors that look ahead.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from hw_models import power
from hw_models.soc import SocSpec
from hw_models.thermal import RcChain, clock_fraction, next_level
from sim.engine.conditions import NOMINAL, Conditions
from sim.heat.die_sensor import DIE, DieSensor, Powers
from workloads.background import Background

SPREADER, BODY = 1, -1
"""Places of the spreader and the body among the lumps."""
MOST_DEMAND = 0.95
"""Other apps never take the whole bus, however much they ask for (assumed)."""

PowerLaw = Callable[[Conditions], float]
"""Mean dynamic power of what runs, by conditions [W]."""


@dataclass(frozen=True, slots=True)
class Load:
    """What other apps ask for from ``at_s`` [s] on; ``None``: nothing."""

    at_s: float
    background: Background | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Temperatures at an instant, the power until then, and what the governors made of it.

    Attributes
    ----------
    level, die_level
        How far the body's and the die's governor have gone.
    clock
        Fraction of the full clock that both leave from then on.
    power_w
        Mean heat of all parts since the reading before [W].
    """

    at_s: float
    die_c: float
    spreader_c: float
    body_c: float
    level: int
    die_level: int
    clock: float
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
        What the body's sensor saw, a row per period, and the polls of the die that moved a level.
    history
        Conditions and the instant from which they were in force, in order of time.
    changes
        How often conditions changed.
    leakage_j, background_j, heat_j
        Energy of leakage, of other apps, and of everything that became heat [J].
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
        self._die = DieSensor(soc.thermal.die_governor, self._chain, ambient_c)
        self._due_s: float | None = None
        self.level = 0
        self.now_s = 0.0
        self.temperatures_c = np.full(len(self._chain.heat_capacity_j_per_k), ambient_c)
        self.hottest_body_c = self.hottest_die_c = ambient_c
        self.leakage_j = self.background_j = self.heat_j = 0.0
        self.changes = 0
        self.readings: list[Reading] = []
        self._noted = 0.0, 0.0  # instant and heat of the last reading
        self.conditions = self._conditions()
        self.history = [(0.0, self.conditions)]

    @property
    def next_change_s(self) -> float:
        """The next instant at which conditions may change: a reading, or other apps [s]."""
        if self._due_s is None:
            horizon_s = min(self._reading_s, self._next_load.at_s if self._next_load else np.inf)
            due = self._die.due_s(self.now_s, horizon_s, self.temperatures_c, self._powers_w())
            self._due_s = min(horizon_s, due)
        return self._due_s

    def next_poll_s(self, now_s: float) -> float:
        """The next instant after ``now_s`` at which the die may be polled [s]."""
        return self._die.next_poll_s(now_s)

    @property
    def _reading_s(self) -> float:
        return self._reading * self._governor.sensor_period_s.value

    @property
    def is_alone(self) -> bool:
        """Whether no other app uses the memory, now or later."""
        return not any(self.conditions.demands) and self._next_load is None

    def run(self, law: PowerLaw | None, from_s: float) -> None:
        """Set what runs from ``from_s`` on: its power by conditions [W]; ``None``: nothing."""
        self.advance(from_s)
        self._law, self._due_s = law, None

    def advance(self, to_s: float) -> None:
        """Let heat flow until ``to_s``, at most `next_change_s`, and make the change due there."""
        due_s, polls_die = self.next_change_s, self._die.is_due(to_s)
        if to_s > self.now_s:
            self._flow(to_s - self.now_s)
            self.now_s, self._due_s = to_s, None
        if to_s < due_s:
            return
        self._due_s = None
        if self._next_load is not None and to_s >= self._next_load.at_s:
            self._load, self._next_load = self._next_load, next(self._loads, None)
        reads_body = to_s >= self._reading_s
        if reads_body:
            self._read_body()
        moved = polls_die and self._die.poll(float(self.temperatures_c[DIE]))
        if reads_body or moved:
            self._note()
        self._set(self._conditions())

    def _set(self, conditions: Conditions) -> None:
        if conditions != self.conditions:
            self.changes += 1
            self.conditions = conditions
            self.history.append((self.now_s, conditions))

    def conditions_at(self, at_s: float) -> Conditions:
        """Return the conditions in force at an instant before the next change due [s]."""
        return self.history[bisect_right(self.history, at_s, key=itemgetter(0)) - 1][1]

    def changes_between(self, after_s: float, before_s: float) -> list[tuple[float, Conditions]]:
        """Return the changes between two instants that have been made, both excluded [s]."""
        first = bisect_right(self.history, after_s, key=itemgetter(0))
        return self.history[first : bisect_left(self.history, before_s, key=itemgetter(0))]

    def _read_body(self) -> None:
        self._reading += 1
        hysteresis_c = self._governor.hysteresis_c.value
        body_c = float(self.temperatures_c[BODY])
        self.level = next_level(self.level, body_c, self._trips_c, hysteresis_c)

    def _note(self) -> None:
        die_c, spreader_c, body_c = self.temperatures_c.tolist()
        levels, temperatures_c = (self.level, self._die.level), (die_c, spreader_c, body_c)
        at_s, heat_j = self._noted
        elapsed_s = self.now_s - at_s
        power_w = (self.heat_j - heat_j) / elapsed_s if elapsed_s else sum(self._powers_w())
        self._noted = self.now_s, self.heat_j
        self.readings.append(Reading(self.now_s, *temperatures_c, *levels, self._clock, power_w))

    @property
    def _clock(self) -> float:
        return min(clock_fraction(self.level, self._fractions), self._die.clock)

    @property
    def _leakage_w(self) -> float:
        parts, die_c = self._soc.power, self.temperatures_c[DIE]
        return float(power.leakage_w(die_c, parts.leakage_w.value, parts.leakage_doubling_k.value))

    @property
    def _background_w(self) -> float:
        other = self._load.background
        return other.power_w.value if other else 0.0

    def _powers_w(self) -> Powers:
        """Return the power that heats die, spreader and body [W]."""
        parts = self._soc.power
        die_w = parts.idle_w.value + self._leakage_w + self._background_w
        if self._law is not None:
            die_w += parts.host_poll_w.value + self._law(self.conditions)
        return die_w, self._charging_w, parts.display_w.value

    def _flow(self, dt_s: float) -> None:
        """Heat the lumps at the present power for ``dt_s`` [s]."""
        powers_w = self._powers_w()
        self.leakage_j += self._leakage_w * dt_s
        self.background_j += self._background_w * dt_s
        self.heat_j += sum(powers_w) * dt_s
        self.temperatures_c = self._chain.advance(
            self.temperatures_c, powers_w, dt_s, self._ambient_c
        )
        self.hottest_body_c = max(self.hottest_body_c, float(self.temperatures_c[BODY]))
        self.hottest_die_c = max(self.hottest_die_c, float(self.temperatures_c[DIE]))

    def _conditions(self) -> Conditions:
        """Return what the governors and other apps leave; demands are shares of a mixed stream."""
        conditions = replace(NOMINAL, clock=self._clock)
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
