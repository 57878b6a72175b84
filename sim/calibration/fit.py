"""Calibration: the parameters of one stack from measured runs, in log space, with their priors.

With x the logarithms of the fitted parameters, x0 and s0 the prior's centre and deviation, y the
logarithms of the measured values and f those of the simulated ones, the fit minimises ::

    sum_i ((f_i(x) - y_i) / NOISE)^2 + sum_j ((x_j - x0_j) / s0_j)^2      low_j <= x_j <= high_j

and the posterior covariance is ``k^2 (J'J)^-1`` of all residuals, with k above 1 where the rows
scatter more than NOISE says. A parameter whose posterior is nearly as wide as its prior is one the
data do not identify: it is put back to its prior and the rest is fitted again. The structure of the
simulator is never changed by a fit; it carries utilisations and overheads only.

Not modelled: parameters that several stacks share, and noise that differs between rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from sim.calibration.observations import Predictor
from sim.errors import SimError
from sim.explore.draws import CENTRAL_80, RANGE_DEVIATIONS

Vector = NDArray[np.float64]

NOISE: Final = 0.1
"""Assumed deviation of the log of a published rate: two releases of one AI Hub entry, twelve days
apart, differ by -20 to +20 % on phones."""
IDENTIFIED: Final = 0.7
"""Assumed: a parameter is identified when its deviation is below this share of its prior's."""
TOUCHED: Final = 0.05
"""Rows that move by less than this many deviations per factor e do not depend on a parameter."""
STEP: Final = 0.01
"""Step of the logarithms in a derivative: wide enough to see past whole tiles."""
LARGEST_MISFIT: Final = math.log(2.0)
"""Rows that a fit within the priors misses by more than a factor of two contradict the priors."""


class Contradiction(SimError):
    """No values within the priors come near the rows."""


@dataclass(frozen=True)
class Fit:
    """What calibration found for one stack.

    Attributes
    ----------
    paths
        Dotted paths of the fitted parameters, in the order of ``covariance``.
    values
        Fitted values by path, SI.
    covariance
        Of the logarithms of the values.
    kept
        Paths that the data did not identify; they kept their prior.
    spread
        Deviation of log(simulated / measured): of the rows about the fit, or that of networks left
        out of it where that is known and larger.
    inflation
        Factor on all deviations, above 1 where the rows scatter more than the noise says.
    """

    paths: tuple[str, ...]
    values: Mapping[str, float]
    covariance: Vector = field(compare=False)  # arrays have no one truth value
    kept: tuple[str, ...]
    spread: float
    inflation: float

    def interval_80(self, path: str) -> tuple[float, float]:
        """Return the central 80 % interval of a parameter, SI."""
        index = self.paths.index(path)
        factor = math.exp(CENTRAL_80 * math.sqrt(float(self.covariance[index, index])))
        return self.values[path] / factor, self.values[path] * factor

    def correlation(self, one: str, other: str) -> float:
        """Return the posterior correlation of two parameters' logarithms."""
        i, j = self.paths.index(one), self.paths.index(other)
        deviations = np.sqrt(np.diag(self.covariance))
        return float(self.covariance[i, j] / (deviations[i] * deviations[j]))


def fit(soc: SocSpec, rows: Sequence[Predictor], paths: Sequence[str], noise: float = NOISE) -> Fit:
    """Fit the parameters at ``paths`` of a device to rows.

    Parameters
    ----------
    soc
        The device with its priors.
    rows
        What was measured, at least one.
    paths
        Dotted paths of candidates; those whose range is a point are not fitted.
    noise
        Deviation of log(measured), all rows alike.

    Raises `Contradiction` where the rows lie outside what the priors can reach.
    """
    known = soc.parameters()
    free = [path for path in paths if can_be_fitted(known[path])]
    fixed = [path for path in paths if path not in free]
    untouched = _Problem(soc, rows, free, noise).untouched()
    free, fixed = [path for path in free if path not in untouched], fixed + untouched
    while True:
        found = _Problem(soc, rows, free, noise).solve()
        worst = max(free, key=lambda path: _vagueness(found, known, path), default=None)
        if worst is None or _vagueness(found, known, worst) <= IDENTIFIED:
            break
        free.remove(worst)
        fixed.append(worst)
    if found.spread > LARGEST_MISFIT:
        raise Contradiction(
            f"no values within the priors come near the rows: they miss them by a factor of "
            f"{math.exp(found.spread):.1f}. Something that is not a parameter of the stack differs."
        )
    return replace(found, kept=tuple(fixed))


def can_be_fitted(parameter: Parameter) -> bool:
    """Whether a parameter has a range to be fitted in; logarithms need it above zero."""
    return 0.0 < parameter.low < parameter.high


