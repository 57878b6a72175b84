"""Cross-validation inside the calibration rows: leave one network out, leave one device out.

- *Network*: the posterior without any row of the network, on any device and stack. Networks of
  equal shapes are left out together.
- *Device*: the posterior without any row of the device; its stacks stand on other devices' rows.

Left-out rows are simulated anew at the parameters that the other rows give. The residuals choose
the form of the model and give the spreads of the stacks and the reference intervals.

Not modelled: the derivatives, which are those at the solution of all rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from sim.calibration.asked import Asked
from sim.calibration.pooled import Posterior, Problem
from sim.evidence.questions import DECODE
from sim.explore.draws import CENTRAL_80

Fold = Literal["network", "device"]
LEVEL: Final = 0.8
"""Share of left-out rows that an interval is meant to hold."""
ALONE: Final = 1.0
"""Left-out rows as which the spread of all stacks of a unit counts beside one stack's (assumed)."""
WIDEST: Final = 2.0
"""Spread beyond which none is looked for."""


class Residual(NamedTuple):
    """log(simulated / measured) of a question whose network or device the fit had not seen.

    ``of_parameters`` is the deviation that the parameters' uncertainty gives it.
    """

    fold: Fold
    id: str
    device: str
    stack: str
    unit: str
    metric: str
    model: str
    log_error: float
    of_parameters: float


def leave_one_out(problem: Problem) -> list[Residual]:
    """Return the residuals of both kinds of fold, for a problem that was solved."""
    networks = _residuals("network", problem, lambda item: item.network)
    devices = _residuals("device", problem, lambda item: item.row.device)
    return [*networks, *devices]


def narrowing(residuals: Iterable[Residual], fold: Fold, stack: str, *, is_decode: bool) -> float:
    """Return a factor on the deviations of the parameters that decode, or a prompt, hangs on.

    It is 1 at most, and below 1 where these alone hold more than `LEVEL` of the stack's own
    left-out rows: the noise that the fit gives to every figure of a metric is more than that of
    this stack's. With few rows it stays near 1.
    """
    asked = (fold, stack, is_decode)
    own = [item for item in residuals if (item.fold, item.stack, item.metric == DECODE) == asked]
    if len({item.model for item in own}) < 2 or not all(item.of_parameters for item in own):
        return 1.0
    far = sorted(abs(item.log_error) / (CENTRAL_80 * item.of_parameters) for item in own)
    enough = min(1.0, far[math.ceil(LEVEL * len(own)) - 1])
    return (len(own) * enough + ALONE) / (len(own) + ALONE)


def narrowed(residuals: Sequence[Residual]) -> list[Residual]:
    """Return residuals whose parameters are as uncertain as `narrowing` says."""
    factors: dict[tuple[Fold, str, bool], float] = {}
    found = []
    for item in residuals:
        fold, stack, is_decode = key = item.fold, item.stack, item.metric == DECODE
        if key not in factors:
            factors[key] = narrowing(residuals, fold, stack, is_decode=is_decode)
        found.append(item._replace(of_parameters=item.of_parameters * factors[key]))
    return found


def _residuals(fold: Fold, problem: Problem, name_of: Callable[[Asked], str]) -> Iterator[Residual]:
    names = np.array([name_of(item) for item in problem.rows])
    for name in sorted(set(names.tolist())):
        left_out = names == name
        if left_out.all():
            continue
        posterior = problem.without(left_out)
        for place in np.flatnonzero(left_out).tolist():
            yield _residual(fold, problem, posterior, place)


def _residual(fold: Fold, problem: Problem, posterior: Posterior, place: int) -> Residual:
    item = problem.rows[place]
    slots = problem.by_cell[item.cell]
    slopes = problem.jacobian[place, problem.own(item.cell)]
    variance = float(slopes @ posterior.of(slots)[1] @ slopes)
    row = item.row
    return Residual(
        fold,
        item.ids[0],
        row.device,
        row.stack,
        row.unit,
        row.metric,
        row.run.model,
        problem.value(place, posterior) - item.log_measured,
        math.sqrt(max(0.0, variance)),
    )


def spread(residuals: Sequence[Residual]) -> float:
    """Return the deviation that, beside the parameters', makes 80 % intervals hold 80 %."""
    low, high = 0.0, WIDEST
    for _ in range(30):
        middle = (low + high) / 2.0
        enough = _inside(residuals, middle) >= LEVEL
        low, high = (low, middle) if enough else (middle, high)
    return high


def spread_of(
    residuals: Sequence[Residual], fold: Fold, stack: str, unit: str, metric: str = ""
) -> float:
    """Return the spread that a row of a stack must expect whose network or device is unseen.

    That of the stack's own left-out rows and that of all stacks of its kind of unit, weighed by how
    many of its own there are.

    Parameters
    ----------
    metric
        Which rows are meant; all if empty.
    """
    known = [item for item in residuals if item.fold == fold and metric in ("", item.metric)]
    alike = [item for item in known if item.unit == unit] or known
    own = [item for item in alike if item.stack == stack]
    if not alike:
        return 0.0
    pooled = spread(alike) ** 2
    if len({item.model for item in own}) < 2:
        return math.sqrt(pooled)
    count = len(own)
    return math.sqrt((count * spread(own) ** 2 + ALONE * pooled) / (count + ALONE))


def is_held(item: Residual, spread: float) -> bool:
    """Return whether the central 80 % about a simulated value holds what was measured."""
    return abs(item.log_error) <= CENTRAL_80 * math.hypot(item.of_parameters, spread)


def held(residuals: Sequence[Residual], chosen: Sequence[Residual]) -> list[bool]:
    """Return for some residuals whether their intervals hold what was measured.

    Parameters
    ----------
    residuals
        All of them, which give the spreads.
    """
    spreads: dict[tuple[Fold, str, str, str], float] = {}
    found = []
    for item in chosen:
        key = (item.fold, item.stack, item.unit, item.metric)
        if key not in spreads:
            spreads[key] = spread_of(residuals, *key)
        found.append(is_held(item, spreads[key]))
    return found


def _inside(residuals: Sequence[Residual], spread: float) -> float:
    return sum(is_held(item, spread) for item in residuals) / len(residuals)
