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
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.explore.targets import Target
from sim.explore.uncertainty import PERCENTILES, nominal_metrics, sampled_metrics
from sim.explore.variants import MetricColumns
from sim.results import Result
from sim.sessions import slowest_first_token
from sim.wording import label, shown

DRAWS: Final = 100
"""Draws where nobody says how many."""
MINUTES: Final = 10
PASS_FROM: Final = 0.9
FAIL_TO: Final = 0.1
SLOWED: Final = (
    "vision_encode_s",
    "prefill_s",
    "time_to_first_token_s",
    "decode_s",
    "time_per_output_token_s",
)
"""Times that a lower clock lengthens."""
FIRST_TOKEN: Final = "time_to_first_token_s"
SUSTAINED: Final = {
    "tokens_per_s": "sustained_tokens_per_s",
    "inference_s": "sustained_inference_s",
}
"""Metrics whose value of a later minute is a metric of its own."""
GIB: Final = 2**30
KILO: Final = 1e3
SMALLEST_J: Final = 0.5
"""Smaller energies are told in millijoules [J]."""

Met = NDArray[np.bool_]
"""Whether each draw meets something, shape (draws,)."""


class Status(StrEnum):
    """How one target fares, and a run as a whole."""

    PASS = "PASS"
    MARGINAL = "MARGINAL"
    FAIL = "FAIL"
    THROTTLES = "THROTTLES"

    @classmethod
    def of(cls, burst: float, sustained: float) -> Status:
        """Return the status of two probabilities.

        >>> Status.of(0.95, 0.95).value, Status.of(0.95, 0.5).value, Status.of(0.5, 0.0).value
        ('PASS', 'THROTTLES', 'MARGINAL')
        """
        if burst < PASS_FROM:
            return cls.FAIL if burst <= FAIL_TO else cls.MARGINAL
        return cls.PASS if sustained >= PASS_FROM else cls.THROTTLES

    @property
    def is_missed(self) -> bool:
        """Whether a command that was given targets ends with exit code 1."""
        return self in (Status.FAIL, Status.THROTTLES)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one target fares.

    Attributes
    ----------
    value, value_sustained
        Of the run itself, at first and in the minute asked about; ``None`` where it has none.
    interval
        10th and 90th percentile over the draws at first; ``None`` without draws.
    probability, probability_sustained
        Share of the draws that meet the target, at first and in the minute asked about.
    is_budget
        The target is the app budget, which nobody asks for and every run has.
    """

    target: Target
    value: float | None
    value_sustained: float | None
    interval: tuple[float, float] | None
    probability: float
    probability_sustained: float
    is_budget: bool = False

    @property
    def status(self) -> Status:
        """Return how the target fares."""
        return Status.of(self.probability, self.probability_sustained)

    @property
    def slack(self) -> float | None:
        """Share of the limit to spare, negative where missed; ``None`` without a value."""
        return None if self.value is None else self.target.slack(self.value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run meets its targets, all at once.

    Attributes
    ----------
    probability, probability_sustained
        Share of the draws that meet every target at first, and also in minute ``minutes``.
    targets
        Each target that was asked for.
    budget
        The app budget.
    draws
        How many; 1: the run itself.
    sentence
        Why the verdict is what it is.
    """

    status: Status
    probability: float
    probability_sustained: float
    minutes: int
    targets: tuple[Judgement, ...]
    budget: Judgement
    draws: int
    sentence: str

    def shares(self) -> dict[str, float]:
        """Return the probability of each target at first, and of ``all`` of them at once."""
        found = {str(item.target): item.probability for item in self.targets}
        return found | {"all": self.probability}

    def plain(self) -> dict[str, Any]:
        """Return the verdict as `simulate --json` has it."""
        return {
            "status": self.status.value,
            "probability": self.probability,
            "probability_sustained": self.probability_sustained,
            "minutes": self.minutes,
            "targets": [
                {
                    "target": str(item.target),
                    "value": item.value,
                    "value_sustained": item.value_sustained,
                    "probability": item.probability,
                }
                for item in self.targets
            ],
        }


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
    said = _sentence(result, status, (*asked, budget), minutes, len(fits))
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


