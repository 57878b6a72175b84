"""The shipped calibration: corpus rows in role calibration -> device files and residuals.

    corpus("language", role="calibration") --fit--> hw_models/devices/<id>.yaml (extends _<id>.yaml)
                                  --leave one out--> validation_data/residuals.csv

A device ``<id>`` whose priors stand in ``_<id>.yaml`` is written by this module and by no person;
running it again on the same data writes the same bytes. A stack without rows on a device takes what
the pooled fit says of it, with the wider ranges of a device that was not seen.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec, list_socs, load_soc
from sim.calibration.asked import Asked, asked
from sim.calibration.fit import Fit
from sim.calibration.folds import Fold, Residual, leave_one_out, narrowed, narrowing, spread_of
from sim.calibration.pooled import Posterior, Problem, Slot, slots_of
from sim.calibration.rivals import Rival, rivals
from sim.calibration.rows import Skipped
from sim.calibration.stacks import Calibration, overlay
from sim.evidence.corpus_runs import TIMED, language_runs
from sim.evidence.measured import MeasuredRun
from sim.evidence.measured_metrics import ROOT
from sim.output import write_text
from workloads.catalogue import trace_for

DEVICES: Final = Path(__file__).parents[2] / "hw_models" / "devices"
RESIDUALS: Final = ROOT / "residuals.csv"
RIVALS: Final = ROOT / "rivals.csv"
UNITS: Final = ("npu", "cpu", "gpu")
WORKERS: Final = 2
"""Processes, a unit each."""
TOLD: Final = 0.95
"""A parameter is written if its deviation is at most this share of its prior's, or it moved."""
OF_PROMPTS: Final = ("efficiency.prefill", "attention_share")
"""Parameters that only a prompt's time hangs on; decode's hangs on the others."""
MOVED: Final = 0.2
"""Prior deviations by which a parameter has moved."""
COMMENT: Final = "Written by `andesim calibrate --exhibits` from validation_data; edit {} instead."


@cache
def prior_of(device: str) -> SocSpec:
    """Return a shipped device with the priors that its calibration starts from.

    Those of ``_<id>.yaml``; its own where there is no such file.
    """
    of_priors = DEVICES / f"_{device}.yaml"
    return load_soc(of_priors.stem if of_priors.is_file() else device)


def corpus_rows(unit: str) -> tuple[list[Asked], list[Skipped]]:
    """Return the questions of the corpus in role calibration on a unit, and the rows left out.

    Mixtures of experts and networks with a recurrent state fit processors only: runtimes of
    accelerators hand the operators they lack to the processor, which no row states.
    """
    runs = [run for run in language_runs(role="calibration") if _unit_of(run) == unit]
    found, skipped = asked(runs, prior_of)
    kept = [item for item in found if _fits(item)]
    reason = "a mixture of experts or a recurrent network on an accelerator fits nothing."
    left = [name for item in found if not _fits(item) for name in item.ids]
    return kept, [*skipped, *(Skipped(name, reason) for name in left)]


def _unit_of(run: MeasuredRun) -> str:
    """Return the unit that a run's stack is of; nothing where the device or stack is not known."""
    try:
        return prior_of(run.device).stack(run.stack).unit
    except HardwareError:
        return ""


def _fits(item: Asked) -> bool:
    return item.row.unit == "cpu" or is_plain(item.row.run.model)


@cache
def is_plain(model: str) -> bool:
    """Whether a network holds neither experts nor a recurrent state."""
    trace = trace_for(model)
    parts = (part for phase in trace.phases.values() for part in phase.segments)
    experts = [op for part in parts for op in part.operators if op.experts_per_token is not None]
    return not trace.state_bytes and not experts


def fitted(rows: Sequence[Asked]) -> Problem:
    """Return the pooled problem of some rows, not yet solved."""
    return Problem(rows, {name: prior_of(name) for name in {item.row.device for item in rows}})


