"""Many scenarios in one pass: those that differ only in prompt and output tokens.

Their steps stand side by side as columns: prefill steps of equal sizes are evaluated once, and one
table of decode steps by context serves every reply, whose seconds are differences of its running
sums. `sim.explore.sweep_metrics` turns the columns into metrics; a test holds all of them to
1e-9 of `sim.simulate`.

Not done here, and left to `sim.simulate`: several turns, eviction, speculation, adapters, other
units than the stack's, other background than none, and runs that exceed the app budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw_models import compute
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.energy import EnergyModel
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn
from sim.explore.sweep_metrics import Metrics, PhaseColumns, RunColumns, metric_columns
from sim.explore.sweep_steps import at_steps, narrowed, step_seconds_by_context
from sim.fingerprint import with_tokens
from sim.planning import Plan, formats, graph_options, plan
from workloads.catalogue import trace_for
from workloads.graph import Formats, GraphOptions
from workloads.kv_cache import visible_tokens
from workloads.program import Column, StepGroup
from workloads.scenario import Scenario
from workloads.steps import cache_capacity, lower_phase
from workloads.trace import Trace

Tokens = NDArray[np.int64]

# what a batch evaluates; a scenario that sets anything else is simulated by itself
DEPLOYMENT_KEYS = {"weights", "activations", "images", "kv_cache", "prefill_chunk_tokens"}
DEPLOYMENT_KEYS |= {"free_vision_after_encode"}
KV_CACHE_KEYS = {"dtype", "capacity_tokens", "buckets"}
ENVIRONMENT_KEYS = {"ambient_c", "app_budget_bytes", "start"}
TURN_KEYS = {"images_px", "prompt_tokens", "output_tokens"}
MAX_CONTEXTS = 100_000
"""Widest range of contexts one table covers; beyond, scenarios are simulated one by one."""


def is_batchable(scenario: Scenario) -> bool:
    """Return whether a scenario uses only what a batch evaluates."""
    given = scenario.model_dump(exclude_defaults=True)
    deployment, session = given.get("deployment", {}), given["session"]
    turns = session.get("turns", ())
    return (
        session.keys() == {"turns"}
        and len(turns) == 1
        and turns[0].keys() <= TURN_KEYS
        and deployment.keys() <= DEPLOYMENT_KEYS
        and deployment.get("kv_cache", {}).keys() <= KV_CACHE_KEYS
        and "layers" not in deployment.get("weights", {})
        and given.get("environment", {}).keys() <= ENVIRONMENT_KEYS
    )


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

    def metrics(self) -> Metrics:
        """Return every metric of `sim.metrics.Summary` as a column over the runs."""
        return metric_columns(self.runs())

    def outgrown(self) -> NDArray[np.bool_]:
        """Return which runs need a larger cache than any compiled one; they share no graph."""
        compiled = self._options.cache_buckets_tokens
        if self.base.deployment.kv_cache.capacity_tokens is not None or not compiled:
            return np.zeros(self.prompt_tokens.shape, dtype=bool)
        return self._needed_tokens > max(compiled)

    def runs(self) -> RunColumns:
        """Return what the metrics are made of, summed over the steps of each phase."""
        return RunColumns(
            scenario=self.base,
            soc=self.soc,
            plan=self._plan,
            phases=(*self._vision(), self._prefill(), self._decode()),
            output_tokens=self.output_tokens,
            kv_tokens=self._needed_tokens,
        )

    def _vision(self) -> list[PhaseColumns]:
        groups = [group for group in self._plan.program.groups if group.phase == "vision"]
        runs = np.ones(len(self.prompt_tokens))
        found = []
        for group in groups:
            columns = self._step_columns(group, step_seconds(self._pricing.group(group)))
            summed = {name: column.sum() * runs for name, column in columns.items()}
            kv_bytes = self._kv_bytes(np.zeros_like(self._needed_tokens))
            found.append(PhaseColumns("vision", group.activation_bytes * runs, kv_bytes, **summed))
        return found

    def _prefill(self) -> PhaseColumns:
        """Return the prefill of each run; steps of equal sizes are evaluated once."""
        total, chunk = self._prefill_tokens, self._options.prefill_chunk_tokens
        counts = np.ones_like(total) if chunk is None else -(-total // chunk)
        run = np.repeat(np.arange(len(total)), counts)
        index = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
        new = total[run] if chunk is None else np.full(run.shape, chunk)
        live = np.minimum((index + 1) * new, total[run]).astype(np.float64)
        context = np.maximum(new, visible_tokens(live, self._compiled))
        last = index == counts[run] - 1
        switches = (index > 0) & np.append(False, np.diff(context) != 0.0)
        sizes = np.stack([new, context, last, switches], axis=1)
        kinds, kind = np.unique(sizes, axis=0, return_inverse=True)
        group, held_bytes = self._lowered(*kinds.T)
        columns = self._step_columns(group, step_seconds(self._pricing.group(group)))
        summed: dict[str, FloatColumn] = {
            name: np.bincount(run, column[kind], len(total)).astype(np.float64)
            for name, column in columns.items()
        }
        kv_bytes = self._kv_bytes(self._prefill_tokens)
        return PhaseColumns("prefill", held_bytes[kind[last]], kv_bytes, **summed)

    def _decode(self) -> PhaseColumns:
        """Return the decode of each run: a stretch of one table of steps by context."""
        group = narrowed(self._group("decode"))
        columns = self._step_columns(group, step_seconds_by_context(self._pricing, group))
        first = self.prompt_tokens - self.prompt_tokens.min()
        behind = first + self.output_tokens - 1
        summed = {}
        for name, column in columns.items():
            total = np.append(0.0, np.cumsum(column))
            summed[name] = total[behind] - total[first]
        replies = self.output_tokens > 1
        summed["seconds"][replies] -= self._switch_seconds(group, first[replies])
        held_bytes = np.where(replies, group.activation_bytes, 0.0)
        return PhaseColumns("decode", held_bytes, self._kv_bytes(self._needed_tokens), **summed)

    def _kv_bytes(self, needed: Tokens) -> Column:
        """Return the KV cache while a phase needs so many tokens of it [B]."""
        wanted = self.base.deployment.kv_cache.capacity_tokens
        buckets = self._options.cache_buckets_tokens
        if wanted is not None or buckets:
            held = [cache_capacity(int(n), wanted, buckets) for n in self._needed_tokens]
            needed = np.array(held)
        return self._formats.kv.size_bytes(needed, self._trace.kv_elements_per_token)

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
            self._trace.phases["prefill"],
            {"T": new, "S": context},
            last,
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

    def _step_columns(self, group: StepGroup, seconds: FloatColumn) -> dict[str, FloatColumn]:
        """Return what the phases are summed of, per step."""
        names = ("read_bytes", "write_bytes", "flops", "peak_matrix_s", "dynamic_j")
        found = {name: np.zeros(group.steps) for name in names}
        energy = EnergyModel(self.soc)
        for task, repeat in group.tasks():
            rates = self.soc.units[task.unit].matrix.rates
            key = compute.precision_key(task.activations, task.operand_bits, rates)
            runs = repeat * task.runs
            found["read_bytes"] += runs * task.read_bytes
            found["write_bytes"] += runs * task.write_bytes
            found["flops"] += runs * task.flops
            found["peak_matrix_s"] += runs * task.flops / rates[key].value
            found["dynamic_j"] += repeat * np.add(*energy.task_j(task))
        return {"seconds": seconds, **found}

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
        return trace_for(self.base.model)

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
