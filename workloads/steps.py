"""The steps of a session: turns -> groups of steps, lowered phase by phase.

A turn runs one vision step per image, prefill steps of at most a chunk, and decode steps that each
commit the tokens its speculation yields. The first output token comes from the last prefill step.

Not modelled: tokenising and detokenising; their host time is part of the stack's step overhead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workloads.errors import WorkloadError
from workloads.head_rows import head_runs, prefill_phase
from workloads.kv_cache import cache_bytes, visible_tokens
from workloads.needed import adapter_flops, executed_flops, with_needed
from workloads.program import OnProgress, Setup, StepGroup, untold
from workloads.session import MAX_TOKENS
from workloads.step_tasks import StepTasks, joined
from workloads.tasks import Column
from workloads.turns import TurnPlan


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
"""Most steps of a session that are lowered; times and sums take about 300 B of each."""
WINDOW_STEPS = 8192
"""Longer replies are groups of so many steps: those of equal sizes share their segments."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How the steps of a session are listed.

    Attributes
    ----------
    budget_bytes
        What may be resident, on each device [B]. A long group of steps that is surely refused holds
        its last step alone, since none of them will run.
    window_steps
        Most decode steps of a group.
    on_progress
        Told how many turns are planned.
    """

    budget_bytes: float | Column = np.inf
    window_steps: int = MAX_TOKENS
    on_progress: OnProgress = untold


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

    tasks: StepTasks
    capacity_tokens: int
    grows: bool = False
    vision_flash_bytes: float = 0.0
    room_bytes: float | Column = np.inf
    listing: Listing = Listing()

    def groups(self, plans: Sequence[TurnPlan]) -> list[StepGroup]:
        """Return all step groups in order; `WorkloadError` where they are too many steps."""
        self._check_steps(plans)
        first_like: dict[tuple[Hashable, Setup], int] = {}
        like: list[int] = []
        found: list[StepGroup] = []
        reload = Setup()
        for index, plan in enumerate(plans):
            self.listing.on_progress(index, len(plans), "turns planned")
            like.append(first_like.setdefault((plan.work, reload), index))
            if like[-1] == index:
                found += self._turn(index, plan, reload)
            if plan.patches:
                reload = Setup(flash_bytes=self.vision_flash_bytes)
        found = with_needed(found, plans, self.tasks.trace, self.tasks.options.routing_skew)
        of_turn: dict[int, list[StepGroup]] = {}
        for group in found:
            of_turn.setdefault(group.turn, []).append(group)
        return [
            replace(group, turn=index, at_s=plans[index].turn.at_s)
            for index, first in enumerate(like)
            for group in of_turn[first]
        ]

    def _turn(self, index: int, plan: TurnPlan, reload: Setup) -> list[StepGroup]:
        """Return the groups of one turn."""
        vision = [replace(self.vision(index, plan), setup=reload)] if plan.patches else []
        prefill = self.prefill(index, plan)
        prefill = replace(prefill, images_needed=self._needed(plan, vision, prefill))
        return [*vision, prefill, *self.decode(index, plan)]

    def vision(self, index: int, plan: TurnPlan) -> StepGroup:
        """Return the group that encodes the images of a turn, one step each."""
        patches = np.array(plan.patches, dtype=np.float64)
        nothing = np.zeros_like(patches)
        phase = self.tasks.trace.phases["vision"]
        names = ("N", *(name for name in phase.symbols if name != "N"))
        sizes = {
            name: np.array([image.sizes[name] for image in plan.images], dtype=np.float64)
            for name in names
        }
        segments, held = self.tasks.segments(
            phase, sizes, np.ones_like(patches), self.tasks.adapter(plan)
        )
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
        """Return the group that fills the cache, in chunks; the last one yields the first token."""
        options = self.tasks.options
        chunk = options.prefill_chunk_tokens or plan.prefill_tokens
        steps = -(-plan.prefill_tokens // chunk)
        grown = self._grown_bytes(plan, plan.prefill_peak_tokens(chunk))
        new = np.full(steps, float(chunk), dtype=np.float64)
        if not options.pads_prefill:
            new[-1] = plan.prefill_tokens - (steps - 1) * chunk
        offered = np.minimum(plan.cached_tokens + np.cumsum(new), float(plan.prompt_tokens))
        bound = float(plan.eviction.peak_prefill_tokens(plan.prompt_tokens, chunk))
        live = np.minimum(offered, bound)
        context = self._context(new, live)
        last = np.zeros(steps)
        last[-1] = 1.0
        if self._is_refused(steps, grown):
            new, live, context, last = (column[-1:] for column in (new, live, context, last))
        segments, held = self.tasks.segments(
            prefill_phase(self.tasks.trace, options.whole_head),
            {"T": new, "S": context},
            head_runs(last, options.whole_head),
            self.tasks.adapter(plan),
        )
        crossing, crossing_held = self.tasks.crossing(plan, new)
        used = plan.prefill_tokens / new.sum()
        beside = adapter_flops(segments, self.tasks.lora) + executed_flops(crossing)
        sees = max(plan.prefill_tokens, int(live[-1]))
        drafted = self.tasks.draft.needed_flops(plan.prefill_tokens, sees)
        return StepGroup(
            phase="prefill",
            turn=index,
            new_tokens=new,
            visible_tokens=context,
            live_tokens=live,
            committed_tokens=last,
            segments=joined(
                segments,
                crossing,
                (
                    *self.tasks.drafted_prompt(new, context),
                    *self.tasks.after_prefill(plan, chunk, last),
                ),
            ),
            activation_bytes=max(held, crossing_held),
            at_s=plan.turn.at_s,
            switches=_switches(context),
            setup=self._setup(plan),
            cache_bytes=grown,
            needed_flops=last * (np.sum(beside) * used + drafted),
        )

    def decode(self, index: int, plan: TurnPlan) -> Iterator[StepGroup]:
        """Yield the groups that yield the output tokens after the first, a window of steps each."""
        steps = len(plan.committed)
        if not steps:
            return
        grown = self._grown_bytes(plan, plan.decode_peak_tokens)
        first = steps - 1 if self._is_refused(steps, grown) else 0
        produced, committed = plan.produced[first:], plan.committed[first:]
        loaded = plan.eviction.loaded_tokens(plan.prompt_tokens, produced)
        context = self._context(np.full(steps - first, self.tasks.width(plan)), loaded + plan.width)
        switches = _switches(context)
        for start in range(0, steps - first, self.listing.window_steps):
            part = slice(start, start + self.listing.window_steps)
            group = self._window(index, plan, produced[part], committed[part], context[part])
            yield replace(group, switches=switches[part], cache_bytes=grown, first=first + start)

    def _window(
        self, index: int, plan: TurnPlan, produced: Column, committed: Column, context: Column
    ) -> StepGroup:
        """Return consecutive decode steps of a turn as a group."""
        stored = plan.eviction.retained_tokens(plan.prompt_tokens, produced + committed)
        segments, held, needed = self.tasks.decode(plan, produced, committed, context, stored)
        return StepGroup(
            phase="decode",
            turn=index,
            new_tokens=np.full(len(produced), self.tasks.width(plan)),
            visible_tokens=context,
            live_tokens=stored,
            committed_tokens=committed,
            segments=segments,
            activation_bytes=held,
            at_s=plan.turn.at_s,
            needed_flops=needed,
        )

    @property
    def buckets(self) -> tuple[int, ...]:
        """Cache sizes graphs are compiled for: the stack's below the capacity, and the capacity."""
        compiled = self.tasks.options.cache_buckets_tokens
        below = tuple(bucket for bucket in compiled if bucket < self.capacity_tokens)
        return (*below, self.capacity_tokens) if compiled else ()

    def _check_steps(self, plans: Sequence[TurnPlan]) -> None:
        """Raise `WorkloadError` where the decode steps that memory may hold are too many."""
        turns = Counter(plan.work for plan in plans)
        distinct = {plan.work: plan for plan in plans}
        steps = sum(
            turns[work] * len(plan.committed)
            for work, plan in distinct.items()
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
        if not self.tasks.options.vision_overlap or not vision or prefill.steps == 1:
            return None
        sees = {task.unit for task, _ in vision[0].tasks()}
        fills = {task.unit for task, _ in prefill.tasks() if task.runs[:-1].any()}
        needed = plan.images_needed(int(prefill.new_tokens[0]))
        return None if sees & fills or needed[0] == vision[0].steps else needed

    def _context(self, new: Column, live: Column) -> Column:
        return np.maximum(new, visible_tokens(np.ceil(live), self.buckets))

    def _setup(self, plan: TurnPlan) -> Setup:
        if plan.switch is None:
            return Setup()
        switch = plan.switch
        return Setup(switch.flash_bytes, switch.bound_bytes, switch.held_bytes)

    def _grown_bytes(self, plan: TurnPlan, tokens: int) -> dict[str, float]:
        return self.caches_bytes(tokens, plan.image_states) if self.grows else {}

    def caches_bytes(self, tokens: int, image_states: int) -> dict[str, float]:
        """Return the bytes of one conversation's caches at a size [B]."""
        kv, step = self.tasks.formats.kv, self.tasks.options.prefill_chunk_tokens
        held = float(cache_bytes(kv, self.tasks.trace.cache, tokens, step))
        seen = float(kv.size_bytes(image_states, self.tasks.trace.cross_elements))
        return {
            "kv_cache": held + seen + self.tasks.trace.state_bytes,
            "draft": float(kv.size_bytes(tokens, self.tasks.draft.cost.kv_elements_per_token)),
        }


def _switches(context: Column) -> Column:
    """Return 1 in steps whose graph differs from that of the step before; the first is loaded."""
    return np.concatenate(([0.0], np.diff(context) != 0.0)).astype(np.float64)