def headline(result: Result) -> str:
    """Return the numbers that answer a scenario, in one sentence."""
    summary = result.summary()
    peak = f"{summary.peak_dram_bytes / GIB:.2f} of {result.ledger.budget_bytes / GIB:.2f} GiB"
    overflow = result.ledger.overflow
    if overflow is not None:
        held_bytes = overflow.by_class[overflow.largest]
        return (
            f"Out of memory at {overflow.at_s:.3f} s: needs {peak}; "
            f"the largest part is {overflow.largest}, {held_bytes / GIB:.2f} GiB."
        )
    if summary.inference_s is not None:
        took = shown("inference_s", summary.inference_s).text
        calls = result.program.groups[0].steps
        each = f"{joules(summary.energy_per_inference_j or 0.0)} per inference"
        told = "" if calls == 1 else f", {calls} calls one after another"
        return f"Inference {took}{told}; peak DRAM {peak}; {each}."
    rate = f"{summary.tokens_per_s:.1f} tokens/s" if summary.tokens_per_s else "one token"
    after = f"after {summary.time_to_first_token_s:.2f} s"
    if len(result.turns) == 1:
        first, per = f"First token {after}", "per reply"
    else:
        first = f"First token {after} of work on a turn ({slowest_first_token(result) or 'mean'})"
        per = f"in {result.makespan_s:.0f} s"
    return f"{first}, then {rate}; peak DRAM {peak}; {joules(summary.energy_j)} {per}."


def joules(energy_j: float) -> str:
    """Return an energy for people.

    >>> joules(44.94), joules(16790.0), joules(0.0312)
    ('44.9 J', '16.8 kJ', '31.2 mJ')
    """
    if energy_j < SMALLEST_J:
        return f"{energy_j * KILO:.1f} mJ"
    return f"{energy_j:.1f} J" if energy_j < KILO else f"{energy_j / KILO:.1f} kJ"


def _sentence(
    result: Result, status: Status, judged: Sequence[Judgement], minutes: int, draws: int
) -> str:
    """Return why the verdict is what it is."""
    if not result.fits:
        return headline(result)
    if status is Status.PASS:
        return _passed(judged, minutes, draws) + _of_turns(judged, result)
    doubted = [item for item in judged if item.probability_sustained < PASS_FROM]
    least = min(judged, key=lambda item: item.probability_sustained)  # only together do they fail
    return " ".join(_told(item, result, minutes, draws) for item in doubted or [least])


def _passed(judged: Sequence[Judgement], minutes: int, draws: int) -> str:
    closest = min(judged, key=lambda item: item.slack or 0.0)
    spare = shown("share", closest.slack).text
    if len(judged) == 1:
        return (
            f"No target was asked for; the run fits in the app budget with {spare} of it to spare."
        )
    likely = "" if draws == 1 else f" by at least {PASS_FROM:.0%} of the draws of the device,"
    return (
        f"Every target is met{likely} at first and in minute {minutes}; the closest is the "
        f"{label(closest.target.metric)}, with {spare} of its limit to spare."
    )


def _of_turns(judged: Sequence[Judgement], result: Result) -> str:
    """Return a sentence on the turns behind a first token that was asked for and is a mean."""
    mean = slowest_first_token(result)
    is_asked = any(item.target.metric == FIRST_TOKEN for item in judged)
    return f" The first token is the {mean}." if mean and is_asked else ""


def _told(item: Judgement, result: Result, minutes: int, draws: int) -> str:
    """Return how a target that is not surely met fares, at first and later."""
    metric, bound = item.target.metric, "at most" if item.target.is_ceiling else "at least"
    asked = f"Asked: {label(metric)} {bound} {shown(metric, item.target.limit).text}"
    if item.value is None:
        return f"{asked}, but the run has no such value."
    does = "meets" if item.target.is_met(item.value) else "misses"
    said = f"{asked}; the run {does} it with {shown(metric, item.value).text}{_cause(item, result)}"
    likely = "" if draws == 1 else f"; {item.probability:.0%} of the draws of the device meet it"
    if item.probability_sustained == item.probability and item.value_sustained == item.value:
        return f"{said}{likely}."
    still = "" if draws == 1 else f", and {item.probability_sustained:.0%} still meet it"
    later = shown(metric, item.value_sustained).text
    return (
        f"{said}{likely}; in minute {minutes} of decoding without a pause it gives {later}{still}."
    )


def _cause(item: Judgement, result: Result) -> str:
    """Return of which turns a first token is the mean, and what takes most of a late one."""
    if item.target.metric != FIRST_TOKEN:
        return ""
    mean = slowest_first_token(result)
    if item.target.is_met(item.value):
        return f" ({mean})" if mean else ""
    summary = result.summary()
    parts = {"vision encode": summary.vision_encode_s or 0.0, "prefill": summary.prefill_s or 0.0}
    longest = max(parts, key=lambda name: parts[name])
    most = f"{longest} is {parts[longest] / (item.value or 1.0):.0%} of"
    return f" ({mean}; {most} the mean)" if mean else f" ({most} it)"
