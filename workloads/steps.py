"""The steps of a session: turns -> groups of steps, lowered phase by phase.

A turn runs one vision step per image, prefill steps of at most a chunk, and decode steps that each
commit the tokens its speculation yields. The first output token comes from the last prefill step.

Not modelled: tokenising and detokenising; their host time is part of the stack's step overhead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from workloads.errors import WorkloadError
from workloads.eviction import EvictionWork
from workloads.graph import Formats, GraphOptions
from workloads.kv_cache import cache_bytes, visible_tokens
from workloads.lora import Lora
from workloads.mechanisms import (
    ActiveAdapter,
    Draft,
    attention_shape,
    eviction_segment,
    sampling_segment,
    tree_commit_segment,
)
from workloads.needed import adapter_flops, executed_flops, with_needed
from workloads.phase_lowering import lower_phase
from workloads.program import Column, ProgramSegment, Setup, StepGroup
from workloads.speculation import padded_width
from workloads.trace import CROSS, Phase, Trace
from workloads.turns import TurnPlan, linear_sizes


def cache_capacity(needed: int, wanted: int | None, buckets: Sequence[int]) -> int:
    """Return the KV positions to allocate: as wanted, else the bucket that holds ``needed``.

    Raises `WorkloadError` where fewer are wanted than needed.

    >>> cache_capacity(900, None, (512, 1024, 4096))
    1024
    """
    if wanted is not None:
        if wanted < needed:
            raise WorkloadError(
                f"deployment.kv_cache.capacity_tokens must be at least {needed} for this session. "
                f"Got {wanted}. Shorten the session, enlarge the cache or evict."
            )
        return wanted
    return next((bucket for bucket in sorted(buckets) if bucket >= needed), needed)


LONG_STEPS = 4096
"""A group of more steps that memory will refuse is lowered as its last step alone."""
MAX_STEPS = 1_000_000
"""Most steps of a session that are lowered; each takes about 1 kB until the run is done."""

Lowered = tuple[tuple[ProgramSegment, ...], float]


@dataclass(frozen=True, slots=True)
class Compiler:
    """Builds the step groups of a session for one deployment on one stack's graphs.

    Turns of equal sizes share their segments, so that a long session costs little more to compile
    than its distinct turns.

    Attributes
    ----------
    grows
        Each conversation's cache grows with it; else all are allocated whole.
    vision_flash_bytes
        Read from flash before the images of every turn but the first [B].
    room_bytes
        What a conversation's cache may at most take, on each device [B].
    """

    trace: Trace
    formats: Formats
    options: GraphOptions
    capacity_tokens: int
    draft: Draft
    lora: Lora | None
    grows: bool = False
    vision_flash_bytes: float = 0.0
    room_bytes: float | Column = np.inf
    _lowered: dict[tuple[object, ...], Lowered] = field(default_factory=dict)

    def groups(self, plans: Sequence[TurnPlan]) -> list[StepGroup]:
        """Return all step groups in order; `WorkloadError` where they are too many steps."""
        self._check_steps(plans)
        found: list[StepGroup] = []
        reload = Setup()
        for index, plan in enumerate(plans):
            vision = [replace(self.vision(index, plan), setup=reload)] if plan.patches else []
            if vision:
                reload = Setup(flash_bytes=self.vision_flash_bytes)
            prefill = self.prefill(index, plan)
            found += [*vision, replace(prefill, images_needed=self._needed(plan, vision, prefill))]
            if plan.committed.size:
                found.append(self.decode(index, plan))
        return with_needed(found, plans, self.trace, self.options.routing_skew)

    def vision(self, index: int, plan: TurnPlan) -> StepGroup:
        """Return the group that encodes the images of a turn, one step each."""
        patches = np.array(plan.patches, dtype=np.float64)
        nothing = np.zeros_like(patches)
        phase = self.trace.phases["vision"]
        names = ("N", *(name for name in phase.symbols if name != "N"))
        sizes = {
            name: np.array([image.sizes[name] for image in plan.images], dtype=np.float64)
            for name in names
        }
        segments, held = self._segments(phase, sizes, np.ones_like(patches), self._adapter(plan))
        return StepGroup(
            phase="vision",
            turn=index,
            new_tokens=patches,
            visible_tokens=patches,
            live_tokens=nothing,
            committed_tokens=nothing,
            segments=segments,
            activation_bytes=held,
            at_s=plan.turn.at_s,
        )

    def prefill(self, index: int, plan: TurnPlan) -> StepGroup:
        """Return the group that fills the cache, in chunks; the LM head runs on the last one."""
        chunk = self.options.prefill_chunk_tokens or plan.prefill_tokens
        steps = -(-plan.prefill_tokens // chunk)
        grown = self._grown_bytes(plan, plan.prefill_peak_tokens(chunk))
        new = np.full(steps, float(chunk), dtype=np.float64)
        offered = np.minimum(plan.cached_tokens + np.cumsum(new), float(plan.prompt_tokens))
        bound = float(plan.eviction.peak_prefill_tokens(plan.prompt_tokens, chunk))
        live = np.minimum(offered, bound)
        context = self._context(new, live)
        last = np.zeros(steps)
        last[-1] = 1.0
        if self._is_refused(steps, grown):
            new, live, context, last = (column[-1:] for column in (new, live, context, last))
        phase = self.trace.phases["prefill"]
        segments, held = self._segments(phase, {"T": new, "S": context}, last, self._adapter(plan))
        crossing, crossing_held = self._crossing(plan, new)
        used = plan.prefill_tokens / new.sum()
        beside = adapter_flops(segments, self.lora) + executed_flops(crossing)
        return StepGroup(
            phase="prefill",
            turn=index,
            new_tokens=new,
            visible_tokens=context,
            live_tokens=live,
            committed_tokens=last,
            segments=_joined(
                segments,
                crossing,
                self._sampling(1, last) + self._prefill_eviction(plan, chunk, last),
            ),
            activation_bytes=max(held, crossing_held),
            at_s=plan.turn.at_s,
            switches=_switches(context),
            setup=self._setup(plan),
            cache_bytes=grown,
            needed_flops=last * np.sum(beside) * used,
        )

    def decode(self, index: int, plan: TurnPlan) -> StepGroup:
        """Return the group that yields the output tokens after the first."""
        produced, committed = plan.produced, plan.committed
        grown = self._grown_bytes(plan, plan.decode_peak_tokens)
        if self._is_refused(len(produced), grown):
            produced, committed = produced[-1:], committed[-1:]
        steps = produced.shape[0]
        width = padded_width(plan.width, self.options.verify_buckets_tokens)
        new = np.full(steps, float(width), dtype=np.float64)
        loaded = plan.eviction.loaded_tokens(plan.prompt_tokens, produced)
        context = self._context(new, loaded + plan.width)
        phase = self.trace.phases["decode"]
        if width > 1 and "T" not in phase.symbols:
            raise WorkloadError(
                f"deployment.speculation must be none for {self.trace.model}: its decode was "
                f"captured for one token and not for {width}."
            )
        sizes = {"T": new, "S": context}
        segments, held = self._segments(phase, sizes, np.ones(steps), self._adapter(plan))
        crossing, crossing_held = self._crossing(plan, new)
        stored = plan.eviction.retained_tokens(plan.prompt_tokens, produced + committed)
        extras = self._decode_extras(plan, produced, committed)
        drafting = self._drafting(stored)
        used = plan.width / width
        beside = adapter_flops(segments, self.lora) + executed_flops(crossing)
        return StepGroup(
            phase="decode",
            turn=index,
            new_tokens=new,
            visible_tokens=context,
            live_tokens=stored,
            committed_tokens=committed,
            segments=_joined(segments, (*drafting, *crossing), extras),
            activation_bytes=max(held, crossing_held),
            at_s=plan.turn.at_s,
            switches=_switches(context),
            cache_bytes=grown,
            needed_flops=beside * used + executed_flops((*drafting, *extras)) + np.zeros(steps),
        )

    def _crossing(self, plan: TurnPlan, new: Column) -> Lowered:
        """Return what reads the conversation's image states beside each step; nothing without."""
        if not plan.image_states:
            return (), 0.0
        sizes = {"T": new, "X": np.full_like(new, plan.image_states)}
        always = np.ones_like(new)
        return self._segments(self.trace.phases[CROSS], sizes, always, self._adapter(plan))

    @property
    def buckets(self) -> tuple[int, ...]:
        """Cache sizes graphs are compiled for: the stack's below the capacity, and the capacity."""
        compiled = self.options.cache_buckets_tokens
        below = tuple(bucket for bucket in compiled if bucket < self.capacity_tokens)
        return (*below, self.capacity_tokens) if compiled else ()

    @property
    def kv_bytes_per_token(self) -> float:
        """KV-cache bytes of one token over all layers [B]."""
        return self.formats.kv.bytes_per_token(self.trace.kv_elements_per_token)

    @property
    def kv_row_bytes(self) -> float:
        """Bytes of K or V of one token in one head: the piece a gather moves [B]."""
        return self.trace.decoder.head_dim * self.formats.kv.bits / 8

    def _check_steps(self, plans: Sequence[TurnPlan]) -> None:
        """Raise `WorkloadError` where the decode steps that memory may hold are too many."""
        steps = sum(
            len(plan.committed)
            for plan in plans
            if not self._is_refused(
                len(plan.committed), self._grown_bytes(plan, plan.decode_peak_tokens)
            )
        )
        if steps > MAX_STEPS:
            raise WorkloadError(
                f"session must ask at most {MAX_STEPS} decode steps. Got {steps}. "
                "Remedy: fewer output_tokens; the rate at a long context needs no long reply."
            )

    def _is_refused(self, steps: int, grown: Mapping[str, float]) -> bool:
        """Return whether a long group's cache exceeds what memory may give it on every device."""
        return steps > LONG_STEPS and bool(np.all(sum(grown.values()) > self.room_bytes))

    def _needed(
        self, plan: TurnPlan, vision: Sequence[StepGroup], prefill: StepGroup
    ) -> Column | None:
        """Return the images each prefill step waits for; ``None`` where it waits for all.

        Only another unit gains: one that alternated between the two would end at the same time. The
        last step needs every image, so what follows the layers never runs beside an encoder.
        """
        if not self.options.vision_overlap or not vision or prefill.steps == 1:
            return None
        sees = {task.unit for task, _ in vision[0].tasks()}
        fills = {task.unit for task, _ in prefill.tasks() if task.runs[:-1].any()}
        needed = plan.images_needed(int(prefill.new_tokens[0]))
        return None if sees & fills or needed[0] == vision[0].steps else needed

    def _context(self, new: Column, live: Column) -> Column:
        return np.maximum(new, visible_tokens(np.ceil(live), self.buckets))

    def _adapter(self, plan: TurnPlan) -> ActiveAdapter | None:
        if self.lora is None or plan.turn.adapter is None:
            return None
        return ActiveAdapter(self.lora, linear_sizes(self.trace))

    def _setup(self, plan: TurnPlan) -> Setup:
        if plan.switch is None:
            return Setup()
        switch = plan.switch
        return Setup(switch.flash_bytes, switch.bound_bytes, switch.held_bytes)

    def _grown_bytes(self, plan: TurnPlan, tokens: int) -> dict[str, float]:
        return self.caches_bytes(tokens, plan.image_states) if self.grows else {}

    def caches_bytes(self, tokens: int, image_states: int) -> dict[str, float]:
        """Return the bytes of one conversation's caches at a size [B]."""
        kv, step = self.formats.kv, self.options.prefill_chunk_tokens
        held = float(cache_bytes(kv, self.trace.cache, tokens, step))
        seen = float(kv.size_bytes(image_states, self.trace.cross_elements))
        return {
            "kv_cache": held + seen + self.trace.state_bytes,
            "draft": float(kv.size_bytes(tokens, self.draft.cost.kv_elements_per_token)),
        }

    def _drafting(self, live: Column) -> tuple[ProgramSegment, ...]:
        segment = self.draft.segment(self.formats, live)
        return () if segment is None else (segment,)

    def _sampling(self, tokens: int, runs: Column) -> tuple[ProgramSegment, ...]:
        return sampling_segment(self.formats, self.trace.decoder.vocab, float(tokens), runs)

    def _prefill_eviction(
        self, plan: TurnPlan, chunk: int, last: Column
    ) -> tuple[ProgramSegment, ...]:
        shape = attention_shape(self.trace.decoder, self.kv_bytes_per_token)
        work = plan.eviction.prefill_work(plan.prompt_tokens, chunk, shape)
        if work == EvictionWork():
            return ()
        return (eviction_segment(self.formats, work, self.kv_row_bytes, last),)

    def _decode_extras(
        self, plan: TurnPlan, produced: Column, committed: Column
    ) -> tuple[ProgramSegment, ...]:
        shape = attention_shape(self.trace.decoder, self.kv_bytes_per_token)
        work = plan.eviction.decode_work(plan.prompt_tokens, produced, shape)
        found = [*self._sampling(plan.width, np.ones(produced.shape))]
        if np.any(work.scoring_flops) or np.any(work.compaction_bytes):
            always = np.ones(produced.shape)
            found.append(eviction_segment(self.formats, work, self.kv_row_bytes, always))
        if self.draft.is_tree:
            found.append(
                tree_commit_segment(
                    self.formats, committed, self.kv_bytes_per_token, self.kv_row_bytes
                )
            )
        return tuple(found)

    def _segments(
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


def _joined(
    segments: tuple[ProgramSegment, ...],
    before: tuple[ProgramSegment, ...] = (),
    after: tuple[ProgramSegment, ...] = (),
) -> tuple[ProgramSegment, ...]:
    """Return segments with what a turn adds; the very same object where it adds nothing."""
    return (*before, *segments, *after) if before or after else segments


def _switches(context: Column) -> Column:
    """Return 1 in steps whose graph differs from that of the step before; the first is loaded."""
    return np.concatenate(([0.0], np.diff(context) != 0.0)).astype(np.float64)
