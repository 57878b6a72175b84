"""One scenario on many variants of its device at once.

A device whose numbers are columns stands for all variants: planning, laws, engine, heat and facts
are those of a single run and broadcast, (devices, steps). Only numbers that shape the program
(`shaping`) are given one by one, so variants that share them stand side by side.

What a variant changes on the way is simulated by itself instead, row by row: several clients, other
apps, a governor that trips, memory that does not suffice. Where prefill runs beside the encoding of
images, the two units' transfers are taken not to disturb each other: nearly true, since encoders
are bound by arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers
from hw_models.soc import SocSpec
from hw_models.tree import moved
from sim.engine.conditions import NOMINAL
from sim.engine.maxplus import step_ends_beside
from sim.engine.memory import peak_bytes
from sim.engine.pricing import Pricing
from sim.engine.progress import StepTimes
from sim.engine.timed import FloatColumn
from sim.engine.times import GroupTimes, hidden_in_s
from sim.explore.sweep_steps import Indices, distinct
from sim.facts import Facts, HeatFacts, facts_of_groups, joined, sustained
from sim.heat.course import TENTH, unthrottled
from sim.heat.governors import Governors
from sim.metrics import metric_columns
from sim.phase_facts import ratio, whole
from sim.planning import Plan, fits_whole, memory_of, plan
from sim.results import Result
from sim.simulation import simulate
from sim.work import Work, works
from workloads.background import get_background
from workloads.program import OnProgress, Program, StepGroup, untold

STEPS_AT_ONCE = 2_000_000
"""Most steps of variants side by side; each takes about 100 B."""

MetricColumns = dict[str, NDArray[np.float64]]
Values = Mapping[str, NDArray[np.float64]]
"""Dotted parameter path to its value in each variant, SI, shape (variants,)."""


def variant_metrics(result: Result, values: Values) -> MetricColumns:
    """Return the metrics of a run with parameters moved, one entry per variant, NaN for None.

    To those of `sim.metrics.METRICS` it adds `reply_s`, the makespan. ``values`` must not be empty.
    """
    facts = variant_facts(result, values)
    found = {name: column.astype(float) for name, column in metric_columns(facts).items()}
    return {"reply_s": facts.makespan_s, **found}


def variant_facts(
    result: Result, values: Values, minute: int = TENTH, on_progress: OnProgress = untold
) -> Facts:
    """Return the facts of a run on each variant of its device, each of shape (variants,).

    Parameters
    ----------
    minute
        The sustained rate is that of this minute, the first being 1.
    on_progress
        Told how many draws are done, where some are simulated by themselves.
    """
    variants = len(next(iter(values.values())))
    checked(result, values)
    if not _keeps_its_pace(result):
        every = range(variants)
        alone = joined([*_each_alone(result, values, every, on_progress)])
        if minute == TENTH:
            return alone
        return sustained(alone, result.scenario, _all_devices(result, values), minute)
    parts: list[tuple[Sequence[int], Facts]] = []
    apart: list[int] = []
    for members, side in _side_by_side(result, values):
        parts.append((members, side.facts))
        apart += np.array(members)[side.changes_pace].tolist()
    facts = joined([*parts, *_each_alone(result, values, apart, on_progress)])
    return sustained(facts, result.scenario, _all_devices(result, values), minute)


def reply_seconds(result: Result, values: Values) -> FloatColumn:
    """Return the makespan of a run on each variant [s]; quicker than all its metrics.

    As if memory sufficed; a run that is not slowed down by heat is taken not to be on any device.
    """
    checked(result, values)
    variants = len(next(iter(values.values())))
    if not _keeps_its_pace(result):
        return np.array([_alone(result, values, i).makespan_s for i in range(variants)])
    paths = shaping(result.soc, result.stack, values)
    prices = shaping_prices(result.soc, result.stack, paths)
    lowering = [path for path in paths if path not in prices]
    own = tuple(float(result.soc.parameters()[path].value) for path in lowering)
    programs = {own: _few(result.program)} if result.fits and not result.mapped else {}
    found = np.empty(variants)
    for members, soc in side_by_side(result.soc, values, paths, _at_once(result)):
        shape = tuple(float(values[path][members[0]]) for path in lowering)
        if shape not in programs:
            planned = plan(result.scenario, soc, result.seed, to_run=True)
            programs[shape] = _few(planned.program)
        pricing = Pricing(soc, soc.stack(result.stack))
        times = _side_times(programs[shape], pricing, len(members))
        found[members] = np.ravel(times[-1].ends_s[..., -1])
    return found


def checked(result: Result, values: Values) -> None:
    """Raise `HardwareError` where a path leads to no parameter."""
    result.soc.with_values({path: float(column[0]) for path, column in values.items()})


def is_hot(soc: SocSpec, facts: Facts) -> NDArray[np.bool_]:
    """Return which runs reach a trip or the budget of one of the governors, shape (runs,)."""
    limits = Governors.of([soc.thermal])
    die_c = np.minimum(limits.die_trip_c, limits.latch_c)
    is_warm = (facts.hottest_body_c >= limits.trips_c[1]) | (facts.hottest_die_c >= die_c)
    return np.asarray(is_warm | (facts.highest_mean_w >= limits.budget_w))


def _each_alone(
    result: Result, values: Values, members: Sequence[int], on_progress: OnProgress
) -> Iterator[tuple[Sequence[int], Facts]]:
    """Yield variants that are simulated by themselves, and the facts of each."""
    variants = len(next(iter(values.values())))
    for done, index in enumerate(members, variants - len(members)):
        on_progress(done, variants, "draws")
        yield [index], _alone(result, values, index).facts


def _alone(result: Result, values: Values, index: int) -> Result:
    alone = moved(result.soc, {path: float(column[index]) for path, column in values.items()})
    return simulate(result.scenario, seed=result.seed, soc=alone)


def _keeps_its_pace(result: Result) -> bool:
    """Return whether nothing but heat and memory could change the rates on the way."""
    session, around = result.session, result.scenario.environment
    one_after_another = (
        len({turn.client for turn in session.turns}) == 1
        and all(turn.think_s is None for turn in session.turns)
        and session.until_s is None
        and session.queue.limit is None
    )
    return one_after_another and not any(get_background(item.profile) for item in around.schedule)


def shaping(soc: SocSpec, stack: str, paths: Iterable[str]) -> list[str]:
    """Return the paths whose numbers shape the program or its layout, rather than scale it."""
    unit = soc.stack(stack).unit
    own = {f"units.{unit}.buffer.activation_bytes", f"stacks.{stack}.prefill_chunk_tokens"}
    parts = (".cache_buckets_tokens.", ".verify_buckets_tokens.")
    paths = list(paths)
    laid_out = shaping_prices(soc, stack, paths)
    return [path for path in paths if path in own or _holds(path, parts) or path in laid_out]


def shaping_prices(soc: SocSpec, stack: str, paths: Iterable[str]) -> list[str]:
    """Return those of `shaping` that still matter once the program is given: what prices it."""
    unit = soc.stack(stack).unit
    own = {f"units.{unit}.buffer.operand_count", f"stacks.{stack}.graphs_per_step"}
    return [path for path in paths if path in own or _holds(path, (".sizes.", ".laws."))]


def _holds(path: str, parts: Sequence[str]) -> bool:
    return any(part in path for part in parts)


def _all_devices(result: Result, values: Values) -> SocSpec:
    """Return one device that stands for all variants, but for what shapes the program."""
    shapes = shaping(result.soc, result.stack, values)
    columns = {path: column[:, None] for path, column in values.items() if path not in shapes}
    found: SocSpec = moved(result.soc, columns)
    return found


def _side_by_side(result: Result, values: Values) -> Iterator[tuple[list[int], _Side]]:
    """Yield the variants that share a shape, as indices, and the run on all of them."""
    paths = shaping(result.soc, result.stack, values)
    for members, soc in side_by_side(result.soc, values, paths, _at_once(result)):
        yield members, _Side(result, soc, len(members))


def _at_once(result: Result) -> int:
    """Return how many variants of a run stand side by side, fewer the longer it is."""
    return max(1, STEPS_AT_ONCE // max(1, result.steps))


def side_by_side(
    soc: SocSpec, values: Values, one_by_one: Sequence[str], at_once: int | None = None
) -> Iterator[tuple[list[int], SocSpec]]:
    """Yield the variants that are equal at some paths, as indices, and a device for them all.

    Its other numbers are columns of shape (devices, 1). ``values`` must not be empty. No more than
    ``at_once`` variants, if given, share a device.
    """
    variants = len(next(iter(values.values())))
    shapes: dict[tuple[float, ...], list[int]] = {}
    for index in range(variants):
        shape = tuple(float(values[path][index]) for path in one_by_one)
        shapes.setdefault(shape, []).append(index)
    parts = (
        (row, members[start : start + (at_once or variants)])
        for row, members in sorted(shapes.items())
        for start in range(0, len(members), at_once or variants)
    )
    for row, members in parts:
        columns: dict[str, Numbers] = {
            path: column[members, None] for path, column in values.items() if path not in one_by_one
        }
        columns |= dict(zip(one_by_one, row, strict=True))
        yield members, moved(soc, columns)


Few = tuple[StepGroup, StepGroup, Indices]
"""A group of steps, the same without repeated ones, and where each step is in that."""


def _few(program: Program) -> list[Few]:
    return [(group, *distinct(group)) for group in program.groups]


def _side_times(groups: Sequence[Few], pricing: Pricing, devices: int) -> list[GroupTimes]:
    """Return the times of all steps at nominal rates, shape (devices, steps)."""
    times = StepTimes()
    found: list[GroupTimes] = []
    now_s = np.zeros((devices, 1))
    for group, few, step_of in groups:
        seconds = np.broadcast_to(times.seconds(pricing.group(few), NOMINAL), (devices, few.steps))[
            :, step_of
        ]
        if group.images_needed is None:
            ends_s = np.maximum(now_s, group.at_s) + np.cumsum(seconds, axis=1)
        else:
            ahead_s = found[-1].ends_s - found[-1].starts_s
            begun_s = found[-1].starts_s[:, :1]
            ends_s = step_ends_beside(ahead_s, seconds, group.images_needed, begun_s)
        found.append(GroupTimes(group, ends_s - seconds, ends_s))
        now_s = ends_s[:, -1:]
    return found


@dataclass(frozen=True)
class _Side:
    """A run on devices side by side.

    Attributes
    ----------
    soc
        The device whose numbers are columns of shape (devices, 1).
    """

    result: Result
    soc: SocSpec
    devices: int

    @cached_property
    def planned(self) -> Plan:
        return plan(self.result.scenario, self.soc, self.result.seed, to_run=True)

    @cached_property
    def groups(self) -> list[GroupTimes]:
        """Times of all steps at nominal rates, shape (devices, steps)."""
        pricing = Pricing(self.soc, self.soc.stack(self.result.stack))
        return _side_times(_few(self.planned.program), pricing, self.devices)

    @cached_property
    def work(self) -> list[Work]:
        return list(works(self.planned.program.groups, self.soc))

    @cached_property
    def facts(self) -> Facts:
        """The facts, as if no governor tripped and memory sufficed."""
        return facts_of_groups(
            self.result.scenario,
            self.soc,
            self.planned.program,
            self.groups,
            work=self.work,
            heat=self._heat(),
            peak_dram_bytes=self._peak_bytes(),
            budget_bytes=self.planned.budget_bytes,
        )

    @property
    def changes_pace(self) -> NDArray[np.bool_]:
        """Which devices have too little memory, or reach a trip."""
        facts = self.facts
        never = np.zeros(self.devices, dtype=bool)
        spills = self.result.scenario.environment.over_budget != "stop"
        mapped = np.ravel(~fits_whole(self.planned)) if spills else never
        return never | ~facts.fits | mapped | is_hot(self.soc, facts)

    def _peak_bytes(self) -> FloatColumn:
        memory = memory_of(self.result.scenario, self.planned)
        return peak_bytes(memory, self.planned.program.groups)

    def _heat(self) -> HeatFacts:
        around = self.result.scenario.environment
        pieces = list(self._pieces())
        seconds, watts, busy = (np.array(column) for column in zip(*pieces, strict=True))
        is_busy = np.broadcast_to(busy[:, None], seconds.shape)
        found = unthrottled(
            self.soc, around.ambient_c, seconds, watts, around.charging_heat_w, is_busy
        )
        return HeatFacts(*found, background_j=np.zeros(1))

    def _dynamic_j(self, index: int) -> FloatColumn:
        """Return the dynamic energy of a group, shape (devices, 1) [J]."""
        work, times = self.work[index], self.groups[index]
        return whole(work.dram_j + work.switched_j(times.ends_s - times.starts_s))

    def _pieces(self) -> Iterator[tuple[FloatColumn, FloatColumn, bool]]:
        """Yield seconds [s], dynamic power [W] and whether steps run, of pieces from 0 s on.

        Groups that run beside each other are one piece.
        """
        runs: list[list[int]] = []
        for index, times in enumerate(self.groups):
            if times.group.images_needed is None:
                runs.append([])
            runs[-1].append(index)
        now_s = np.zeros(self.devices)
        for members in runs:
            beside = [self.groups[index] for index in members]
            start_s, end_s = beside[0].starts_s[:, 0], beside[-1].ends_s[:, -1]
            if (start_s > now_s).any():
                yield start_s - now_s, np.zeros(self.devices), False
            joules = sum(self._dynamic_j(index) for index in members)
            spans = sum(whole(times.ends_s - times.starts_s) for times in beside)
            watts = np.ravel(ratio(joules, spans - hidden_in_s(beside)))
            yield end_s - start_s, np.broadcast_to(watts, (self.devices,)), True
            now_s = end_s
