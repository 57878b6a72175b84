"""Measurements -> a fitted host device: the function behind `andesim calibrate` for a host.

One device per number format: the runs of one calibration must share device, dtype and processor.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hw_models.schema import StackFit
from hw_models.soc import SocSpec
from sim.calibration.host_fit import HostFit, fit_host
from sim.calibration.host_prior import STACK, template
from sim.calibration.host_samples import samples_of
from sim.errors import SimError
from sim.evidence.measuring.document import Measurement, read_measurement
from sim.output import write_text
from workloads.catalogue import MODEL_SUFFIXES


@dataclass(frozen=True)
class MeasuredFile:
    """A measurement, and the path of its model's trace if the model is not in the catalogue."""

    measurement: Measurement
    trace: str | None = None


def measured_file(path: Path) -> MeasuredFile:
    """Read a measurement; a model that is not in the catalogue is looked for beside the file.

    Its trace (``NAME.trace.json`` for ``NAME.json``) is taken if there is one, else its
    configuration, which needs PyTorch to be captured.
    """
    measurement = read_measurement(path)
    if not measurement.model.endswith(MODEL_SUFFIXES):
        return MeasuredFile(measurement)
    given = Path(measurement.model)
    beside = path.parent / given.name
    places = (beside.with_suffix(".trace.json"), beside, given)
    found = next((place for place in places if place.is_file()), given)
    return MeasuredFile(measurement, str(found))


def calibrate_host(runs: Sequence[MeasuredFile]) -> HostFit:
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
    pairs = [(run.measurement, run.trace) for run in runs]
    named = ", ".join(f"{item.model} ({item.created[:10]})" for item, _ in pairs)
    fit = fit_host(samples_of(pairs, template()), first.dtype, rate, named)
    noise = statistics.fmean(run.measurement.noise_floor for run in runs)
    fit = replace(fit, noise=noise)
    return replace(fit, soc=_described(fit, first))


def write_device(fit: HostFit, path: Path) -> None:
    """Write the fitted device file whole or not at all; `OutputError` where it cannot be."""
    write_text(path, fit.soc.to_yaml())


def report(fit: HostFit) -> list[str]:
    """Return the sentences that say what was fitted and what was not, for people."""
    lines = [f"{len(fit.fitted)} parameters fitted, {len(fit.kept)} kept their prior."]
    lines += [f"kept: {path}" for path in fit.kept]
    return [*lines, f"Expected spread of another run: {fit.spread:.1%}."]


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


def _described(fit: HostFit, run: Measurement) -> SocSpec:
    """Name the machine in the device file, and keep the spread of the fit with its stack."""
    part = run.machine.accelerator or run.machine.cpu
    text = f"{part}, {run.machine.threads} thread, torch {run.machine.torch}, {run.dtype}"
    stack = fit.soc.stack(STACK).model_copy(update={"fit": StackFit(spread=round(fit.spread, 4))})
    stacks = {**fit.soc.stacks, STACK: stack}
    changes = {"name": f"Measured host: {part}", "describes": text, "stacks": stacks}
    return fit.soc.model_copy(update=changes)
