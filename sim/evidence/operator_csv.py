"""The operators of measured runs as a CSV of their own, beside the CSV of the runs.

``runs.csv`` has its operators in ``runs.operators.csv``: a row per operator, under the id of its
run. Whoever reads the one reads the other, so a profile that was imported is judged and fitted as
it was in its own file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sim.errors import SimError
from sim.evidence.importers.base import count, number
from sim.evidence.measured import SIZE_LIMIT_BYTES, MeasuredRun, OperatorTime
from workloads.errors import WorkloadError, did_you_mean
from workloads.files import read_text

COLUMNS: Final = ("run", "name", "calls", "duration_s", "unit", "shape")
"""Columns of the CSV; ``duration_s`` is of all calls [s]."""


def beside(path: Path) -> Path:
    """Return the file of the operators of a CSV of runs.

    >>> beside(Path("out/runs.csv")).name
    'runs.operators.csv'
    """
    return path.with_name(f"{path.stem}.operators.csv")


def write_operators(runs: Iterable[MeasuredRun]) -> str:
    """Return the operators of runs as CSV; the header alone where there are none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((run.id, *operator) for run in runs for operator in run.operators)
    return text.getvalue()


def with_operators(path: Path, runs: Sequence[MeasuredRun]) -> list[MeasuredRun]:
    """Return runs of a CSV with the operators that lie beside it, if any do.

    Raises `SimError` with the line of an operator that breaks a rule or is of no run.
    """
    file = beside(path)
    if not file.is_file():
        return list(runs)
    try:
        text = read_text(file, SIZE_LIMIT_BYTES)
    except WorkloadError as error:
        raise SimError(str(error)) from None
    found: dict[str, list[OperatorTime]] = {run.id: [] for run in runs}
    try:
        for line, cells in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            if line == 1 and tuple(cells) != COLUMNS:
                raise SimError(f"the header must be {','.join(COLUMNS)}. Got {cells!r:.80}.")
            if line > 1 and cells:
                _add(cells, f"line {line}", found)
    except (SimError, csv.Error) as error:
        raise SimError(f"{file}: {error}") from None
    return [
        run.model_copy(update={"operators": tuple(found[run.id])}) if found[run.id] else run
        for run in runs
    ]


def _add(cells: list[str], line: str, found: dict[str, list[OperatorTime]]) -> None:
    if len(cells) != len(COLUMNS):
        raise SimError(f"{line}: a row must have {len(COLUMNS)} cells. Got {len(cells)}.")
    run, name, calls, duration, unit, shape = cells
    if run not in found:
        raise SimError(
            f"{line}: run {run!r:.60} is not in the file of runs. {did_you_mean(run, found)}"
        )
    time = OperatorTime(
        name, count(calls, f"{line}: calls"), number(duration, f"{line}: duration_s"), unit, shape
    )
    found[run].append(time)
