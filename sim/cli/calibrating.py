"""The `calibrate` command: fit stacks to measured runs and write a device file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hw_models.files import is_path
from hw_models.soc import load_soc
from sim.calibration.networks import questions, ship
from sim.calibration.rows import by_stack, observations
from sim.calibration.shipping import calibrate_exhibits
from sim.calibration.stacks import checked_rows, fit_stack, overlay, report
from sim.cli.measured_files import NOTHING, Given, read_runs
from sim.errors import SimError
from sim.output import write_text

COMMENT = "Written by `andesim calibrate`: the device it extends, with fitted stacks."


def calibrate_to(
    measured: Sequence[Path], device: str | None, out: Path, given: Given = NOTHING
) -> str:
    """Fit the stacks of one device to measured files, write the device file, and say what was done.

    Parameters
    ----------
    device
        Id or path of the device with the priors; the one the rows name if none.
    given
        What the rows leave open.

    Raises
    ------
    SimError
        If the rows are of several devices, or of none that can be fitted.
    """
    soc = load_soc(device) if device else None
    runs = [run for run in read_runs(measured, given) if run.role != "context"]
    rows, skipped = observations(runs, soc)
    checked_rows(rows)
    devices = sorted({row.device for row in rows})
    if len(devices) > 1:
        raise SimError(f"rows must be of one device. Got {', '.join(devices)}; choose by --device.")
    soc = soc or load_soc(devices[0])
    fits = [fit_stack(soc, own) for own in by_stack(rows).values()]
    write_text(out, overlay(_base(device or soc.id, out), soc, fits, COMMENT))
    lines = [f"skipped {item.id}: {item.reason}" for item in skipped]
    return "\n".join([report(fits), *lines, f"{out}: extends {device or soc.id}."])


def calibrate_shipped() -> str:
    """Fit the shipped devices to the calibration rows again and say what was found."""
    language = report(calibrate_exhibits())
    return f"{language}\n{ship(questions())}"


def _base(device: str, out: Path) -> str:
    """Return how the written file names the device it extends: an id, or a path from its folder."""
    if not is_path(device):
        return device
    relative = Path(os.path.relpath(device, out.parent)).as_posix()
    return relative if "/" in relative else f"./{relative}"
