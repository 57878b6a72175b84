"""A measurement as columns: every operator that was timed, beside the task that simulates it.

Operators of one kind in one phase become one `Task` whose columns are samples instead of steps, so
that the whole of a calibration is priced by the simulator's own law in a few array operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from hw_models.soc import SocSpec
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn, IntColumn
from sim.errors import SimError
from sim.evidence.measuring.cases import MAX_IMAGE_PX, PREPROCESSOR, Case
from sim.evidence.measuring.document import CaseTimes, MeasuredFile
from sim.planning import plan
from workloads.program import Program, StepGroup
from workloads.scenario import Scenario
from workloads.tasks import Task


@dataclass(frozen=True)
class Operators:
    """Operators of one kind in one phase, a column entry per sample.

    Attributes
    ----------
    task
        Their sizes.
    measured_s
        Seconds of one call [s].
    repeats
        Calls per step. The arrays have shape (samples,).
    step
        Index of the step each sample belongs to.
    """

    phase: str
    task: Task
    measured_s: FloatColumn
    repeats: FloatColumn
    step: IntColumn

    @property
    def kernel(self) -> str:
        """Key of the kernel that runs them; attention has another one in each phase."""
        operator = self.task.operator
        return f"{self.phase}_{operator}" if self.task.kind == "attention" else operator

    def seconds(self, pricing: Pricing) -> FloatColumn:
        """Return the simulated seconds of one call of each sample, alone and in order [s]."""
        timed = pricing.task(self.task, self.phase)
        return timed.tiles * (timed.fetch_s + timed.busy_s)


@dataclass(frozen=True)
class Step:
    """One measured call of one phase; ``measured_s`` is its median [s]."""

    id: str
    phase: str
    measured_s: float


@dataclass(frozen=True)
class Samples:
    """What a calibration sees: steps, and the operators they consist of."""

    operators: tuple[Operators, ...]
    steps: tuple[Step, ...]

    def seconds(self, socs: Sequence[SocSpec]) -> tuple[FloatColumn, FloatColumn]:
        """Return the simulated seconds of the operators and of the steps on some devices [s].

        Shapes (devices, samples) and (devices, steps). A step is its operators one after the other
        and the overhead of the device's default stack. The devices may differ in the kernels and
        overheads of that stack and in their memory; those with equal kernel and memory share a
        price.
        """
        stacks = [soc.stack() for soc in socs]
        overheads = np.array([stack.step_overhead_s.value for stack in stacks])
        operators = np.empty((len(socs), self.ends[-1]))
        steps = np.repeat(overheads[:, None], len(self.steps), axis=1)
        for group, end in zip(self.operators, self.ends, strict=True):
            priced: dict[Any, FloatColumn] = {}
            for index, (soc, stack) in enumerate(zip(socs, stacks, strict=True)):
                key = stack.kernels.get(group.kernel), soc.dram
                if key not in priced:
                    priced[key] = group.seconds(Pricing(soc, stack))
                operators[index, end - len(group.step) : end] = priced[key]
                np.add.at(steps[index], group.step, group.repeats * priced[key])
        return operators, steps

    def log_errors(self, socs: Sequence[SocSpec]) -> tuple[FloatColumn, FloatColumn]:
        """Return log(simulated / measured) of the operators and of the steps; see `seconds`."""
        operators, steps = self.seconds(socs)
        measured = np.concatenate([group.measured_s for group in self.operators])
        calls = np.array([step.measured_s for step in self.steps])
        return np.log(operators) - np.log(measured), np.log(steps) - np.log(calls)

    @cached_property
    def ends(self) -> list[int]:
        """Where the samples of each group end in a column of all samples."""
        return list(accumulate(len(group.step) for group in self.operators))

    @cached_property
    def shares(self) -> FloatColumn:
        """Share of its step's measured operator time that each sample accounts for."""
        totals = np.zeros(len(self.steps))
        for group in self.operators:
            np.add.at(totals, group.step, group.repeats * group.measured_s)
        parts = [g.repeats * g.measured_s / totals[g.step] for g in self.operators]
        return np.concatenate(parts)

    def deviations_by_kernel(self, log_errors: FloatColumn) -> FloatColumn:
        """Return what the errors of operators would make of each step elsewhere, shape (steps,).

        The root of the sum over kernels of (sum of share x |log error|) squared: errors are taken
        as fully correlated within a kernel and independent between kernels. The steps of the fit
        itself look better than this, because the fit has balanced their errors.

        Parameters
        ----------
        log_errors
            log(simulated / measured) of every sample, shape (samples,).
        """
        kernels = sorted({group.kernel for group in self.operators})
        sums = np.zeros((len(kernels), len(self.steps)))
        parts = self.shares * np.abs(log_errors)
        for group, own in zip(self.operators, np.split(parts, self.ends[:-1]), strict=True):
            np.add.at(sums[kernels.index(group.kernel)], group.step, own)
        return np.asarray(np.sqrt((sums**2).sum(axis=0)))


