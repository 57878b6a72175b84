"""Energy per output token and rates over minutes: phones that were measured, against their course.

A row of the corpus' energy table is a phone that decodes for some time. It is replayed from a phone
as warm as the row says: clocks fall as the governors have it, and joules per token are the mean
power over the mean rate. Rows net of idle, of a package or a wall socket are of other quantities
and are not judged.

The 80 % interval of joules is that of the reply's own, drawn from the device; heat is left at its
nominal course. Nothing here is fitted. Rows in role calibration were seen while the laws of power
were written, those in role validation were not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import takewhile
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec, list_socs
from sim.asking import simulate
from sim.errors import SimError
from sim.evidence.corpus_runs import simulated_as
from sim.evidence.corpus_tables import corpus
from sim.explore.draws import draw
from sim.explore.uncertainty import PERCENTILES
from sim.explore.variants import variant_metrics
from sim.facts import Facts
from sim.heat.course import decoding
from sim.results import Result
from workloads.errors import WorkloadError

SCOPE: Final = "whole phone"
AMBIENT_C: Final = 25.0
"""Assumed, where the sources do not say [C]."""
DRAWS: Final = 100
UNSTATED_TOKENS: Final = 128
"""Prompt and output of a row that states none."""
UNSTATED_S: Final = 30.0
"""How long a row that does not say so decoded [s]."""
SPENT: Final = {"nominal": 0.0, "fair": 0.5, "serious": 1.0}
"""Share of the power budget that is spent at the start, by the state a row tells (assumed)."""
AT_REST_W: Final = 1.35
"""Power of a phone at rest with its display on, to which a budget recovers (assumed) [W]."""
FIRST_S: Final = 30.0
"""A series' rates are shares of its mean rate until then [s]."""
LATE_S: Final = 400.0
"""When the last minutes of a series begin [s]."""

Floats = NDArray[np.float64]


class Replayed(NamedTuple):
    """A measured value of a phone that decoded for some time beside the replayed one.

    Attributes
    ----------
    result
        The same question on a cool phone.
    low, high
        Ends of the central 80 % of the replayed value; equal to it where it has no interval.
    """

    id: str
    role: str
    result: Result
    model: str
    weights: str
    source: str
    measured: float
    simulated: float
    low: float
    high: float


class Series(NamedTuple):
    """Rates over minutes, as shares of those of the first half minute.

    Attributes
    ----------
    row
        The row of the energy table that the series belongs to.
    at_s
        Instants [s], shape (points,).
    curves
        Measured shares, smoothed over five points, and replayed ones, shape (points,) each.
    """

    id: str
    row: Mapping[Any, Any]
    result: Result
    at_s: Floats
    curves: tuple[Floats, Floats]


def energy_rows(role: str) -> Iterator[Replayed]:
    """Yield joules per token of the rows of whole phones in a role that can be simulated [J]."""
    rows = corpus("energy", role=role)
    known = frozenset(list_socs())
    asked = rows["energy_j_per_token"].notna() & (rows["power_scope"] == SCOPE)
    for row in rows[asked & rows["device"].isin(known)].to_dict(orient="records"):
        result = result_of(row)
        if result is not None and result.fits:
            yield _judged(row, role, result)


def series_rows(role: str) -> Iterator[Replayed]:
    """Yield the share of the first rate in the last minutes of each series of a role."""
    for series in replayed_series(role):
        late = series.at_s >= min(LATE_S, 2.0 / 3.0 * float(series.at_s.max()))
        share, replayed = (float(curve[late].mean()) for curve in series.curves)
        row = series.row
        what = (series.result, row["model"], row["weights"], row["source_url"])
        yield Replayed(series.id, role, *what, share, replayed, replayed, replayed)


def replayed_series(role: str) -> Iterator[Series]:
    """Yield each series of a role as curves, those that can be simulated."""
    series = corpus("time_series", role=role)
    rows = {row["id"]: row for row in corpus("energy").to_dict(orient="records")}
    rated = series[series["tokens_per_s"].notna() & series["row"].isin(rows)]
    for name, points in rated.groupby("id"):
        row = rows[points["row"].iloc[0]]
        result = result_of(row)
        if result is not None and result.fits:
            yield _series(str(name), row, points, result)


