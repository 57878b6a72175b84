"""What a validation is shown as: JSON and Markdown tables.

The tables are the same on the terminal, in the documentation page and beside the parity plot. Not
shown anywhere: one number over all metrics, which would hide where the errors are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sim.validation.judging import Judged, Scores, Validation

SCHEMA: Final = "andesim.validation/1"
SCORE_COLUMNS: Final = (
    *("rows", "MAPE", "bias", "p95 error", "inside 80 % interval", "inside reference interval"),
)


def document(found: Validation) -> dict[str, Any]:
    """Return the JSON document of `andesim validate --json`."""
    return {
        "schema": SCHEMA,
        "metrics": {metric: _score_entry(value) for metric, value in found.by_metric().items()},
        "rows": [_row_entry(row) for row in found.rows],
        "skipped": [skipped._asdict() for skipped in found.skipped],
    }


def _row_entry(row: Judged) -> dict[str, Any]:
    return {
        "id": row.run.id,
        "device": row.device,
        "stack": row.stack,
        "model": row.run.model,
        "metric": row.metric,
        "measured": row.measured,
        "simulated": row.simulated,
        "interval": list(row.interval) if row.interval else None,
        "error": row.error,
        "warnings": list(row.warnings),
    }


def _score_entry(value: Scores) -> dict[str, Any]:
    entry = value._asdict()
    del entry["inside_reference"]
    return entry


def group_table(found: Mapping[tuple[str, str], Scores], kind: str) -> str:
    """Return the scores of groups as a Markdown table."""
    rows = [[metric, group, *_score_cells(value)] for (metric, group), value in found.items()]
    return table(["metric", kind, *SCORE_COLUMNS], rows)


def metric_table(found: Mapping[str, Scores]) -> str:
    """Return the scores per metric as a Markdown table."""
    rows = [[metric, *_score_cells(value)] for metric, value in found.items()]
    return table(["metric", *SCORE_COLUMNS], rows)


def row_table(rows: Iterable[Judged]) -> str:
    """Return one line per judged metric as a Markdown table; with the noise where it is known."""
    rows = list(rows)
    header = ["row", "device", "stack", "model", "metric", "measured", "simulated"]
    noise = ["noise"] if any(row.noise is not None for row in rows) else []
    lines = [
        [
            *(row.run.id, row.device, row.stack, row.run.model, row.metric),
            *(number(row.measured), number(row.simulated)),
            _interval(row),
            f"{row.error:+.1%}",
            *(f"{row.noise or 0.0:.1%}" for _ in noise),
        ]
        for row in rows
    ]
    return table([*header, "80 % interval", "error", *noise], lines)


def skipped_table(found: Validation) -> str:
    """Return the skipped rows and their reasons as a Markdown table."""
    return table(["row", "reason"], [[item.id, item.reason] for item in found.skipped])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    >>> print(table(["a", "b"], [["1", "x|y"]]))
    | a | b |
    |---|---|
    | 1 | x\\|y |
    """
    lines = [header, *rows]
    cells = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines]
    text = [f"| {line} |" for line in cells]
    return "\n".join([text[0], "|" + "---|" * len(header), *text[1:]])


def number(value: float) -> str:
    """Return a number with three significant digits.

    >>> number(0.03961), number(1463.7), number(2.36e9)
    ('0.0396', '1460', '2.36e+09')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:.0f}" if 100.0 <= rounded < 1e6 else f"{rounded:.3g}"


def share(value: float | None) -> str:
    """Return a share in whole per cent, or a dash.

    >>> share(0.756), share(None)
    ('76 %', '-')
    """
    return "-" if value is None else f"{100.0 * value:.0f} %"


def _score_cells(value: Scores) -> list[str]:
    return [
        str(value.n),
        f"{value.mape:.1%}",
        f"{value.bias:+.1%}",
        f"{value.p95_abs_error:.1%}",
        share(value.inside_interval),
        share(value.inside_reference),
    ]


def _interval(row: Judged) -> str:
    if row.interval is None:
        return "-"
    low, high = row.interval
    inside = "" if low <= row.measured <= high else " (outside)"
    return f"{number(low)} to {number(high)}{inside}"
