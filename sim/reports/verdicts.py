"""PASS, MARGINAL or FAIL: targets against the nominal run and its 80 % intervals.

A target passes where the nominal value and both ends of its interval keep it, fails where none of
them does, and is marginal in between. The app budget is a target of every report.

Not judged: how likely a target is to be met; `andesim size --uncertainty` counts that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sim.explore.targets import Target
from sim.reports.wording import Number, label, shown, span
from sim.results import Intervals, Result


class Verdict(StrEnum):
    """How a target fares, and a report as a whole: as its worst target."""

    PASS = "PASS"
    MARGINAL = "MARGINAL"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One target, the value that met or missed it, and the margin as a share of the limit.

    Attributes
    ----------
    is_budget
        The target is the app budget rather than one that was asked for.
    interval
        10th and 90th percentile, if there were draws.
    slack
        Share of the limit to spare, negative where missed; ``None`` if the run has no such value.
    """

    target: Target
    value: float | None
    interval: tuple[float, float] | None
    slack: float | None
    verdict: Verdict
    is_budget: bool = False

    @property
    def met(self) -> bool:
        """Whether the nominal run keeps the target."""
        return self.target.is_met(self.value)

    def plain(self) -> dict[str, Any]:
        """Return the judgement as plain data."""
        return {
            "metric": self.target.metric,
            "sign": self.target.sign,
            "limit": self.target.limit,
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "slack": self.slack,
            "is_budget": self.is_budget,
            "verdict": self.verdict.value,
        }


def judge(target: Target, metrics: Mapping[str, Any], intervals: Intervals) -> Judgement:
    """Return how a target fares under the metrics of a run and their intervals.

    >>> target, metrics = Target.parse("tokens_per_s>20"), {"tokens_per_s": 21.0}
    >>> judge(target, metrics, {"tokens_per_s": {"p10": 18.0, "p50": 21.0, "p90": 24.0}}).verdict
    <Verdict.MARGINAL: 'MARGINAL'>
    """
    value, found = metrics[target.metric], intervals.get(target.metric)
    interval = (found["p10"], found["p90"]) if found and value is not None else None
    kept = [target.is_met(one) for one in (value, *(interval or ()))]
    slack = None if value is None else target.slack(value)
    return Judgement(target, value, interval, slack, _weighed(kept))


def _weighed(kept: Sequence[bool]) -> Verdict:
    """Return the verdict on a target that the nominal run and the ends keep, each or not."""
    if all(kept):
        return Verdict.PASS
    return Verdict.MARGINAL if any(kept) else Verdict.FAIL


def judgements(
    result: Result, targets: Sequence[Target], intervals: Intervals
) -> tuple[Judgement, ...]:
    """Return how the targets of a report fare, the app budget last."""
    budget = Target("peak_dram_bytes", "<=", result.ledger.budget_bytes)
    metrics = result.summary().as_dict()
    asked = (judge(target, metrics, intervals) for target in targets)
    return (*asked, replace(judge(budget, metrics, intervals), is_budget=True))


def overall(found: Sequence[Judgement]) -> Verdict:
    """Return the worst verdict."""
    return max((item.verdict for item in found), key=list(Verdict).index)


def sentence(result: Result, found: Sequence[Judgement]) -> str:
    """Return why the verdict is what it is."""
    worst = overall(found)
    deciding = [item for item in found if item.verdict is worst]
    if not result.fits:
        return _out_of_memory(result)
    if worst is Verdict.FAIL:
        return " ".join(map(_failed, deciding))
    if worst is Verdict.MARGINAL:
        return " ".join(map(_marginal, deciding))
    return _passed(found)


def _out_of_memory(result: Result) -> str:
    peak, budget_bytes = result.ledger.peak, result.ledger.budget_bytes
    needs, budget = (shown("peak_dram_bytes", x).text for x in (peak.total_bytes, budget_bytes))
    return f"Out of memory: the run needs {needs} of {budget}; most of it is {peak.largest}."


def _failed(item: Judgement) -> str:
    if item.value is None:
        return f"{_asked(item)}, but the run has no such value."
    ends = "" if item.interval is None else ", and both ends of its interval miss it too"
    missed = f"the {label(item.target.metric)} is {shown(item.target.metric, item.value).text}"
    return f"{_asked(item)}; {missed}{ends}."


def _marginal(item: Judgement) -> str:
    metric, (low, high) = item.target.metric, item.interval or (0.0, 0.0)
    does = "meets" if item.met else "misses"
    return (
        f"{_asked(item)}; the nominal run {does} it with {shown(metric, item.value).text}, "
        f"but its interval, {span(metric, low, high)}, crosses it."
    )


def _passed(found: Sequence[Judgement]) -> str:
    metrics = [item for item in found if item.slack is not None]
    closest = min(metrics, key=lambda item: item.slack or 0.0)
    everywhere = all(item.interval for item in found)
    ends = " at both ends of its interval" if everywhere else " by the nominal run"
    spare = shown("share", closest.slack).text
    if len(found) == 1:
        return (
            f"No target was asked for; the run fits in the app budget with {spare} of it to spare."
        )
    return (
        f"Every target is met{ends}; the closest is the {label(closest.target.metric)}, "
        f"with {spare} of its limit to spare."
    )


def _asked(item: Judgement) -> str:
    bound = "at most" if item.target.is_ceiling else "at least"
    return f"Asked: {label(item.target.metric)} {bound} {limit(item.target).text}"


def limit(target: Target) -> Number:
    """Return the limit of a target as a number to show."""
    return shown(target.metric, target.limit)
