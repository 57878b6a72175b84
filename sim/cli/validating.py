"""The `validate` command: judge the simulator on measured files, or on the shipped exhibits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hw_models.soc import load_soc
from sim.analysis.calibration_exhibits import read_residuals
from sim.analysis.exhibits import load_exhibits
from sim.analysis.importers.registry import import_measured
from sim.analysis.thermal_exhibit import thermal_exhibit, thermal_text
from sim.analysis.validation import Validation, validate
from sim.analysis.validation_exhibits import Missed, missed_tolerances, validate_exhibits
from sim.analysis.validation_tables import (
    document,
    group_table,
    metric_table,
    row_table,
    skipped_table,
    write_parity,
)
from sim.errors import OutputError
from sim.output import write_text, write_whole

DONE, MISSED = 0, 1


class Outcome(NamedTuple):
    """What the command prints and how it exits."""

    found: Validation
    text: str
    exit_code: int


def validate_files(
    measured: Sequence[Path], device: str | None = None, out: Path | None = None
) -> Outcome:
    """Judge measured files; the validation exhibits if there are none.

    Parameters
    ----------
    device
        Id or path of the device to simulate, instead of the ones the rows name.
    out
        Folder for ``validation.json``, ``validation.md`` and ``parity.html``.
    """
    soc = load_soc(device) if device else None
    missed: list[Missed] = []
    if measured:
        runs = [run for path in measured for run in import_measured(path)]
        found = validate(runs, soc, read_residuals())
    else:
        found = validate_exhibits(soc)
        missed = missed_tolerances(found)
    text = _text(found, missed)
    if not measured:
        text += "\n\n" + _thermal_text()
    if out is not None:
        _write(found, text, out)
    return Outcome(found, text, MISSED if missed else DONE)


def _thermal_text() -> str:
    exhibits = [exhibit for exhibit in load_exhibits() if exhibit.series]
    return "\n".join(thermal_text(thermal_exhibit(exhibit)) for exhibit in exhibits)


def _text(found: Validation, missed: Sequence[Missed]) -> str:
    parts = [row_table(found.rows), metric_table(found.by_metric())]
    parts += [group_table(found.by_group(kind), kind) for kind in ("unit", "context")]
    impossible = [f"- {row.run.id}: {row.impossible}" for row in found.rows if row.impossible]
    if impossible:
        parts.append("Physically impossible:\n" + "\n".join(impossible))
    if found.skipped:
        parts.append(skipped_table(found))
    if missed:
        parts.append("Tolerances missed:\n" + "\n".join(f"- {item}" for item in missed))
    return "\n\n".join(parts)


def _write(found: Validation, text: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} must be a writable folder. Got: {error.strerror}.") from None
    text_of_json = json.dumps(document(found), indent=2, allow_nan=False)
    write_text(folder / "validation.json", text_of_json + "\n")
    write_text(folder / "validation.md", text + "\n")
    write_whole(folder / "parity.html", lambda path: write_parity(found, path))
