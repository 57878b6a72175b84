"""One run on devices side by side: times, heat and facts as columns, (devices, steps).

Steps are timed at full clock first, for all devices at once; then the governors of each device
stretch its time (`sim.heat.warp`). Other apps that ask for the same all the while leave each device
constant conditions.

Not modelled here: other apps that come and go, a clock that falls beside any, and memory that does
not suffice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw_models.soc import SocSpec
from sim.engine.conditions import NOMINAL, conditions_beside
from sim.engine.maxplus import step_ends_beside
from sim.engine.memory import peak_bytes
from sim.engine.pricing import Pricing
from sim.engine.progress import StepTimes
from sim.engine.timed import FloatColumn
from sim.engine.times import GroupTimes
from sim.explore.sweep_steps import Indices, distinct, grows_evenly, step_seconds_by_context
from sim.facts import Facts, HeatFacts, facts_of_groups
from sim.graph_swaps import holds_both
from sim.heat.columns import HeatColumns
from sim.heat.warp import Pieces, WarpedRuns, warped
from sim.phase_facts import ratio, whole
from sim.planning import Plan, fits_whole, memory_of, plan
from sim.results import Result
from sim.work import Work, works
from workloads.background import Background
from workloads.program import Program, StepGroup

MANY_STEPS = 256
"""Of more steps that grow evenly few decide the others."""

Few = tuple[StepGroup, StepGroup, Indices]
"""A group of steps, the same without repeated ones, and where each step is in that."""


def few(program: Program) -> list[Few]:
    """Return the groups of a program, each with its distinct steps."""
    return [(group, *distinct(group)) for group in program.groups]


def nominal_times(
    groups: Sequence[Few], pricing: Pricing, devices: int, other: Background | None = None
) -> Iterator[GroupTimes]:
    """Yield the times of all steps at full clock, beside other apps, shape (devices, steps)."""
    times = StepTimes()
    before: GroupTimes | None = None
    now_s = np.zeros((devices, 1))
    for group, distinct_steps, step_of in groups:
        shape = devices, distinct_steps.steps
        seconds = _seconds(distinct_steps, pricing, times, other)
        seconds = np.broadcast_to(seconds, shape)[:, step_of]
        if group.images_needed is None:
            ends_s = np.maximum(now_s, group.at_s) + np.cumsum(seconds, axis=1)
        else:
            assert before is not None  # an encoding, whose images it waits for
            ahead_s = before.ends_s - before.starts_s
            begun_s = before.starts_s[:, :1]
            ends_s = step_ends_beside(ahead_s, seconds, group.images_needed, begun_s)
        before = GroupTimes(group, ends_s - seconds, ends_s)
        yield before
        now_s = ends_s[:, -1:]


def _seconds(
    group: StepGroup, pricing: Pricing, times: StepTimes, other: Background | None
) -> FloatColumn:
    """Return the duration of each step at full clock; of many that grow evenly few are priced."""
    if other is None and group.steps > MANY_STEPS and grows_evenly(group):
        return step_seconds_by_context(pricing, group)
    conditions = NOMINAL if other is None else conditions_beside(pricing.soc, other)
    return times.seconds(pricing.group(group), conditions)


@dataclass(frozen=True)
class Side:
    """A run on devices side by side.

    Attributes
    ----------
    soc
        The device whose numbers are columns of shape (devices, 1).
    other
        Other apps, which ask for the same all the while.
    """

    result: Result
    soc: SocSpec
    devices: int
    other: Background | None = None

    @cached_property
    def planned(self) -> Plan:
        """What all devices run."""
        return plan(self.result.scenario, self.soc, self.result.seed, to_run=True)

    @cached_property
    def facts(self) -> Facts:
        """The facts, as if memory sufficed."""
        return facts_of_groups(
            self.result.scenario,
            self.soc,
            self.planned.program,
            self._governed,
            work=self._work,
            heat=HeatFacts.of(self._warped.governed, self._background_w),
            peak_dram_bytes=self._peak_bytes(),
            budget_bytes=self.planned.budget_bytes,
        )

    @property
    def is_apart(self) -> NDArray[np.bool_]:
        """Which devices are run by themselves.

        They have too little memory, or room for both of two graphs where others lack; or they are
        throttled beside other apps.
        """
        stack = self.soc.stack(self.result.stack)
        both = holds_both(self.planned.program, stack, self.planned.budget_bytes)
        spills = self.result.scenario.environment.over_budget != "stop"
        mapped = np.ravel(~fits_whole(self.planned)) if spills else np.zeros(1, dtype=np.bool_)
        lacks: NDArray[np.bool_] = ~self.facts.fits | mapped | np.ravel(both != both.all())
        if self.other is not None:
            lacks = lacks | self._warped.is_throttled
        return np.broadcast_to(lacks, (self.devices,))

    @property
    def _background_w(self) -> float:
        return self.other.power_w.value if self.other else 0.0

    def _peak_bytes(self) -> FloatColumn:
        memory = memory_of(self.result.scenario, self.planned)
        return peak_bytes(memory, self.planned.program.groups)

    @cached_property
    def _nominal(self) -> list[GroupTimes]:
        pricing = Pricing(self.soc, self.soc.stack(self.result.stack))
        groups = few(self.planned.program)
        return [*nominal_times(groups, pricing, self.devices, self.other)]

    @cached_property
    def _work(self) -> list[Work]:
        stack = self.soc.stack(self.result.stack)
        return list(works(self.planned.program.groups, self.soc, stack))

    @cached_property
    def _pieces(self) -> list[slice]:
        """Groups that run one after another; those beside each other are one piece."""
        places = range(len(self._nominal))
        begins = [at for at in places if self._nominal[at].group.images_needed is None]
        ends = [*begins[1:], len(places)]
        return [slice(begin, end) for begin, end in zip(begins, ends, strict=True)]

    @cached_property
    def _warped(self) -> WarpedRuns:
        """The pieces under the governors of each device."""
        around = self.result.scenario.environment
        rows = (_piece(self._nominal[part], self._work[part]) for part in self._pieces)
        heat = HeatColumns.of(self.soc, around.ambient_c, around.charging_heat_w)
        pieces = Pieces.of(rows, self.devices)
        return warped(heat, pieces, keeps_marks=True, background_w=self._background_w)

    @property
    def _governed(self) -> list[GroupTimes]:
        """Times of all steps as the governors leave them."""
        if not self._warped.is_throttled.any():
            return self._nominal
        return [
            _stretched(times, self._nominal[part][0].starts_s[:, :1], piece, self._warped)
            for piece, part in enumerate(self._pieces)
            for times in self._nominal[part]
        ]


def _piece(
    groups: Sequence[GroupTimes], work: Sequence[Work]
) -> tuple[FloatColumn, FloatColumn, FloatColumn, float]:
    """Return groups at full clock as a piece of work: a row of `Pieces.of`."""
    seconds = groups[-1].ends_s[:, -1:] - groups[0].starts_s[:, :1]
    each_j = (
        whole(done.switched_j(times.ends_s - times.starts_s))
        for done, times in zip(work, groups, strict=True)
    )
    switched_j = sum(each_j, np.zeros(1))
    dynamic_j = switched_j + sum(whole(done.dram_j) for done in work)
    return seconds, dynamic_j, switched_j, groups[0].group.at_s


def _stretched(times: GroupTimes, begun_s: FloatColumn, piece: int, runs: WarpedRuns) -> GroupTimes:
    """Return the times of a group in a piece that began at ``begun_s`` at full clock [s]."""
    full_s = times.ends_s - times.starts_s
    starts_s, ends_s, switched_s = times.starts_s.copy(), times.ends_s.copy(), full_s.copy()
    for run in runs.is_throttled.nonzero()[0].tolist():
        starts_s[run], begun = runs.at(piece, run, times.starts_s[run] - begun_s[run])
        ends_s[run], ended = runs.at(piece, run, times.ends_s[run] - begun_s[run])
        switched_s[run] = ended - begun
    taken_s = ends_s - starts_s
    clock, switched = (
        np.nan_to_num(ratio(part, taken_s), nan=1.0) for part in (full_s, switched_s)
    )
    return replace(times, starts_s=starts_s, ends_s=ends_s, clocks=(clock, switched))