@cache
def _asked(device: str, stack: str, model: str, weights: str, tokens: tuple[int, int]) -> Any:
    prompt, output = tokens
    question = {
        "device": device,
        "stack": stack,
        "model": model,
        "deployment": {"weights": {"body": weights}},
        "session": {"turns": [{"prompt_tokens": prompt, "output_tokens": output}]},
    }
    try:
        return simulate(set=question)
    except (HardwareError, SimError, WorkloadError):
        return None


def result_of(row: Mapping[Any, Any]) -> Result | None:
    """Return the run of a row on a cool phone, none where its network or stack is not known."""
    tokens = tuple(
        UNSTATED_TOKENS if pd.isna(row[name]) else int(row[name])
        for name in ("prompt_tokens", "output_tokens")
    )
    where = row["device"], row["stack"], simulated_as(row), row["weights"]
    found: Result | None = _asked(*where, tokens)
    return found


def course(soc: SocSpec, facts: Facts, until_s: float, spent: float) -> tuple[Floats, ...]:
    """Return ends [s], clocks and powers [W] of decoding from a partly spent budget on."""
    budget = soc.thermal.budget
    start_w = AT_REST_W + spent * (budget.sustained_w.value - AT_REST_W) if budget else None
    flow = decoding(soc, AMBIENT_C, facts.decode_w, 0.0, facts.decode_switched_w, start_w)
    parts = list(takewhile(lambda part: part.start_s[0] < until_s, flow))
    ends_s = np.minimum([part.end_s[0] for part in parts], until_s)
    clocks, powers_w = (np.array([getattr(p, n)[0] for p in parts]) for n in ("clock", "power_w"))
    return ends_s, clocks, powers_w


def spent_at_start(notes: str) -> float:
    """Return how much of the budget was spent when a run began, by the state its note tells."""
    return next((share for name, share in SPENT.items() if f"thermal {name}->" in notes), 0.0)


def _judged(row: Mapping[Any, Any], role: str, result: Result) -> Replayed:
    facts = result.facts
    full = float(facts.decode.committed_tokens[0] / facts.decode.full_s[0])
    until_s = UNSTATED_S if pd.isna(row["duration_s"]) else float(row["duration_s"])
    ends_s, clocks, powers_w = course(result.soc, facts, until_s, spent_at_start(row["notes"]))
    lengths_s = np.diff(ends_s, prepend=0.0)
    power_w, clock = (np.average(column, weights=lengths_s) for column in (powers_w, clocks))
    joules, (low, high) = float(power_w / (full * clock)), _band(result)
    what = (result, row["model"], row["weights"], row["source_url"])
    measured = float(row["energy_j_per_token"])
    return Replayed(row["id"], role, *what, measured, joules, joules * low, joules * high)


def _band(result: Result) -> tuple[float, float]:
    """Return the ends of the central 80 % of a reply's joules, as shares of the nominal ones.

    They hold the nominal ones, too, where most draws are dearer or cheaper.
    """
    draws = draw(result.soc, result.stack, DRAWS, seed=0)
    found = variant_metrics(result, draws)["energy_per_token_j"]
    nominal = result.summary().energy_per_token_j or 1.0
    ends = (PERCENTILES["p10"], PERCENTILES["p90"])
    low, high = np.nanpercentile(found, ends) / nominal
    return min(1.0, float(low)), max(1.0, float(high))


def _series(name: str, row: Mapping[Any, Any], points: pd.DataFrame, result: Result) -> Series:
    at_s, rates = (points[key].to_numpy(float) for key in ("time_s", "tokens_per_s"))
    spent, until_s = spent_at_start(row["notes"]), float(at_s.max())
    ends_s, clocks, _ = course(result.soc, result.facts, until_s, spent)
    smooth = pd.Series(rates / rates[at_s < FIRST_S].mean())
    measured = smooth.rolling(5, center=True, min_periods=1).median().to_numpy()
    simulated = clocks[np.minimum(np.searchsorted(ends_s, at_s), len(clocks) - 1)]
    simulated = simulated / simulated[at_s < FIRST_S].mean()
    return Series(name, row, result, at_s, (measured, simulated))
