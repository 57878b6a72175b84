"""The operators of a step under the roofs of the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.charts.frame import BASELINE, INK, Figure, Trace, figure, text_at
from sim.charts.shapes import ALERT, GREY, colour
from sim.records import BOUNDS
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd

LARGEST_MARKER_PX = 34.0
MOST_ARROWS = 6
SYMBOLS = {"compute": "square", "dram": "circle", "launch": "diamond"}
"""By what bounds an operator, so that its colour need not tell it."""
UNMOVED = 0.02
"""Decades: operators that moved by less have no arrow."""


def roofline(
    result: Result, operators: pd.DataFrame, baseline: pd.DataFrame | None = None
) -> Figure:
    """Draw attained FLOP/s over FLOP/B, the operators sized by their time.

    Arrows lead from where the baseline's operators lie to where those of now do.
    """
    points = _placed(operators)
    before = _placed(baseline) if baseline is not None else points.iloc[:0]
    reach = [0.1, max(1e4, float(points["intensity"].max() * 3) if len(points) else 0.0)]
    lines, names = roofs(result, reach)
    rings = [_rings(before)] if baseline is not None else []
    traces = [*lines, *(_points(points, bound) for bound in BOUNDS), *rings]
    return figure(
        traces,
        420,
        xaxis={"type": "log", "dtick": 1, "title": {"text": "FLOP per byte of DRAM traffic"}},
        yaxis={"type": "log", "dtick": 1, "exponentformat": "SI", "title": {"text": "FLOP/s"}},
        annotations=[*names, *_arrows(before, points)],
    )


def _placed(operators: pd.DataFrame) -> pd.DataFrame:
    """Return the operators that compute and move something, with their place [FLOP/B, FLOP/s]."""
    points = operators[(operators["flops"] > 0.0) & (operators["dram_bytes"] > 0.0)]
    return points.assign(
        intensity=points["flops"] / points["dram_bytes"],
        attained=points["flops"] / points["elapsed_s"],
    )


def _arrows(before: pd.DataFrame, now: pd.DataFrame) -> list[Figure]:
    """Return an arrow per operator that takes long and has moved; log axes place by exponent."""
    both = now.merge(before, on="name", suffixes=("", "_before")).head(MOST_ARROWS)
    columns = ["intensity", "attained", "intensity_before", "attained_before"]
    places = np.log10(both[columns].to_numpy()).tolist()
    return [
        {
            "x": x,
            "y": y,
            "ax": from_x,
            "ay": from_y,
            "axref": "x",
            "ayref": "y",
            "arrowhead": 2,
            "arrowwidth": 1.5,
            "arrowcolor": INK,
            "text": "",
            "hovertext": f"{name}: from the pinned baseline to now",
        }
        for name, (x, y, from_x, from_y) in zip(both["name"], places, strict=True)
        if abs(x - from_x) + abs(y - from_y) > UNMOVED
    ]


def _points(operators: pd.DataFrame, bound: str) -> Trace:
    chosen = operators[operators["bound"] == bound]
    area = np.sqrt(chosen["share"]) * LARGEST_MARKER_PX
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"bound by {bound}",
        "x": chosen["intensity"].tolist(),
        "y": chosen["attained"].tolist(),
        "text": chosen["name"].tolist(),
        "marker": {
            "size": np.maximum(6.0, area).tolist(),
            "color": colour(bound),
            "symbol": SYMBOLS[bound],
        },
        "hovertemplate": "%{text}<br>%{x:.3s} FLOP/B, %{y:.3s}FLOP/s<extra></extra>",
    }


def _rings(before: pd.DataFrame) -> Trace:
    """Return where the operators of the baseline lie."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": BASELINE,
        "x": before["intensity"].tolist(),
        "y": before["attained"].tolist(),
        "text": before["name"].tolist(),
        "marker": {"symbol": "circle-open", "size": 9, "color": INK},
        "hovertemplate": BASELINE + ": %{text}<br>%{x:.3s} FLOP/B, %{y:.3s}FLOP/s<extra></extra>",
    }


def roofs(result: Result, reach: list[float]) -> tuple[list[Trace], list[Figure]]:
    """Return the roofs of the stack's unit with their names on them.

    One per rate at the DRAM peak, and the bandwidth that the stack attains.
    """
    soc, stack = result.soc, result.soc.stack(result.stack)
    peak_bytes_per_s = soc.dram.peak_bytes_per_s
    rates: dict[float, str] = {}
    for name, item in soc.units[stack.unit].matrix.rates.items():
        rates[item.value] = f"{rates[item.value]}, {name}" if item.value in rates else name
    lines = [_roof(reach, rate, peak_bytes_per_s, name, GREY) for rate, name in rates.items()]
    names = [_roof_name(rate, f"{name}: {rate / 1e12:g} TFLOP/s") for rate, name in rates.items()]
    fraction = min(stack.bandwidth_fraction.value, soc.units[stack.unit].dram_fraction.value)
    attained = fraction * peak_bytes_per_s
    said = f"attained bandwidth, {attained / 1e9:.0f} GB/s"
    return [*lines, _roof(reach, max(rates), attained, said, ALERT)], names


def _roof_name(flops_per_s: float, text: str) -> Figure:
    """Return the name of a roof, on its right end."""
    place = {"xref": "paper", "xanchor": "right", "yanchor": "bottom"}
    return text_at(1, float(np.log10(flops_per_s)), text, font={"size": 11}, **place)


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
        "showlegend": ink == ALERT,
        "hovertemplate": f"{name}: %{{y:.3s}}FLOP/s<extra></extra>",
    }
