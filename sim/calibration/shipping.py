"""The shipped calibration: exhibits in role calibration -> fitted device files and residuals.

    validation_data/*/calibration --fit--> hw_models/devices/<id>.yaml   (extends _<id>.yaml)
                                  --leave one out--> validation_data/residuals.csv

A device ``<id>`` whose priors stand in ``_<id>.yaml`` is written by this module and by no person;
running it again on the same data writes the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec, load_soc
from sim.calibration.folds import Residual, leave_one_out, with_network_spread
from sim.calibration.rows import Observation, Skipped, by_stack, observations
from sim.calibration.stacks import Calibration, fit_stack, overlay
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.manifests import ROOT
from sim.output import write_text

DEVICES: Final = Path(__file__).parents[2] / "hw_models" / "devices"
RESIDUALS: Final = ROOT / "residuals.csv"
KEPT_AT_PRIORS: Final = {
    (
        "dimensity_9500",
        "neuropilot",
    ): "its rows are of one network of 0.6 billion parameters, whose "
    "time is largely overheads; a bandwidth fitted to them would stand for those overheads, and "
    "ends on the edge of its prior. The default device must not assume what it is to predict."
}
"""Stacks that are not fitted although they have rows, and why."""
COMMENT: Final = "Written by `andesim calibrate --exhibits` from validation_data; edit {} instead."


def prior_of(device: str) -> SocSpec:
    """Return a shipped device with the priors that its calibration starts from.

    Those of ``_<id>.yaml``; its own where there is no such file.
    """
    try:
        return load_soc(f"_{device}")
    except HardwareError:
        return load_soc(device)


def exhibit_rows() -> tuple[list[Observation], list[Skipped]]:
    """Return the observations of the calibration exhibits, and the rows left out."""
    return observations(runs_in_role(load_exhibits(), "calibration"))


def fit_exhibits(rows: Sequence[Observation]) -> list[Calibration]:
    """Fit every stack of every device that has calibration rows."""
    fits = []
    for (device, stack), found in by_stack(rows).items():
        reason = KEPT_AT_PRIORS.get((device, stack))
        if reason is None:
            fits.append(fit_stack(prior_of(device), found))
        else:
            fits.append(Calibration(device, stack, tuple(found), None, reason))
    return fits


def write_devices(fits: Sequence[Calibration], folder: Path = DEVICES) -> list[Path]:
    """Write the device files of the fits and return their paths; `OutputError` if one cannot be."""
    written = []
    for device in sorted({item.device for item in fits}):
        own = [item for item in fits if item.device == device]
        base = f"_{device}"
        text = overlay(base, load_soc(base), own, COMMENT.format(f"{base}.yaml"))
        written.append(folder / f"{device}.yaml")
        write_text(written[-1], text)
    return written


def write_residuals(residuals: Sequence[Residual], path: Path = RESIDUALS) -> None:
    """Write what leaving networks and devices out gave."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Residual._fields)
    for item in residuals:
        writer.writerow([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in item])
    write_text(path, out.getvalue())


def read_residuals(path: Path = RESIDUALS) -> list[Residual]:
    """Read what `write_residuals` wrote; nothing where the file is missing."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        Residual._make([*row.values()])._replace(log_error=float(row["log_error"])) for row in rows
    ]


def calibrate_exhibits(folder: Path = DEVICES, residuals: Path = RESIDUALS) -> list[Calibration]:
    """Fit the shipped stacks, write their device files and their residuals, and return the fits."""
    rows, _ = exhibit_rows()
    fits = fit_exhibits(rows)
    left_out = leave_one_out(rows, fits, prior_of)
    fits = with_network_spread(fits, left_out)
    write_residuals(left_out, residuals)
    write_devices(fits, folder)
    return fits
