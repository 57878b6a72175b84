"""The phone around a run: heat, the thermal governor, and other apps, with the instants of change.

Temperatures and governors are those of many phones (`sim.heat.governed`), of which this is a column
of one. It adds what one phone alone has: other apps, the conditions they and the governors leave,
and a record of both.

While a group runs, the power is the group's mean. Not modelled: the power of single operators.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from hw_models.soc import SocSpec
from hw_models.thermal import Columns
from sim.engine.conditions import Conditions, conditions_beside
from sim.heat.columns import HeatColumns
from sim.heat.governed import GovernedHeat
from sim.heat.polls import next_poll_s
from workloads.background import Background

ONE = np.ones(1, dtype=np.bool_)

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
    level, die_level, budget_level
        How far the governors of body, die and mean power have gone.
    clock
        Fraction of the full clock that all leave from then on.
    power_w
        Mean heat of all parts since the reading before [W].
    """

    at_s: float
    die_c: float
    spreader_c: float
    body_c: float
    level: int
    die_level: int
    budget_level: int
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
    background_j, heat_j
        Energy of other apps, and of everything that became heat [J].
    """

    def __init__(
        self, soc: SocSpec, ambient_c: float, loads: Iterator[Load], charging_w: float = 0.0
    ) -> None:
        self._soc = soc
        self._heat = HeatColumns.of(soc, ambient_c, charging_w)
        self._governed = GovernedHeat(self._heat, 1)
        self._law: PowerLaw | None = None
        self._loads = loads
        self._load, self._next_load = next(loads), next(loads, None)
        self._left: dict[tuple[float, str], Conditions] = {}
        self._due_s: float | None = None
        self._taken: tuple[Columns, Columns] | None = None
        self.now_s = 0.0
        self.background_j = self.heat_j = 0.0
        self.changes = 0
        self.readings: list[Reading] = []
        self._noted = 0.0, 0.0  # instant and heat of the last reading
        self.conditions = self._conditions()
        self.history = [(0.0, self.conditions)]

    @property
    def temperatures_c(self) -> Columns:
        """Of die, spreader and body, shape (3, 1) [C]."""
        return self._governed.temperatures_c

    @property
    def skin_c(self) -> float:
        """Of the spot of the skin that the governor reads; without one, as at the start [C]."""
        return float(self._governed.skin_c[0])

    @property
    def hottest_body_c(self) -> float:
        """Highest temperature of the body so far [C]."""
        return float(self._governed.hottest_body_c[0])

    @property
    def hottest_die_c(self) -> float:
        """Highest temperature of the die so far [C]."""
        return float(self._governed.hottest_die_c[0])

    @property
    def highest_mean_w(self) -> float:
        """Highest running mean of the power so far [W]."""
        return float(self._governed.highest_mean_w[0])

    @property
    def leakage_j(self) -> float:
        """Energy of leakage so far [J]."""
        return float(self._governed.leakage_j[0])

    @property
    def next_change_s(self) -> float:
        """The next instant at which conditions may change: a reading, or other apps [s]."""
        if self._due_s is None:
            horizon_s = self._next_load.at_s if self._next_load else np.inf
            self._due_s = float(self._governed.due_s(self._die_w, horizon_s)[0])
        return self._due_s

    def next_poll_s(self, now_s: float) -> float:
        """The next instant after ``now_s`` at which die or mean power may be polled [s]."""
        governors = self._heat.governors
        periods_s = governors.die_period_s, governors.budget_period_s
        return min(float(next_poll_s(now_s, period_s)[0]) for period_s in periods_s)

    @property
    def is_alone(self) -> bool:
        """Whether no other app uses the memory, now or later."""
        return not any(self.conditions.demands) and self._next_load is None

    def run(self, law: PowerLaw | None, from_s: float) -> None:
        """Set what runs from ``from_s`` on: its power by conditions [W]; ``None``: nothing."""
        self.advance(from_s)
        self._law = law
        self._forget()

    def advance(self, to_s: float) -> None:
        """Let heat flow until ``to_s``, at most `next_change_s`, and make the change due there."""
        due_s = self.next_change_s
        if to_s > self.now_s:
            self._flow(to_s)
        if to_s < due_s:
            return
        self._forget()
        if self._next_load is not None and to_s >= self._next_load.at_s:
            self._load, self._next_load = self._next_load, next(self._loads, None)
        if self._governed.poll(self._powers_w[0], ONE)[0]:
            self._note()
        self._set(self._conditions())

    def _set(self, conditions: Conditions) -> None:
        if conditions != self.conditions:
            self._forget()
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

    def _note(self) -> None:
        governed = self._governed
        states = governed.level, governed.die.state, governed.budget.state
        level, die_level, budget_level = (int(state[0]) for state in states)
        levels = level, die_level, budget_level
        at_s, heat_j = self._noted
        elapsed_s = self.now_s - at_s
        power_w = (self.heat_j - heat_j) / elapsed_s if elapsed_s else self._heat_w(self._die_w)
        self._noted = self.now_s, self.heat_j
        die_c, spreader_c, body_c = self.temperatures_c[:, 0].tolist()
        temperatures_c = die_c, spreader_c, body_c
        clock = float(governed.clock[0])
        self.readings.append(Reading(self.now_s, *temperatures_c, *levels, clock, power_w))

    @property
    def _background_w(self) -> float:
        other = self._load.background
        return other.power_w.value if other else 0.0

    @property
    def _powers_w(self) -> tuple[Columns, Columns]:
        """Power of the die without and with leakage and idle parts [W], each of shape (1,)."""
        if self._taken is None:
            other_w = np.array([self._background_w])
            if self._law is not None:
                other_w = other_w + self._heat.host_poll_w + self._law(self.conditions)
            self._taken = other_w, self._governed.die_w(other_w)
        return self._taken

    @property
    def _die_w(self) -> Columns:
        """Power of the die [W], shape (1,)."""
        return self._powers_w[1]

    def _forget(self) -> None:
        """Note that powers, and so the next change, may be others from now on."""
        self._due_s = self._taken = None

    def _heat_w(self, die_w: Columns) -> float:
        """Return the power of all parts, given that of the die [W]."""
        return float((die_w + self._heat.outside_w)[0])

    def _flow(self, to_s: float) -> None:
        """Heat the lumps at the present power until an instant [s]."""
        dt_s, die_w = to_s - self.now_s, self._die_w
        self.background_j += self._background_w * dt_s
        self.heat_j += self._heat_w(die_w) * dt_s
        self._governed.flow(np.array([to_s]), die_w)
        self.now_s = to_s
        self._forget()

    def _conditions(self) -> Conditions:
        """Return what the governors and other apps leave; equal answers are one object."""
        clock, other = float(self._governed.clock[0]), self._load.background
        key = clock, other.id if other else ""
        if key not in self._left:
            self._left[key] = conditions_beside(self._soc, other, clock)
        return self._left[key]
