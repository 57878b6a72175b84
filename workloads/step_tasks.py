"""What the steps of a phase run, beside their layers too; steps of equal sizes are lowered once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workloads.drafting import Draft
from workloads.errors import WorkloadError
from workloads.eviction import EvictionWork
from workloads.graph import Formats, GraphOptions
from workloads.lora import Lora
from workloads.mechanisms import (
    ActiveAdapter,
    attention_shape,
    eviction_segment,
    sampling_segment,
    tree_commit_segment,
)
from workloads.needed import adapter_flops, executed_flops
from workloads.phase_lowering import lower_phase
from workloads.program import ProgramSegment
from workloads.speculation import padded_width
from workloads.tasks import COLUMN_NAMES, Column, is_repeated
from workloads.trace import CROSS, Phase, Trace
from workloads.turns import TurnPlan, linear_sizes

MOST_BYTES = 200e6
"""Most that the sizes of decode steps that differ may take, on the way to their seconds [B]."""

PRICED_COLUMNS = 6
"""What a task is as seconds and rates, to weigh it before it is priced."""

Lowered = tuple[tuple[ProgramSegment, ...], float]
Decoding = tuple[tuple[ProgramSegment, ...], float, Column]
"""What decode steps run, what they allocate [B], what they need beside the layers' work [FLOP]."""


