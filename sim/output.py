"""Writing the files of a run: whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sim.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

    from sim.results import Intervals, Result


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary file beside ``path``, then rename it into place."""
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
    except OSError as error:
        raise OutputError(f"{path} must be writable. Got: {error.strerror}.") from None
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} must be writable. Got: {error.strerror}.") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_whole(path, lambda temporary: _put(temporary, text))


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _frame(result: Result) -> pd.DataFrame:
    return result.to_frame() if result.keeps_tasks else result.to_step_frame()


def write_run(result: Result, folder: Path, intervals: Intervals | None = None) -> None:
    """Write ``summary.json``, ``scenario.yaml``, ``tasks.parquet`` and ``trace.json`` of a run.

    ``tasks.parquet`` has a row per task; of a long session a row per step.
    """
    from sim.documents import summary_document

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
