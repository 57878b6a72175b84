"""What the tokens themselves need of the matrix work, whatever a stack's graphs execute.

    needed = sum over operators of FLOPs at the tokens' own sizes, without the pairs a mask removes

Executed less needed is padding: rows beyond the prompt in compiled chunks and verify widths, cache
positions that hold nothing, masked pairs that are multiplied all the same, ranks of adapters beyond
their own. A prompt needs the same on every device and in every chunk.

Not counted as padding: drafts that are rejected, which no graph knows before, and matrix tiles,
whose padding costs time and no operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

import numpy as np

from workloads.lora import Lora
from workloads.lowering import MATRIX_KINDS, Whole
from workloads.operators import cost
from workloads.program import ProgramSegment, StepGroup
from workloads.same import FrozenSizes, Same, frozen, thawed
from workloads.tasks import Column
from workloads.trace import Phase, Trace
from workloads.turns import TurnPlan

REMEMBERED = 8
"""Phases at certain sizes whose needed FLOPs are remembered."""
AT_ONCE = 65_536
"""Steps that are worked out together: enough to be quick, few enough to be small."""


def needed_flops(phase: Phase, sizes: Mapping[str, Whole], routing_skew: float) -> Column:
    """Return the matrix FLOPs of a phase at sizes of shape (steps,), as a column over them [FLOP].

    What follows the last layer counts in every step. The column is shared and read-only.
    """
    return _needed(Same(phase), frozen(sizes), routing_skew)


@lru_cache(maxsize=REMEMBERED)
def _needed(same: Same[Phase], sizes: FrozenSizes, routing_skew: float) -> Column:
    """Return what `needed_flops` does; deployments that differ in formats share it."""
    whole = {name: np.asarray(size) for name, size in thawed(sizes).items()}
    steps = len(next(iter(whole.values())))
    total = np.zeros(steps)
    for start in range(0, steps, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        known = {name: size[part] for name, size in whole.items()}
        for segment in same.part.segments:
            for operator in segment.operators:
                if operator.kind in MATRIX_KINDS:
                    found = cost(operator, known, routing_skew).causal_flops
                    total[part] += segment.repeat * np.asarray(found, dtype=np.float64)
    total.flags.writeable = False
    return total


def with_needed(
    groups: Sequence[StepGroup], plans: Sequence[TurnPlan], trace: Trace, routing_skew: float
) -> list[StepGroup]:
    """Return the groups of a session, what their tokens need put on top of what stands there.

    All steps of a session are worked out together; turns of one width share a call. No prefill
    needs more than it executes, which an eviction that bounds what is seen may make less.
    """
    found = list(groups)
    asked = [
        (group.phase, rows, place, contexts)
        for place, group in enumerate(groups)
        if group.needed_flops is not None
        for rows, contexts in [_own_sizes(group, plans[group.turn])]
    ]
    executed: dict[tuple[ProgramSegment, ...], float] = {}
    for name, entries in groupby(sorted(asked, key=lambda entry: entry[0]), lambda entry: entry[0]):
        several = list(entries)
        lengths = [len(contexts) for *_, contexts in several]
        rows = np.repeat([rows for _, rows, _, _ in several], lengths)
        sizes = {"T": rows, "S": np.concatenate([contexts for *_, contexts in several])}
        columns = needed_flops(trace.phases[name], sizes, routing_skew)
        for (*_, place, _), own in zip(
            several, np.split(columns, np.cumsum(lengths)[:-1]), strict=True
        ):
            group = groups[place]
            assert group.needed_flops is not None  # as asked above
            if name == "prefill":
                if group.segments not in executed:
                    executed[group.segments] = float(np.sum(executed_flops(group.segments)))
                last = np.append(np.zeros(group.steps - 1), 1.0)
                whole = min(own[0] + group.needed_flops[-1], executed[group.segments])
                found[place] = replace(group, needed_flops=last * whole)
            else:
                found[place] = replace(group, needed_flops=own + group.needed_flops)
    return found


def _own_sizes(group: StepGroup, plan: TurnPlan) -> tuple[int, Whole]:
    """Return the rows of a group's tokens, and the contexts they need: one of a prefill."""
    if group.phase == "prefill":
        rows = plan.prefill_tokens
        return rows, np.array([max(rows, int(group.live_tokens[-1]))])
    produced = plan.produced[group.first : group.first + group.steps]
    loaded = plan.eviction.loaded_tokens(plan.prompt_tokens, produced)
    return plan.width, np.ceil(loaded + plan.width).astype(np.int64)


def adapter_flops(segments: Iterable[ProgramSegment], lora: Lora | None) -> Column | float:
    """Return the executed FLOPs of adapters, step by step, without those of a padded rank [FLOP].

    Their products are proportional to the rows, so a caller takes the share of rows in use.
    """
    if lora is None:
        return 0.0
    return lora.rank / lora.padded_rank * executed_flops(segments, {"adapter"})


def executed_flops(
    segments: Iterable[ProgramSegment], classes: set[str] | None = None
) -> Column | float:
    """Return what segments execute, step by step; only of some tensor classes if given [FLOP]."""
    total: Column | float = 0.0
    for segment in segments:
        for task in segment.tasks:
            if classes is None or task.tensor_class in classes:
                total = total + segment.repeat * task.runs * task.flops
    return total
