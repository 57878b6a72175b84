"""Limits of a scenario: one setting as far as it goes, two against each other, names best first.

`sim.explore.solve` searches; here stand the questions: what a run at one value is judged by, and
which names a setting that is no number may take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.assumed import device_of
from sim.engine.memory import peak_bytes
from sim.errors import SimError
from sim.explore.scales import Scale, scale_of
from sim.explore.solve import Goal, Limit, Look, same_from, solve
from sim.explore.targets import Target
from sim.judgements import Status
from sim.planning import memory_of, plan
from sim.results import Result
from sim.simulation import simulate
from sim.verdicts import MINUTES, verdict
from sim.verdicts import judge as judged
from workloads.errors import WorkloadError
from workloads.files import parse_yaml
from workloads.scenario import Scenario, with_override

Judge = Callable[[Result], str]
"""Says what fails in a run: a target, ``memory`` or ``heat``; empty where nothing does."""

MEMORY, HEAT = "memory", "heat"

RULE_BREAKS = (WorkloadError, HardwareError, SimError)
FRONTIER_POINTS = 7


def judge_of(
    targets: Sequence[Target], draws: int = 0, minutes: int = MINUTES, seed: int = 0
) -> Judge:
    """Return the judge of `sim.verdicts`: what does not PASS is what binds.

    Parameters
    ----------
    draws
        Draws of the device; 0: the run itself, at first and in minute ``minutes``.
    """

    if not targets and not draws:
        return fits_alone

    def judge(result: Result) -> str:
        if not result.fits:
            return MEMORY
        if draws:
            found = verdict(result, targets, draws, minutes, seed)
        else:
            found = judged(result, targets, minutes=minutes)
        if found.status is Status.PASS:
            return ""
        if found.budget.status is not Status.PASS:
            return MEMORY
        if found.status is Status.THROTTLES:
            return HEAT
        worst = min(found.targets, key=lambda one: (one.probability, one.slack or 0.0))
        return str(worst.target)

    return judge


def fits_alone(result: Result) -> str:
    """Say ``memory`` where a run does not fit: the judge where nothing else is asked."""
    return "" if result.fits else MEMORY


def limit_of(
    base: Scenario,
    scale: Scale,
    goal: Goal,
    judge: Judge,
    ends: tuple[float, float] | None = None,
    seed: int = 0,
    soc: SocSpec | None = None,
) -> Limit:
    """Return how far a setting of a scenario can go before its judge objects.

    ``soc`` stands for the scenario's device, e.g. with numbers moved.
    """
    mapping = base.model_dump(mode="json", exclude_defaults=True)

    def look(value: float) -> Look:
        return _look(scale, mapping, value, judge, seed, soc)

    if judge is not fits_alone or not runs_in_turn(base):
        return _with_plateau(solve(scale, goal, look, ends), look)
    limit = solve(scale, goal, lambda value: _memory_look(scale, mapping, value, seed, soc), ends)
    return _with_plateau(replace(limit, best=look(limit.best.value)), look) if limit.best else limit


def _with_plateau(limit: Limit, look: Callable[[float], Look]) -> Limit:
    """Return a limit that nothing binds with the value from which on nothing changes."""
    if limit.best is None or limit.binds:
        return limit
    return replace(limit, same_from=same_from(limit.scale, look, limit.best))


def _look(
    scale: Scale,
    mapping: Mapping[str, Any],
    value: float,
    judge: Judge,
    seed: int,
    soc: SocSpec | None,
) -> Look:
    try:
        asked = scale.scenario(mapping, value)
    except RULE_BREAKS as error:
        return Look(value, str(error), is_outside=True)
    try:
        result = simulate(asked, seed=seed, soc=soc)
    except RULE_BREAKS as error:
        return Look(value, str(error))
    return _seen(value, judge, result)


def _seen(value: float, judge: Judge, result: Result) -> Look:
    return Look(value, judge(result), result.summary().as_dict(), warnings=result.warnings)


def _memory_look(
    scale: Scale, mapping: Mapping[str, Any], value: float, seed: int, soc: SocSpec | None
) -> Look:
    """Return whether a value fits in memory, which takes no seconds to know."""
    try:
        scenario = scale.scenario(mapping, value)
    except RULE_BREAKS as error:
        return Look(value, str(error), is_outside=True)
    try:
        planned = plan(scenario, device_of(scenario, soc), seed, to_run=True)
    except RULE_BREAKS as error:
        return Look(value, str(error))
    peak = float(peak_bytes(memory_of(scenario, planned), planned.program.groups))
    return Look(value, "" if peak <= planned.budget_bytes else MEMORY, {"peak_dram_bytes": peak})


def runs_in_turn(scenario: Scenario) -> bool:
    """Return whether what is resident when does not hang on seconds: one client, no spilling."""
    session = scenario.session
    one = not session.clients and len({turn.client for turn in session.turns}) == 1
    return one and session.until_s is None and scenario.environment.over_budget == "stop"


def frontier_of(
    base: Scenario, asked: Sequence[tuple[str, Goal]], judge: Judge, seed: int = 0
) -> list[tuple[tuple[float, ...], Limit]]:
    """Return how far the last of several settings can go at several values of the others.

    Each of the others goes from the scenario's own value to its limit with those behind it as they
    are, whole numbers in equal ratios, others in equal steps.
    """
    (path, goal), *behind = asked
    scale = scale_of(path, base)
    limit = limit_of(base, scale, goal, judge, seed=seed)
    if not behind:
        return [((), limit)]
    if limit.best is None:
        return []
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    return [
        ((value, *values), last)
        for value in _between(scale, limit.best.value)
        for values, last in frontier_of(scale.scenario(mapping, value), behind, judge, seed)
    ]


def _between(scale: Scale, limit: float) -> list[float]:
    """Return values from the scale's start to its limit, both included."""
    shares = [index / (FRONTIER_POINTS - 1) for index in range(FRONTIER_POINTS)]
    if scale.whole and min(scale.start, limit) > 0:
        ratio = limit / scale.start
        values = [scale.start * ratio**share for share in shares]
    else:
        values = [scale.start + share * (limit - scale.start) for share in shares]
    return list(dict.fromkeys(map(scale.rounded, values)))


