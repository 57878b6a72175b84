"""Heat of a run: temperatures, leakage, and the decode rate that ten minutes of it leave.

While an engine runs, `sim.heat.phone.Phone` keeps the temperatures of that one run. Here they are
derived from step times alone; and decoding without a pause is followed under the governors, for
many runs at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers
from hw_models.soc import SocSpec
from hw_models.thermal import Columns, Levels, clock_fraction
from sim.heat.columns import BODY, DIE, SPREADER, HeatColumns
from sim.heat.governed import GovernedHeat
from sim.heat.phone import Load, Phone, PowerLaw, Reading

Socs = SocSpec | Sequence[SocSpec]
"""The device that all runs share, or one for each run."""

MINUTE_S = 60.0
TENTH = 10
"""The minute whose decode rate counts as sustained."""
TENTH_MINUTE_S = ((TENTH - 1) * MINUTE_S, TENTH * MINUTE_S)

BOUND_ROUNDS = 4
"""Rounds that tighten the bound on a run's temperatures; further ones hardly change it."""


@dataclass(frozen=True, slots=True)
class Heat:
    """What a run did to the phone.

    Attributes
    ----------
    readings
        Temperatures at the instants of the sensor.
    hottest_body_c, hottest_die_c
        Highest temperatures of body and die [C].
    highest_mean_w
        Highest running mean of the power [W].
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
    highest_mean_w: float
    leakage_j: float
    background_j: float = 0.0
    changes: int = 0
    heat_j: float = 0.0


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
        highest_mean_w=phone.highest_mean_w,
        leakage_j=phone.leakage_j,
        background_j=phone.background_j,
        changes=phone.changes,
        heat_j=phone.heat_j,
    )


def _until(phone: Phone, to_s: float) -> None:
    while phone.next_change_s < to_s:
        phone.advance(phone.next_change_s)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of decoding without a pause at one clock; columns over runs.

    Attributes
    ----------
    start_s, end_s
        Each run on the grid of its own sensors [s].
    clock
        Fraction of the full clock.
    body_c, die_c
        Temperatures at its end [C].
    power_w
        What the device takes [W].
    """

    start_s: Columns
    end_s: Columns
    clock: Columns
    body_c: Columns
    die_c: Columns
    power_w: Columns


def decoding(
    socs: Socs,
    ambient_c: Numbers,
    dynamic_w: Columns,
    charging_w: Numbers = 0.0,
    switched_w: Numbers = 0.0,
    mean_w: Numbers | None = None,
) -> Iterator[Stretch]:
    """Yield the stretches of decoding without a pause under all governors, for ever.

    ``dynamic_w`` is the power of decoding above the static one at full clock, a column over runs;
    it falls with the clock, and so does the decode rate. The part ``switched_w`` of it falls with
    the voltage, too. ``mean_w`` is the running mean of the power at the start; ``None``: that of a
    device at rest [W]. One that has spent its whole budget has been slowed down for it already: the
    clock begins as low as the budget asks.
    """
    heat = HeatColumns.of(socs, ambient_c, charging_w)
    return _stretches(heat, dynamic_w, np.broadcast_to(switched_w, dynamic_w.shape), mean_w)


def _stretches(
    heat: HeatColumns, dynamic_w: Columns, switched_w: Columns, mean_w: Numbers | None = None
) -> Iterator[Stretch]:
    governed = GovernedHeat(heat, len(dynamic_w))
    if mean_w is not None:
        governed.begin(mean_w, _slowed(governed, dynamic_w, switched_w, mean_w))
    all_runs = np.ones(len(dynamic_w), dtype=np.bool_)
    while True:
        start_s, clock = governed.now_s, governed.clock
        other_w = _other_w(heat, dynamic_w, switched_w, clock)
        die_w = governed.die_w(other_w)
        governed.flow(governed.due_s(die_w), die_w)
        die_c, body_c = governed.temperatures_c[[DIE, BODY]]
        yield Stretch(start_s, governed.now_s, clock, body_c, die_c, die_w + heat.display_w)
        governed.poll(other_w, all_runs)


def _other_w(heat: HeatColumns, dynamic_w: Columns, switched_w: Columns, clock: Columns) -> Columns:
    """Return what the die has besides leakage and idle parts while it decodes at a clock [W]."""
    return heat.host_poll_w + heat.clocked_w(dynamic_w, switched_w, clock)


