"""Measured files fitted: the stacks of their runs, as a device file that extends its priors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hw_models.files import is_path
from hw_models.soc import SocSpec, load_soc
from sim.calibration.networks import questions, ship
from sim.calibration.profiles import Profile, fit_profiles, profiles
from sim.calibration.rows import Observation, Skipped, by_stack, observations
from sim.calibration.shipping import calibrate_exhibits
from sim.calibration.stacks import Calibration, checked_rows, fit_stack, overlay, report
from sim.errors import SimError
from sim.evidence.given import NOTHING, Given, read_runs
from sim.output import write_text
from sim.validation.units import unit_in_doubt

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
    observed, left_out = observations(runs, soc)
    rows, doubted = _with_sure_units(observed, soc)
    profiled, without = profiles(runs, soc)
    if observed and not rows and not profiled:
        said = " ".join(f"{item.id}: {item.reason}" for item in doubted)
        raise SimError(f"calibration must have a row whose unit is not in doubt. Got none: {said}")
    checked_rows(rows, [item.run for item in profiled])
    devices = sorted({row.device for row in rows} | {item.device for item in profiled})
    if len(devices) > 1:
        raise SimError(f"rows must be of one device. Got {', '.join(devices)}; choose by --device.")
    soc = soc or load_soc(devices[0])
    fits = _fits(soc, rows, profiled)
    write_text(out, overlay(_base(device or soc.id, out), soc, fits, COMMENT))
    skipped = doubted + _skipped(left_out, without, {item.run.id for item in profiled})
    lines = [f"skipped {item.id}: {item.reason}" for item in skipped]
    return "\n".join([report(fits), *lines, f"Written to {out}: extends {device or soc.id}."])


def _with_sure_units(
    rows: Iterable[Observation], soc: SocSpec | None
) -> tuple[list[Observation], list[Skipped]]:
    """Return the rows to fit, and those so far from the device's priors that their unit is wrong.

    ``soc`` is the device with the priors; the one that each row names if none.
    """
    sure, doubted = [], []
    for row in rows:
        simulated = row.simulated(soc or load_soc(row.device))
        if doubt := unit_in_doubt(row.metric, row.measured, simulated):
            doubted.append(Skipped(row.run.id, f"not fitted, {doubt}"))
        else:
            sure.append(row)
    return sure, doubted


def _fits(
    soc: SocSpec, rows: Sequence[Observation], profiled: Sequence[Profile]
) -> list[Calibration]:
    """Fit every stack to its rows, and to the operators of its profiles where there are any."""
    own_rows = {stack: own for (_, stack), own in by_stack(rows).items()}
    fits = []
    for stack in sorted({*own_rows, *(item.stack for item in profiled)}):
        own = [item for item in profiled if item.stack == stack]
        mine = own_rows.get(stack, [])
        fits.append(fit_profiles(soc, mine, own) if own else fit_stack(soc, mine))
    return fits


def _skipped(
    rows: Sequence[Skipped], operators: Sequence[Skipped], fitted: Iterable[str]
) -> list[Skipped]:
    """Return what was left out: a profile that was fitted needs no time of its own."""
    known = set(fitted)
    return list(dict.fromkeys(item for item in (*rows, *operators) if item.id not in known))


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
