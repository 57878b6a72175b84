"""Answers and verdicts in words: the headline of a run, and why a verdict is what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.judgements import PASS_FROM, Judgement, Status
from sim.results import Result
from sim.sessions import slowest_first_token
from sim.wording import label, shown

FIRST_TOKEN: Final = "time_to_first_token_s"
GIB: Final = 2**30
KILO: Final = 1e3
SMALLEST_J: Final = 0.5
"""Smaller energies are told in millijoules [J]."""


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


def verdict_sentence(
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
    asked = [item.target for item in judged if item.target.metric == FIRST_TOKEN]
    mean = slowest_first_token(result, asked[0].limit) if asked else ""
    return f" The first token is the {mean}." if mean else ""


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
    does = "decoding" if result.summary().inference_s is None else "calls"
    return f"{said}{likely}; in minute {minutes} of {does} without a pause it gives {later}{still}."


def _cause(item: Judgement, result: Result) -> str:
    """Return of which turns a first token is the mean, and what takes most of a late one."""
    if item.target.metric != FIRST_TOKEN:
        return ""
    if item.target.is_met(item.value):
        mean = slowest_first_token(result, item.target.limit)
        return f" ({mean})" if mean else ""
    mean, summary = slowest_first_token(result), result.summary()
    parts = {"vision encode": summary.vision_encode_s or 0.0, "prefill": summary.prefill_s or 0.0}
    longest = max(parts, key=lambda name: parts[name])
    most = f"{longest} is {parts[longest] / (item.value or 1.0):.0%} of"
    return f" ({mean}; {most} the mean)" if mean else f" ({most} it)"
