"""Many scenarios in one pass: those that differ only in prompt and output tokens.

Their steps stand side by side as columns: prefill steps of equal sizes are evaluated once, and one
table of decode steps by context serves every reply, whose seconds are differences of its running
sums. The sums become `sim.facts.Facts`, as those of any run; a test holds all metrics to 1e-9 of
`sim.simulate`.

Not done here, and left to `sim.simulate`: several turns, eviction, speculation, adapters, other
units than the stack's, other background than none, cross attention to images, and runs that
exceed the app budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.cautions import beyond_positions
from sim.engine.maxplus import step_seconds
from sim.engine.memory import Memory, peak_bytes
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn
from sim.explore.sweep_steps import at_steps, narrowed, step_seconds_by_context
from sim.facts import Facts, HeatFacts, facts_of, sustained
from sim.fingerprint import with_tokens
from sim.heat.columns import HeatColumns
from sim.heat.warp import Pieces, WarpedRuns, warped
from sim.phase_facts import PhaseFacts, added, phase_facts, slowed, whole
from sim.planning import Plan, deployed_trace, formats, graph_options, plan
from sim.work import work_of
from workloads.catalogue import position_limit, trace_for
from workloads.graph import Formats, GraphOptions
from workloads.head_rows import head_runs, prefill_phase
from workloads.kv_cache import cache_bytes, visible_tokens
from workloads.needed import needed_flops
from workloads.phase_lowering import lower_phase
from workloads.program import StepGroup
from workloads.scenario import Scenario
from workloads.steps import cache_capacity
from workloads.tasks import Column
from workloads.trace import CROSS, Trace

Tokens = NDArray[np.int64]

# what a batch evaluates; a scenario that sets anything else is simulated by itself
DEPLOYMENT_KEYS = {"weights", "activations", "images", "kv_cache", "prefill_chunk_tokens"}
DEPLOYMENT_KEYS |= {"free_vision_after_encode", "threads", "clusters"}
KV_CACHE_KEYS = {"dtype", "capacity_tokens", "buckets"}
ENVIRONMENT_KEYS = {"ambient_c", "app_budget_bytes", "charging_heat_w", "clock_fraction", "start"}
TURN_KEYS = {"images_px", "prompt_tokens", "output_tokens"}
MAX_CONTEXTS = 100_000
"""Widest range of contexts one table covers; beyond, scenarios are simulated one by one."""


def is_batchable(scenario: Scenario) -> bool:
    """Return whether a scenario uses only what a batch evaluates."""
    given = scenario.model_dump(exclude_defaults=True)
    deployment, session = given.get("deployment", {}), given.get("session", {})
    turns = session.get("turns", ())
    return (
        scenario.network is None
        and session.keys() == {"turns"}
        and len(turns) == 1
        and turns[0].keys() <= TURN_KEYS
        and not (turns[0].get("images_px") and CROSS in trace_for(scenario.model).phases)
        and deployment.keys() <= DEPLOYMENT_KEYS
        and deployment.get("kv_cache", {}).keys() <= KV_CACHE_KEYS
        and "layers" not in deployment.get("weights", {})
        and given.get("environment", {}).keys() <= ENVIRONMENT_KEYS
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """One phase of every run, and what it holds in memory: numbers or columns over runs [B].

    Attributes
    ----------
    group
        A group of the phase; ``None`` where no run has it.
    """

    group: StepGroup | None
    facts: PhaseFacts
    activation_bytes: Any
    kv_bytes: Any


@dataclass(frozen=True)
class Batch:
    """Runs of one scenario with other token counts.

    Attributes
    ----------
    base
        What the runs share; its own token counts do not matter.
    prompt_tokens, output_tokens
        Text tokens and reply tokens of each run, shape (runs,).
    """

    base: Scenario
    soc: SocSpec
    prompt_tokens: Tokens
    output_tokens: Tokens

    @property
    def contexts(self) -> int:
        """Contexts the decode table covers, at least one."""
        last = int((self.prompt_tokens + self.output_tokens).max())
        return max(1, last - int(self.prompt_tokens.min()) - 1)

    def outgrown(self) -> NDArray[np.bool_]:
        """Return which runs need a larger cache than any compiled one; they share no graph."""
        compiled = self._options.cache_buckets_tokens
        if self.base.deployment.kv_cache.capacity_tokens is not None or not compiled:
            return np.zeros(self.prompt_tokens.shape, dtype=bool)
        return self._needed_tokens > max(compiled)

    @cached_property
    def facts(self) -> Facts:
        """The facts of every run."""
        stages = self._vision(), self._prefill(), self._decode()
        runs = self._warped([stage.facts for stage in stages])
        phases = [
            slowed(stage.facts, seconds, switched_s)
            for stage, seconds, switched_s in zip(
                stages, runs.seconds, runs.switched_s, strict=True
            )
        ]
        facts = facts_of(
            self.base,
            self.soc,
            self._plan.program,
            phases=phases,
            turns=1.0,
            first_token_s=runs.ends.now_s[1],
            makespan_s=runs.ends.now_s[2],
            peak_dram_bytes=self._peak_dram_bytes(stages),
            budget_bytes=self._plan.budget_bytes,
            heat=HeatFacts.of(runs.governed),
            decoded=phases[2],
            kv_tokens=self._needed_tokens,
        )
        return sustained(facts, self.base, self.soc)

    def warnings(self) -> list[list[str]]:
        """Return what each run warns of: what holds of all, and positions of its own.

        What holds of some sizes only, such as sizes no kernel was calibrated for, is left out.
        """
        longest = self._plan
        lengths = self.prompt_tokens + self.output_tokens
        common = list(longest.warnings)
        if common:  # some hold of long runs alone
            least = int(self.prompt_tokens.min()), int(self.output_tokens.min())
            shared = plan(with_tokens(self.base, *least), self.soc).warnings
            common = [text for text in common if text in shared]
        limit = position_limit(self.base.model)
        if limit is None:
            return [common] * len(lengths)
        model, positions = longest.program.model, longest.program.positions
        turn = longest.session.turns[0]
        beyond = lengths - (turn.prompt_tokens + turn.output_tokens)
        return [
            [*common, *beyond_positions(model, positions + more, limit)] for more in beyond.tolist()
        ]

    def _warped(self, phases: Sequence[PhaseFacts]) -> WarpedRuns:
        """Return the phases, known at full clock, under the governors."""
        rows = (
            (part.seconds, part.dynamic_j, part.compute_j + part.active_j, 0.0) for part in phases
        )
        around = self.base.environment
        heat = HeatColumns.of(self.soc, around.ambient_c, around.charging_heat_w)
        return warped(heat, Pieces.of(rows, len(self.prompt_tokens)))

    def _peak_dram_bytes(self, phases: Sequence[Stage]) -> FloatColumn:
        """Return the largest residency of each run, phase by phase as in any run [B]."""
        initial = {**self._plan.program.initial_bytes, "kv_cache": 0.0}
        sees = self._vision_groups
        memory = Memory(
            initial,
            self._plan.budget_bytes,
            len(sees),
            self.base.deployment.free_vision_after_encode,
        )
        held = [
            replace(
                stage.group,
                activation_bytes=stage.activation_bytes,
                cache_bytes={"kv_cache": stage.kv_bytes},
            )
            for stage in phases
            if stage.group is not None
        ]
        return peak_bytes(memory, held)

    @cached_property
    def _vision_groups(self) -> list[StepGroup]:
        return [group for group in self._plan.program.groups if group.phase == "vision"]

    def _vision(self) -> Stage:
        nothing = np.zeros_like(self._needed_tokens)
        parts = [
            phase_facts(
                whole,
                work_of(group, self.soc, self._stack),
                step_seconds(self._pricing.group(group)),
                group.committed_tokens,
            )
            for group in self._vision_groups
        ]
        group = self._vision_groups[0] if parts else None
        held = group.activation_bytes if group else 0.0
        return Stage(group, added(parts), held, self._kv_bytes(nothing))

    def _prefill(self) -> Stage:
        """Return the prefill of each run; steps of equal sizes are evaluated once."""
        total, chunk = self._prefill_tokens, self._options.prefill_chunk_tokens
        counts = np.ones_like(total) if chunk is None else -(-total // chunk)
        run = np.repeat(np.arange(len(total)), counts)
        index = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
        size = total[run] if chunk is None else np.full(run.shape, chunk)
        live = np.minimum((index + 1) * size, total[run]).astype(np.float64)
        new = size if self._options.pads_prefill else live.astype(np.int64) - index * size
        context = np.maximum(new, visible_tokens(live, self._compiled))
        last = index == counts[run] - 1
        switches = (index > 0) & np.append(False, np.diff(context) != 0.0)
        kinds, kind = _kinds(new, context, last, switches)
        group, held_bytes = self._lowered(*kinds)

        def over(column: FloatColumn) -> FloatColumn:
            return np.bincount(run, column[kind], len(total)).astype(np.float64)

        seconds = step_seconds(self._pricing.group(group))
        facts = phase_facts(
            over, work_of(group, self.soc, self._stack), seconds, group.committed_tokens
        )
        facts = replace(facts, useful_flops=self._needed_flops(total))
        kv_bytes = self._kv_bytes(self._prefill_tokens)
        held = np.maximum.reduceat(held_bytes[kind], np.cumsum(counts) - counts)
        return Stage(group, facts, held, kv_bytes)

    def _decode(self) -> Stage:
        """Return the decode of each run: a stretch of one table of steps by context."""
        group = narrowed(self._group("decode"))
        first = self.prompt_tokens - self.prompt_tokens.min()
        behind = first + self.output_tokens - 1

        def over(column: FloatColumn) -> FloatColumn:
            total = np.append(0.0, np.cumsum(column))
            found: FloatColumn = total[behind] - total[first]
            return found

        seconds = step_seconds_by_context(self._pricing, group)
        work = work_of(group, self.soc, self._stack)
        needed = group.needed_flops
        facts = phase_facts(over, work, seconds, group.committed_tokens, needed_flops=needed)
        replies = self.output_tokens > 1
        switch_s = self._switch_seconds(group, first[replies])
        for column in (facts.seconds, facts.full_s, facts.switched_s):
            column[replies] -= switch_s
        facts = replace(facts, active_j=work.active_j(facts.seconds))
        held_bytes = np.where(replies, group.activation_bytes, 0.0)
        return Stage(group, facts, held_bytes, self._kv_bytes(self._needed_tokens))

    def _needed_flops(self, tokens: Tokens) -> Column:
        """Return what prompts of so many tokens need of prefill, padding left out [FLOP]."""
        sizes = {"T": tokens, "S": tokens}
        skew = self._options.routing_skew
        return needed_flops(self._trace.phases["prefill"], sizes, skew)

    def _kv_bytes(self, needed: Tokens) -> Column:
        """Return the KV cache while a phase needs so many tokens of it [B]."""
        wanted = self.base.deployment.kv_cache.capacity_tokens
        buckets = self._options.cache_buckets_tokens
        if wanted is not None or buckets:
            each, place = np.unique(self._needed_tokens, return_inverse=True)
            needed = np.array([cache_capacity(int(n), wanted, buckets) for n in each])[place]
        step = self._options.prefill_chunk_tokens
        cached: Column = cache_bytes(self._formats.kv, self._trace.cache, needed, step)
        return cached + self._trace.state_bytes

    def _switch_seconds(self, group: StepGroup, first: Tokens) -> FloatColumn | float:
        """Return the graph switch the table counts in each run's first step, which has none [s]."""
        counted = group.switches is not None and group.switches[first].any()
        if not counted or self._stack.graph_switch_s.value == 0.0:
            return 0.0
        started = at_steps(group, first)
        bare = replace(started, switches=np.zeros(len(first)))
        seconds: FloatColumn = step_seconds(self._pricing.group(started))
        return seconds - step_seconds(self._pricing.group(bare))

    def _lowered(
        self, new: Column, context: Column, last: Column, switches: Column
    ) -> tuple[StepGroup, Column]:
        """Return prefill steps of any sizes as one group, and the activations of each [B]."""
        segments, held_bytes = lower_phase(
            prefill_phase(self._trace, self._options.whole_head),
            {"T": new, "S": context},
            head_runs(last, self._options.whole_head),
            self._formats,
            self._options,
        )
        group = replace(
            self._group("prefill"),
            new_tokens=new,
            visible_tokens=context,
            live_tokens=context,
            committed_tokens=last,
            segments=segments,
            switches=switches,
        )
        return narrowed(group), held_bytes

    def _group(self, phase: str) -> StepGroup:
        return next(group for group in self._plan.program.groups if group.phase == phase)

    @cached_property
    def _plan(self) -> Plan:
        """The plan of one run whose decode passes through every context of the batch."""
        first = int(self.prompt_tokens.min())
        return plan(with_tokens(self.base, first, self.contexts + 1), self.soc)

    @cached_property
    def _pricing(self) -> Pricing:
        return Pricing(self.soc, self._stack)

    @cached_property
    def _trace(self) -> Trace:
        return deployed_trace(self.base, self._stack)

    @cached_property
    def _stack(self) -> Stack:
        return self.soc.stack(self.base.stack)

    @cached_property
    def _formats(self) -> Formats:
        return formats(self.base, self.soc, self._stack)

    @cached_property
    def _options(self) -> GraphOptions:
        return graph_options(self.base, self.soc, self._stack)

    @property
    def _compiled(self) -> tuple[int, ...]:
        """Cache sizes graphs are compiled for; empty for kernels that follow the live length."""
        buckets = self._options.cache_buckets_tokens
        wanted = self.base.deployment.kv_cache.capacity_tokens
        if wanted is None or not buckets:
            return buckets
        return (*(size for size in buckets if size < wanted), wanted)

    @cached_property
    def _prefill_tokens(self) -> Tokens:
        """Tokens prefilled by each run: text, images and their tags."""
        live = int(self._group("prefill").live_tokens[-1])
        return self.prompt_tokens + (live - int(self.prompt_tokens.min()))

    @property
    def _needed_tokens(self) -> Tokens:
        return self._prefill_tokens + self.output_tokens - 1


def _kinds(*columns: NDArray[Any]) -> tuple[list[Column], NDArray[np.int64]]:
    """Return the distinct rows of whole numbers, column by column, and which each row is."""
    ranges = [int(column.max()) + 1 for column in columns]
    keys = np.ravel_multi_index([column.astype(np.int64) for column in columns], ranges)
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    return [column[first].astype(np.float64) for column in columns], kind