def _slowed(
    governed: GovernedHeat, dynamic_w: Columns, switched_w: Columns, mean_w: Numbers
) -> Levels:
    """Return the state that holds a spent budget: the least whose power, die cool, is below it."""
    heat, state = governed.heat, governed.budget.state
    while True:
        clock = clock_fraction(state, heat.governors.budget_clocks)
        taken_w = governed.die_w(_other_w(heat, dynamic_w, switched_w, clock)) + heat.display_w
        moved = heat.governors.spend(state, mean_w + np.zeros(len(state)), taken_w)
        if (moved <= state).all():
            return state
        state = np.maximum(state, moved)


def may_spend(heat: HeatColumns, dynamic_w: Columns) -> NDArray[np.bool_]:
    """Return which runs could bring the mean power to its budget if they decoded for ever."""
    hottest_w = heat.leakage_w(np.array([np.inf]))
    die_w = heat.die_w(hottest_w, heat.host_poll_w + dynamic_w)
    return np.asarray(die_w + heat.display_w >= heat.governors.budget_w)


def stays_cool(heat: HeatColumns, dynamic_w: Columns, end_s: float) -> NDArray[np.bool_]:
    """Return which runs certainly stay below trips and budget until ``end_s`` of decoding.

    Constant power from ambient on heats every lump monotonically, and more power heats it more. So
    temperatures stay below those at ``end_s`` under the leakage of the hottest die possible; each
    round takes the die of the round before, which is hotter than any the run can have.
    """
    rest_c = heat.at_rest_c(len(dynamic_w))
    hottest_c = rest_c + np.inf
    for _ in range(BOUND_ROUNDS):
        die_w = heat.die_w(heat.leakage_w(hottest_c[DIE]), heat.host_poll_w + dynamic_w)
        hottest_c = heat.advance(rest_c, die_w, end_s)
    governors = heat.governors
    # a spot of the skin is never warmer than the spreader has been
    read_c = np.where(np.isfinite(governors.skin_constant_s), *hottest_c[[SPREADER, BODY]])
    body_is_cool = read_c < governors.trips_c[1]
    die_is_cool = hottest_c[DIE] < np.minimum(governors.die_trip_c, governors.latch_c)
    return np.asarray(body_is_cool & die_is_cool & ~may_spend(heat, dynamic_w))


def sustained_fractions(
    socs: Socs,
    ambient_c: Numbers,
    dynamic_w: Columns,
    charging_w: Numbers = 0.0,
    minute: int = TENTH,
    switched_w: Numbers = 0.0,
) -> Columns:
    """Return the mean clock in one minute of decoding without a pause, as a fraction.

    Runs that stay cool until then keep their clock. The heat of other apps is left out.

    Parameters
    ----------
    socs
        The device of all runs, or one for each.
    ambient_c, dynamic_w, charging_w
        Air [C], power of decoding above the static one [W], heat of charging [W]: columns over
        runs, or a number for all of them.
    minute
        Which one, the first being 1.
    switched_w
        What of the power falls with the voltage, too [W].
    """
    heat = HeatColumns.of(socs, ambient_c, charging_w)
    switched = np.broadcast_to(switched_w, dynamic_w.shape)
    warm = ~stays_cool(heat, dynamic_w, minute * MINUTE_S)
    found = np.ones(len(dynamic_w))
    if warm.any():
        found[warm] = _mean_clock(heat.only(warm), dynamic_w[warm], switched[warm], minute)
    return found


def _mean_clock(heat: HeatColumns, dynamic_w: Columns, switched_w: Columns, minute: int) -> Columns:
    begin_s, end_s = (minute - 1) * MINUTE_S, minute * MINUTE_S
    clock_s = np.zeros(len(dynamic_w))
    for part in _stretches(heat, dynamic_w, switched_w):
        if (part.start_s >= end_s).all():
            break
        if (part.end_s > begin_s).any():
            inside_s = np.minimum(part.end_s, end_s) - np.maximum(part.start_s, begin_s)
            clock_s = clock_s + part.clock * np.maximum(0.0, inside_s)
    return clock_s / (end_s - begin_s)
