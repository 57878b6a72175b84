"""What the tokens themselves need of the matrix work, whatever a stack's graphs execute.

    needed = sum over operators of FLOPs at the tokens' own sizes, without the pairs a mask removes

Executed less needed is padding: rows beyond the prompt in compiled chunks and verify widths, cache
positions that hold nothing, masked pairs that are multiplied all the same, ranks of adapters beyond
their own. A prompt needs the same on every device and in every chunk.

Not counted as padding: drafts that are rejected, which no graph knows before, and matrix tiles,
whose padding costs time and no operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from workloads.lora import Lora
from workloads.lowering import Whole, demands
from workloads.program import Column, ProgramSegment
from workloads.storage import is_layer
from workloads.trace import Phase


def needed_flops(
    phase: Phase, sizes: Mapping[str, Whole], tail_runs: Column, routing_skew: float
) -> Column:
    """Return the matrix FLOPs of a phase at sizes of shape (steps,), as a column over them [FLOP].

    What follows the last layer counts where ``tail_runs`` is 1.
    """
    last = max((i for i, part in enumerate(phase.segments) if is_layer(part)), default=0)
    total = np.zeros_like(tail_runs)
    for index, part in enumerate(phase.segments):
        found = sum(demand.causal_flops for demand in demands(part, sizes, routing_skew))
        runs = 1.0 if index <= last else tail_runs
        total = total + part.repeat * runs * np.asarray(found, dtype=np.float64)
    return total


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
