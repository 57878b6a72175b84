"""Measured against simulated: parity with bands, and errors by metric."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from dashboard.charts.palette import (
    BASELINE,
    GREY,
    INK,
    Figure,
    Trace,
    figure,
    vertical_line,
)
from dashboard.comparing import named
from sim.charts.data import ALERT, BLUE, GREEN, ORANGE, PINK, SKY

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLOURS: Final = {
    "prefill_tokens_per_s": BLUE,
    "tokens_per_s": GREEN,
    "time_to_first_token_s": ORANGE,
    "vision_encode_s": PINK,
    "peak_dram_bytes": SKY,
    "power_w": ALERT,
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
SMALLEST_PX: Final = 420
GROUP_PX: Final = 56


def parity(rows: pd.DataFrame, baseline: pd.DataFrame | None = None) -> Figure:
    """Draw simulated over measured on log axes, with the diagonal and bands of 10 and 25 %.

    Rows simulated with the pinned baseline are hollow.
    """
    rows = _scaled(rows)
    values = rows[["measured", "simulated"]].to_numpy()
    ends = [float(values.min()) / 2, float(values.max()) * 2] if len(rows) else [1.0, 10.0]
    lines = [_line(ends, 0.0, "equal", INK)]
    for band in BANDS:
        lines += [_line(ends, sign * band, f"±{band:.0%}", GREY) for sign in (1, -1)]
    points = [_metric(rows, name) for name in _metrics(rows)]
    if baseline is not None:
        points.append(_hollow(_scaled(baseline)))
    return figure(
        [*lines, *points],
        420,
        xaxis={"type": "log", "dtick": 1, "title": {"text": "measured"}},
        yaxis={"type": "log", "dtick": 1, "title": {"text": "simulated"}},
    )


def residuals(rows: pd.DataFrame, kind: str) -> Figure:
    """Draw the signed relative error of every row by a kind of group, such as "phase"."""
    groups = sorted(rows[kind].unique().tolist())
    boxes = [_box(rows[rows["metric"] == name], name, kind) for name in _metrics(rows)]
    return figure(
        boxes,
        max(SMALLEST_PX, 150 + GROUP_PX * len(groups)),
        xaxis={"title": {"text": "error [%], positive: simulation too high"}, "zeroline": False},
        yaxis={"categoryorder": "array", "categoryarray": groups[::-1]},
        boxmode="group" if rows.groupby(kind)["metric"].nunique().max() > 1 else "overlay",
        **vertical_line(0.0, ""),
    )


def _scaled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with bytes in GB, so that they lie near the other metrics."""
    factor = rows["metric"].str.endswith("_bytes").map({True: 1e-9, False: 1.0})
    return rows.assign(measured=rows["measured"] * factor, simulated=rows["simulated"] * factor)


def _box(chosen: pd.DataFrame, name: str, kind: str) -> Trace:
    return {
        "type": "box",
        "orientation": "h",
        "name": named(name),
        "x": (chosen["error"] * 100).tolist(),
        "y": [escape(group) for group in chosen[kind].tolist()],
        "text": _ids(chosen),
        "boxpoints": "all",
        "jitter": 0.4,
        "pointpos": 0,
        "marker": {"color": METRIC_COLOURS.get(name, GREY), "size": 5},
        "line": {"width": 1},
        "hovertemplate": "%{text}: %{x:+.1f} %<extra></extra>",
    }


def _metrics(rows: pd.DataFrame) -> list[str]:
    """Return the metrics of some rows in the order of the page."""
    held = set(rows["metric"])
    return [*(name for name in METRIC_COLOURS if name in held), *sorted(held - set(METRIC_COLOURS))]


def _hollow(rows: pd.DataFrame) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": BASELINE,
        "x": rows["measured"].tolist(),
        "y": rows["simulated"].tolist(),
        "text": _ids(rows),
        "marker": {"size": 10, "color": INK, "symbol": "circle-open"},
        "hovertemplate": BASELINE + ": %{text}<br>simulated %{y:.4g}<extra></extra>",
    }


def _metric(rows: pd.DataFrame, name: str) -> Trace:
    chosen = rows[rows["metric"] == name]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": named(name),
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
