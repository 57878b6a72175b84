"""Observations: one metric of one measured run beside the program that simulates it.

The program is compiled once; a fit then prices it many times with other parameter values, which
takes milliseconds and gives the same numbers as `sim.simulate` (a test holds both together).

Not modelled: power and memory, which calibration does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn
from sim.errors import SimError
from sim.evidence.conditions import as_run, without_host
from sim.evidence.measured import MeasuredRun
from sim.evidence.measured_metrics import TIMED_PHASES
from sim.evidence.questions import (
    INFERENCE,
    CannotSimulate,
    device_of_run,
    graph_phase,
    scenario_of_run,
    stack_of_run,
)
from sim.explore.sweep_steps import Indices, distinct, step_seconds_by_context
from sim.planning import plan
from workloads.errors import WorkloadError
from workloads.program import Program, StepGroup
from workloads.trace import NETWORK


class Skipped(NamedTuple):
    """A row that was left out, and why."""

    id: str
    reason: str


class Predictor(Protocol):
    """What a fit needs to know of a row: its measured value, and a simulated one."""

    @property
    def measured(self) -> float:
        """The measured value, in the metric's unit."""

    def simulated(self, soc: SocSpec) -> float:
        """Return the metric on a device with some parameter values."""


@dataclass(frozen=True)
class Observation:
    """One metric of one run, ready to be simulated on a device with other values.

    Attributes
    ----------
    unit
        Compute unit that the stack runs on.
    measured
        In the metric's unit.
    """

    run: MeasuredRun
    metric: str
    device: str
    stack: str
    unit: str
    program: Program
    measured: float

    def simulated(self, soc: SocSpec) -> float:
        """Return the metric on ``soc``, whose stack and units may hold other values."""
        return float(self.simulated_on_each(soc)[0])

    def simulated_on_each(self, soc: SocSpec) -> FloatColumn:
        """Return the metric on each of the devices that ``soc`` stands for, shape (devices,)."""
        device = as_run(self.run, soc, self.stack)
        if self.is_graph:
            device = without_host(device, self.stack)
        pricing = Pricing(device, device.stack(self.stack))
        seconds = sum(
            step_seconds_by_context(pricing, few)[..., step_of].sum(axis=-1)
            if few.phase == "decode"
            else step_seconds(pricing.group(few))[..., step_of].sum(axis=-1)
            for few, step_of in self._distinct
        )
        of_each = np.atleast_1d(seconds)
        return self.tokens / of_each if self.metric.endswith("_per_s") else of_each

    @cached_property
    def _distinct(self) -> list[tuple[StepGroup, Indices]]:
        """The groups without repeated steps, and for every step its place there."""
        return [distinct(group) for group in self.groups]

    @property
    def groups(self) -> list[StepGroup]:
        """The step groups whose time makes the metric: those of the last turn."""
        last = max(group.turn for group in self.program.groups)
        phases = (graph_phase(self.run),) if self.is_graph else TIMED_PHASES[self.metric]
        return [g for g in self.program.groups if g.turn == last and g.phase in phases]

    @property
    def is_graph(self) -> bool:
        """Whether the value is of one graph of a language model."""
        is_network = any(group.phase == NETWORK for group in self.program.groups)
        return self.metric == INFERENCE and not is_network

    @property
    def tokens(self) -> float:
        """Tokens that a rate counts: those of prompt and images, or those after the first."""
        if self.metric == "prefill_tokens_per_s":
            return float(self.program.kv_tokens_final - (self.run.depth_tokens or 0))
        return float(sum(group.committed_tokens.sum() for group in self.groups))


def observe(run: MeasuredRun, metric: str, soc: SocSpec | None = None) -> Observation:
    """Return one metric of a run with its program, or raise `CannotSimulate`.

    Parameters
    ----------
    soc
        Device to use instead of the one the row names.
    """
    chosen = device_of_run(run, soc)
    scenario = scenario_of_run(run, metric, chosen)
    stack = stack_of_run(run, chosen)
    try:
        program = plan(scenario, chosen).program
        found = Observation(
            run, metric, chosen.id, stack, chosen.stack(stack).unit, program, run.metrics[metric]
        )
        if not found.groups:
            raise CannotSimulate(f"the run has no phase that {metric} measures.")
        found.simulated(chosen)  # a unit that cannot hold the row's formats says so only here
    except (WorkloadError, HardwareError, SimError) as error:
        raise CannotSimulate(" ".join(str(error).split())) from None
    return found


def observations(
    runs: Iterable[MeasuredRun], soc: SocSpec | None = None
) -> tuple[list[Observation], list[Skipped]]:
    """Return what can be fitted, and the rows that were left out with the reason.

    Metrics of a row that are left out for the same reason make one entry.
    """
    found: list[Observation] = []
    skipped: list[Skipped] = []
    for run in runs:
        metrics = [metric for metric in TIMED_PHASES if metric in run.metrics]
        if run.refusal or not metrics:
            reason = run.refusal or "the row holds no time or rate to fit."
            skipped.append(Skipped(run.id, reason))
            continue
        reasons: list[str] = []
        for metric in metrics:
            try:
                found.append(observe(run, metric, soc))
            except CannotSimulate as error:
                reasons.append(str(error))
        skipped += [Skipped(run.id, reason) for reason in dict.fromkeys(reasons)]
    return found, skipped


def by_stack(found: Sequence[Observation]) -> dict[tuple[str, str], list[Observation]]:
    """Return observations by (device, stack), in a fixed order."""
    groups: dict[tuple[str, str], list[Observation]] = {}
    for item in sorted(found, key=lambda item: (item.device, item.stack, item.run.id, item.metric)):
        groups.setdefault((item.device, item.stack), []).append(item)
    return groups
