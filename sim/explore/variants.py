"""One scenario on many variants of its device at once.

A device whose numbers are columns stands for all variants: planning, laws, engine, heat and facts
are those of a single run and broadcast, (devices, steps). Only numbers that shape the program
(`shaping`) are given one by one, so variants that share them stand side by side.

Governors stretch the time of each variant by itself (`sim.heat.warp`). What else changes on the way
is simulated row by row instead: several clients, other apps that come and go, a clock that falls
beside other apps, memory that does not suffice. Where
prefill runs beside the encoding of images, the two units' transfers are taken not to disturb each
other: nearly true, since encoders are bound by arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers
from hw_models.soc import SocSpec
from hw_models.tree import moved
from sim.engine.loads import is_constant
from sim.engine.pricing import Pricing
from sim.engine.timed import FloatColumn
from sim.explore.alone import each_alone, plans_of_rows
from sim.explore.side_by_side import Side, few, nominal_times
from sim.facts import Facts, joined, sustained
from sim.heat.course import TENTH
from sim.metrics import metric_columns
from sim.planning import Plan, plan
from sim.results import Result
from workloads.background import Background, get_background
from workloads.program import OnProgress, untold

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
    parts: list[tuple[Sequence[int], Facts]] = []
    apart: list[int] = []
    plans: dict[int, Plan] = {}
    if _keeps_its_pace(result):
        for members, side in _side_by_side(result, values):
            parts.append((members, side.facts))
            apart += np.array(members)[side.is_apart].tolist()
            plans |= plans_of_rows(side.planned, side.soc, members)
    else:
        apart = [*range(variants)]
        plans = _plans(result, values)
    devices = ((index, _device(result, values, index)) for index in apart)
    done = variants - len(apart)
    facts = joined([*parts, *each_alone(result, devices, plans, variants, on_progress, done)])
    return sustained(facts, result.scenario, _all_devices(result, values), minute)


def reply_seconds(result: Result, values: Values) -> FloatColumn:
    """Return the makespan of a run on each variant [s]; quicker than all its metrics.

    As if memory sufficed; a run that is not slowed down by heat is taken not to be on any device.
    """
    checked(result, values)
    variants = len(next(iter(values.values())))
    if not _keeps_its_pace(result) or _other(result):
        return variant_facts(result, values).makespan_s
    paths, lowering = shaping(result.soc, result.stack, values), _lowering(result, values)
    own = tuple(float(result.soc.parameters()[path].value) for path in lowering)
    programs = {own: few(result.program)} if result.fits and not result.mapped else {}
    found = np.empty(variants)
    longest = max(group.steps for group in result.program.groups)
    for members, soc in side_by_side(result.soc, values, paths, STEPS_AT_ONCE // longest or 1):
        shape = tuple(float(values[path][members[0]]) for path in lowering)
        if shape not in programs:
            planned = plan(result.scenario, soc, result.seed, to_run=True)
            programs[shape] = few(planned.program)
        pricing = Pricing(soc, soc.stack(result.stack))
        for times in nominal_times(programs[shape], pricing, len(members)):
            found[members] = np.ravel(times.ends_s[..., -1])
    return found


def checked(result: Result, values: Values) -> None:
    """Raise `HardwareError` where a path leads to no parameter."""
    result.soc.with_values({path: float(column[0]) for path, column in values.items()})


def _device(result: Result, values: Values, index: int) -> SocSpec:
    found: SocSpec = moved(
        result.soc, {path: float(column[index]) for path, column in values.items()}
    )
    return found


def _lowering(result: Result, values: Values) -> list[str]:
    """Return those of `shaping` that shape the program itself."""
    paths = shaping(result.soc, result.stack, values)
    prices = shaping_prices(result.soc, result.stack, paths)
    return [path for path in paths if path not in prices]


def _plans(result: Result, values: Values) -> dict[int, Plan]:
    """Return what variants run, planned once for all that share a shape."""
    paths = _lowering(result, values)
    found: dict[int, Plan] = {}
    for members, soc in side_by_side(result.soc, values, paths):
        planned = plan(result.scenario, soc, result.seed, to_run=True)
        found |= plans_of_rows(planned, soc, members)
    return found


def _keeps_its_pace(result: Result) -> bool:
    """Return whether nothing but heat and memory can change the rates on the way."""
    session = result.session
    one_after_another = (
        len({turn.client for turn in session.turns}) == 1
        and all(turn.think_s is None for turn in session.turns)
        and session.until_s is None
        and session.queue.limit is None
    )
    beside = any(group.images_needed is not None for group in result.program.groups)
    is_steady = is_constant(result.scenario.environment.schedule)
    return one_after_another and is_steady and not (beside and _other(result))


def _other(result: Result) -> Background | None:
    """Return the other apps of a run that keeps its pace, which ask for the same all the while."""
    return get_background(result.scenario.environment.schedule[0].profile)


def shaping(soc: SocSpec, stack: str, paths: Iterable[str]) -> list[str]:
    """Return the paths whose numbers shape the program or its layout, rather than scale it."""
    unit = soc.stack(stack).unit
    own = {f"units.{unit}.buffer.activation_bytes"}
    own |= {f"stacks.{stack}.{name}" for name in ("prefill_chunk_tokens", "ubatch_tokens")}
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


def _side_by_side(result: Result, values: Values) -> Iterator[tuple[list[int], Side]]:
    """Yield the variants that share a shape, as indices, and the run on all of them."""
    paths = shaping(result.soc, result.stack, values)
    for members, soc in side_by_side(result.soc, values, paths, _at_once(result)):
        yield members, Side(result, soc, len(members), _other(result))


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
