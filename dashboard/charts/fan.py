"""A fan: the range of each number, and the probability of each target, against one setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sim.charts.frame import INK, Figure, Trace, figure, text_at
from sim.charts.shapes import ALERT, BLUE, GREEN, ORANGE
from sim.explore.targets import Target
from sim.wording import label

INKS: Final = {"time_to_first_token_s": (ORANGE, "230,159,0"), "tokens_per_s": (GREEN, "0,158,115")}
BAND: Final = ("#0072B2", "0,114,178")


def fan(
    points: Sequence[dict[str, Any]], targets: Sequence[Target], now: float, words: str
) -> Figure:
    """Draw a panel per target with its 80 % range and limit, and one of probabilities.

    A line stands at the sidebar's value ``now``; it moves with the slider, the fan does not.
    """
    asked = [point for point in points if "all" in point]
    rows = len(targets) + 1
    data: list[Trace] = []
    shapes, notes = [], []
    layout: dict[str, Any] = {}
    height = (1.0 - 0.09 * (rows - 1)) / rows
    for place, target in enumerate(targets, start=1):
        axis = "y" if place == 1 else f"y{place}"
        top = 1.0 - (place - 1) * (height + 0.09)
        layout[axis.replace("y", "yaxis")] = {
            "domain": [top - height, top],
            "title": {"text": label(target.metric)},
            "rangemode": "tozero",
        }
        data += _band(asked, target.metric, axis)
        line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis}
        line |= {"y0": target.limit, "y1": target.limit}
        shapes.append(line | {"line": {"color": ALERT, "dash": "dash", "width": 1.5}})
        notes.append(
            text_at(1, target.limit, f"target {target.limit:g}", xref="paper", yref=axis,
                    xanchor="right", yanchor="bottom", font={"color": ALERT, "size": 12})
        )  # fmt: skip
    axis = f"y{rows}" if rows > 1 else "y"
    layout[axis.replace("y", "yaxis")] = {
        "domain": [0.0, height],
        "title": {"text": "probability"},
        "range": [-0.03, 1.06],
        "tickformat": ".0%",
    }
    data += _likely(asked, axis)
    here = {"type": "line", "x0": now, "x1": now, "yref": "paper", "y0": 0, "y1": 1}
    shapes.append(here | {"line": {"color": INK, "width": 2}})
    notes.append(text_at(now, 1, "now", yref="paper", yanchor="bottom"))
    return figure(
        data,
        170 * rows + 90,
        xaxis={"title": {"text": words}, "anchor": axis},
        shapes=shapes,
        annotations=notes,
        legend={"orientation": "h", "y": -0.16, "x": 0},
        **layout,
    )


def _band(asked: Sequence[dict[str, Any]], metric: str, axis: str) -> list[Trace]:
    ink, red_green_blue = INKS.get(metric, BAND)
    rows = [(point["value"], *point["targets"][metric]) for point in asked]
    known = [row for row in rows if row[2] is not None]
    banded = [row for row in known if row[3] is not None]
    xs = [row[0] for row in banded]
    shared = {"type": "scatter", "yaxis": axis, "showlegend": False}
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": f"rgba({red_green_blue},.25)"}
    return [
        shared | edge | {"x": xs, "y": [row[3][0] for row in banded]},
        shared | edge | fill | {"x": xs, "y": [row[3][1] for row in banded]},
        shared
        | {
            "mode": "lines+markers",
            "name": label(metric),
            "x": [row[0] for row in known],
            "y": [row[2] for row in known],
            "line": {"color": ink},
            "hovertemplate": "%{x:,.4~g}: %{y:.3~g}<extra></extra>",
        },
    ]


def _likely(asked: Sequence[dict[str, Any]], axis: str) -> list[Trace]:
    xs = [point["value"] for point in asked]
    lines = (("every target, at first", "all", "solid"), ("and in minute ten", "sustained", "dot"))
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "yaxis": axis,
            "name": name,
            "x": xs,
            "y": [point[key] for point in asked],
            "line": {"color": BLUE, "dash": dash},
            "hovertemplate": name + " at %{x:,.4~g}: %{y:.0%}<extra></extra>",
        }
        for name, key, dash in lines
    ]