@dataclass(frozen=True, slots=True)
class StepTasks:
    """Lowers steps of one deployment on one stack's graphs, and remembers those of equal sizes."""

    trace: Trace
    formats: Formats
    options: GraphOptions
    draft: Draft
    lora: Lora | None
    _decoding: dict[tuple[object, ...], Decoding] = field(default_factory=dict)
    _lowered: dict[tuple[object, ...], Lowered] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)

    @property
    def kv_bytes_per_token(self) -> float:
        """KV-cache bytes of one token over all layers [B]."""
        return self.formats.kv.bytes_per_token(self.trace.kv_elements_per_token)

    @property
    def kv_row_bytes(self) -> float:
        """Bytes of K or V of one token in one head: the piece a gather moves [B]."""
        return self.trace.decoder.head_dim * self.formats.kv.bits / 8

    def adapter(self, plan: TurnPlan) -> ActiveAdapter | None:
        """Return the adapter a turn runs on, if any."""
        if self.lora is None or plan.turn.adapter is None:
            return None
        return ActiveAdapter(self.lora, linear_sizes(self.trace))

    def width(self, plan: TurnPlan) -> float:
        """Return the tokens each decode step computes, as compiled."""
        width = padded_width(plan.width, self.options.verify_buckets_tokens)
        if width > 1 and "T" not in self.trace.phases["decode"].symbols:
            raise WorkloadError(
                f"deployment.speculation must be none for {self.trace.model}: its decode was "
                f"captured for one token and not for {width}."
            )
        return float(width)

    def decode(
        self, plan: TurnPlan, produced: Column, committed: Column, context: Column, stored: Column
    ) -> Decoding:
        """Return what decode steps run; those of equal sizes are lowered once."""
        shape = attention_shape(self.trace.decoder, self.kv_bytes_per_token)
        work = plan.eviction.decode_work(plan.prompt_tokens, produced, shape)
        sizes = [context, work.scoring_flops, work.scoring_read_bytes, work.compaction_bytes]
        grows = self.draft.is_tree or self.draft.cost.rows > 1
        sizes += [committed] * grows + [stored] * bool(self.draft.cost.passes)
        known = plan.width, plan.image_states, self.adapter(plan) is None
        key = (*known, *(np.asarray(column).tobytes() for column in sizes))
        if key not in self._decoding:
            self._decoding[key] = self._lower_decode(plan, work, committed, context, stored)
            self._check_bytes(self._decoding[key][0], len(context))
        return self._decoding[key]

    def _lower_decode(
        self, plan: TurnPlan, work: EvictionWork, committed: Column, context: Column, stored: Column
    ) -> Decoding:
        width, always = self.width(plan), np.ones_like(context)
        new = width * always
        segments, held = self.segments(
            self.trace.phases["decode"], {"T": new, "S": context}, always, self.adapter(plan)
        )
        crossing, crossing_held = self.crossing(plan, new)
        extras = self._after_decode(plan, work, committed)
        drafting = self.draft.passes(self.formats, stored, committed)
        beside = adapter_flops(segments, self.lora) + executed_flops(crossing)
        needed = beside * (plan.width / width) + executed_flops((*drafting, *extras))
        return (
            joined(segments, (*drafting, *crossing), extras),
            max(held, crossing_held),
            needed + np.zeros_like(context),
        )

    def crossing(self, plan: TurnPlan, new: Column) -> Lowered:
        """Return what reads the conversation's image states beside each step; nothing without."""
        if not plan.image_states:
            return (), 0.0
        sizes = {"T": new, "X": np.full_like(new, plan.image_states)}
        always = np.ones_like(new)
        return self.segments(self.trace.phases[CROSS], sizes, always, self.adapter(plan))

    def _sampling(self, tokens: int, runs: Column) -> tuple[ProgramSegment, ...]:
        return sampling_segment(self.formats, self.trace.decoder.vocab, float(tokens), runs)

    def drafted_prompt(self, new: Column, context: Column) -> tuple[ProgramSegment, ...]:
        """Return what a draft runs of the prompt, chunk by chunk, if it keeps a cache of it."""
        return self.draft.prompt(self.formats, new, context, self.options.causal_skip)

    def after_prefill(self, plan: TurnPlan, chunk: int, last: Column) -> tuple[ProgramSegment, ...]:
        """Return the choice of the first token, and what eviction adds to the last chunk."""
        shape = attention_shape(self.trace.decoder, self.kv_bytes_per_token)
        work = plan.eviction.prefill_work(plan.prompt_tokens, chunk, shape)
        sampled = self._sampling(1, last)
        if work == EvictionWork():
            return sampled
        return (*sampled, eviction_segment(self.formats, work, self.kv_row_bytes, last))

    def _after_decode(
        self, plan: TurnPlan, work: EvictionWork, committed: Column
    ) -> tuple[ProgramSegment, ...]:
        always = np.ones_like(committed)
        found = [*self._sampling(plan.width, always)]
        if np.any(work.scoring_flops) or np.any(work.compaction_bytes):
            found.append(eviction_segment(self.formats, work, self.kv_row_bytes, always))
        if self.draft.is_tree and self.kv_bytes_per_token:  # what keeps no cache has none to move
            found.append(
                tree_commit_segment(
                    self.formats, committed, self.kv_bytes_per_token, self.kv_row_bytes
                )
            )
        return tuple(found)

    def segments(
        self,
        phase: Phase,
        sizes: Mapping[str, Column],
        tail_runs: Column,
        adapter: ActiveAdapter | None,
    ) -> Lowered:
        """Return a phase as segments and its activation bytes, those of equal sizes only once."""
        columns = tuple((name, size.tobytes()) for name, size in sizes.items())
        key = (phase.name, columns, tail_runs.tobytes(), adapter is None)
        if key not in self._lowered:
            segments, held_bytes = lower_phase(
                phase, sizes, tail_runs, self.formats, self.options, adapter
            )
            self._lowered[key] = segments, float(held_bytes.max())
        return self._lowered[key]

    def _check_bytes(self, segments: Sequence[ProgramSegment], steps: int) -> None:
        """Raise `WorkloadError` where decode steps that differ take too much memory."""
        self._held.update(steps=steps, bytes=_bytes_held(segments))
        held = self._held["bytes"]
        if held > MOST_BYTES:
            most = float(f"{self._held['steps'] * MOST_BYTES / held:.1e}")
            raise WorkloadError(
                f"session must ask at most about {most:.0f} decode steps of different contexts, "
                f"for {self.trace.model}. Got more. Remedy: fewer output_tokens, since the rate at "
                "a long context needs no long reply; or an eviction that bounds the cache."
            )


def joined(
    segments: tuple[ProgramSegment, ...],
    before: tuple[ProgramSegment, ...] = (),
    after: tuple[ProgramSegment, ...] = (),
) -> tuple[ProgramSegment, ...]:
    """Return segments with what a turn adds; the very same object where it adds nothing."""
    return (*before, *segments, *after) if before or after else segments


def _bytes_held(segments: Iterable[ProgramSegment]) -> int:
    """Return what the columns of tasks take, theirs and those of their seconds [B]."""
    held = 0
    for task in (task for segment in segments for task in segment.tasks):
        columns = (getattr(task, name) for name in COLUMN_NAMES)
        varying = sum(not is_repeated(column) for column in columns)
        held += 8 * (varying + PRICED_COLUMNS * bool(varying)) * len(task.runs)
    return held
