"""One fit for phones and hosts: parameters of a device from measured values, in log space.

With x the logarithms of the fitted parameters, x0 and s0 centre and deviation of their priors, and
r the residuals of the measured values in deviations of their noise, the fit minimises ::

    sum_i rho(r_i(x)^2) + sum_j rho(((x_j - x0_j) / s0_j)^2)      low_j <= x_j <= high_j

with rho(z) = z (*linear*) or 2 (sqrt(1 + z) - 1) (*soft_l1*, where single values may be garbage).
The posterior covariance is ``k^2 (J'J)^-1`` of all residuals, with k above 1 where the values
scatter more than their noise says. A parameter whose posterior is nearly as wide as its prior is
one the data do not identify: it is put back to its prior and the rest is fitted again. A fit never
changes the structure of the simulator; it only moves numbers of a device.

Not modelled: parameters that several stacks share, noise that differs between values of one kind,
and conditions that change while something is measured (clocks, other work).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from hw_models.tree import moved
from sim.explore.draws import CENTRAL_80, RANGE_DEVIATIONS

Vector = NDArray[np.float64]
Residuals = Callable[[Sequence[SocSpec]], Vector]
"""Residuals of all measured values on each of some devices, in deviations of their noise; shape
(devices, values). The devices share every part in which they do not differ."""

TOUCHED: Final = 0.05
"""Values that move by fewer deviations than this per factor e do not depend on a parameter."""
MARGIN: Final = 1e-6
"""What the logarithm of a start value keeps away from its bounds."""
MOST_STEPS: Final = 40
"""Steps after which a solution is taken as it is."""
MAD_TO_SD: Final = 1.4826
"""Deviation over median absolute deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Method:
    """How a fit weighs residuals, differentiates them, and drops parameters.

    Attributes
    ----------
    loss
        ``soft_l1`` where single values may be garbage.
    step
        Step of the logarithms in a derivative.
    is_central
        Whether derivatives look to both sides, which takes twice as long.
    identified
        A parameter is identified when its deviation is at most this share of its prior's.
    is_together
        Whether all parameters that are not identified are dropped at once, and not the vaguest one
        at a time; for fits of many parameters.
    tolerance
        Relative changes of the cost and of the logarithms below which the search ends.
    """

    loss: Literal["linear", "soft_l1"]
    step: float
    is_central: bool
    identified: float
    is_together: bool
    tolerance: tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """What a fit found.

    Attributes
    ----------
    paths
        Dotted paths of the fitted parameters, in the order of ``covariance``.
    values
        Fitted values by path, SI.
    covariance
        Of the logarithms of the values.
    kept
        Candidates that the data did not identify; they kept their prior.
    spread
        Deviation of log(simulated / measured) to expect of another run. `fit` itself can only give
        the scatter of its residuals, in deviations of their noise; its callers replace it.
    inflation
        Factor on all deviations, above 1 where the values scatter more than their noise says.
    spreads
        As ``spread``, of single metrics.
    """

    paths: tuple[str, ...]
    values: Mapping[str, float]
    covariance: Vector = field(compare=False)  # arrays have no one truth value
    kept: tuple[str, ...]
    spread: float
    inflation: float
    spreads: Mapping[str, float] = field(default_factory=dict)

    def deviation(self, path: str) -> float:
        """Return the posterior deviation of the logarithm of a parameter."""
        index = self.paths.index(path)
        return math.sqrt(float(self.covariance[index, index]))

    def interval_80(self, path: str) -> tuple[float, float]:
        """Return the central 80 % interval of a parameter, SI."""
        factor = math.exp(CENTRAL_80 * self.deviation(path))
        return self.values[path] / factor, self.values[path] * factor

    def correlation(self, one: str, other: str) -> float:
        """Return the posterior correlation of two parameters' logarithms."""
        i, j = self.paths.index(one), self.paths.index(other)
        return float(self.covariance[i, j] / (self.deviation(one) * self.deviation(other)))