def deviation(parameter: Parameter) -> float:
    """Return the deviation of a parameter's logarithm that its range stands for.

    >>> wide = Parameter(1.0, "s", "assumed", "a", 0.5, 2.0)
    >>> round(deviation(wide), 3)
    0.347
    """
    if not can_be_fitted(parameter):
        return 0.0
    widths = 2.0 * CENTRAL_80 if parameter.kind == "fitted" else RANGE_DEVIATIONS
    return math.log(parameter.high / parameter.low) / widths


def bounds(parameter: Parameter) -> tuple[float, float]:
    """Return the least and the most that a fit may give [SI].

    That is the range; about a number fitted before, some deviations.
    """
    if parameter.kind != "fitted":
        return parameter.low, parameter.high
    factor = math.exp(RANGE_DEVIATIONS * deviation(parameter))
    top = 1.0 if parameter.unit == "fraction" else math.inf
    return parameter.value / factor, min(parameter.value * factor, top)


def _vagueness(found: Fit, known: Mapping[str, Parameter], path: str) -> float:
    index = found.paths.index(path)
    informed = math.sqrt(float(found.covariance[index, index])) / found.inflation
    return informed / deviation(known[path])


class _Problem:
    """The residuals of a fit over the logarithms of the free parameters."""

    def __init__(
        self, soc: SocSpec, rows: Sequence[Predictor], paths: Sequence[str], noise: float
    ) -> None:
        self.soc, self.rows, self.paths, self.noise = soc, rows, tuple(paths), noise
        priors = [soc.parameters()[path] for path in paths]
        self.centre = np.log([prior.value for prior in priors])
        self.width = np.array([deviation(prior) for prior in priors])
        low, high = zip(*map(bounds, priors), strict=True) if priors else ((), ())
        self.bounds = np.log(low), np.log(high)
        self.measured = np.log([row.measured for row in rows])

    def solve(self) -> Fit:
        """Return the best values; with nothing free, what the priors give."""
        from scipy.optimize import least_squares  # scipy is loaded only to fit

        if not self.paths:
            return self._fit(np.empty(0), np.empty((len(self.rows), 0)))
        start = np.clip(self.centre, self.bounds[0] + 1e-6, self.bounds[1] - 1e-6)
        best = least_squares(
            self.residuals, start, self.jacobian, bounds=self.bounds, xtol=1e-3, ftol=1e-4
        )
        return self._fit(best.x, self.jacobian(best.x))

    def residuals(self, logs: Vector) -> Vector:
        """Return misfit of the rows, then distance from the priors, in deviations."""
        misfit = self.misfit(logs) / self.noise
        return np.concatenate((misfit, (logs - self.centre) / self.width))

    def jacobian(self, logs: Vector) -> Vector:
        """Return the derivatives of the residuals by central differences."""
        columns = [
            (self.misfit(logs + step) - self.misfit(logs - step)) / (2.0 * STEP * self.noise)
            for step in STEP * np.eye(len(logs))
        ]
        return np.vstack((np.column_stack(columns), np.diag(1.0 / self.width)))

    def misfit(self, logs: Vector) -> Vector:
        """Return log(simulated / measured) of the rows."""
        values = dict(zip(self.paths, np.exp(logs).tolist(), strict=True))
        soc = self.soc.with_values(values)
        return np.log([row.simulated(soc) for row in self.rows]) - self.measured

    def _fit(self, logs: Vector, jacobian: Vector) -> Fit:
        squares = float(np.sum(self.misfit(logs) ** 2))
        spread = math.sqrt(squares / max(1, len(self.rows) - self._used(jacobian)))
        inflation = max(1.0, spread / self.noise)
        covariance = np.float64(inflation**2) * np.linalg.inv(jacobian.T @ jacobian)
        values = dict(zip(self.paths, np.exp(logs).tolist(), strict=True))
        return Fit(self.paths, values, covariance, (), spread, inflation)

    def untouched(self) -> list[str]:
        """Return the paths on which no row depends, at the priors."""
        if not self.paths:
            return []
        felt = np.abs(self.jacobian(self.centre)[: len(self.rows)]).max(axis=0)
        return [path for path, slope in zip(self.paths, felt, strict=True) if slope < TOUCHED]

    def _used(self, jacobian: Vector) -> float:
        """Return the degrees of freedom that the rows, not the priors, have decided."""
        if not self.paths:
            return 0.0
        of_rows = jacobian[: len(self.rows)]
        return float(np.trace(of_rows @ np.linalg.inv(jacobian.T @ jacobian) @ of_rows.T))
