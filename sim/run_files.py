"""The files of a run: its summary, scenario, tasks and Perfetto trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sim.documents import summary_document
from sim.errors import OutputError
from sim.output import write_text, write_whole
from sim.results import Intervals, Result

if TYPE_CHECKING:
    import pandas as pd


def _frame(result: Result) -> pd.DataFrame:
    return result.to_frame() if result.keeps_tasks else result.to_step_frame()


def write_run(result: Result, folder: Path, intervals: Intervals | None = None) -> None:
    """Write ``summary.json``, ``scenario.yaml``, ``tasks.parquet`` and ``trace.json`` of a run.

    ``tasks.parquet`` has a row per task; of a long session a row per step. Raises `OutputError`
    where a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} must be a writable folder. Got: {error.strerror}.") from None
    scenario = result.scenario.model_dump(mode="json", exclude_defaults=True)
    write_text(folder / "scenario.yaml", yaml.safe_dump(scenario, sort_keys=False))
    write_whole(folder / "tasks.parquet", lambda path: _frame(result).to_parquet(path))
    result.to_perfetto(folder / "trace.json")
    document = json.dumps(summary_document(result, intervals), indent=2, allow_nan=False)
    write_text(folder / "summary.json", document + "\n")
