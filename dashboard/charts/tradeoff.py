"""Many configurations at once: the Pareto front, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboard.tradeoffs import ACROSS, METRICS, UP, Row, front, judged_by
from sim.charts.data import ALERT, GREY
from sim.charts.frame import BASELINE, INK, Figure, Trace, figure

if TYPE_CHECKING:
    import pandas as pd

SCALE = "Cividis"
"""A colour scale that colour-blind readers can order."""
COLOURED = "first token [s]"
OTHER = "A"
"""Level of the pinned baseline on an axis of parallel coordinates."""


def pareto(
    table: pd.DataFrame,
    axes: Sequence[str],
    now: Row,
    baseline: Row | None = None,
    plane: tuple[str, str] = (ACROSS, UP),
) -> Figure:
    """Draw two metrics of all points: passing ones, failing ones in grey, the front, you, A."""
    across, up = plane
    passing, failing = table[table["status"] == "PASS"], table[table["status"] != "PASS"]
    coloured = {"color": passing[COLOURED].tolist(), "colorscale": SCALE, "size": 12}
    bar = {"title": {"text": "first<br>token [s]", "font": {"size": 12}}, "thickness": 14}
    coloured |= {"showscale": True, "colorbar": bar}
    faint = {"color": GREY, "symbol": "x", "size": 9, "opacity": 0.7}
    traces = [
        _points("misses a target", failing, axes, faint, plane),
        _front(table, plane),
        _points("meets every target", passing, axes, coloured, plane),
        *([_star(BASELINE, baseline, "star-open", INK, plane)] if baseline else []),
        _star("the sidebar", now, "star", ALERT, plane),
    ]
    return figure(
        traces,
        420,
        xaxis={"title": {"text": directed(across)}, "rangemode": "tozero"},
        yaxis={"title": {"text": directed(up)}, "rangemode": "tozero"},
        clickmode="event+select",
    )


def directed(metric: str) -> str:
    """Return a metric with the direction in which it gets better.

    >>> directed("tokens/s")
    'tokens/s, more is better'
    """
    return f"{metric}, {'more' if judged_by()[metric] > 0.0 else 'less'} is better"


def parallel(table: pd.DataFrame, axes: Sequence[str], baseline: Row | None = None) -> Figure:
    """Draw every point that ran as a line through its levels and metrics; A has own levels."""
    ran = table.dropna(subset=list(METRICS))
    rows = [*ran[[*axes, *METRICS]].to_dict("records")]
    if baseline and all(baseline[name] is not None for name in METRICS):
        rows.append(dict.fromkeys(axes, OTHER) | {name: baseline[name] for name in METRICS})
    levels = [_level_axis([str(row[axis]) for row in rows], axis) for axis in axes]
    metrics = [
        {"label": name, "values": [row[name] for row in rows], "tickformat": ".3~g"}
        for name in METRICS
    ]
    colours = {"color": [row[UP] for row in rows], "colorscale": SCALE, "showscale": False}
    trace = {
        "type": "parcoords",
        "dimensions": [*levels, *metrics],
        "line": colours,
        "labelangle": -25,
        "labelfont": {"size": 12},
        "rangefont": {"color": "rgba(0,0,0,0)"},  # the ticks say it, rounded
    }
    return figure([trace], 390, margin={"l": 90, "r": 70, "t": 80, "b": 24})


def _front(table: pd.DataFrame, plane: tuple[str, str]) -> Trace:
    edge = front(table, *plane).sort_values(plane[0])
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "best trade",
        "x": edge[plane[0]].tolist(),
        "y": edge[plane[1]].tolist(),
        "line": {"color": INK, "width": 1.5, "dash": "dot"},
        "marker": {"symbol": "circle-open", "size": 18, "color": INK},
        "hoverinfo": "skip",
    }


def _star(name: str, row: Row, symbol: str, ink: str, plane: tuple[str, str]) -> Trace:
    across, up = plane
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [row[across]],
        "y": [row[up] or 0.0],
        "marker": {"symbol": symbol, "size": 17, "color": ink, "line": {"width": 2}},
        "hovertemplate": f"{name}: {up} %{{y:.3~g}}, {across} %{{x:.3~g}}<extra></extra>",
        "cliponaxis": False,
    }


def _points(
    name: str,
    table: pd.DataFrame,
    axes: Sequence[str],
    marker: dict[str, Any],
    plane: tuple[str, str],
) -> Trace:
    named = table[list(axes)].astype(str).agg(", ".join, axis=1).tolist() if len(table) else []
    across, up = plane
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": table[across].fillna(0.0).tolist(),
        "y": table[up].fillna(0.0).tolist(),  # out of memory: no token at all
        "customdata": [
            [index, levels, reason]
            for index, levels, reason in zip(
                table.index.tolist(), named, table["reason"].tolist(), strict=True
            )
        ],
        "marker": marker,
        "cliponaxis": False,
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
