"""`evidence add`: measured files -> rows that can be judged -> a row set, the others named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hw_models.soc import SocSpec, load_soc
from sim.calibration.rows import observe
from sim.cli.measured_files import Given, read_runs
from sim.errors import SimError
from sim.evidence.measured import TIMED_PHASES, MeasuredRun
from sim.evidence.questions import CannotSimulate, device_of_run, stack_of_run
from sim.evidence.row_set import Role, write_row_set
from sim.validation.roofline import impossible


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
    left: dict[str, list[str]] = defaultdict(list)
    for run in read_runs(measured, given):
        try:
            kept.append(checked(run, soc))
        except CannotSimulate as error:
            left[str(error)].append(run.id)
    if not kept:
        raise SimError("\n".join(("No row can be kept.", *_told(left))))
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
    return "\n".join((said, *_told(left), step))


def checked(run: MeasuredRun, soc: SocSpec | None) -> MeasuredRun:
    """Return a run with device and stack named; `CannotSimulate` with what is open or impossible.

    Every metric that can be simulated must keep to the roofline of the device.
    """
    if run.refusal:
        raise CannotSimulate(run.refusal)
    device = device_of_run(run, soc)
    for metric in (name for name in run.metrics if name in TIMED_PHASES):
        row = observe(run, metric, device)
        if said := impossible(row, device):
            raise CannotSimulate(said)
    if not run.metrics:
        raise CannotSimulate("the row holds no metric.")
    return run.model_copy(update={"device": device.id, "stack": stack_of_run(run, device)})


def _told(left: dict[str, list[str]]) -> Iterable[str]:
    for reason, ids in left.items():
        shown = ", ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
        yield f"Left out: {shown}: {reason}"
