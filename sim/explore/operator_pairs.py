"""Two runs side by side, operator by operator: seconds and bytes per output token, or per turn.

Only their first turns are compared. Operators of equal names are one, whatever their layer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from sim.engine.recording import operators_that_ran
from sim.run import Run


@dataclass(frozen=True, slots=True)
class Pair:
    """Something of two runs: its seconds and the bytes it moves, 0 in a run that lacks it."""

    name: str
    before_s: float
    after_s: float
    before_bytes: float
    after_bytes: float

    @property
    def difference_s(self) -> float:
        """Seconds the second run takes longer; negative where it is faster."""
        return self.after_s - self.before_s


def operator_pairs(before: Run, after: Run, phase: str) -> list[Pair]:
    """Return the operators of a phase in both runs, the largest difference first.

    Those of decode are per output token after the first, so that drafts can be compared; others are
    per turn.
    """
    first, second = _each(before, phase), _each(after, phase)
    nothing = np.zeros(2)
    found = []
    for name in dict.fromkeys((*first, *second)):
        (before_s, before_bytes), (after_s, after_bytes) = (
            run.get(name, nothing).tolist() for run in (first, second)
        )
        found.append(Pair(name, before_s, after_s, before_bytes, after_bytes))
    return sorted(found, key=lambda pair: -abs(pair.difference_s))


def _each(run: Run, phase: str) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return seconds [s] and DRAM bytes [B] of each operator by name."""
    reply = run.first_reply()
    groups = [times for times in reply.groups if times.group.phase == phase]
    tokens = sum(float(times.group.committed_tokens.sum()) for times in groups)
    count = max(1.0, tokens) if phase == "decode" else 1.0
    found: defaultdict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = defaultdict(
        lambda: np.zeros(2)
    )
    for times in groups:
        for ran in operators_that_ran(times):
            demand = ran.task.demand
            moved = demand.dram_bytes[ran.steps].sum() if demand else 0.0
            found[ran.task.name] += np.array([ran.elapsed_s.sum(), moved]) / count
    return {name: sums for name, sums in found.items() if sums.any()}
