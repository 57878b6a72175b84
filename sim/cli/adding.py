"""`evidence add`: measured files -> rows that can be judged -> a row set, the others named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hw_models.soc import SocSpec, load_soc
from sim.calibration.rows import Skipped
from sim.cli.validating import skipped_by_reason
from sim.errors import SimError
from sim.evidence.given import Given, read_runs
from sim.evidence.measured import MeasuredRun
from sim.evidence.measured_metrics import TIMED_PHASES
from sim.evidence.questions import CannotSimulate, device_of_run, stack_of_run
from sim.evidence.row_set import Role, write_row_set
from sim.validation.judging import judge
from sim.validation.units import MEMORY, below_weights, unit_in_doubt


class About(NamedTuple):
    """What a person says of the rows."""

    title: str
    role: Role
    sources: tuple[str, ...]
    licence: str


def add_rows(measured: Sequence[Path], folder: Path, about: About, given: Given) -> str:
    """Write the row set and return what was written and what was left out, in words."""
    soc = load_soc(given.device) if given.device else None
    kept: list[MeasuredRun] = []
    left: list[Skipped] = []
    for run in read_runs(measured, given):
        try:
            kept.append(checked(run, soc))
        except CannotSimulate as error:
            left.append(Skipped(run.id, str(error)))
    told = [f"Left out:\n{skipped_by_reason(left)}"] if left else []
    if not kept:
        raise SimError("\n".join(("No row can be kept.", *told)))
    names = [str(path) for path in measured]
    manifest = write_row_set(
        kept,
        folder,
        title=about.title or ", ".join(path.name for path in measured),
        role=about.role,
        sources=about.sources or names,
        licence=about.licence or "not stated",
    )
    said = f"{len(kept)} row{'s' * (len(kept) != 1)} in role {about.role} written to {manifest}."
    step = f"Next: andesim validate {folder / 'runs.csv'}"
    return "\n".join((said, *told, step))


def checked(run: MeasuredRun, soc: SocSpec | None) -> MeasuredRun:
    """Return a run with device and stack named; `CannotSimulate` with what is open or impossible.

    Every metric that can be simulated must keep to the roofline of the device, and must not be so
    far from what is simulated that its unit is in doubt.
    """
    if run.refusal:
        raise CannotSimulate(run.refusal)
    device = device_of_run(run, soc)
    if not run.metrics:
        raise CannotSimulate("the row holds no metric.")
    faults = [fault for metric in run.metrics if (fault := _fault(run, metric, device))]
    if faults:
        raise CannotSimulate(" ".join(faults))
    return run.model_copy(update={"device": device.id, "stack": stack_of_run(run, device)})


def _fault(run: MeasuredRun, metric: str, device: SocSpec) -> str:
    """Return why a metric of a run cannot be true; "" where it can, or where nobody can say."""
    if metric == MEMORY and (said := below_weights(run, device)):
        return said
    try:
        row = judge(run.model_copy(update={"role": ""}), metric, device, ())
    except CannotSimulate:
        if metric in TIMED_PHASES:
            raise
        return ""  # memory and power of a run that does not fit have nothing beside them
    return row.impossible or unit_in_doubt(metric, row.measured, row.simulated)