def best_first(
    base: Scenario,
    path: str,
    names: Sequence[str],
    targets: Sequence[Target],
    judge: Judge,
    seed: int = 0,
) -> list[tuple[str, Look]]:
    """Return what each name gives: those that meet the targets first, by their least slack.

    Without targets the fastest decode comes first. Names whose runs are warned of, as formats that
    a stack is not known to run, come behind those whose are not; names that break a rule come last.
    """
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    if path == "device":
        mapping.pop("stack", None)  # another device has other stacks
    looks = []
    for index, name in enumerate(names):
        try:
            value = parse_yaml(name, path)  # true and false are no text
            asked = Scenario.from_mapping(with_override(mapping, path, value))
            result = simulate(asked, seed=seed)
        except RULE_BREAKS as error:
            looks.append((name, Look(float(index), str(error))))
            continue
        looks.append((name, _seen(float(index), judge, result)))
    looks = _with_own_warnings(looks)
    return sorted(looks, key=lambda found: _rank(found[1], targets))


def _with_own_warnings(looks: Sequence[tuple[str, Look]]) -> list[tuple[str, Look]]:
    """Return looks with only those warnings that some name is free of."""
    ran = [set(look.warnings) for _, look in looks if look.metrics]
    common = set[str]().union(*ran).intersection(*ran)
    return [
        (name, replace(look, warnings=tuple(text for text in look.warnings if text not in common)))
        for name, look in looks
    ]


def _rank(look: Look, targets: Sequence[Target]) -> tuple[bool, bool, bool, float]:
    """Return what orders looks: met, valid, without warning, the least slack or the decode rate."""
    if not look.metrics:
        return True, True, True, math.inf
    slack = min((one.slack(look.metrics[one.metric]) for one in targets), default=None)
    return (
        not look.meets,
        False,
        bool(look.warnings),
        -(slack if slack is not None else look.metrics["tokens_per_s"] or 0),
    )
