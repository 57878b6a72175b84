"""Measured beside simulated: what was read, a row per metric, doubts about the measurements.

Judging is `sim.analysis.validation`'s. Rows that name no device are simulated on that of the
sidebar. Not repeated here: tolerances and reference intervals; `andesim validate` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dashboard.choices import STACK_DEFAULT, Choices
from sim.analysis.exhibits import Exhibit, load_exhibits
from sim.analysis.measured import MeasuredRun
from sim.analysis.measured_checks import checks
from sim.analysis.validation import Judged, Validation, validate

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "device", "stack", "model", "metric", "measured", "simulated", "error")


def compare(runs: Sequence[MeasuredRun], choices: Choices) -> Validation:
    """Return each metric of the runs beside its simulation, and the runs left out."""
    return validate(_placed(run, choices) for run in runs)


def table(found: Validation) -> pd.DataFrame:
    """Return a row per metric of a run; ``low`` and ``high`` bound the simulated 80 % interval."""
    import pandas as pd

    rows = [_cells(row) for row in found.rows]
    return pd.DataFrame(rows, columns=[*COLUMNS, "low", "high"])


def doubts(runs: Sequence[MeasuredRun], found: Validation) -> list[str]:
    """Say what is wrong with the measurements: garbage, noise, rates the device cannot reach."""
    said = [f"{run.id}: {finding.message}" for run in runs for finding in checks(run)]
    beaten = [f"{row.run.id}: {row.impossible}" for row in found.rows if row.impossible]
    return said + beaten


def exhibit_names() -> list[str]:
    """Return the shipped measurements that judge; the others calibrated something."""
    return [name for name, item in _exhibits().items() if item.manifest.role == "validation"]


def exhibit_runs(name: str) -> list[MeasuredRun]:
    """Return the runs of a shipped exhibit."""
    return list(_exhibits()[name].runs)


def understood(runs: Sequence[MeasuredRun]) -> pd.DataFrame:
    """Return what was read: a row per run with its format, conditions and metrics."""
    import pandas as pd

    fields = ("id", "source_format", "device", "stack", "model", "weights")
    rows = [
        {name: getattr(run, name) for name in fields}
        | run.metrics
        | {"warnings": " ".join(run.warnings)}
        for run in runs
    ]
    return pd.DataFrame(rows)


@lru_cache(maxsize=1)
def _exhibits() -> dict[str, Exhibit]:
    return {exhibit.name: exhibit for exhibit in load_exhibits()}


def _placed(run: MeasuredRun, choices: Choices) -> MeasuredRun:
    """Return the run on the sidebar's device, where it names none."""
    if run.device:
        return run
    stack = run.stack or ("" if choices.stack == STACK_DEFAULT else choices.stack)
    return run.model_copy(update={"device": choices.device, "stack": stack})


def _cells(row: Judged) -> tuple[str | float | None, ...]:
    names = (row.run.id, row.device, row.stack, row.run.model, row.metric)
    return (*names, row.measured, row.simulated, row.error, *(row.interval or (None, None)))
