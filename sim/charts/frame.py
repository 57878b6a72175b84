"""The frame of every Plotly figure: margins, type, axes, and lines with names on them.

What the dashboard draws by itself (lanes, roofline, endurance, trade-offs) stands in it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sim.charts.shapes import ALERT, GREY

Figure = dict[str, Any]
Trace = dict[str, Any]

INK: Final = "#31333F"
BASELINE: Final = "A, pinned"
"""How every chart calls the pinned baseline."""
ABOVE: Final = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
"""Where a legend lies: over the plot, so that it never meets the name of an axis."""
FADED: Final = "rgba(255,255,255,0.85)"
DARK_THEME: Final = {
    INK: "#E6E8EB",
    FADED: "rgba(20,23,29,0.85)",
    "#E3E5E8": "#30343C",
    "white": "rgba(0,0,0,0)",
    "#0072B2": "#4A7FE0",
    "#5F6368": "#B9BEC6",
}
"""What stands for a colour on a dark page; the others are readable on both."""
_AXIS: Final = {
    "gridcolor": "#E3E5E8",
    "linecolor": GREY,
    "zerolinecolor": GREY,
    "automargin": True,
    "title": {"standoff": 6, "font": {"size": 13}},
    "ticks": "outside",
    "ticklen": 5,
    "tickcolor": "white",
}


def figure(data: list[Trace], height: int, **layout: Any) -> Figure:
    """Return a figure with the margins and type all charts share; height in pixels."""
    shared = {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 24, "b": 10},
        "font": {"size": 13, "color": INK, "family": "Source Sans, sans-serif"},
        "legend": ABOVE,
        "template": {"layout": {"xaxis": _AXIS, "yaxis": _AXIS}},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "bargap": 0.3,
    }
    return {"data": data, "layout": shared | layout}


def themed(part: Any, is_dark: bool) -> Any:
    """Return a figure, or a part of one, in the colours of a light or of a dark page.

    >>> themed({"font": {"color": INK}, "x": [1, 2]}, True)
    {'font': {'color': '#E6E8EB'}, 'x': [1, 2]}
    """
    if not is_dark:
        return part
    if isinstance(part, dict):
        return {name: themed(item, is_dark) for name, item in part.items()}
    if isinstance(part, list | tuple):
        return [themed(item, is_dark) for item in part] if _has_colours(part) else part
    return DARK_THEME.get(part, part) if isinstance(part, str) else part


def _has_colours(items: Sequence[Any]) -> bool:
    """Return whether a list may hold colours: long columns of numbers do not."""
    return len(items) > 0 and isinstance(items[0], str | dict | list | tuple)


def text_at(x: float, y: float, text: str, **place: Any) -> Figure:
    """Return an annotation without an arrow that stays readable over lines."""
    return {"x": x, "y": y, "text": text, "showarrow": False, "bgcolor": FADED} | place


def together(*parts: Figure) -> Figure:
    """Return layout entries with the shapes and annotations of all parts."""
    return {
        kind: [item for part in parts for item in part.get(kind, [])]
        for kind in ("shapes", "annotations")
    }


def vertical_line(x: float, text: str, ink: str = ALERT) -> Figure:
    """Return layout entries that draw a dashed line at ``x`` with its name above."""
    line = {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
    name = text_at(x, 1, text, yref="paper", yanchor="bottom")
    return marked(line, name, ink)


def marked(line: Figure, name: Figure, ink: str) -> Figure:
    """Return layout entries of a dashed line and its name, both in one colour."""
    shape = line | {"line": {"color": ink, "dash": "dash", "width": 1.5}}
    return {"shapes": [shape], "annotations": [name | {"font": {"color": ink}}]}