def calibrations(
    problem: Problem, posterior: Posterior, residuals: Sequence[Residual]
) -> list[Calibration]:
    """Return what to write of every stack that has rows, on every device with priors of its own."""
    measured: dict[str, list[str]] = {}
    for device, stack in problem.by_cell:
        measured.setdefault(stack, []).append(device)
    spread = cache(partial(spread_of, narrowed(residuals)))
    found = []
    for device in sorted(name for name in list_socs() if (DEVICES / f"_{name}.yaml").is_file()):
        soc = prior_of(device)
        for stack in sorted(set(soc.stacks) & set(measured)):
            own = tuple(item.row for item in problem.rows if item.cell == (device, stack))
            fold: Fold = "network" if own else "device"
            unit = soc.stack(stack).unit
            spreads = {metric: spread(fold, stack, unit, metric) for metric in TIMED}
            narrow = [narrowing(residuals, fold, stack, is_decode=flag) for flag in (True, False)]
            fit = _fit(slots_of(soc, stack), posterior, narrow, f"stacks.{stack}.")
            fit = replace(fit, spread=spread(fold, stack, unit), spreads=spreads)
            siblings = () if own else tuple(sorted(measured[stack]))
            found.append(Calibration(device, stack, own, fit, siblings=siblings))
    return found


def _fit(slots: Sequence[Slot], posterior: Posterior, narrow: Sequence[float], prefix: str) -> Fit:
    """Return the posterior of a cell, without the parameters that no row says anything of.

    Its spread is left to the caller.

    Parameters
    ----------
    narrow
        Factors on the deviations of what decode and what prompts hang on.
    """
    logs, covariance = posterior.of(slots)
    widths = np.array([slot.deviation for slot in slots])
    moved = np.abs(logs - [slot.centre for slot in slots]) / widths
    told = (np.sqrt(np.diag(covariance)) <= TOLD * widths) | (moved >= MOVED)
    kept = [prefix + slot.path for slot, said in zip(slots, told, strict=True) if not said]
    paths = [prefix + slot.path for slot, said in zip(slots, told, strict=True) if said]
    values = dict(zip(paths, np.exp(logs[told]).tolist(), strict=True))
    factors = np.array([narrow[slot.path in OF_PROMPTS] for slot in slots])
    covariance = covariance * np.outer(factors, factors)
    return Fit(tuple(paths), values, covariance[np.ix_(told, told)], tuple(kept), 0.0, 1.0)


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


def write_residuals(
    residuals: Sequence[Residual] | Sequence[Rival], path: Path = RESIDUALS
) -> None:
    """Write what leaving networks and devices out gave, or what rivals gave."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(residuals[0]._fields)
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
        Residual._make([*row.values()])._replace(
            log_error=float(row["log_error"]), of_parameters=float(row["of_parameters"])
        )
        for row in rows
    ]


def read_rivals(path: Path = RIVALS) -> list[Rival]:
    """Read what the rivals gave; nothing where the file is missing."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        Rival._make([*row.values()])._replace(log_error=float(row["log_error"])) for row in rows
    ]


class Solved(NamedTuple):
    """The fit of all stacks of one unit, and how it does on what it has not seen."""

    problem: Problem
    posterior: Posterior
    left_out: list[Residual]
    rivals: list[Rival]


def solved(unit: str) -> Solved:
    """Return the fit of all stacks of a unit to the corpus; units have nothing in common."""
    problem = fitted(corpus_rows(unit)[0])
    return Solved(problem, problem.solved(), leave_one_out(problem), rivals(problem))


def calibrate_exhibits(folder: Path = DEVICES, residuals: Path = RESIDUALS) -> list[Calibration]:
    """Fit the shipped stacks, write their device files and their residuals, and return the fits."""
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        units = list(pool.map(solved, UNITS))
    left_out = [item for one in units for item in one.left_out]
    left_out.sort(key=lambda item: item.fold, reverse=True)
    fits = [item for one in units for item in calibrations(one.problem, one.posterior, left_out)]
    fits.sort(key=lambda item: (item.device, item.stack))
    write_residuals(narrowed(left_out), residuals)
    write_residuals(
        [item for one in units for item in one.rivals], residuals.with_name(RIVALS.name)
    )
    write_devices(fits, folder)
    return fits
