"""Measured against simulated: parity with bands, and errors by metric."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from dashboard.charts.palette import ALERT, GREY, INK, Figure, Trace, figure

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLOURS: Final = {
    "prefill_tokens_per_s": "#0072B2",
    "tokens_per_s": "#009E73",
    "time_to_first_token_s": "#E69F00",
    "vision_encode_s": "#CC79A7",
    "peak_dram_bytes": "#56B4E9",
    "power_w": "#D55E00",
}
METRIC_SYMBOLS: Final = {
    "prefill_tokens_per_s": "square",
    "tokens_per_s": "circle",
    "time_to_first_token_s": "diamond",
    "vision_encode_s": "cross",
    "peak_dram_bytes": "triangle-up",
    "power_w": "triangle-down",
}
BANDS: Final = (0.1, 0.25)


def parity(rows: pd.DataFrame) -> Figure:
    """Draw simulated over measured on log axes, with the diagonal and bands of 10 and 25 %."""
    values = rows[["measured", "simulated"]].to_numpy()
    ends = [float(values.min()) / 2, float(values.max()) * 2] if len(rows) else [1.0, 10.0]
    lines = [_line(ends, 0.0, "equal", INK)]
    for band in BANDS:
        lines += [_line(ends, sign * band, f"±{band:.0%}", GREY) for sign in (1, -1)]
    points = [_metric(rows, name) for name in rows["metric"].unique().tolist()]
    return figure(
        [*lines, *points],
        420,
        xaxis={"type": "log", "dtick": 1, "title": {"text": "measured"}},
        yaxis={"type": "log", "dtick": 1, "title": {"text": "simulated"}},
    )


def residuals(rows: pd.DataFrame) -> Figure:
    """Draw the signed relative error of every row by metric."""
    boxes = [
        {
            "type": "box",
            "name": name,
            "x": (rows.loc[rows["metric"] == name, "error"] * 100).tolist(),
            "text": _ids(rows[rows["metric"] == name]),
            "boxpoints": "all",
            "jitter": 0.4,
            "pointpos": 0,
            "marker": {"color": METRIC_COLOURS.get(name, GREY)},
            "hovertemplate": "%{text}: %{x:+.1f} %<extra></extra>",
        }
        for name in rows["metric"].unique().tolist()
    ]
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1}
    return figure(
        boxes,
        420,
        xaxis={"title": {"text": "error [%], positive: simulation too high"}, "zeroline": False},
        yaxis={"automargin": True},
        showlegend=False,
        shapes=[zero | {"line": {"color": ALERT, "dash": "dash"}}],
    )


def _metric(rows: pd.DataFrame, name: str) -> Trace:
    chosen = rows[rows["metric"] == name]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": chosen["measured"].tolist(),
        "y": chosen["simulated"].tolist(),
        "text": _ids(chosen),
        "marker": {
            "size": 9,
            "color": METRIC_COLOURS.get(name, GREY),
            "symbol": METRIC_SYMBOLS.get(name, "x"),
        },
        "hovertemplate": "%{text}<br>measured %{x:.4g}, simulated %{y:.4g}<extra></extra>",
    }


def _ids(rows: pd.DataFrame) -> list[str]:
    """Return the ids with markup made harmless: they come from files of strangers."""
    return [escape(str(name)) for name in rows["id"].tolist()]


def _line(ends: list[float], offset: float, name: str, ink: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": ends,
        "y": [end * (1.0 + offset) for end in ends],
        "line": {"color": ink, "width": 1, "dash": "solid" if offset == 0.0 else "dot"},
        "showlegend": offset >= 0.0,
        "hoverinfo": "skip",
    }
