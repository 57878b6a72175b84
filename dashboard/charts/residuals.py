"""Signed errors of simulated against measured, by metric and group."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from sim.charts.frame import Figure, Trace, figure, vertical_line
from sim.charts.plotly import METRICS, by_metric, named
from sim.charts.shapes import GREY

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_PX: Final = 420
GROUP_PX: Final = 56


def residuals(rows: pd.DataFrame, kind: str) -> Figure:
    """Draw the signed relative error of every row by a kind of group, such as "phase"."""
    groups = sorted(rows[kind].unique().tolist())
    boxes = [
        _box(rows[rows["metric"] == name], name, kind) for name in by_metric(set(rows["metric"]))
    ]
    return figure(
        boxes,
        max(SMALLEST_PX, 150 + GROUP_PX * len(groups)),
        xaxis={"title": {"text": "error [%], positive: simulation too high"}, "zeroline": False},
        yaxis={"categoryorder": "array", "categoryarray": groups[::-1]},
        boxmode="group" if rows.groupby(kind)["metric"].nunique().max() > 1 else "overlay",
        **vertical_line(0.0, ""),
    )


def _box(chosen: pd.DataFrame, name: str, kind: str) -> Trace:
    ink, symbol = METRICS.get(name, (GREY, "x"))
    return {
        "type": "box",
        "orientation": "h",
        "name": named(name),
        "x": (chosen["error"] * 100).tolist(),
        "y": [escape(group) for group in chosen[kind].tolist()],
        "text": [escape(str(one)) for one in chosen["id"].tolist()],
        "boxpoints": "all",
        "jitter": 0.4,
        "pointpos": 0,
        "marker": {"color": ink, "symbol": symbol, "size": 6},
        "line": {"width": 1},
        "hovertemplate": "%{text}: %{x:+.1f} %<extra></extra>",
    }
