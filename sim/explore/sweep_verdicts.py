"""The verdict on each row of a sweep that has targets: the one function of `sim.verdicts`.

Such rows are simulated one by one, since a verdict asks for the minutes after the reply, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from sim.explore.designs import SweepSpec
from sim.explore.targets import Target
from sim.judgements import Judgement
from sim.results import Result
from sim.verdicts import judge, verdict

COLUMNS: dict[str, type] = {
    "status": str,
    "probability": float,
    "probability_sustained": float,
    "slack": float,
    "in_the_way": str,
}
"""What a verdict adds to a row; ``slack`` is the least share of a limit to spare."""


@cache
def targets_of(texts: tuple[str, ...]) -> tuple[Target, ...]:
    """Return the targets that texts state; raises `SimError` where one is none."""
    return tuple(map(Target.parse, texts))


def judged(spec: SweepSpec, result: Result) -> dict[str, Any]:
    """Return the verdict on a row's run, over draws of its device if the sweep has any."""
    targets = targets_of(spec.targets)
    if spec.uncertainty:
        found = verdict(result, targets, spec.uncertainty, spec.minutes, spec.seed)
    else:
        found = judge(result, targets, minutes=spec.minutes)
    least, binding = min(_slacks((*found.targets, found.budget)), default=(None, None))
    return {
        "status": found.status.value,
        "probability": found.probability,
        "probability_sustained": found.probability_sustained,
        "slack": least,
        "in_the_way": binding if found.status.value != "PASS" else None,
    }


def _slacks(items: tuple[Judgement, ...]) -> Iterator[tuple[float, str]]:
    """Yield how much of each limit is to spare, at first or later, and what is asked."""
    for item in items:
        for value in (item.value, item.value_sustained):
            if value is not None:
                yield item.target.slack(value), str(item.target)
