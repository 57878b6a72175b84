"""What to deploy instead: the sizing's choice, two runners-up, and the scenario as asked.

The knobs are those of `sim.explore.sizing.default_knobs`; what they cost in answer quality is
not modelled, so each row says how far it gives in.
"""

from __future__ import annotations

from typing import Any, Final

from sim.explore.candidates import Candidate, Sizing
from sim.explore.comparison import compare
from sim.explore.knobs import default_knobs
from sim.explore.sizing import size
from sim.reports.question import Question
from sim.simulation import simulate
from sim.verdicts import verdict

SHOWN: Final = 3
ALWAYS: Final = ("time_to_first_token_s", "tokens_per_s", "peak_dram_bytes", "energy_j")


def recommendation(question: Question, budget_bytes: float) -> dict[str, Any] | None:
    """Return the recommended setting and two runners-up, or ``None`` without targets.

    Where nothing meets every target, the closest are those least over the app budget [B], then
    those that miss least.
    """
    if not question.targets:
        return None
    base = question.scenario.model_dump(mode="json", exclude_defaults=True)
    knobs = default_knobs(question.scenario)
    found = size(base, knobs, question.targets, question.seed, question.minutes)
    chosen = (found.meeting or _closest(found, budget_bytes))[:SHOWN]
    return {
        "why": _why(question, base, chosen[0]) if chosen else "",
        "meets": bool(found.meeting),
        "meeting": len(found.meeting),
        "evaluated": len(found.candidates),
        "exact": found.exact,
        "blocking": _blocking(found),
        "knobs": {path: list(values) for path, values in knobs.items()},
        "rows": [_row(question, base, candidate) for candidate in chosen],
    }


def _why(question: Question, base: dict[str, Any], candidate: Candidate) -> str:
    """Return what rises or falls with a setting and the term behind it; empty if it is as asked."""
    if not candidate.given_up:
        return ""
    return compare(question.scenario, candidate.scenario(base), question.seed).sentence()


def _closest(found: Sizing, budget_bytes: float) -> list[Candidate]:
    """Return all candidates, those least over the app budget [B] and then nearest first."""

    def distance(one: Candidate) -> tuple[float, float, int]:
        over_bytes = max(0.0, one.metrics["peak_dram_bytes"] - budget_bytes)
        return over_bytes, one.miss, one.concessions

    return sorted(found.candidates, key=distance)


def _blocking(found: Sizing) -> list[str]:
    if not any(one.metrics["fits"] for one in found.candidates):
        return ["the app budget"]
    return [str(target) for target in found.blocking]


def _row(question: Question, base: dict[str, Any], candidate: Candidate) -> dict[str, Any]:
    asked = [target.metric for target in question.targets]
    return {
        "settings": dict(candidate.settings),
        "concessions": candidate.concessions,
        "meets": candidate.meets,
        **_shares_of_draws(question, base, candidate),
        "metrics": {name: candidate.metrics[name] for name in dict.fromkeys((*asked, *ALWAYS))},
        "later": dict(candidate.later),
    }


def _shares_of_draws(
    question: Question, base: dict[str, Any], candidate: Candidate
) -> dict[str, float | None]:
    """Return the shares of draws of the device that meet all targets, at first and later too."""
    names = "share_of_draws", "share_of_draws_sustained"
    if not question.draws:
        return dict.fromkeys(names)
    result = simulate(candidate.scenario(base), seed=question.seed)
    asked = question.targets, question.draws, question.minutes, question.seed
    found = verdict(result, *asked)
    return dict(zip(names, (found.probability, found.probability_sustained), strict=True))
