"""Fit a host device to measured operators and steps.

In log space, so that every parameter stays positive and an error of 10 % weighs the same anywhere;
robust (soft l1), so that an operator the scheduler disturbed does not pull; with a prior on each
parameter, so that what the data leave open stays where it was, and is named. A parameter's interval
follows from the curvature at the optimum (Gauss-Newton, scaled by the residuals).

Not modelled: parameters that change while a run is measured (clocks, other work).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from hw_models.tree import moved
from sim.calibration.host_prior import SOURCE, STACK, prior_device
from sim.calibration.host_samples import Samples
from sim.engine.pricing import Pricing
from sim.errors import SimError
from sim.explore.draws import CENTRAL_80

Vector = NDArray[np.float64]

LEAST_WEIGHT: Final = 0.15
STEP_WEIGHT: Final = 4.0  # a step stands for dozens of operators
IDENTIFIED: Final = 0.5  # posterior over prior spread below which the data have spoken
ROBUST_SCALE: Final = 0.1  # relative error beyond which a sample counts linearly
MAX_LOG_SD: Final = 2.0
MAD_TO_SD: Final = 1.4826  # median absolute deviation of a normal distribution
DIFFERENCE: Final = 1e-4  # step of a logarithm, far above rounding
KEPT: Final = "kept its prior: the runs do not identify it"


@dataclass(frozen=True)
class HostFit:
    """A fitted device and how well it is known.

    Attributes
    ----------
    fitted
        Parameters the data identified, with their 80 % intervals as ranges in ``soc``.
    kept
        Parameters the data could not identify: they kept their prior.
    operator_errors
        Relative error of each operator of the fit, simulated against measured; shape (samples,).
    step_errors
        The same of each step; shape (steps,).
    unseen
        Deviation that the operators' errors imply for a step of another network, median of steps.
    noise
        Noise floor of the runs, their mean.
    """

    soc: SocSpec
    fitted: tuple[str, ...]
    kept: tuple[str, ...]
    operator_errors: Vector
    step_errors: Vector
    unseen: float
    noise: float = 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of log(simulated / measured) to expect of another run.

        What the steps of the fit show (robustly) or their operators imply for another network,
        whichever is more, and the noise that a run brings along.
        """
        own = float(np.median(np.abs(np.log1p(self.step_errors))) * MAD_TO_SD)
        return math.hypot(max(own, self.unseen), self.noise)


class _Problem:
    """Residuals of a parameter vector: the logarithms of the free parameters of a device."""

    def __init__(self, soc: SocSpec, samples: Samples, without: Collection[str] = ()) -> None:
        self.soc = soc
        self.samples = samples
        free = {path: item for path, item in free_parameters(soc).items() if path not in without}
        self.paths = list(free)
        self.prior = np.log([item.value for item in free.values()])
        self.lower = np.log([item.low for item in free.values()])
        self.upper = np.log([item.high for item in free.values()])
        # a prior's range is taken as four standard deviations
        self.spread = (self.upper - self.lower) / 4.0
        # an operator counts by the root of its share of its step, and a little anyhow
        self.weights = LEAST_WEIGHT + np.sqrt(samples.shares)
        self.measured = np.log([step.measured_s for step in samples.steps])
        self.operators_measured = np.log(np.concatenate([g.measured_s for g in samples.operators]))

    def errors(self, logs: Vector) -> tuple[Vector, Vector]:
        """Return log(simulated / measured) of every operator and of every step."""
        return self._logs(*self.samples.seconds(_pricing(self._device(logs))))

    def residuals(self, logs: Vector) -> Vector:
        """Return operators, steps and priors, each in units of what is usual for it."""
        return self._weighted(*self.errors(logs), logs)

    def jacobian(self, logs: Vector) -> Vector:
        """Return the derivatives of the residuals by forward differences."""
        device = self._device(logs)
        known, steps = self.samples.seconds(_pricing(device))
        base = self._weighted(*self._logs(known, steps), logs)
        columns = []
        for index, path in enumerate(self.paths):
            shifted = logs.copy()
            shifted[index] += DIFFERENCE
            pricing = _pricing(moved(device, {path: math.exp(shifted[index])}))
            found = self.samples.seconds(pricing, known, _kernel_of(path))
            columns.append((self._weighted(*self._logs(*found), shifted) - base) / DIFFERENCE)
        return np.stack(columns, axis=1)

    def _device(self, logs: Vector) -> SocSpec:
        device: SocSpec = moved(self.soc, dict(zip(self.paths, np.exp(logs), strict=True)))
        return device

    def _logs(self, operators: Sequence[Vector], steps: Vector) -> tuple[Vector, Vector]:
        found = np.log(np.concatenate(operators)) - self.operators_measured
        return found, np.log(steps) - self.measured

    def _weighted(self, operators: Vector, steps: Vector, logs: Vector) -> Vector:
        priors = (logs - self.prior) / self.spread * ROBUST_SCALE
        return np.concatenate([operators * self.weights, steps * STEP_WEIGHT, priors])


