"""The `validate` command: judge the simulator on measured files, or on the shipped exhibits."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hw_models.soc import load_soc
from sim.calibration.shipping import read_residuals
from sim.cli.measured_files import NOTHING, Given, read_runs
from sim.errors import OutputError
from sim.evidence.exhibits import load_exhibits
from sim.output import write_text, write_whole
from sim.validation.exhibits import Missed, missed_tolerances, validate_exhibits
from sim.validation.heat import thermal_exhibit, thermal_text
from sim.validation.judging import Scores, Validation, validate
from sim.validation.tables import (
    document,
    group_table,
    metric_table,
    row_table,
    skipped_table,
    write_parity,
)

DONE, MISSED = 0, 1


class Outcome(NamedTuple):
    """What the command prints and how it exits."""

    found: Validation
    text: str
    exit_code: int


def validate_files(
    measured: Sequence[Path],
    device: str | None = None,
    out: Path | None = None,
    given: Given = NOTHING,
) -> Outcome:
    """Judge measured files; the validation exhibits if there are none.

    Parameters
    ----------
    device
        Id or path of the device to simulate, instead of the ones the rows name.
    out
        Folder for ``validation.json``, ``validation.md`` and ``parity.html``.
    given
        What the rows leave open.
    """
    soc = load_soc(device) if device else None
    missed: list[Missed] = []
    if measured:
        found = validate(read_runs(measured, given), soc, read_residuals())
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


def show(text: str) -> None:
    """Print Markdown; on a terminal with its tables drawn."""
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console  # only where a person looks
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def headline(found: Validation) -> str:
    """Return in words how the rows came out: per metric, never over all of them."""
    said = [_sentence(metric, value) for metric, value in found.by_metric().items()]
    if found.skipped:
        said.append(_skipped(len(found.skipped)))
    if not found.rows:
        said.insert(0, "No row could be judged.\n")
    return "\n".join(said)


def _sentence(metric: str, value: Scores) -> str:
    inside = value.inside_interval
    covered = "" if inside is None else f", {inside:.0%} inside their 80 % interval"
    rows = "1 row" if value.n == 1 else f"{value.n} rows"
    return f"- {metric}: {rows}, mean error {value.mape:.1%}, bias {value.bias:+.1%}{covered}."


def _skipped(count: int) -> str:
    if count == 1:
        return "- 1 row was skipped; the reason stands below."
    return f"- {count} rows were skipped; the reasons stand below."


def _text(found: Validation, missed: Sequence[Missed]) -> str:
    parts = [headline(found)]
    if found.rows:
        parts += [row_table(found.rows), metric_table(found.by_metric())]
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
