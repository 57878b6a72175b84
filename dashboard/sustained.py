"""Ten minutes of one question asked over and over: temperature, clock, power and tokens/s.

The session is simulated with the governor in the loop; each question starts a new conversation as
soon as the reply before it is done. Not covered here: other arrivals and several clients; a
scenario file holds those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from dashboard.cards import Card, card, number
from dashboard.choices import Choices
from dashboard.runs import device, run
from sim import simulate
from sim.results import Result
from sim.sessions import decode_rate
from workloads.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

HELP = "Of ten minutes with the governor in the loop."
SESSION_S = 600.0
MINUTE_S = 60.0
WINDOW_S = 15.0
"""Tokens per second are averaged over windows of this length [s]."""


@dataclass(frozen=True, slots=True)
class Endurance:
    """How ten minutes went: decode rates, when the clock first fell, heat and power.

    Attributes
    ----------
    first_tokens_per_s, tenth_tokens_per_s
        ``None`` where no decode step ended in that minute.
    throttled_at_s
        ``None`` where the clock never fell.
    """

    first_tokens_per_s: float | None
    tenth_tokens_per_s: float | None
    throttled_at_s: float | None
    hottest_body_c: float | None
    mean_power_w: float | None

    def sentence(self) -> str:
        """Return the answer for people."""
        hottest = number(self.hottest_body_c, "°C", 1)
        if self.throttled_at_s is None:
            return f"It lasts: the body reaches {hottest}, the clock never falls."
        return f"The clock falls after {self.throttled_at_s:.0f} s; the body reaches {hottest}."


def session(choices: Choices) -> Result:
    """Return the run of ten minutes of the question; equal questions share one."""
    return _session(choices.question())


def endurance(result: Result) -> Endurance:
    """Return how the session held out."""
    throttled = [reading.at_s for reading in result.heat.readings if reading.clock < 1.0]
    return Endurance(
        decode_rate(result.groups, 0.0, MINUTE_S),
        decode_rate(result.groups, SESSION_S - MINUTE_S, SESSION_S),
        min(throttled, default=None),
        result.heat.hottest_body_c,
        result.energy.total_j / result.makespan_s,
    )


def baseline_session(pinned: Choices | None) -> Result | None:
    """Return the ten minutes of the pinned baseline, if there is one that runs."""
    return session(pinned) if pinned is not None and run(pinned).fits else None


def cards(found: Endurance, before: Endurance | None) -> list[Card]:
    """Return the four cards of a session; the last minute is read against the first."""
    first, tenth = found.first_tokens_per_s, found.tenth_tokens_per_s
    kept = f"{tenth / first:.0%} of the first minute" if first and tenth else ""
    then = before or Endurance(None, None, None, None, None)
    rate = partial(card, unit="tok/s", digits=1, less_is_better=False, help=HELP)
    other = partial(card, digits=1, help=HELP)
    return [
        rate("First minute", first, then.first_tokens_per_s),
        rate("Tenth minute", tenth, then.tenth_tokens_per_s, note=kept),
        other("Hottest body", found.hottest_body_c, then.hottest_body_c, "°C"),
        other("Mean power", found.mean_power_w, then.mean_power_w, "W"),
    ]


def missed_from_s(result: Result, least_tokens_per_s: float) -> float | None:
    """Return from when on a target rate is missed in every window [s]; ``None`` if it is met."""
    table = rates(result).dropna()
    missed = (table["tokens_per_s"] < least_tokens_per_s).to_numpy()
    if not missed.size or not missed[-1]:
        return None
    first = int(np.flatnonzero(~missed)[-1]) + 1 if (~missed).any() else 0
    return float(table["at_s"].iloc[first]) - WINDOW_S / 2


def against_target(result: Result, least_tokens_per_s: float) -> str:
    """Return how ten minutes fare against the target rate; "" where none is asked for."""
    if not least_tokens_per_s:
        return ""
    since_s = missed_from_s(result, least_tokens_per_s)
    if since_s is None:
        return f"It keeps {least_tokens_per_s:g} tokens/s for ten minutes."
    if since_s <= WINDOW_S:
        return f"It misses {least_tokens_per_s:g} tokens/s from the start."
    return f"It misses {least_tokens_per_s:g} tokens/s from {since_s / 60:.1f} min on."


def clocks(result: Result) -> list[float]:
    """Return the fraction of the full clock at each reading of the sensor."""
    return [reading.clock for reading in result.heat.readings]


def rates(result: Result) -> pd.DataFrame:
    """Return tokens/s in windows of the session; empty cells where nothing was decoded."""
    import pandas as pd

    edges = np.arange(0.0, SESSION_S + WINDOW_S, WINDOW_S)
    rows = [
        (start_s + WINDOW_S / 2, decode_rate(result.groups, start_s, start_s + WINDOW_S))
        for start_s in edges[:-1].tolist()
    ]
    return pd.DataFrame(rows, columns=["at_s", "tokens_per_s"])


@lru_cache(maxsize=8)
def _session(question: Choices) -> Result:
    mapping = question.mapping()
    turn = mapping["session"]["turns"][0] | {"fresh": True}
    count = math.ceil(SESSION_S / run(question).makespan_s) + 1
    arrivals = {"process": "closed", "think_s": 0.0, "count": count}
    client = {"turns": [turn], "arrivals": arrivals}
    mapping["session"] = {"until_s": SESSION_S, "clients": {"assistant": client}}
    return simulate(Scenario.from_mapping(mapping), soc=device(question))
