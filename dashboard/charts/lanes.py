"""One step as lanes over time, and its operators under the roofs of the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dashboard.charts.palette import ALERT, GREY, Figure, Trace, colour, figure
from dashboard.timeline import WAITING
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd

BOUNDS = ("compute", "dram", "launch")
LARGEST_MARKER_PX = 34.0


def gantt(bars: pd.DataFrame) -> Figure:
    """Draw the bars of a step; the colour says what bounds the operator."""
    return figure(
        [_bars(bars[bars["bound"] == bound], bound) for bound in (*BOUNDS, WAITING)],
        70 + 60 * bars["lane"].nunique(),
        barmode="overlay",
        xaxis={"title": {"text": "milliseconds from the start of the step"}},
        yaxis={"categoryorder": "category descending"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "title": {"text": "bound by "}},
    )


def roofline(result: Result, operators: pd.DataFrame) -> Figure:
    """Draw attained FLOP/s over FLOP/B, the operators sized by their time."""
    points = operators[(operators["flops"] > 0.0) & (operators["dram_bytes"] > 0.0)]
    intensity = points["flops"] / points["dram_bytes"]
    reach = [0.1, max(1e4, float(intensity.max() * 3) if len(points) else 0.0)]
    traces = [*_roofs(result, reach), *(_points(points, bound) for bound in BOUNDS)]
    return figure(
        traces,
        380,
        xaxis={"type": "log", "dtick": 1, "title": {"text": "FLOP per byte of DRAM traffic"}},
        yaxis={"type": "log", "dtick": 1, "title": {"text": "FLOP/s"}},
        legend={"orientation": "h", "y": -0.25},
    )


def _bars(bars: pd.DataFrame, bound: str) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": bound,
        "y": bars["lane"].tolist(),
        "base": (bars["start_s"] * 1e3).tolist(),
        "x": (bars["seconds"] * 1e3).tolist(),
        "marker": {"color": colour(bound), "line": {"width": 0}},
        "customdata": bars[["name", "layer", "dram_bytes"]].to_numpy().tolist(),
        "hovertemplate": "%{customdata[0]}, layer %{customdata[1]}<br>%{x:.3f} ms, "
        "%{customdata[2]:.3s}B<extra></extra>",
    }


def _points(operators: pd.DataFrame, bound: str) -> Trace:
    chosen = operators[operators["bound"] == bound]
    area = np.sqrt(chosen["share"]) * LARGEST_MARKER_PX
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"bound by {bound}",
        "x": (chosen["flops"] / chosen["dram_bytes"]).tolist(),
        "y": (chosen["flops"] / chosen["elapsed_s"]).tolist(),
        "text": chosen["name"].tolist(),
        "marker": {"size": np.maximum(6.0, area).tolist(), "color": colour(bound)},
        "hovertemplate": "%{text}<br>%{x:.3s} FLOP/B, %{y:.3s}FLOP/s<extra></extra>",
    }


def _roofs(result: Result, reach: list[float]) -> list[Trace]:
    """Return the roofs of the stack's unit: per precision at the DRAM peak, and what it attains."""
    soc, stack = result.soc, result.soc.stack(result.stack)
    peak_bytes_per_s = soc.dram.peak_bytes_per_s
    rates = {item.value: name for name, item in soc.units[stack.unit].matrix.rates.items()}
    roofs = [_roof(reach, rate, peak_bytes_per_s, name, GREY) for rate, name in rates.items()]
    fraction = min(stack.bandwidth_fraction.value, soc.units[stack.unit].dram_fraction.value)
    sustained = _roof(reach, max(rates), fraction * peak_bytes_per_s, "sustained bandwidth", ALERT)
    return [*roofs, sustained]


def _roof(reach: list[float], flops_per_s: float, bytes_per_s: float, name: str, ink: str) -> Trace:
    ridge = flops_per_s / bytes_per_s
    corners = [reach[0], ridge, max(ridge, reach[1])]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": corners,
        "y": [min(flops_per_s, bytes_per_s * x) for x in corners],
        "line": {"color": ink, "width": 1.5, "dash": "dot" if ink == ALERT else "solid"},
        "hovertemplate": f"{name}: %{{y:.3s}}FLOP/s<extra></extra>",
    }