def fit(soc: SocSpec, residuals: Residuals, paths: Sequence[str], method: Method) -> Fit:
    """Fit the parameters at ``paths`` of a device to measured values.

    Parameters
    ----------
    soc
        The device with its priors.
    residuals
        What was measured, at least one value.
    paths
        Dotted paths of candidates; those whose range is a point are not fitted.
    """
    known = soc.parameters()
    free = _touched(soc, residuals, [path for path in paths if can_be_fitted(known[path])], method)
    while True:
        found = _Problem(soc, residuals, free, method).solved()
        vagueness = {
            path: found.deviation(path) / found.inflation / deviation(known[path]) for path in free
        }
        vague = [path for path in free if vagueness[path] > method.identified]
        if not vague:
            return replace(found, kept=tuple(path for path in paths if path not in free))
        dropped = vague if method.is_together else [max(vague, key=vagueness.__getitem__)]
        free = [path for path in free if path not in dropped]


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

    These are the ends of the range; a number that was fitted before may move by `RANGE_DEVIATIONS`
    of its deviations.
    """
    if parameter.kind != "fitted":
        return parameter.low, parameter.high
    factor = math.exp(RANGE_DEVIATIONS * deviation(parameter))
    return parameter.value / factor, min(parameter.value * factor, ceiling(parameter))


def ceiling(parameter: Parameter) -> float:
    """Return what no value of a parameter's unit exceeds: 1 for a fraction."""
    return 1.0 if parameter.unit == "fraction" else math.inf


def _touched(soc: SocSpec, residuals: Residuals, paths: Sequence[str], method: Method) -> list[str]:
    """Return the paths on which some value depends, at the priors."""
    if not paths:
        return []
    problem = _Problem(soc, residuals, paths, method)
    felt = np.abs(problem.jacobian(problem.centre)[: -len(paths)]).max(axis=0)
    return [path for path, slope in zip(paths, felt, strict=True) if slope >= TOUCHED]


class _Problem:
    """The residuals of a fit over the logarithms of the free parameters."""

    def __init__(
        self, soc: SocSpec, residuals: Residuals, paths: Sequence[str], method: Method
    ) -> None:
        self.soc, self.measured, self.paths, self.method = soc, residuals, tuple(paths), method
        priors = [soc.parameters()[path] for path in paths]
        self.centre = np.log([prior.value for prior in priors])
        self.width = np.array([deviation(prior) for prior in priors])
        self.low, self.high = np.log([bounds(prior) for prior in priors]).reshape(-1, 2).T

    def solved(self) -> Fit:
        """Return the best values; with nothing free, what the priors give."""
        if not self.paths:
            return self._fit(self.centre, self.residuals(self.centre), np.empty((0, 0)))
        from scipy.optimize import least_squares  # scipy is loaded only to fit

        solve: Any = least_squares  # typed as a module
        ftol, xtol = self.method.tolerance
        best = solve(
            self.residuals,
            np.clip(self.centre, self.low + MARGIN, self.high - MARGIN),
            self.jacobian,
            bounds=(self.low, self.high),
            loss=self.method.loss,
            x_scale=self.width,
            ftol=ftol,
            xtol=xtol,
            max_nfev=MOST_STEPS,
        )
        return self._fit(best.x, best.fun, best.jac)

    def residuals(self, logs: Vector) -> Vector:
        """Return the measured values' residuals, then the distances from the priors."""
        data = self.measured([self._device(logs)])[0]
        return np.append(data, (logs - self.centre) / self.width)

    def jacobian(self, logs: Vector) -> Vector:
        """Return the derivatives of the residuals by the logarithms."""
        step, device = self.method.step, self._device(logs)
        sides = (step, -step) if self.method.is_central else (step,)
        shifted = [
            moved(device, {path: math.exp(log + side)})
            for side in sides
            for path, log in zip(self.paths, logs.tolist(), strict=True)
        ]
        if not self.method.is_central:
            shifted.append(device)
        found, count = self.measured(shifted), len(self.paths)
        slopes = (found[:count] - found[count:]) / (step * len(sides))
        return np.vstack((slopes.T, np.diag(1.0 / self.width)))

    def _device(self, logs: Vector) -> SocSpec:
        device: SocSpec = moved(self.soc, dict(zip(self.paths, np.exp(logs).tolist(), strict=True)))
        return device

    def _fit(self, logs: Vector, residuals: Vector, jacobian: Vector) -> Fit:
        count = len(residuals) - len(self.paths)
        inverse: Vector = np.linalg.inv(jacobian.T @ jacobian).astype(np.float64)
        scatter = self._scatter(residuals[:count], jacobian[:count], inverse)
        inflation = max(1.0, scatter)
        values = dict(zip(self.paths, np.exp(logs).tolist(), strict=True))
        return Fit(self.paths, values, inverse * inflation**2, (), scatter, inflation)

    def _scatter(self, data: Vector, jacobian: Vector, inverse: Vector) -> float:
        """Return the deviation of the values' residuals: robust, or by their degrees of freedom.

        Those are the values less what they, and not the priors, have decided of the parameters.
        """
        if self.method.loss == "soft_l1":
            return float(np.median(np.abs(data)) * MAD_TO_SD)
        decided = float(np.trace(jacobian @ inverse @ jacobian.T)) if self.paths else 0.0
        return math.sqrt(float(np.sum(data**2)) / max(1.0, len(data) - decided))
