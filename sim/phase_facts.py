"""What the steps of one phase sum up to, as columns over runs.

Not modelled here: which steps ran when; that is the engines' part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from sim.engine.timed import FloatColumn
from sim.engine.times import FULL_CLOCK, ClockMeans
from sim.work import Work

Over = Callable[[FloatColumn], FloatColumn]
"""From a column over steps to one over runs: the sum over the steps of each run."""


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """One phase of each run; every field has shape (runs,).

    Attributes
    ----------
    seconds
        Of all its steps, those of two at once counted twice [s].
    hidden_s
        Of these, what ran beside the encoding of images [s].
    steps, committed_tokens
        Steps, and the output tokens they yield.
    flops
        Matrix FLOPs that were executed.
    useful_flops
        Those among them that the tokens needed: no padding (`workloads.needed`).
    peak_matrix_s
        Seconds these take at the matrix engine's peak rate [s].
    read_bytes, write_bytes, weight_bytes
        Moved from and to DRAM, and weights among what was read [B].
    dram_j, compute_j, active_j
        Energy of traffic, of arithmetic, and of the busy unit besides both [J].
    cache_j
        Of the traffic's, that of the system cache [J].
    full_s, switched_s
        Seconds times the clock, and times what voltage makes of it (`power.clocked_w`) [s].
    """

    seconds: FloatColumn
    hidden_s: FloatColumn
    steps: FloatColumn
    committed_tokens: FloatColumn
    flops: FloatColumn
    useful_flops: FloatColumn
    peak_matrix_s: FloatColumn
    read_bytes: FloatColumn
    write_bytes: FloatColumn
    weight_bytes: FloatColumn
    dram_j: FloatColumn
    cache_j: FloatColumn
    compute_j: FloatColumn
    active_j: FloatColumn
    full_s: FloatColumn
    switched_s: FloatColumn

    @property
    def dram_bytes(self) -> FloatColumn:
        """Moved from and to DRAM [B]."""
        return self.read_bytes + self.write_bytes

    @property
    def dynamic_j(self) -> FloatColumn:
        """Energy of traffic, arithmetic and busy unit [J]."""
        return self.dram_j + self.compute_j + self.active_j

    @property
    def switched_w(self) -> FloatColumn:
        """Mean power of arithmetic and busy unit at full clock; NaN where nothing ran [W]."""
        return ratio(self.compute_j + self.active_j, self.switched_s)

    @property
    def dynamic_w(self) -> FloatColumn:
        """Mean dynamic power at full clock; NaN where nothing ran [W]."""
        return ratio(self.dram_j, self.full_s) + self.switched_w


def phase_facts(
    over: Over,
    work: Work,
    seconds: FloatColumn,
    committed: FloatColumn,
    clocks: ClockMeans = FULL_CLOCK,
    needed_flops: FloatColumn | None = None,
    summed: Mapping[str, FloatColumn] | None = None,
) -> PhaseFacts:
    """Return what the steps of one group sum up to, run by run.

    Parameters
    ----------
    clocks
        The means of `sim.engine.times.clock_means`, step by step.
    needed_flops
        Those of the group, if they are not all that is executed.
    summed
        What its work sums up to (`summed_work`), where it is known.
    """
    clock, switched = clocks
    summed = summed_work(over, work) if summed is None else summed
    return PhaseFacts(
        seconds=over(seconds),
        hidden_s=np.zeros(1),
        steps=over(np.ones_like(committed)),
        committed_tokens=over(committed),
        useful_flops=summed["flops"] if needed_flops is None else over(needed_flops),
        compute_j=over(work.arithmetic_j(seconds, clock, switched)),
        active_j=over(work.active_j(seconds, switched)),
        full_s=over(seconds * clock),
        switched_s=over(seconds * switched),
        **summed,
    )


SUMMED: Final = (
    "flops",
    "peak_matrix_s",
    "read_bytes",
    "write_bytes",
    "weight_bytes",
    "dram_j",
    "cache_j",
)
"""Columns of `Work` that no clock changes."""


def summed_work(over: Over, work: Work) -> dict[str, FloatColumn]:
    """Return what the steps of a group's work sum up to; groups that share the work share it."""
    return {name: over(getattr(work, name)) for name in SUMMED}


def slowed(part: PhaseFacts, seconds: FloatColumn, switched_s: FloatColumn) -> PhaseFacts:
    """Return a phase at full clock as governors left it: its seconds and ``switched_s`` [s]."""
    share = np.nan_to_num(ratio(switched_s, part.full_s), nan=1.0)
    return replace(
        part,
        seconds=seconds,
        switched_s=switched_s,
        compute_j=part.compute_j * share,
        active_j=part.active_j * share,
    )


def added(parts: Iterable[PhaseFacts]) -> PhaseFacts:
    """Return several groups of one phase as one; nothing at all where there is none."""
    rows = [[getattr(part, item.name) for item in fields(PhaseFacts)] for part in parts]
    columns = zip(*rows, strict=True) if rows else [()] * len(fields(PhaseFacts))
    return PhaseFacts(*(sum(column, np.zeros(1)) for column in columns))


def ratio(part: Any, of: Any) -> FloatColumn:
    """Return ``part / of``, NaN where the whole is zero."""
    found: FloatColumn = np.full(np.broadcast_shapes(np.shape(part), np.shape(of)), np.nan)
    np.divide(part, of, out=found, where=np.asarray(of) != 0)
    return found


def whole(column: FloatColumn) -> FloatColumn:
    """Return the sum over all steps, shape (..., 1)."""
    total: FloatColumn = column.sum(axis=-1, keepdims=True)
    return total
