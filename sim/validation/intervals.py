"""80 % intervals of a simulated metric: ranges of the stack's parameters, and residual spread.

With g the derivatives of log(metric) by the logarithms of the parameters, C their covariance and s
the spread about the fit::

    deviation^2 = g' C g + s^2          interval = simulated x exp(+- 1.28 deviation)

C comes from the device file: ranges of fitted parameters hold 80 %, those of others 95 %, and the
fit's correlations join the fitted ones. A stack without a fit has the spread of published rows.

Not modelled: ranges of the silicon's parameters, which a fitted stack already absorbs; so the
interval of a stack without a fit is too narrow.
"""

from __future__ import annotations

import math

import numpy as np

from hw_models.soc import SocSpec
from sim.calibration.fit import Vector, can_be_fitted, deviation
from sim.calibration.rows import Observation
from sim.calibration.stacks import END_TO_END, NOISE, candidates
from sim.explore.draws import CENTRAL_80, correlation_matrix


def interval_80(row: Observation, soc: SocSpec) -> tuple[float, float, float]:
    """Return the simulated value and its central 80 % interval, in the metric's unit."""
    known = soc.parameters()
    paths = [path for path in candidates(soc, row.stack) if can_be_fitted(known[path])]
    slopes = np.array([_slope(row, soc, path, known[path].value) for path in paths])
    variance = float(slopes @ covariance(soc, row.stack, paths) @ slopes)
    factor = math.exp(CENTRAL_80 * math.sqrt(variance + spread(soc, row.stack) ** 2))
    value = row.simulated(soc)
    return value, value / factor, value * factor


def spread(soc: SocSpec, stack: str) -> float:
    """Return the deviation of log(measured) about the simulation that no parameter explains.

    That of the fit, and at least that of published rows.
    """
    found = soc.stack(stack).fit
    return max(found.spread, NOISE) if found else NOISE


def covariance(soc: SocSpec, stack: str, paths: list[str]) -> Vector:
    """Return the covariance of the logarithms of parameters, shape (paths, paths)."""
    known = soc.parameters()
    deviations = np.array([deviation(known[path]) for path in paths])
    found = soc.stack(stack).fit
    names = [path.removeprefix(f"stacks.{stack}.") for path in paths]
    matrix = correlation_matrix(names, found.correlation if found else {})
    return matrix * np.outer(deviations, deviations)


def _slope(row: Observation, soc: SocSpec, path: str, value: float) -> float:
    step = END_TO_END.step
    higher = row.simulated(soc.with_values({path: value * math.exp(step)}))
    lower = row.simulated(soc.with_values({path: value * math.exp(-step)}))
    return math.log(higher / lower) / (2.0 * step)
