"""Whether a run meets its targets: one answer for the command line, reports and the dashboard.

A target's probability is the share of draws of the device (`sim.explore.uncertainty`) in which the
run meets it and fits in memory. It is asked twice:

- *burst*: of the run as simulated;
- *sustained*: of the same question asked after minutes of decoding without a pause, when the
  governor may have lowered the clock. The decode rate then is multiplied, and the times of phases
  divided, by the mean clock of that minute, as in `sustained_tokens_per_s`.

PASS where at least 90 % of the draws meet every target, FAIL where at most 10 % do, MARGINAL
between, THROTTLES where burst passes and sustained does not. Without draws the run itself is the
only one.

Not modelled: minutes in which prefill or the encoding of images heats the phone; decoding does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.explore.targets import Target
from sim.explore.uncertainty import PERCENTILES, nominal_metrics, sampled_metrics
from sim.explore.variants import MetricColumns
from sim.judgements import Judgement, Status, Verdict
from sim.results import Result
from sim.verdict_words import verdict_sentence

DRAWS: Final = 100
"""Draws where nobody says how many."""
MINUTES: Final = 10
SLOWED: Final = (
    "vision_encode_s",
    "prefill_s",
    "time_to_first_token_s",
    "decode_s",
    "time_per_output_token_s",
)
"""Times that a lower clock lengthens."""
SUSTAINED: Final = {
    "tokens_per_s": "sustained_tokens_per_s",
    "inference_s": "sustained_inference_s",
}
"""Metrics whose value of a later minute is a metric of its own."""

Met = NDArray[np.bool_]
"""Whether each draw meets something, shape (draws,)."""


def verdict(
    result: Result,
    targets: Sequence[Target],
    draws: int = DRAWS,
    minutes: int = MINUTES,
    seed: int = 0,
) -> Verdict:
    """Return the verdict on a run over draws of its device."""
    return judge(result, targets, sampled_metrics(result, draws, seed, minutes), minutes)


def judge(
    result: Result,
    targets: Sequence[Target],
    sampled: MetricColumns | None = None,
    minutes: int = MINUTES,
) -> Verdict:
    """Return the verdict on a run over draws that were made already.

    Parameters
    ----------
    sampled
        Metrics of the draws, their sustained rate that of minute ``minutes``; none: the run itself
        is judged.
    """
    nominal = nominal_metrics(result, minutes)
    columns = sampled or nominal
    fits = columns["fits"] > 0.0
    at_first, later = meets_all(targets, columns)
    asked = tuple(
        _judgement(target, nominal, columns, *meets_all([target], columns)) for target in targets
    )
    limit = Target("peak_dram_bytes", "<=", result.ledger.budget_bytes)
    budget = _judgement(limit, nominal, columns, fits, fits, is_budget=True)
    burst, sustained = float(at_first.mean()), float((at_first & later).mean())
    status = Status.of(burst, sustained)
    said = verdict_sentence(result, status, (*asked, budget), minutes, len(fits))
    return Verdict(status, burst, sustained, minutes, asked, budget, len(fits), said)


def _judgement(
    target: Target,
    nominal: MetricColumns,
    columns: MetricColumns,
    met: Met,
    met_later: Met,
    *,
    is_budget: bool = False,
) -> Judgement:
    (value,), (later,) = nominal[target.metric], later_values(target.metric, nominal)
    drawn = columns[target.metric]
    ends = np.percentile(drawn, [PERCENTILES["p10"], PERCENTILES["p90"]]).tolist()
    return Judgement(
        target,
        None if np.isnan(value) else float(value),
        None if np.isnan(later) else float(later),
        (ends[0], ends[1]) if len(drawn) > 1 and np.isfinite(ends).all() else None,
        float(met.mean()),
        float((met & met_later).mean()),
        is_budget,
    )


def meets_all(targets: Sequence[Target], columns: MetricColumns) -> tuple[Met, Met]:
    """Return which runs fit in memory and meet every target: at first, and once they are warm.

    Parameters
    ----------
    columns
        Metrics of each run, their sustained rate that of the minute asked about, shape (runs,).
    """
    at_first, later = columns["fits"] > 0.0, columns["fits"] > 0.0
    for target in targets:
        at_first = at_first & _met(target, columns, is_late=False)
        later = later & _met(target, columns, is_late=True)
    return at_first, later


def _met(target: Target, columns: MetricColumns, is_late: bool) -> Met:
    values = later_values(target.metric, columns).tolist() if is_late else columns[target.metric]
    return np.array([target.is_met(value) for value in values])


def later_values(metric: str, columns: MetricColumns) -> NDArray[np.float64]:
    """Return a metric of each run once the phone is as warm as in the minute asked about.

    A run without a decode rate is taken to keep its clock.
    """
    values = columns[metric]
    if metric in SUSTAINED:
        return columns[SUSTAINED[metric]]
    if metric not in SLOWED:
        return values
    clock = columns["sustained_tokens_per_s"] / columns["tokens_per_s"]
    return values / np.where(np.isnan(clock), 1.0, clock)