def case_scenario(model: str, case: Case, dtype: str = "bf16") -> Scenario:
    """Return the scenario that simulates a case; its device is given to `simulate` itself.

    Parameters
    ----------
    model
        Catalogue id, or path of a configuration or trace file.
    """
    turn: dict[str, Any] = {"prompt_tokens": case.tokens or 1, "output_tokens": 1}
    deployment: dict[str, Any] = {"activations": dtype}
    if case.phase == "vision":
        turn["images_px"] = [case.image_px]
        deployment["images"] = {"preprocessor": PREPROCESSOR, "max_size_px": MAX_IMAGE_PX}
    elif case.phase == "decode":
        # the step that leaves `tokens` in the cache: the prompt and the first token come before
        turn = {"prompt_tokens": max(1, (case.tokens or 1) - 1), "output_tokens": 2}
    return Scenario.from_mapping(
        {
            "device": "host",
            "model": model,
            "deployment": deployment,
            "session": {"turns": [turn]},
        },
        f"{model} {case.id}",
    )


def samples_of(runs: Iterable[MeasuredFile], soc: SocSpec) -> Samples:
    """Return the samples of measurements.

    Parameters
    ----------
    soc
        Any host device: it decides how operators become tasks, not how long they take.

    Raises `SimError` where a case has other operators than its trace, or one that took no time.
    """
    steps: list[Step] = []
    found: dict[tuple[str, str], list[tuple[Task, float, int, int]]] = {}
    for run in runs:
        measurement = run.measurement
        for times in measurement.cases:
            scenario = case_scenario(run.model, times.case, measurement.dtype)
            group = group_of(plan(scenario, soc).program, times.case.phase)
            step = len(steps)
            name = f"{measurement.model} {times.case.id}"
            measured_s = times.median_s(measurement.device)
            steps.append(Step(name, times.case.phase, measured_s))
            _check_operators(name, group, times)
            for segment, timed in zip(group.segments, times.segments, strict=True):
                for task, operator in zip(segment.tasks, timed.operators, strict=True):
                    sample = (task, operator.median_s, segment.repeat, step)
                    found.setdefault((times.case.phase, task.operator), []).append(sample)
    operators = tuple(_stacked(phase, rows) for (phase, _), rows in found.items())
    return Samples(operators, tuple(steps))


def group_of(program: Program, phase: str) -> StepGroup:
    """Return the steps of one phase of a program of one turn."""
    return next(group for group in program.groups if group.phase == phase)


def _check_operators(name: str, group: StepGroup, times: CaseTimes) -> None:
    expected = [len(segment.tasks) for segment in group.segments]
    found = [len(segment.operators) for segment in times.segments]
    if expected != found:
        raise SimError(
            f"{name} must have the operators of its trace, {expected} in its segments. Got {found}."
        )
    for operator in (one for segment in times.segments for one in segment.operators):
        if operator.median_s <= 0.0:
            raise SimError(
                f"{name}: {operator.module} {operator.name} must take longer than 0 s. Got 0 s: "
                "the clock is too coarse to calibrate with."
            )


def _stacked(phase: str, rows: Sequence[tuple[Task, float, int, int]]) -> Operators:
    tasks = [task for task, *_ in rows]
    columns: dict[str, Any] = {}
    for item in fields(Task):
        first = getattr(tasks[0], item.name)
        columns[item.name] = first
        if isinstance(first, np.ndarray):
            columns[item.name] = np.array([getattr(task, item.name)[-1] for task in tasks])
    return Operators(
        phase=phase,
        task=Task(**columns),
        measured_s=np.array([seconds for _, seconds, _, _ in rows]),
        repeats=np.array([float(repeat) for _, _, repeat, _ in rows]),
        step=np.array([step for *_, step in rows]),
    )
