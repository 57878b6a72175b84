"""simulate: Scenario -> Result. The one place where demand, supply and a clock meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Literal

from hw_models.reclaim import refetched_share
from hw_models.soc import SocSpec
from sim.assumed import device_of
from sim.engine.conditions import Conditions
from sim.engine.fast import MaxPlusEngine
from sim.engine.loads import loads
from sim.engine.memory import spilled
from sim.engine.open_graph import OpenGraph
from sim.engine.pricing import Pricing
from sim.engine.progress import Priced, Progress, StepTimes, first_steps
from sim.engine.scheduler import Engine, Scheduler, TurnRun
from sim.engine.timed import TimedGroup
from sim.engine.times import GroupTimes
from sim.heat.course import heat_of
from sim.heat.phone import Phone, PowerLaw
from sim.held import activations_held
from sim.planning import Plan, fits_whole, memory_of, plan, running
from sim.results import Result
from sim.streams import random_stream
from sim.work import Work, shared_work
from workloads.program import OnProgress, StepGroup, untold
from workloads.scenario import Scenario

EngineName = Literal["auto", "event", "maxplus"]


def simulate(
    scenario: Scenario,
    *,
    engine: EngineName = "auto",
    seed: int = 0,
    soc: SocSpec | None = None,
    on_progress: OnProgress = untold,
) -> Result:
    """Run a scenario and return everything about the run.

    Parameters
    ----------
    engine
        ``event`` runs every step with SimPy; ``maxplus`` is exact while rates are constant and lets
        a change take effect at the next step; ``auto`` takes max-plus between changes and SimPy for
        the steps across one.
    seed
        Seeds every random stream of the run; the same seed gives the same bits.
    soc
        Device to run on instead of the scenario's, e.g. one with what-if values.
    on_progress
        Told how many of all turns are done, and what is being done: planned, priced, served.

    Raises
    ------
    ValueError
        `HardwareError`, `WorkloadError` or `SimError`, where device, model or scenario break rules.
        A run that exceeds its memory raises nothing: its result says so.
    """
    device = running(scenario, device_of(scenario, soc))
    planned = plan(scenario, device, seed, to_run=True, on_progress=on_progress)
    return follow(scenario, device, planned, engine=engine, seed=seed, on_progress=on_progress)


def follow(
    scenario: Scenario,
    soc: SocSpec,
    planned: Plan,
    *,
    engine: EngineName = "auto",
    seed: int = 0,
    on_progress: OnProgress = untold,
) -> Result:
    """Run a plan on the device it was made for, or on one for which it would be the same.

    Parameters
    ----------
    soc
        As it runs (`sim.planning.running`).
    engine, seed, on_progress
        As in `simulate`.
    """
    resident_bytes, mapped = _residency(scenario, soc, planned)
    phone, times = _phone(scenario, soc, seed), StepTimes()
    prices = _Prices(Pricing(soc, soc.stack(planned.stack), mapped), times)
    turns = _turns(planned, _progress(planned.program.groups, prices))
    runner = _engine(engine, phone, times)
    memory = memory_of(scenario, planned, resident_bytes)
    graph = OpenGraph.of(planned.program.groups, prices.begin)
    Scheduler(planned.session, turns, runner, memory, on_progress, graph).run()
    phone.run(None, runner.now_s)
    groups = (progress for turn in turns for progress in turn.groups)
    ran = tuple(_group_times(progress) for progress in groups if progress.done)
    return Result(
        scenario=scenario,
        soc=soc,
        stack=planned.stack,
        program=planned.program,
        groups=ran,
        ledger=memory.ledger(),
        engine=_engine_name(engine, ran),
        seed=seed,
        session=planned.session,
        warnings=planned.warnings,
        turns=tuple(turn.times() for turn in turns),
        observed=heat_of(phone),
        mapped=mapped,
    )


def _phone(scenario: Scenario, soc: SocSpec, seed: int) -> Phone:
    around = scenario.environment
    other_apps = loads(around.schedule, random_stream(seed, "background"))
    return Phone(soc, around.ambient_c, other_apps, around.charging_heat_w)


def _engine(engine: EngineName, phone: Phone, times: StepTimes) -> Engine:
    if engine != "event":
        return MaxPlusEngine(phone, times, replays=engine == "auto")
    from sim.engine.replay import EventEngine  # SimPy is loaded only where events are asked for

    return EventEngine(phone)


def _engine_name(engine: EngineName, groups: tuple[GroupTimes, ...]) -> str:
    replayed = any(span.replayed for times in groups for span in times.spans)
    return "event" if engine == "event" else "maxplus+event" if replayed else "maxplus"


def _residency(
    scenario: Scenario, soc: SocSpec, planned: Plan
) -> tuple[Mapping[str, float], float]:
    """Return what is resident from the start [B], and the share of weights read anew in a pass."""
    initial, resident = planned.program.initial_bytes, planned.program.resident_bytes
    rule, reclaim = scenario.environment.over_budget, soc.dram.reclaim
    if fits_whole(planned) or rule == "stop":
        return initial, 0.0
    activation_bytes = max(activations_held(planned.program.groups))
    share = 1.0
    if rule == "reclaim":
        over_bytes = sum(resident.values()) + activation_bytes - planned.budget_bytes
        if reclaim is None or over_bytes > reclaim.swap.value:
            return initial, 0.0
        share = float(refetched_share(over_bytes, resident["weights"], reclaim.churn.value))
    return spilled(initial, resident, activation_bytes, planned.budget_bytes), share


class _Prices:
    """Gives groups their seconds and their power as they run; equal ones share both."""

    def __init__(self, pricing: Pricing, times: StepTimes) -> None:
        self.times = times
        self._pricing, self._work = pricing, shared_work(pricing.soc, pricing.stack)
        self._laws: dict[tuple[object, ...], PowerLaw] = {}

    def begin(self, group: StepGroup) -> Progress:
        """Return a group on its way."""
        return Progress(group, lambda: self._priced(group))

    def _priced(self, group: StepGroup) -> Priced:
        timed = self._pricing.group(group)
        key = group.segments, timed.segments
        if key not in self._laws:
            exponent = self._pricing.soc.power.exponent
            self._laws[key] = _power_law(self._work(group), exponent, timed, self.times)
        return timed, self._laws[key]


def _progress(groups: Sequence[StepGroup], prices: _Prices) -> list[Progress]:
    found = [prices.begin(group) for group in groups]
    for ahead, group in pairwise(found):
        if group.group.images_needed is not None:
            group.law_beside = _law_beside(ahead, group, prices.times)
    return found


def _power_law(done: Work, exponent: float, timed: TimedGroup, times: StepTimes) -> PowerLaw:
    """Return the mean dynamic power of a group of known work, by conditions [W]."""
    dram_j, compute_j = float(done.dram_j.sum()), float(done.compute_j.sum())

    @cache  # governors switch back and forth between few conditions
    def law(conditions: Conditions) -> float:
        seconds, clock = times.seconds(timed, conditions).sum(), conditions.clock
        if not seconds:
            return 0.0
        worked_w = (dram_j + compute_j * clock**exponent) / seconds
        return float(worked_w + done.active_w * clock ** (1.0 + exponent))

    return law


def _law_beside(ahead: Progress, group: Progress, times: StepTimes) -> PowerLaw:
    """Return the mean dynamic power of two groups that run beside each other [W]."""

    @cache
    def law(conditions: Conditions) -> float:
        joules = sum(
            one.law(conditions) * float(times.seconds(one.timed, conditions).sum())
            for one in (ahead, group)
        )
        return joules / times.beside_s(ahead.timed, group.timed, conditions)

    return law


def _turns(planned: Plan, groups: list[Progress]) -> list[TurnRun]:
    session = planned.session
    turns = [
        TurnRun(index, turn.client, session.priority(turn.client), [])
        for index, turn in enumerate(session.turns)
    ]
    for progress in groups:
        turns[progress.group.turn].groups.append(progress)
    return turns


def _group_times(progress: Progress) -> GroupTimes:
    return GroupTimes(
        group=first_steps(progress.group, progress.done),
        starts_s=progress.starts_s,
        ends_s=progress.ends_s,
        timed=progress.timed,
        spans=tuple(progress.spans),
        operators=tuple(progress.operators),
    )
