"""Heat of a run: temperatures, leakage, and the decode rate that ten minutes of it leave.

The runs of `sim.engine` carry their own thermometer (`sim.heat.phone.Phone`). Here stands what
is derived from step times alone, for many runs at once: runs too short and cool to be throttled,
and decoding without a pause under the governor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from hw_models import power
from hw_models.schema import DieGovernor, Governor
from hw_models.soc import SocSpec
from hw_models.thermal import RcChain
from sim.engine.timed import FloatColumn
from sim.heat.die_sensor import DIE
from sim.heat.phone import BODY, SPREADER, Load, Phone, PowerLaw, Reading

MINUTE_S = 60.0
TENTH_MINUTE_S = (9 * MINUTE_S, 10 * MINUTE_S)

BOUND_ROUNDS = 4
"""Rounds that tighten the bound on a run's temperatures; more change it by little."""


@dataclass(frozen=True, slots=True)
class Heat:
    """What a run did to the phone.

    Attributes
    ----------
    readings
        Temperatures at the instants of the sensor.
    hottest_body_c, hottest_die_c
        Highest temperatures of body and die [C].
    leakage_j, background_j
        Energy of leakage at the die's temperature, and of other apps [J].
    changes
        How often the clock or other apps changed.
    heat_j
        What became heat, that of charging included [J].
    """

    readings: tuple[Reading, ...]
    hottest_body_c: float
    hottest_die_c: float
    leakage_j: float
    background_j: float = 0.0
    changes: int = 0
    heat_j: float = 0.0


@dataclass(frozen=True)
class Lumps:
    """The heat network of a device under powers that are columns over runs, shape (lumps, runs).

    The display heats the body, charging the spreader.
    """

    soc: SocSpec
    ambient_c: float
    charging_w: float = 0.0

    @property
    def display_w(self) -> float:
        """The power of the display [W]."""
        return self.soc.power.display_w.value

    @cached_property
    def chain(self) -> RcChain:
        """The chain of die, spreader and body."""
        return RcChain.of(self.soc.thermal)

    @cached_property
    def _modes(self) -> tuple[FloatColumn, FloatColumn, FloatColumn]:
        """Decay rates [1/s], and the ways from temperatures to modes and back."""
        root = np.sqrt(self.chain.heat_capacity_j_per_k)
        rates_per_s, modes = self.chain.modes
        return rates_per_s[:, None], modes.T * root, modes / root[:, None]

    def at_rest(self, runs: int) -> FloatColumn:
        """Return temperatures of ambient in every lump [C], shape (lumps, runs)."""
        return np.full((len(self.chain.heat_capacity_j_per_k), runs), self.ambient_c)

    def advance(
        self, temperatures_c: FloatColumn, die_w: FloatColumn, dt_s: FloatColumn | float
    ) -> FloatColumn:
        """Return temperatures [C] after ``dt_s`` of constant power of the die [W]."""
        rates, to_modes, from_modes = self._modes
        powers_w = np.zeros(temperatures_c.shape)
        powers_w[DIE], powers_w[SPREADER], powers_w[BODY] = die_w, self.charging_w, self.display_w
        final_c = self.ambient_c + np.linalg.solve(self.chain.conductance_w_per_k, powers_w)
        excess = to_modes @ (temperatures_c - final_c)
        after_c: FloatColumn = final_c + from_modes @ (np.exp(-rates * dt_s) * excess)
        return after_c

    def period(self, dt_s: float) -> tuple[FloatColumn, FloatColumn]:
        """Return A and B of ``T(t + dt) - ambient = A (T(t) - ambient) + B powers``.

        Both have shape (lumps, lumps); B is in K/W.
        """
        rates, to_modes, from_modes = self._modes
        decay = from_modes @ (np.exp(-rates * dt_s) * to_modes)
        rest = np.eye(len(decay)) - decay
        return decay, rest @ np.linalg.inv(self.chain.conductance_w_per_k)

    def steady_die_c(self, die_w: FloatColumn) -> FloatColumn:
        """Return the die's temperatures under constant power of the die for ever [C]."""
        resistance = np.linalg.inv(self.chain.conductance_w_per_k)[DIE]
        steady_c: FloatColumn = self.ambient_c + self.outer_k(resistance) + resistance[DIE] * die_w
        return steady_c

    def outer_k(self, gain: FloatColumn) -> FloatColumn:
        """Return what display and charging add [K], ``gain`` being K/W along its last axis."""
        added_k: FloatColumn = gain[..., BODY] * self.display_w
        return added_k + gain[..., SPREADER] * self.charging_w

    def leakage_w(self, temperatures_c: FloatColumn) -> FloatColumn:
        """Return the leakage at the die's temperatures [W], shape (runs,)."""
        parts = self.soc.power
        leak = parts.leakage_w.value, parts.leakage_doubling_k.value
        return np.asarray(power.leakage_w(temperatures_c[DIE], *leak))


