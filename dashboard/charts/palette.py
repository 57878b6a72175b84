"""What all charts share: one colour per component, safe for colour-blind readers, and a frame.

A chart is a plain Plotly figure as data, so that it can be tested and written without Plotly.
Colours are Okabe and Ito's; a component keeps its colour in every chart.
"""

from __future__ import annotations

from typing import Any, Final

Figure = dict[str, Any]
Trace = dict[str, Any]

INK: Final = "#31333F"
GREY: Final = "#9AA0A6"
ALERT: Final = "#D55E00"

COLOURS: Final = {
    "weights": "#0072B2",
    "embedding": "#5B9BD5",
    "vision": "#56B4E9",
    "kv_cache": "#009E73",
    "activations": "#E69F00",
    "draft": "#F0E442",
    "adapters": "#CC79A7",
    "prefill": "#0072B2",
    "decode": "#009E73",
    "compute": "#E69F00",
    "dram": "#0072B2",
    "launch": "#CC79A7",
    "host": "#CC79A7",
}


def colour(name: str) -> str:
    """Return the colour of a component; grey for what has none of its own."""
    return COLOURS.get(name, GREY)


def figure(data: list[Trace], height: int, **layout: Any) -> Figure:
    """Return a figure with the margins and type all charts share; height in pixels."""
    shared = {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
        "font": {"size": 13, "color": INK},
        "legend": {"orientation": "h", "y": -0.25, "x": 0},
    }
    return {"data": data, "layout": shared | layout}


def vertical_line(x: float, text: str) -> Figure:
    """Return layout entries that draw a dashed line at ``x`` with its name above."""
    line = {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
    name = {"x": x, "yref": "paper", "y": 1, "yanchor": "bottom", "text": text}
    return _marked(line, name)


def horizontal_line(y: float, text: str) -> Figure:
    """Return layout entries that draw a dashed line at ``y`` with its name on the left."""
    line = {"type": "line", "y0": y, "y1": y, "xref": "paper", "x0": 0, "x1": 1}
    name = {"y": y, "xref": "paper", "x": 1, "xanchor": "right", "yanchor": "bottom", "text": text}
    return _marked(line, name)


def _marked(line: Figure, name: Figure) -> Figure:
    return {
        "shapes": [line | {"line": {"color": ALERT, "dash": "dash"}}],
        "annotations": [
            name
            | {"showarrow": False, "font": {"color": ALERT}, "bgcolor": "rgba(255,255,255,0.85)"}
        ],
    }
