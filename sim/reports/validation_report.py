"""The validation report: the page of what `andesim validate --out` wrote.

Nothing is judged here again; the figures are those of ``validation.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sim.charts.data import parity_chart
from sim.charts.shapes import ScatterChart
from sim.errors import SimError
from sim.reports.basis import interval
from sim.reports.page import Cell, Page, Paragraph, Section, Table, charts
from sim.validation.tables import SCHEMA
from sim.wording import Number, label, shown
from workloads.files import parse_json, read_text

PARTS: Final = ("metrics", "rows", "skipped")
COLUMNS: Final = ("metric", "measured", "simulated", "80 % interval", "error")
Document = Mapping[str, Any]


def read_validation(path: Path) -> dict[str, Any]:
    """Return the document of a validation; raises SimError for another schema or a lost part."""
    found = parse_json(read_text(path), str(path))
    schema = found.get("schema") if isinstance(found, Mapping) else None
    if not isinstance(found, dict) or schema != SCHEMA:
        raise SimError(f"{path} must have the schema {SCHEMA}. Got {schema!r}.")
    missing = [name for name in PARTS if name not in found]
    if missing:
        raise SimError(f"{path} must hold {', '.join(missing)}. Got {', '.join(found)}.")
    return found


def validation_page(document: Document) -> Page:
    """Return the page of a validation."""
    scores, skipped = document["metrics"], document["skipped"]
    found = "; ".join(
        f"{label(name)}: mean error {shown('share', item['mape']).text} of {_rows_text(item['n'])}"
        for name, item in scores.items()
    )
    return Page(
        title="Simulated against measured",
        subtitle=f"{len(document['rows'])} figures judged, {_rows_text(len(skipped))} not judged",
        verdict="",
        sentence=f"{found}." if found else "No row could be judged.",
        status="",
        sections=(_scores(scores), *_parities(document), _rows(document), *_skipped(skipped)),
    )


def _rows_text(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _scores(scores: Document) -> Section:
    rows = tuple(
        (
            label(name),
            Number(item["n"], str(item["n"])),
            shown("share", item["mape"]),
            shown("share", item["bias"]),
            shown("share", item["p95_abs_error"]),
            shown("share", item["inside_interval"]),
        )
        for name, item in scores.items()
    )
    header = ("metric", "rows", "mean error", "bias", "p95 error", "inside 80 % interval")
    rule = "Errors are relative to the measured value; bias is their signed mean."
    return Section("Errors", (Table(header, rows), Paragraph((rule,))))


def _parities(document: Document) -> tuple[Section, ...]:
    figures = charts(*(_parity(document, name) for name in document["metrics"]))
    return (Section("Parity", figures),) if figures else ()


def _parity(document: Document, metric: str) -> ScatterChart | None:
    error = shown("share", document["metrics"][metric]["mape"]).text
    rows = [row for row in document["rows"] if row["metric"] == metric]
    return parity_chart(
        rows,
        f"{label(metric)}: simulated over measured, logarithmic",
        f"{len(rows)} rows; their mean error is {error}.",
        fewest=2,  # one point shows no more than its row in the table
    )


def _rows(document: Document) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            row["id"],
            " / ".join(filter(None, (row.get("device"), row.get("stack")))) or "-",
            row.get("model") or "-",
            label(row["metric"]),
            shown(row["metric"], row["measured"]),
            shown(row["metric"], row["simulated"]),
            interval(row["metric"], row.get("interval")),
            shown("error", row["error"]),
        )
        for row in document["rows"]
    )
    header = ("row", "device / stack", "model", *COLUMNS)
    table = Table(header, rows)
    return Section("Every row", (table,), is_appendix=True)


def _skipped(skipped: list[Document]) -> tuple[Section, ...]:
    rows = tuple((item["id"], item["reason"]) for item in skipped)
    table = Table(("row", "reason"), rows)
    return (Section("Rows not judged", (table,), is_appendix=True),) if rows else ()
