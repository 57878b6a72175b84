"""simulate: Scenario -> Result. The one place where demand, supply and a clock meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from hw_models.soc import SocSpec, load_soc
from sim.engine.maxplus import step_seconds, step_starts
from sim.engine.pricing import Pricing
from sim.engine.residency import Allocation, Ledger, ledger
from sim.engine.timed import TimedProgram
from sim.planning import plan
from sim.results import GroupTimes, Result
from workloads.program import Program
from workloads.scenario import Scenario

if TYPE_CHECKING:
    from sim.engine.replay import ReplayedGroup

Engine = Literal["auto", "event", "maxplus"]


def simulate(
    scenario: Scenario, *, engine: Engine = "auto", seed: int = 0, soc: SocSpec | None = None
) -> Result:
    """Run a scenario and return everything about the run.

    Parameters
    ----------
    engine
        ``event`` replays with SimPy; ``maxplus`` is exact while rates are constant; ``auto`` picks
        the fast one whenever it is exact.
    seed
        Seeds every random stream of the run; the same seed gives the same bits.
    soc
        Device to run on instead of the scenario's, e.g. one with what-if values.
    """
    soc = soc or load_soc(scenario.device)
    planned = plan(scenario, soc, seed)
    program = planned.program
    timed = Pricing(soc, soc.stack(planned.stack)).program(program)
    chosen = "event" if engine == "event" else "maxplus"
    seen = _replay(timed) if chosen == "event" else None
    groups = _replayed_times(program, seen) if seen is not None else _maxplus_times(program, timed)
    held = _ledger(scenario, program, groups, planned.budget_bytes)
    return Result(
        scenario=scenario,
        soc=soc,
        stack=planned.stack,
        program=program,
        timed=timed,
        groups=_until_overflow(groups, held),
        ledger=held,
        engine=chosen,
        seed=seed,
        warnings=planned.warnings,
        replayed=None if seen is None else tuple(seen),
    )


def _replay(timed: TimedProgram) -> list[ReplayedGroup]:
    from sim.engine.replay import replay  # SimPy is loaded only where events are asked for

    return replay(timed)


def _maxplus_times(program: Program, timed: TimedProgram) -> list[GroupTimes]:
    found: list[GroupTimes] = []
    now_s = 0.0
    for group, seconds in zip(program.groups, timed.groups, strict=True):
        durations = step_seconds(seconds)
        starts = step_starts(durations, max(now_s, seconds.release_s))
        found.append(GroupTimes(group, starts, starts + durations))
        now_s = found[-1].end_s
    return found


def _replayed_times(program: Program, seen: Sequence[ReplayedGroup]) -> list[GroupTimes]:
    return [
        GroupTimes(group, np.array(log.starts_s), np.array(log.ends_s))
        for group, log in zip(program.groups, seen, strict=True)
    ]


def _ledger(
    scenario: Scenario, program: Program, groups: Sequence[GroupTimes], budget_bytes: float
) -> Ledger:
    """Return residency: model and cache from the start, activations while a group runs."""
    changes = [Allocation(0.0, name, held) for name, held in program.resident_bytes.items() if held]
    for times in groups:
        held = times.group.activation_bytes
        changes.append(Allocation(times.start_s, "activations", held))
        changes.append(Allocation(times.end_s, "activations", -held))
    encoded = [times.end_s for times in groups if times.group.phase == "vision"]
    if encoded and scenario.deployment.free_vision_after_encode:
        changes.append(Allocation(encoded[-1], "vision", -program.resident_bytes["vision"]))
    return ledger(changes, budget_bytes)


def _until_overflow(groups: Sequence[GroupTimes], held: Ledger) -> tuple[GroupTimes, ...]:
    """Return the groups that ended before memory ran out."""
    if held.overflow is None:
        return tuple(groups)
    return tuple(times for times in groups if times.end_s <= held.overflow.at_s)
