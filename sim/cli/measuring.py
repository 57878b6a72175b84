"""The `measure` command, and what `calibrate` and `validate` do with the files it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hw_models.soc import load_soc
from sim.calibration.host import calibrate_host, report, write_device
from sim.errors import SimError
from sim.evidence.measured import parse_images
from sim.evidence.measuring.cases import cases_for
from sim.evidence.measuring.document import (
    CaseTimes,
    Measurement,
    measured_file,
    write_measurement,
)
from sim.evidence.measuring.protocol import LEAST_ROUNDS, ROUNDS, Device, Dtype, measure
from sim.validation.judging import Validation, validate_host
from sim.validation.tables import metric_table, row_table
from workloads.catalogue import trace_for

QUICK_BUDGET_S: Final = 100.0  # of the rounds; loading and warming up come on top


def measure_to(
    model: str,
    path: Path,
    *,
    device: Device = "cpu",
    dtype: Dtype = "bf16",
    quick: bool = False,
    prompt_tokens: Sequence[int] = (),
    context_tokens: Sequence[int] = (),
    images: str = "",
) -> str:
    """Measure a model to a file and return the sentences that say what was found.

    Parameters
    ----------
    quick
        Fewer cases, and rounds for `QUICK_BUDGET_S` seconds.
    images
        Sizes such as ``448x448;672x448`` [px].

    Raises SimError where the folder of ``path`` is missing and where ``images`` are no sizes.
    """
    if not path.parent.is_dir():
        raise SimError(f"{path} must lie in a folder that exists. Got {str(path.parent)!r}.")
    try:
        images_px = parse_images(images) if images else ()
    except ValueError as error:
        raise SimError(f"images must be {error}. Got {images!r}.") from None
    cases = cases_for(
        trace_for(model),
        quick=quick,
        prompt_tokens=prompt_tokens,
        context_tokens=context_tokens,
        images_px=images_px,
    )
    rounds, budget_s = (LEAST_ROUNDS, QUICK_BUDGET_S) if quick else (ROUNDS, None)
    found = measure(model, cases, device=device, dtype=dtype, rounds=rounds, budget_s=budget_s)
    write_measurement(found, path)
    return "\n".join([*(line(found, times) for times in found.cases), closing(found, path)])


def line(measurement: Measurement, times: CaseTimes) -> str:
    """Return one line about one case: median and minimum [ms], and noise as a share."""
    device = measurement.device
    return (
        f"{times.case.id:20} median {1e3 * times.median_s(device):9.2f} ms  "
        f"minimum {1e3 * times.minimum_s(device):9.2f} ms  noise {times.noise(device):5.1%}"
    )


def closing(measurement: Measurement, path: Path) -> str:
    """Return the line about the whole run."""
    judged = "process CPU time" if measurement.device == "cpu" else "wall time"
    left_out = f" Left out: {', '.join(measurement.skipped)}." if measurement.skipped else ""
    return f"Written to {path}: {judged}, noise floor {measurement.noise_floor:.1%}.{left_out}"


def calibrate_host_to(measured: Sequence[Path], out: Path) -> str:
    """Fit a host device to measurement files, write it, and say what was fitted and what not."""
    fitted = calibrate_host([measured_file(path) for path in measured])
    write_device(fitted, out)
    return "\n".join([f"Written to {out}.", *report(fitted)])


def validate_host_files(measured: Sequence[Path], device: Path) -> tuple[Validation, str]:
    """Judge a host device on measurement files; return what was found, and its tables."""
    found = validate_host([measured_file(path) for path in measured], load_soc(device))
    return found, f"{row_table(found.rows)}\n\n{metric_table(found.by_metric())}"
