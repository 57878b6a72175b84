"""Many configurations at once: the Pareto front, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboard.charts.palette import ALERT, GREY, INK, Figure, Trace, figure
from dashboard.tradeoffs import METRICS, Row, front

if TYPE_CHECKING:
    import pandas as pd

SCALE = "Cividis"
"""A colour scale that colour-blind readers can order."""


def pareto(table: pd.DataFrame, axes: Sequence[str], now: Row) -> Figure:
    """Draw tokens/s over peak DRAM: passing points, failing ones in grey, the front, and you."""
    passing, failing = table[table["status"] == "PASS"], table[table["status"] != "PASS"]
    edge = front(table)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "best trade",
        "x": edge["peak [GiB]"].tolist(),
        "y": edge["tokens/s"].tolist(),
        "line": {"color": INK, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }
    star = {
        "type": "scatter",
        "mode": "markers",
        "name": "the sidebar",
        "x": [now["peak [GiB]"]],
        "y": [now["tokens/s"] or 0.0],
        "marker": {"symbol": "star", "size": 16, "color": ALERT},
        "hovertemplate": "the sidebar: %{y:.1f} tokens/s, %{x:.2f} GiB<extra></extra>",
        "cliponaxis": False,
    }
    coloured = {"color": passing["first token [s]"].tolist(), "colorscale": SCALE, "size": 12}
    coloured |= {"showscale": True, "colorbar": {"title": {"text": "first<br>token [s]"}}}
    faint = {"color": GREY, "symbol": "x", "size": 8, "opacity": 0.6}
    return figure(
        [
            _points("misses a target", failing, axes, faint),
            line,
            _points("meets every target", passing, axes, coloured),
            star,
        ],
        420,
        xaxis={"title": {"text": "peak DRAM [GiB], less is better"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "tokens/s, more is better"}, "rangemode": "tozero"},
        clickmode="event+select",
    )


def parallel(table: pd.DataFrame, axes: Sequence[str]) -> Figure:
    """Draw every point that ran as a line through its levels and metrics."""
    ran = table.dropna(subset=list(METRICS[:3]))
    levels = [_level_axis(ran[axis].tolist(), axis) for axis in axes]
    metrics = [{"label": name, "values": ran[name].tolist()} for name in METRICS]
    line = {"color": ran["tokens/s"].tolist(), "colorscale": SCALE, "showscale": False}
    trace = {"type": "parcoords", "dimensions": [*levels, *metrics], "line": line}
    return figure([trace], 380, margin={"l": 70, "r": 50, "t": 60, "b": 30})


def _points(name: str, table: pd.DataFrame, axes: Sequence[str], marker: dict[str, Any]) -> Trace:
    named = table[list(axes)].astype(str).agg(", ".join, axis=1).tolist() if len(table) else []
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": table["peak [GiB]"].tolist(),
        "y": table["tokens/s"].fillna(0.0).tolist(),  # out of memory: no token at all
        "customdata": [
            [index, levels, reason]
            for index, levels, reason in zip(
                table.index.tolist(), named, table["reason"].tolist(), strict=True
            )
        ],
        "marker": marker,
        "hovertemplate": "%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
    }


def _level_axis(values: list[str], label: str) -> Figure:
    names = list(dict.fromkeys(values))
    return {
        "label": label,
        "values": [names.index(value) for value in values],
        "tickvals": list(range(len(names))),
        "ticktext": names,
    }
