"""Runs that a viewer saved under a name, side by side: numbers, verdicts, one file of all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dashboard.choices import GIB, Choices
from dashboard.labels import labelled
from dashboard.links import command_line, query, scenario_yaml
from dashboard.runs import USER_ERRORS, draws, judged, run, word
from sim.charts.frame import INK, Figure, figure
from sim.charts.shapes import BLUE
from sim.explore.uncertainty import intervals
from sim.reports.page import Code, Page, Paragraph, Section, Table, html
from sim.verdict_words import headline

if TYPE_CHECKING:
    import pandas as pd

Saved = Mapping[str, Choices]

METRICS: Final = {
    "first token [s]": ("time_to_first_token_s", 1.0),
    "tokens/s": ("tokens_per_s", 1.0),
    "peak [GiB]": ("peak_dram_bytes", GIB),
    "energy [J]": ("energy_j", 1.0),
    "load [s]": ("load_s", 1.0),
}
SCHEMA: Final = "andesim.runs/1"


def table(saved: Saved, viewer: str = "") -> pd.DataFrame:
    """Return a row per saved run: what differs from the first, verdict, numbers and ranges."""
    import pandas as pd

    first = next(iter(saved.values()), Choices())
    rows = [_row(name, choices, first, viewer) for name, choices in saved.items()]
    return pd.DataFrame(rows)


def differs(choices: Choices, other: Choices) -> str:
    """Return what some choices have that others have not.

    >>> differs(Choices(body="w8"), Choices())
    'body w8'
    """
    pairs = ((name, getattr(choices, name)) for name in Choices.model_fields)
    return ", ".join(
        f"{name} {value}".strip() for name, value in pairs if value != getattr(other, name)
    )


def bars(shown: pd.DataFrame, metric: str) -> Figure:
    """Draw one number of every run with its 80 % range."""
    known = shown[shown[metric].notna()]
    values = known[metric].tolist()
    ends = list(zip(known[f"{metric} low"].tolist(), known[f"{metric} high"].tolist(), strict=True))
    above = [max(0.0, high - value) for value, (_, high) in zip(values, ends, strict=True)]
    below = [max(0.0, value - low) for value, (low, _) in zip(values, ends, strict=True)]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": known["run"].tolist(),
        "x": values,
        "marker": {"color": BLUE},
        "text": [f"{value:.3g}" for value in values],
        "textposition": "inside",
        "insidetextanchor": "start",
        "error_x": {"type": "data", "array": above, "arrayminus": below, "color": INK},
        "hovertemplate": "%{y}: %{x:.4~g}<extra></extra>",
    }
    return figure(
        [trace],
        110 + 40 * len(values),
        xaxis={"title": {"text": metric}, "rangemode": "tozero"},
        yaxis={"autorange": "reversed"},
        showlegend=False,
    )


def report(saved: Saved, viewer: str = "") -> str:
    """Return every saved run as one HTML page that needs no network."""
    shown_rows = table(saved, viewer)
    columns = ["run", "differs in", "verdict", "probability", *METRICS]
    cells = tuple(tuple(_cell(row.get(name)) for name in columns)
                  for row in shown_rows.to_dict("records"))  # fmt: skip
    command = tuple(
        Section(name, (Paragraph((differs(choices, Choices()) or "the default question",)),
                       Code(command_line(choices))))
        for name, choices in saved.items()
    )  # fmt: skip
    first = Section("Side by side", (Table(tuple(columns), cells),))
    page = Page("Runs side by side", f"{len(saved)} runs", "COMPARED",
                "Each run is simulated anew by its command.", "", (first, *command))  # fmt: skip
    return html(page)


def _cell(value: Any) -> str:
    """Return a cell as text, a dash where there is nothing."""
    if value is None or value != value:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def document(saved: Saved) -> str:
    """Return the saved runs as JSON, which `read` takes back."""
    runs = {
        name: {"choices": choices.model_dump(), "link": query(choices),
               "scenario": scenario_yaml(choices)}
        for name, choices in saved.items()
    }  # fmt: skip
    return json.dumps({"schema": SCHEMA, "runs": runs}, indent=1)


def names(saved: Iterable[str], choices: Choices) -> str:
    """Return a name for a run that no saved one has."""
    base = f"{choices.model} on {choices.device}"
    taken = set(saved)
    if base not in taken:
        return base
    return next(f"{base}, {n}" for n in range(2, len(taken) + 3) if f"{base}, {n}" not in taken)


def _row(name: str, choices: Choices, first: Choices, viewer: str) -> dict[str, Any]:
    row: dict[str, Any] = {"run": name, "differs in": differs(choices, first)}
    try:
        result = run(choices)
    except USER_ERRORS as error:
        return row | {"verdict": "INVALID", "why": labelled(str(error))} | dict.fromkeys(METRICS)
    drawn = draws(choices, f"{viewer}/{name}") if result.fits else None
    verdict = judged(choices, result, drawn)
    summary, found = result.summary().as_dict(), intervals(drawn) if drawn else {}
    row |= {"verdict": word(result, verdict), "probability": verdict.probability if drawn else None}
    for title, (metric, scale) in METRICS.items():
        value = summary[metric]
        ends = found.get(metric, {"p10": value, "p90": value})
        row[title] = value / scale if value is not None else None
        for end, level in (("low", "p10"), ("high", "p90")):
            row[f"{title} {end}"] = ends[level] / scale if ends[level] is not None else None
    return row | {"why": headline(result)}
