"""The answer in one sentence: does it fit, does it meet the targets, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard.choices import GIB, Choices
from dashboard.precomputed import Intervals
from sim.results import Result
from sim.summary import Summary

Status = Literal["PASS", "MARGINAL", "FAIL", "OUT OF MEMORY"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run meets its targets, and one sentence why."""

    status: Status
    sentence: str


def verdict(choices: Choices, result: Result) -> Verdict:
    """Return the verdict on a run."""
    if not result.fits:
        return Verdict("OUT OF MEMORY", _overflow(result))
    summary = result.summary()
    missed = [*_late(choices, summary), *_slow(choices, summary)]
    name = f"{choices.model} on {result.soc.name}"
    if missed:
        return Verdict("FAIL", f"{name}: {'; '.join(missed)}.")
    return Verdict("PASS", f"{name} meets every target: {answer(result)}.")


def weighed(found: Verdict, choices: Choices, intervals: Intervals | None) -> Verdict:
    """Return a verdict in the light of the 80 % intervals: a pass that they cross is marginal."""
    if found.status != "PASS" or not intervals:
        return found
    doubts = []
    first_s = intervals.get("time_to_first_token_s", {}).get("p90", 0.0)
    if first_s > choices.most_first_token_s:
        doubts.append(f"{first_s:.2f} s to the first token")
    rate = intervals.get("tokens_per_s", {}).get("p10", choices.least_tokens_per_s)
    if rate < choices.least_tokens_per_s:
        doubts.append(f"{rate:.1f} tokens/s")
    if not doubts:
        return found
    said = f"{found.sentence} Within the 80 % range it may be {' and '.join(doubts)}."
    return Verdict("MARGINAL", said)


def answer(result: Result) -> str:
    """Return the numbers that targets bound, in words."""
    summary = result.summary()
    parts = [f"first token after {summary.time_to_first_token_s:.2f} s"]
    if summary.tokens_per_s:
        parts.append(f"{summary.tokens_per_s:.1f} tokens/s")
    peak, budget = summary.peak_dram_bytes / GIB, result.ledger.budget_bytes / GIB
    return ", ".join([*parts, f"{peak:.2f} of {budget:.2f} GiB"])


def _overflow(result: Result) -> str:
    peak, budget = result.ledger.peak, result.ledger.budget_bytes
    return (
        f"{result.program.model} needs {peak.total_bytes / GIB:.2f} GiB and may use "
        f"{budget / GIB:.2f}: {(peak.total_bytes - budget) / GIB:.2f} GiB too much. The largest "
        f"part is {peak.largest}, {peak.by_class[peak.largest] / GIB:.2f} GiB."
    )


def _late(choices: Choices, summary: Summary) -> list[str]:
    first_s = summary.time_to_first_token_s
    if first_s is None or first_s <= choices.most_first_token_s:
        return []
    parts = {"vision encode": summary.vision_encode_s or 0.0, "prefill": summary.prefill_s or 0.0}
    longest = max(parts, key=lambda name: parts[name])
    return [
        f"first token after {first_s:.2f} s misses the target of {choices.most_first_token_s:g} s "
        f"({longest} is {parts[longest] / first_s:.0%} of it)"
    ]


def _slow(choices: Choices, summary: Summary) -> list[str]:
    rate = summary.tokens_per_s
    if rate is None or rate >= choices.least_tokens_per_s:
        return []
    return [f"{rate:.1f} tokens/s misses the target of {choices.least_tokens_per_s:g}"]