def heat_of_groups(
    soc: SocSpec,
    ambient_c: float,
    pieces: Iterable[tuple[float, float, float]],
    charging_w: float = 0.0,
) -> Heat:
    """Return the heat of groups given by start, end [s] and dynamic power [W], in order of time."""
    phone = Phone(soc, ambient_c, iter([Load(0.0, None)]), charging_w)
    for start_s, end_s, dynamic_w in pieces:
        _until(phone, start_s)
        phone.run(_constant(dynamic_w), start_s)
        _until(phone, end_s)
        phone.run(None, end_s)
    return heat_of(phone)


def _constant(power_w: float) -> PowerLaw:
    return lambda _: power_w


def heat_of(phone: Phone) -> Heat:
    """Return what a phone has been through until now."""
    return Heat(
        readings=tuple(phone.readings),
        hottest_body_c=phone.hottest_body_c,
        hottest_die_c=phone.hottest_die_c,
        leakage_j=phone.leakage_j,
        background_j=phone.background_j,
        changes=phone.changes,
        heat_j=phone.heat_j,
    )


def _until(phone: Phone, to_s: float) -> None:
    while phone.next_change_s < to_s:
        phone.advance(phone.next_change_s)


def unthrottled(
    soc: SocSpec, ambient_c: float, seconds: FloatColumn, dynamic_w: FloatColumn
) -> tuple[FloatColumn, FloatColumn, FloatColumn]:
    """Return the highest body and die temperatures [C] and the leakage [J] of unthrottled runs.

    ``seconds`` and ``dynamic_w`` have shape (phases, runs): the phases follow each other from 0 s
    on, each at its mean power above the static one. Leakage is set anew at each reading.
    """
    lumps = Lumps(soc, ambient_c)
    ends_s = np.cumsum(seconds, axis=0)
    makespan_s = ends_s[-1]
    period_s = soc.thermal.governor.sensor_period_s.value
    readings_s = period_s * np.arange(1, int(makespan_s.max() / period_s) + 1)
    marks_s = np.sort(np.concatenate([ends_s, np.minimum(readings_s[:, None], makespan_s)]), axis=0)
    static_w = soc.power.idle_w.value + soc.power.host_poll_w.value
    runs = np.arange(len(makespan_s))
    temperatures_c, now_s = lumps.at_rest(len(runs)), np.zeros(len(runs))
    hottest_c, leakage_j = temperatures_c, np.zeros(len(runs))
    for mark_s in marks_s:
        phase = np.minimum((now_s >= ends_s).sum(axis=0), len(ends_s) - 1)
        leakage_w, dt_s = lumps.leakage_w(temperatures_c), mark_s - now_s
        leakage_j = leakage_j + leakage_w * dt_s
        die_w = static_w + leakage_w + dynamic_w[phase, runs]
        temperatures_c = lumps.advance(temperatures_c, die_w, dt_s)
        hottest_c, now_s = np.maximum(hottest_c, temperatures_c), mark_s
    return hottest_c[BODY], hottest_c[DIE], leakage_j


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of decoding without a pause at one clock; columns over runs.

    Attributes
    ----------
    clock
        Fraction of the full clock.
    body_c, die_c
        Temperatures at its end [C].
    """

    start_s: float
    end_s: float
    clock: FloatColumn
    body_c: FloatColumn
    die_c: FloatColumn


def decoding(
    soc: SocSpec, ambient_c: float, dynamic_w: FloatColumn, charging_w: float = 0.0
) -> Iterator[Stretch]:
    """Yield the stretches of decoding without a pause under both governors, for ever.

    ``dynamic_w`` is the power of decoding above the static one at full clock, a column over runs;
    it falls with the clock, and so does the decode rate.
    """
    lumps = Lumps(soc, ambient_c, charging_w)
    body, die = soc.thermal.governor, soc.thermal.die_governor
    readings_s = body.sensor_period_s.value
    polled = die if die is not None and may_trip(lumps, dynamic_w).any() else None
    polls_s = polled.sensor_period_s.value if polled else np.inf
    body_clocks = np.array([1.0, *(fraction.value for fraction in body.clock_fraction)])
    die_clocks = np.array([1.0, *(item.value for item in polled.clock_fraction)] if polled else [1])
    static_w = soc.power.idle_w.value + soc.power.host_poll_w.value
    level = np.zeros(len(dynamic_w), dtype=np.int64)
    state, before_c = level.copy(), np.full(len(level), -np.inf)
    period = lru_cache(lumps.period)
    excess_k = lumps.at_rest(len(level)) - ambient_c
    now_s, reading, poll = 0.0, 1, 1
    while True:
        end_s = min(reading * readings_s, poll * polls_s)
        decay, gain = period(round(end_s - now_s, 9))
        clock = np.minimum(body_clocks[level], die_clocks[state])
        die_w = static_w + lumps.leakage_w(excess_k + ambient_c) + clock * dynamic_w
        excess_k = decay @ excess_k + lumps.outer_k(gain)[:, None] + gain[:, DIE, None] * die_w
        body_c, die_c = ambient_c + excess_k[BODY], ambient_c + excess_k[DIE]
        yield Stretch(now_s, end_s, clock, body_c, die_c)
        if polled is not None and end_s == poll * polls_s:
            state, before_c, poll = _polled(polled, state, before_c, die_c), die_c, poll + 1
        if end_s == reading * readings_s:
            level, reading = _read(body, level, body_c), reading + 1
        now_s = end_s


def may_trip(lumps: Lumps, dynamic_w: FloatColumn) -> NDArray[np.bool_]:
    """Return which runs could bring the die to its trip if they decoded for ever."""
    die, parts = lumps.soc.thermal.die_governor, lumps.soc.power
    if die is None:
        return np.zeros(len(dynamic_w), dtype=bool)
    trip_c = die.trip_c.value
    leakage_w = power.leakage_w(trip_c, parts.leakage_w.value, parts.leakage_doubling_k.value)
    die_w = parts.idle_w.value + parts.host_poll_w.value + float(leakage_w) + dynamic_w
    return np.asarray(lumps.steady_die_c(die_w) >= trip_c)


def stays_cool(lumps: Lumps, dynamic_w: FloatColumn, end_s: float) -> NDArray[np.bool_]:
    """Return which runs surely reach no trip if they decode until ``end_s``.

    Constant power from ambient on heats every lump monotonically, and more power heats it more. So
    temperatures stay below those at ``end_s`` under the leakage of the hottest die possible; each
    round takes the die of the round before, which is hotter than any the run can have.
    """
    parts, thermal = lumps.soc.power, lumps.soc.thermal
    known_w = parts.idle_w.value + parts.host_poll_w.value + dynamic_w
    hottest_c = lumps.at_rest(len(dynamic_w)) + np.inf
    for _ in range(BOUND_ROUNDS):
        die_w = known_w + lumps.leakage_w(hottest_c)
        hottest_c = lumps.advance(lumps.at_rest(len(dynamic_w)), die_w, end_s)
    cool: NDArray[np.bool_] = hottest_c[BODY] < thermal.governor.trip_c[0].value
    die = thermal.die_governor
    return cool & (hottest_c[DIE] < die.trip_c.value) if die else cool


def _polled(
    die: DieGovernor, state: NDArray[np.int64], before_c: FloatColumn, die_c: FloatColumn
) -> NDArray[np.int64]:
    """Return `hw_models.thermal.next_state` of every run."""
    hot = die_c >= die.trip_c.value - die.hysteresis_c.value * (state > 0)
    rises, falls = (state == 0) | (die_c > before_c), die_c < before_c
    following = np.where(hot, state + rises, state - falls)
    return np.clip(following, 0, len(die.clock_fraction))


def _read(body: Governor, level: NDArray[np.int64], body_c: FloatColumn) -> NDArray[np.int64]:
    """Return `hw_models.thermal.next_level` of every run."""
    trips_c = np.array([-np.inf, *(trip.value for trip in body.trip_c), np.inf])
    rises = body_c >= trips_c[level + 1]
    falls = body_c < trips_c[level] - body.hysteresis_c.value
    return level + rises - (falls & ~rises)


def sustained_fractions(
    soc: SocSpec, ambient_c: float, dynamic_w: FloatColumn, charging_w: float = 0.0
) -> FloatColumn:
    """Return the mean clock in the tenth minute of decoding without a pause, as a fraction.

    Runs that stay cool until then keep their clock. Of the others, those that never trouble the
    die are stepped from one reading of the body to the next. The heat of other apps is left out.
    """
    lumps = Lumps(soc, ambient_c, charging_w)
    warm = ~stays_cool(lumps, dynamic_w, TENTH_MINUTE_S[1])
    hot = warm & may_trip(lumps, dynamic_w)
    found = np.ones(len(dynamic_w))
    for chosen in (hot, warm & ~hot):
        if chosen.any():
            found[chosen] = _tenth_minute_clock(lumps, dynamic_w[chosen])
    return found


def _tenth_minute_clock(lumps: Lumps, dynamic_w: FloatColumn) -> FloatColumn:
    begin_s, end_s = TENTH_MINUTE_S
    clock_s = np.zeros(len(dynamic_w))
    for part in decoding(lumps.soc, lumps.ambient_c, dynamic_w, lumps.charging_w):
        if part.start_s >= end_s:
            break
        clock_s = clock_s + part.clock * max(
            0.0, min(part.end_s, end_s) - max(part.start_s, begin_s)
        )
    return clock_s / (end_s - begin_s)
