"""Measured files judged: their rows, and operator by operator where they are profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hw_models.soc import SocSpec, load_soc
from sim.calibration.shipping import read_residuals
from sim.evidence.given import NOTHING, Given, read_runs
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import CannotSimulate
from sim.validation.exhibits import Missed, missed_tolerances, validate_exhibits
from sim.validation.judging import Validation, validate
from sim.validation.operators import OperatorRow, compared, measured_only


class JudgedFiles(NamedTuple):
    """How measured runs came out.

    Attributes
    ----------
    found
        The judged rows, and those left out.
    runs
        What the files held; empty where the shipped rows were judged.
    missed
        Tolerances of the shipped rows that are missed.
    operators
        Run id to its operators, measured beside simulated.
    measured_alone
        Run id to the reason why its operators have nothing beside them.
    """

    found: Validation
    runs: Sequence[MeasuredRun] = ()
    missed: Sequence[Missed] = ()
    operators: Mapping[str, Sequence[OperatorRow]] = {}
    measured_alone: Mapping[str, str] = {}


def judge_files(
    measured: Sequence[Path], device: str | None = None, given: Given = NOTHING
) -> JudgedFiles:
    """Judge measured files; the shipped validation rows if there are none.

    Parameters
    ----------
    device
        Id or path of the device to simulate, instead of the ones the rows name.
    given
        What the rows leave open.

    Raises
    ------
    SimError
        If a file cannot be read, or nothing of it can be judged as asked.
    """
    soc = load_soc(device) if device else None
    if not measured:
        found = validate_exhibits(soc)
        return JudgedFiles(found, missed=missed_tolerances(found))
    runs = read_runs(measured, given)
    operators, alone = _operators(runs, soc)
    return JudgedFiles(validate(runs, soc, read_residuals()), runs, (), operators, alone)


def _operators(
    runs: Sequence[MeasuredRun], soc: SocSpec | None
) -> tuple[dict[str, Sequence[OperatorRow]], dict[str, str]]:
    """Return the operators of profiled runs, and why some stand alone."""
    operators: dict[str, Sequence[OperatorRow]] = {}
    alone: dict[str, str] = {}
    for run in runs:
        if not run.operators or run.refusal:
            continue
        try:
            operators[run.id] = compared(run, soc)
        except CannotSimulate as error:
            operators[run.id] = measured_only(run)
            alone[run.id] = f"measured alone: {error}"
    return operators, alone
