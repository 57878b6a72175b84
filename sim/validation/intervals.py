"""80 % intervals of a simulated value: from what its device leaves open, and from past errors.

*Closed form*. With g the derivatives of log(metric) by the logarithms of the stack's parameters, C
their covariance, s the spread about the fit and w the widening outside the calibrated sizes::

    deviation^2 = g' C g + s^2 + w^2          interval = simulated x exp(+- 1.28 deviation)

C comes from the device file: ranges of fitted parameters hold 80 %, those of others 95 %, and the
fit's correlations join the fitted ones. A stack without a fit has the spread of published rows.

*Reference*. With the n absolute residuals r of log(simulated / measured) of networks left out of
the fit, sorted, and a level p::

    k = ceil((n + 1) p)      interval = simulated x exp(+- r_k)      none where k > n

Were all n residuals and the next row's from one model that saw none of them (split conformal), and
exchangeable, the row would lie inside with probability p or more, whatever the distribution (Vovk,
Gammerman, Shafer, *Algorithmic Learning in a Random World*, 2005). Here each residual comes from a
fit without its own network and the simulation from the fit to all: the jackknife, which has no such
bound (Barber, Candes, Ramdas, Tibshirani, *Predictive inference with the jackknife+*, 2021). Nor
are rows of another phone or runtime exchangeable. So these intervals are a reference, no promise.

Not modelled: ranges of the silicon's parameters, which a fitted stack already absorbs; so the
closed form of a stack without a fit is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from hw_models.soc import SocSpec
from sim.calibrated_range import outside
from sim.calibration import figures
from sim.calibration.fit import Vector, can_be_fitted, deviation
from sim.calibration.rows import Observation
from sim.calibration.stacks import END_TO_END, candidates
from sim.explore.draws import CENTRAL_80, correlation_matrix
from workloads.program import Program

LEVEL: Final = 0.8
"""Share of rows that an interval is meant to hold."""
OUTSIDE_SPREAD: Final = 0.5  # assumed: error grows by half the log distance outside the range
FARTHEST_OUTSIDE: Final = 4.0  # largest log distance that counts; an unknown kernel is as far


def factor_80(*deviations: float) -> float:
    """Return what a central 80 % interval divides and multiplies by.

    Parameters
    ----------
    deviations
        Independent parts of the deviation of log(simulated).

    >>> round(factor_80(0.3, 0.4), 3) == round(math.exp(1.2816 * 0.5), 3)
    True
    """
    return math.exp(CENTRAL_80 * math.hypot(*deviations))


def around(value: float, factor: float) -> tuple[float, float]:
    """Return the interval from a value divided by a factor to the value times it."""
    return value / factor, value * factor


def interval_80(row: Observation, soc: SocSpec) -> tuple[float, float, float]:
    """Return the simulated value and its central 80 % interval, in the metric's unit."""
    known = soc.parameters()
    paths = [path for path in candidates(soc, row.stack) if can_be_fitted(known[path])]
    slopes = _slopes(row, soc, {path: known[path].value for path in paths})
    of_parameters = math.sqrt(float(slopes @ covariance(soc, row.stack, paths) @ slopes))
    beyond = widening(row.program, soc, row.stack)
    value = row.simulated(soc)
    return value, *around(
        value, factor_80(of_parameters, spread(soc, row.stack, row.metric), beyond)
    )


def spread(soc: SocSpec, stack: str, metric: str) -> float:
    """Return the deviation of log(measured) about the simulation that no parameter explains.

    That of the fit, and at least the noise of one published figure of the metric.
    """
    found, least = soc.stack(stack).fit, figures.noise(metric)
    return max(found.spread_of(metric), least) if found else least


def widening(program: Program, soc: SocSpec, stack: str) -> float:
    """Return the deviation that a run adds by leaving the sizes its kernels were calibrated for."""
    found = outside(program, soc.stack(stack))
    beyond = max((item.log_distance for item in found), default=0.0)
    return OUTSIDE_SPREAD * min(beyond, FARTHEST_OUTSIDE)


def covariance(soc: SocSpec, stack: str, paths: list[str]) -> Vector:
    """Return the covariance of the logarithms of parameters, shape (paths, paths)."""
    known = soc.parameters()
    deviations = np.array([deviation(known[path]) for path in paths])
    found = soc.stack(stack).fit
    names = [path.removeprefix(f"stacks.{stack}.") for path in paths]
    matrix = correlation_matrix(names, found.correlation if found else {})
    return matrix * np.outer(deviations, deviations)


def needed_residuals(level: float = LEVEL) -> int:
    """Return the fewest residuals that support a level below 1: level / (1 - level), rounded up.

    >>> needed_residuals(0.8), needed_residuals(0.95)
    (4, 19)
    """
    return math.ceil(level / (1.0 - level) - 1e-9)


def conformal_factor(log_errors: Iterable[float], level: float = LEVEL) -> float | None:
    """Return exp(r_k), the factor up and down of the reference interval; none if n is too small.

    >>> conformal_factor([0.0, 0.1, -0.2, 0.3], 0.8) == math.exp(0.3)
    True
    >>> conformal_factor([0.1, 0.2, 0.3], 0.8) is None
    True
    """
    residuals = sorted(abs(error) for error in log_errors)
    rank = math.ceil((len(residuals) + 1) * level - 1e-9)
    return math.exp(residuals[rank - 1]) if rank <= len(residuals) else None


def _slopes(row: Observation, soc: SocSpec, values: Mapping[str, float]) -> Vector:
    """Return the central differences of log(simulated) by each parameter's logarithm.

    All devices with one parameter moved up or down are simulated together, as columns.
    """
    step, count = END_TO_END.step, len(values)
    if not values:
        return np.empty(0)
    moved = np.exp(step * np.vstack((np.eye(count), -np.eye(count))))
    columns = {path: moved[:, [i]] * value for i, (path, value) in enumerate(values.items())}
    logs = np.log(row.simulated_on_each(soc.with_values(columns)))
    return (logs[:count] - logs[count:]) / (2.0 * step)
