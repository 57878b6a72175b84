"""Measurements -> a fitted host device: the function behind `andesim calibrate` for a host.

Every operator and every step of the measurements is a value of the fit. One device per number
format: the runs of one calibration must share device, dtype and processor.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from hw_models.provenance import Parameter
from hw_models.schema import StackFit
from hw_models.soc import SocSpec
from sim.calibration.fit import MAD_TO_SD, Fit, Method, Vector, ceiling, fit
from sim.calibration.operators import Samples, samples_of
from sim.calibration.prior import SOURCE, STACK, prior_device, template
from sim.errors import SimError
from sim.evidence.measuring.document import MeasuredFile, Measurement
from sim.output import write_text

LEAST_WEIGHT: Final = 0.15
STEP_WEIGHT: Final = 4.0  # a step stands for dozens of operators
NOISE: Final = 0.1  # relative error that is usual for a value; what is beyond counts linearly
PER_OPERATOR: Final = Method(
    loss="soft_l1",  # the scheduler may have disturbed any single operator
    step=1e-4,
    is_central=False,
    identified=0.5,
    is_together=True,
    tolerance=(1e-8, 1e-8),
)
"""How thousands of operators are fitted by dozens of parameters."""
KEPT: Final = "kept its prior: the runs do not identify it"


@dataclass(frozen=True)
class FittedHost:
    """A fitted device, and the fit that says how well it is known."""

    soc: SocSpec
    found: Fit


def calibrate_host(runs: Sequence[MeasuredFile]) -> FittedHost:
    """Return the device fitted to measured runs.

    Raises `SimError` where there are none, they do not belong together, or they identify nothing.
    """
    if not runs:
        raise SimError("a calibration must have a measurement. Got none.")
    first = runs[0].measurement
    if first.dtype != "bf16":
        raise SimError(
            "dtype must be bf16 in a calibration: 32-bit caches cannot be simulated. "
            f"Got {first.dtype!r} in {first.model}."
        )
    for run in runs[1:]:
        _check_same(first, run.measurement)
    rate = statistics.median_high(run.measurement.read_bytes_per_s for run in runs)
    noise = statistics.fmean(run.measurement.noise_floor for run in runs)
    named = ", ".join(f"{run.measurement.model} ({run.measurement.created[:10]})" for run in runs)
    samples = samples_of(runs, template())
    fitted = fit_host(samples, prior_device(samples, first.dtype, rate, named), noise)
    return replace(fitted, soc=_described(fitted, first))


def fit_host(samples: Samples, prior: SocSpec, noise: float = 0.0) -> FittedHost:
    """Return the device that explains the samples best.

    Parameters
    ----------
    prior
        The device with the priors; its assumed numbers of memory and stack may move.
    noise
        Noise floor of the runs, their mean: another run brings it along.

    Raises `SimError` where nothing was measured, or what was identifies no parameter.
    """
    if not samples.steps:
        raise SimError("a calibration must have a measured step. Got none.")
    found = fit(prior, lambda socs: _residuals(samples, socs), candidates(prior), PER_OPERATOR)
    if not found.paths:
        raise SimError("the runs must identify a parameter. Got none: measure more cases.")
    soc = _with_intervals(prior, found)
    return FittedHost(soc, replace(found, spread=math.hypot(_own_spread(samples, soc), noise)))


def candidates(soc: SocSpec) -> list[str]:
    """Return what a calibration may move: assumed numbers of the memory and the stack."""
    prefixes = ("dram.rate", f"stacks.{STACK}.kernels.", f"stacks.{STACK}.step_overhead_s")
    return [
        path
        for path, item in soc.parameters().items()
        if item.kind == "assumed" and item.low < item.high and path.startswith(prefixes)
    ]


def write_device(fitted: FittedHost, path: Path) -> None:
    """Write the fitted device file whole or not at all; `OutputError` where it cannot be."""
    write_text(path, fitted.soc.to_yaml())


def report(fitted: FittedHost) -> list[str]:
    """Return the sentences that say what was fitted and what was not, for people."""
    found = fitted.found
    lines = [f"{len(found.paths)} parameters fitted, {len(found.kept)} kept their prior."]
    lines += [f"kept: {path}" for path in found.kept]
    return [*lines, f"Expected spread of another run: {found.spread:.1%}."]


def _residuals(samples: Samples, socs: Sequence[SocSpec]) -> Vector:
    """Return the errors of operators and steps in units of `NOISE`; shape (devices, values).

    The weight of an operator is `LEAST_WEIGHT` plus the root of its share of its step's time.
    """
    operators, steps = samples.log_errors(socs)
    weights = LEAST_WEIGHT + np.sqrt(samples.shares)
    return np.hstack((operators * weights, steps * STEP_WEIGHT)) / NOISE


def _own_spread(samples: Samples, soc: SocSpec) -> float:
    """Return the deviation of log(simulated / measured) to expect of a step without noise.

    What the steps of the fit show (robustly), or what their operators imply for another network,
    whichever is more.
    """
    operators, steps = samples.log_errors([soc])
    own = float(np.median(np.abs(steps[0])) * MAD_TO_SD)
    return max(own, float(np.median(samples.deviations_by_kernel(operators[0]))))


def _with_intervals(prior: SocSpec, found: Fit) -> SocSpec:
    """Return the device whose identified numbers are ``fitted``, with their 80 % intervals."""
    before = prior.parameters()
    changed = {path: replace(before[path], note=KEPT) for path in found.kept}
    for path in found.paths:
        low, high = found.interval_80(path)
        unit, high = before[path].unit, min(high, ceiling(before[path]))
        changed[path] = Parameter(found.values[path], unit, "fitted", SOURCE, low, high)
    return prior.with_parameters(changed, {})


def _check_same(first: Measurement, other: Measurement) -> None:
    for name in ("device", "dtype"):
        mine, theirs = getattr(first, name), getattr(other, name)
        if mine != theirs:
            raise SimError(
                f"{other.model}: {name} must be the same in all runs of a calibration. "
                f"Got {theirs!r}, and {mine!r} in {first.model}."
            )
    if first.machine.cpu != other.machine.cpu:
        raise SimError(
            f"{other.model}: the processor must be the same in all runs of a calibration. "
            f"Got {other.machine.cpu!r}, and {first.machine.cpu!r} in {first.model}."
        )


def _described(fitted: FittedHost, run: Measurement) -> SocSpec:
    """Name the machine in the device file, and keep the spread of the fit with its stack."""
    part, soc = run.machine.accelerator or run.machine.cpu, fitted.soc
    text = f"{part}, {run.machine.threads} thread, torch {run.machine.torch}, {run.dtype}"
    left = StackFit(spread=round(fitted.found.spread, 4))
    stacks = {**soc.stacks, STACK: soc.stack(STACK).model_copy(update={"fit": left})}
    changes = {"name": f"Measured host: {part}", "describes": text, "stacks": stacks}
    return soc.model_copy(update=changes)
