"""The `validate` command: judge the simulator on measured files, or on the shipped exhibits."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sim.calibration.rows import Skipped
from sim.calibration.stacks import NOISE
from sim.charts.data import parity_chart
from sim.charts.plotly import page
from sim.evidence.exhibits import load_exhibits
from sim.evidence.given import NOTHING, Given, as_options
from sim.evidence.measured import MeasuredRun
from sim.output import write_folder, write_text
from sim.validation.exhibits import Missed
from sim.validation.files import JudgedFiles, judge_files
from sim.validation.heat import thermal_exhibit, thermal_text
from sim.validation.judging import Judged, Validation, scores
from sim.validation.operators import operator_table
from sim.validation.tables import document, group_table, metric_table, row_table
from sim.validation.units import FARTHEST, factor_apart

DONE, MISSED = 0, 1
FIRST = "the largest differences first:"
SHOWN = 4
"""Rows that are named beside a reason."""
FEW = 8
"""Rows up to which the first sentences say all that a table of scores would."""
OPTIONS = ("--device", "--stack", "--model", "--weights", "--prompt-tokens")


class Outcome(NamedTuple):
    """What the command prints and how it exits."""

    judged: JudgedFiles
    text: str

    @property
    def exit_code(self) -> int:
        """1 where a tolerance of the shipped rows is missed or no row could be judged, else 0."""
        return MISSED if self.judged.missed or not self.judged.found.rows else DONE

    def document(self) -> dict[str, Any]:
        """Return the JSON document, with the operators of profiles where there are any."""
        shown = document(self.judged.found)
        if self.judged.operators:
            shown["operators"] = [
                {"id": name, "rows": [row._asdict() for row in rows]}
                for name, rows in self.judged.operators.items()
            ]
        return shown


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
    judged = judge_files(measured, device, given)
    profiles = _profiles(judged)
    said = [profiles]
    if measured:
        said += [_seen(judged.runs), next_step(judged.found, measured, device, given, profiles)]
    else:
        said.append(_thermal_text())
    text = _text(judged.found, judged.missed, "\n\n".join(part for part in said if part))
    if out is not None:
        _write(judged.found, text, out)
    return Outcome(judged, text)


def _seen(runs: Sequence[MeasuredRun]) -> str:
    """Return which formats the files were read as."""
    formats = Counter(run.source_format for run in runs)
    told = [f"{name} ({n} {'row' if n == 1 else 'rows'})" for name, n in sorted(formats.items())]
    return f"Read as {', '.join(told)}; --format overrules."


def _profiles(judged: JudgedFiles) -> str:
    """Return tables of where the time of operators differs most, a title each."""
    return "\n\n".join(
        f"Operators of {name}, {judged.measured_alone.get(name, FIRST)}\n\n{operator_table(rows)}"
        for name, rows in judged.operators.items()
    )


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
    """Return in words how the rows came out: a sentence per phone and stack, per metric in it."""
    said = [_sentence(*key, rows) for key, rows in sorted(_by_stack(found.rows).items())]
    if found.skipped:
        said.append(_skipped(len({item.id for item in found.skipped})))
    if not found.rows:
        said.insert(0, "No row could be judged.\n")
    return "\n".join(said)


def _by_stack(rows: Sequence[Judged]) -> dict[tuple[str, str], list[Judged]]:
    groups: dict[tuple[str, str], list[Judged]] = {}
    for row in rows:
        groups.setdefault((row.device, row.stack), []).append(row)
    return groups


def _sentence(device: str, stack: str, rows: Sequence[Judged]) -> str:
    said = []
    for metric in sorted({row.metric for row in rows}):
        own = [row for row in rows if row.metric == metric]
        value = scores(own)
        inside = value.inside_interval
        covered = "" if inside is None else f", {round(inside * value.n)} of {value.n} inside the"
        covered = covered and f"{covered} 80 % intervals ({inside:.0%})"
        counted = "1 row" if value.n == 1 else f"{value.n} rows"
        farthest = max(factor_apart(row.measured, row.simulated) for row in own)
        error = f"mean error {value.mape:.1%}, bias {value.bias:+.1%}"
        if farthest >= FARTHEST:
            error = f"off by a factor of {farthest:,.0f}: check the unit"
        said.append(f"{metric} {counted}, {error}{covered}")
    return f"- {device} with {stack}: {'; '.join(said)}."


def _skipped(count: int) -> str:
    if count == 1:
        return "- 1 row was skipped; the reason stands below."
    return f"- {count} rows were skipped; the reasons stand below."


def _text(found: Validation, missed: Sequence[Missed], next_step: str = "") -> str:
    parts = [headline(found)]
    if found.rows:
        parts.append(row_table(found.rows))
    impossible = [f"- {row.run.id}: {row.impossible}" for row in found.rows if row.impossible]
    if impossible:
        parts.append("Physically impossible:\n" + "\n".join(impossible))
    if found.rows and (doubts := _doubts(found.rows)):
        parts.append("Taken for granted, or doubtful:\n" + doubts)
    if found.skipped:
        parts.append("Skipped:\n" + skipped_by_reason(found.skipped))
    if len(found.rows) > FEW:
        parts.append(metric_table(found.by_metric()))
        parts += [group_table(found.by_group(kind), kind) for kind in ("unit", "context")]
    if missed:
        parts.append("Tolerances missed:\n" + "\n".join(f"- {item}" for item in missed))
    if next_step:
        parts.append(next_step)
    return "\n\n".join(parts)


def skipped_by_reason(skipped: Sequence[Skipped]) -> str:
    """Return a line per reason with the rows it left out, most of them first."""
    return _grouped((item.reason, item.id) for item in skipped)


def _doubts(rows: Sequence[Judged]) -> str:
    """Return what stands beside the rows, a line per sentence."""
    return _grouped(dict.fromkeys((text, row.run.id) for row in rows for text in row.warnings))


def _grouped(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a line per text with the rows it is said of, shortened."""
    rows: dict[str, list[str]] = {}
    for text, name in pairs:
        rows.setdefault(text, []).append(name)
    lines = []
    for text, names in sorted(rows.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        counted = "1 row" if len(names) == 1 else f"{len(names)} rows"
        lines.append(f"- {counted} ({shown}): {text}")
    return "\n".join(lines)


def next_step(
    found: Validation,
    measured: Sequence[Path],
    device: str | None,
    given: Given = NOTHING,
    profiles: str = "",
) -> str:
    """Return what a person does next: settle what is open, fit a stack, or look at the rows.

    Parameters
    ----------
    profiles
        What was said of operators, and of what they leave open.
    """
    files = " ".join(shlex.quote(str(path)) for path in measured)
    chosen = (f" --device {device}" if device else "") + as_options(given)
    open_ = [*(item.reason for item in found.skipped), profiles]
    options = [name for name in OPTIONS if any(f"with {name}" in reason for reason in open_)]
    if not found.rows:
        settled = " ".join(f"{name} ..." for name in options)
        return f"Next: andesim validate {files}{chosen} {settled}".rstrip() if options else ""
    if any(factor_apart(row.measured, row.simulated) >= FARTHEST for row in found.rows):
        return (
            f"Next: correct the units in {files}; a column such as 'TTFT (ms)' or peak_dram_mb is "
            "converted. Nothing is to be fitted to these rows before."
        )
    row = max(found.rows, key=_log_error)
    if _log_error(row) <= NOISE and all(row.is_held for row in found.rows):
        return (
            f"Next: nothing to fit. No row is farther off than published figures scatter "
            f"({NOISE:.0%}), and each lies inside its interval."
        )
    where = chosen if device else f" --device {row.device}{chosen}"
    fit = f"andesim calibrate {files}{where} -o fitted.yaml"
    return f"Next: fit {row.stack}, which is furthest off: {fit}; judge it on other data."


def _log_error(row: Judged) -> float:
    return abs(math.log(max(row.simulated, 1e-12) / row.measured))


def _write(found: Validation, text: str, folder: Path) -> None:
    text_of_json = json.dumps(document(found), indent=2, allow_nan=False)
    chart = parity_chart(document(found)["rows"])

    def write(part: Path) -> None:
        write_text(part / "validation.md", text + "\n")
        if chart is not None:
            write_text(part / "parity.html", page(chart))
        write_text(part / "validation.json", text_of_json + "\n")

    write_folder(folder, write, last="validation.json")
