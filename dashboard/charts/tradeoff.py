"""Many configurations at once: the Pareto front, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dashboard.sweeping import NOT_WEIGHED
from dashboard.tradeoffs import ACROSS, METRICS, UP, Row, front, judged_by
from sim.charts.frame import (
    BASELINE,
    INK,
    Figure,
    Trace,
    figure,
    marked,
    text_at,
    together,
    vertical_line,
)
from sim.charts.shapes import ALERT, BLUE, GREY, ORANGE, SKY

if TYPE_CHECKING:
    import pandas as pd

GROUPS: Final = {
    "misses several": {"color": GREY, "symbol": "x-open", "size": 8, "opacity": 0.75},
    "misses one": {"color": ORANGE, "symbol": "x", "size": 10},
    "not weighed yet": {"color": SKY, "symbol": "circle-open", "size": 12},
    "may miss one": {"color": ORANGE, "symbol": "diamond", "size": 12},
    "meets every target": {"color": BLUE, "symbol": "circle", "size": 13},
}
"""Marks of points, those that matter last so that they lie on top."""
CORNERS: Final = ("bottom left", "top left", "bottom center", "bottom right", "top right")
"""Where marks of each group have the number of points they stand for, so that none overprint."""
SCALE = "Cividis"
"""A colour scale that colour-blind readers can order."""
OTHER = "A"
"""Level of the pinned baseline on an axis of parallel coordinates."""


def pareto(
    table: pd.DataFrame,
    axes: Sequence[str],
    now: Row,
    baseline: Row | None = None,
    plane: tuple[str, str] = (ACROSS, UP),
    limits: Mapping[str, float] | None = None,
) -> Figure:
    """Draw two metrics of all points by how many targets they miss, the front, you and A.

    Points that coincide are one mark with their number; bars hold 80 % of the draws; targets that
    are metrics of the plane are dashed lines (``limits``).
    """
    across, up = plane
    marks = zip(table["status"].tolist(), table["missed"].tolist(), strict=True)
    found = table.assign(group=[_group(status, missed) for status, missed in marks])
    traces = [
        *(
            _points(name, found[found["group"] == name], axes, marker, plane)
            for name, marker in GROUPS.items()
            if (found["group"] == name).any()
        ),
        _front(table, plane),
        *([_star(BASELINE, baseline, "star-open", INK, plane)] if baseline else []),
        _star("the sidebar", now, "star", ALERT, plane),
    ]
    return figure(
        traces,
        420,
        xaxis={"title": {"text": directed(across)}, "rangemode": "tozero"},
        yaxis={"title": {"text": directed(up)}, "rangemode": "tozero"},
        clickmode="event+select",
        dragmode="select",
        **_targets(plane, limits or {}),
    )


def _group(status: str, missed: int) -> str:
    """Return which group of marks a point belongs to."""
    if status == "PASS":
        return "meets every target"
    if status in ("MARGINAL", "THROTTLES"):
        return "may miss one"
    if status == NOT_WEIGHED:
        return "not weighed yet"
    return "misses one" if missed == 1 else "misses several"


def _targets(plane: tuple[str, str], limits: Mapping[str, float]) -> Figure:
    """Return dashed lines at the targets that the plane shows."""
    across, up = plane
    parts = []
    if across in limits:
        parts.append(vertical_line(limits[across], "target"))
    if up in limits:
        y = limits[up]
        line = {"type": "line", "y0": y, "y1": y, "xref": "paper", "x0": 0, "x1": 1}
        name = text_at(1, y, "target", xref="paper", xanchor="right", yanchor="bottom")
        parts.append(marked(line, name, ALERT))
    return together(*parts)


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
    places = table[[across, up]].round(4).apply(tuple, axis=1) if len(table) else table[across]
    counts: list[int] = []  # at the first of points that coincide
    if len(table):
        counts = places.map(places.value_counts()).where(~places.duplicated(), 1).tolist()
    ends = [row or {} for row in table["spans"].tolist()] if "spans" in table else [{}] * len(table)
    rows = table[[across, up]].fillna(0.0).to_dict("records")
    bars = {
        f"error_{letter}": {
            "type": "data",
            "array": [max(0.0, span.get(metric, (0, row[metric]))[1] - row[metric])
                      for row, span in zip(rows, ends, strict=True)],
            "arrayminus": [max(0.0, row[metric] - span.get(metric, (row[metric], 0))[0])
                           for row, span in zip(rows, ends, strict=True)],
            "thickness": 1,
            "width": 0,
        }
        for letter, metric in (("x", across), ("y", up))
    }  # fmt: skip
    return {
        **(bars if any(ends) else {}),
        "type": "scatter",
        "mode": "markers+text",
        "text": [f"×{count}" if count > 1 else "" for count in counts],
        "textposition": CORNERS[list(GROUPS).index(name)],
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
