"""Tables of a host validation as plain text: every row, then each phase, never one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sim.calibration.operators import samples_of
from sim.evidence.host_exhibit import HostExhibit
from sim.validation.host_judging import HostRow, PhaseErrors, operator_errors, phase_errors
from sim.validation.tables import SCHEMA


def row_table(rows: Sequence[HostRow]) -> str:
    """Return a line for each case, in milliseconds."""
    head = f"{'case':36}{'measured':>10}{'simulated':>11}{'error':>8}{'noise':>7}  80 % interval"
    return "\n".join([head, *(_line(row) for row in rows)])


def phase_table(rows: Sequence[HostRow]) -> str:
    """Return a line for each phase."""
    head = f"{'phase':10}{'n':>3}{'MAPE':>8}{'bias':>8}{'p95':>8}{'inside':>8}"
    return "\n".join([head, *(_phase_line(item) for item in phase_errors(rows))])


def document(rows: Sequence[HostRow]) -> dict[str, Any]:
    """Return a host validation as `andesim validate --json` prints it."""
    metric_of = {row.phase: row.metric for row in rows}
    scores = {metric_of[item.phase]: asdict(item) for item in phase_errors(rows)}
    for score in scores.values():
        del score["phase"]
    names = ("id", "metric", "measured", "simulated", "error")
    return {
        "schema": SCHEMA,
        "metrics": scores,
        "rows": [
            {name: getattr(row, name) for name in names} | {"interval": [row.low, row.high]}
            for row in rows
        ],
        "skipped": [],
    }


def exhibit_report(exhibit: HostExhibit) -> str:
    """Return the tables of a shipped exhibit, by both engines."""
    operators = operator_errors(samples_of(exhibit.validation, exhibit.soc), exhibit.soc)["all"]
    rows = exhibit.rows("maxplus")
    return "\n".join(
        [
            f"{exhibit.folder.name}: {exhibit.manifest.title}",
            row_table(rows),
            "max-plus engine",
            phase_table(rows),
            "event engine",
            phase_table(exhibit.rows("event")),
            f"median error of an operator: {operators:.1%}",
        ]
    )


def _phase_line(item: PhaseErrors) -> str:
    return (
        f"{item.phase:10}{item.n:3}{item.mape:8.1%}{item.bias:+8.1%}"
        f"{item.p95_abs_error:8.1%}{item.inside_interval:8.0%}"
    )


def _line(row: HostRow) -> str:
    interval = f"{1e3 * row.low:.1f} to {1e3 * row.high:.1f}"
    return (
        f"{row.id:36}{1e3 * row.measured:10.1f}{1e3 * row.simulated:11.1f}"
        f"{row.error:+8.1%}{row.noise:7.1%}  {interval}"
    )