def _pricing(soc: SocSpec) -> Pricing:
    return Pricing(soc, soc.stack(STACK))


def _kernel_of(path: str) -> str | None:
    """Return the kernel a parameter belongs to; None for a number all of them share."""
    _, found, rest = path.partition(".kernels.")
    return rest.partition(".")[0] if found else None


def free_parameters(soc: SocSpec) -> dict[str, Parameter]:
    """Return what a calibration may move: assumed numbers of the memory and the stack."""
    prefixes = ("dram.rate", f"stacks.{STACK}.kernels.", f"stacks.{STACK}.step_overhead_s")
    return {
        path: item
        for path, item in soc.parameters().items()
        if item.kind == "assumed" and item.low < item.high and path.startswith(prefixes)
    }


def fit_host(samples: Samples, dtype: str, read_bytes_per_s: float, runs: str) -> HostFit:
    """Return the device that explains the samples best.

    Parameters
    ----------
    dtype
        ``bf16`` or ``fp32``.
    read_bytes_per_s
        Prior of the memory's rate, measured beside the runs [B/s].
    runs
        Names of the runs, for the source of the fitted numbers.

    Raises `SimError` where nothing was measured, or what was identifies no parameter.
    """
    if not samples.steps:
        raise SimError("a calibration must have a measured step. Got none.")
    prior = prior_device(samples, dtype, read_bytes_per_s, runs)
    kept: set[str] = set()
    while True:  # a parameter that keeps its prior changes what the others are: fit again
        problem = _Problem(prior, samples, kept)
        logs, spread = _solve(problem)
        vague = spread >= IDENTIFIED * problem.spread
        if not vague.any():
            break
        if vague.all():
            raise SimError("the runs must identify a parameter. Got none: measure more cases.")
        kept |= set(np.array(problem.paths)[vague].tolist())
    operators, steps = problem.errors(logs)
    return HostFit(
        soc=_with_intervals(problem, logs, spread, sorted(kept)),
        fitted=tuple(problem.paths),
        kept=tuple(sorted(kept)),
        operator_errors=np.expm1(operators),
        step_errors=np.expm1(steps),
        unseen=float(np.median(samples.deviations_by_kernel(operators))),
    )


def _solve(problem: _Problem) -> tuple[Vector, Vector]:
    """Return the best log parameters and the standard deviation of each."""
    from scipy.optimize import least_squares

    solve: Any = least_squares  # typed as a module
    found = solve(
        problem.residuals,
        jac=problem.jacobian,
        x0=np.clip(problem.prior, problem.lower + DIFFERENCE, problem.upper - DIFFERENCE),
        bounds=(problem.lower, problem.upper),
        loss="soft_l1",
        f_scale=ROBUST_SCALE,
        x_scale=problem.spread,
        max_nfev=40,
    )
    return found.x, _posterior_spread(found.jac, found.fun, len(problem.paths))


def _posterior_spread(jacobian: Vector, residuals: Vector, parameters: int) -> Vector:
    """Return the standard deviation of each log parameter.

    The covariance is ``s^2 (J^T J)^-1`` with ``s`` the median absolute residual of the data as a
    standard deviation, and no less than the scale its priors were weighed with: so a parameter that
    only its prior speaks for keeps just the prior's spread.
    """
    data = residuals[:-parameters]
    scale = max(ROBUST_SCALE, float(np.median(np.abs(data)) * MAD_TO_SD))
    covariance = np.linalg.inv(jacobian.T @ jacobian) * scale**2
    return np.minimum(np.sqrt(np.diag(covariance)), MAX_LOG_SD)


def _with_intervals(
    problem: _Problem, logs: Vector, spread: Vector, kept: Sequence[str]
) -> SocSpec:
    """Return the device whose identified numbers are ``fitted``, with their 80 % intervals."""
    before = problem.soc.parameters()
    found = {path: replace(before[path], note=KEPT) for path in kept}
    for path, log, sd in zip(problem.paths, logs.tolist(), spread.tolist(), strict=True):
        value, factor = math.exp(log), math.exp(CENTRAL_80 * sd)
        ceiling = 1.0 if before[path].unit == "fraction" else math.inf
        high = min(value * factor, ceiling)
        found[path] = Parameter(value, before[path].unit, "fitted", SOURCE, value / factor, high)
    return problem.soc.with_parameters(found, {})
