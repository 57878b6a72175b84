"""Measured rows beside the present question: how near they are, and how the simulator did on them.

The rows ship judged (`sim.evidence.nearest`), so the page has them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sim.charts.frame import INK, Figure, figure
from sim.charts.shapes import ALERT, BLUE, GREY
from sim.evidence.nearest import HERE, OTHER_DEVICES, OTHER_STACKS, JudgedRow, Near
from sim.explore.next_measurement import Worth
from sim.explore.variants import MetricColumns
from sim.metrics import METRICS
from sim.results import Result
from sim.validation.judging import scores
from sim.wording import label

if TYPE_CHECKING:
    import pandas as pd

MOST_NEAR: Final = 24
MOST_WORTH: Final = 8


def readable(near: Sequence[Near]) -> pd.DataFrame:
    """Return the rows as a table: where, what, measured, simulated, error, and how far away."""
    import pandas as pd

    return pd.DataFrame(
        {
            "where": item.place,
            "row": item.row.id,
            "device": item.row.device,
            "stack": item.row.stack,
            "model": item.row.model,
            "weights": item.row.weights,
            "measured": item.row.measured,
            "simulated": item.row.simulated,
            "error": item.row.error,
            "inside 80 %": item.row.is_inside if item.row.low < item.row.high else None,
            "times apart": item.times_apart,
            "judged": "blind" if item.row.role == "validation" else "left out of the fit",
            "source": item.row.source or None,
        }
        for item in near
    )


def beside(
    near: Sequence[Near], result: Result, metric: str, drawn: MetricColumns | None
) -> Figure:
    """Draw near rows in order, measured over the simulated range, and the present prediction."""
    import numpy as np

    rows = [item.row for item in near]
    names = [f"{row.model} · {index + 1}" for index, row in enumerate(rows)]
    told = [f"{row.device}, {row.stack}, {row.weights}" for row in rows]
    value = result.metrics().get(metric)
    here = f"this question: {result.program.model}"
    inks = [_INKS.get(item.place, GREY) for item in near]
    ranges = {
        "type": "data",
        "array": [row.high - row.simulated for row in rows],
        "arrayminus": [row.simulated - row.low for row in rows],
        "thickness": 7,
        "width": 0,
        "color": "rgba(0,114,178,.45)",
    }
    line = {"symbol": "line-ns-open", "size": 13, "color": INK}
    simulated = _marks("simulated, 80 % range", [row.simulated for row in rows], names, told, line)
    signs = [_SIGNS.get(item.place, "x") for item in near]
    dots = {"size": 11, "color": inks, "symbol": signs}
    measured = _marks("measured", [row.measured for row in rows], names, told, dots)
    traces = [simulated | {"error_x": ranges}, measured]
    if value:
        span = [value, value]
        if drawn and metric in drawn and np.isfinite(drawn[metric]).all():
            span = np.percentile(drawn[metric], [10.0, 90.0]).tolist()
        bars = {"type": "data", "array": [span[1] - value], "arrayminus": [value - span[0]]}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "this question",
                "x": [value],
                "y": [here],
                "marker": {"symbol": "star", "size": 16, "color": ALERT},
                "error_x": bars | {"color": ALERT, "thickness": 2},
                "hovertemplate": "this question: %{x:.4~g}<extra></extra>",
            }
        )
    return figure(
        traces,
        150 + 24 * (len(near) + 1),
        xaxis={
            "type": "log",
            "title": {"text": _titled(metric)},
            "tickvals": TICKS,
            "ticktext": [f"{tick:g}" for tick in TICKS],
        },
        yaxis={"categoryorder": "array", "categoryarray": [here, *names], "autorange": "reversed"},
    )


def _titled(metric: str) -> str:
    """Return what stands at an axis: the metric with its unit."""
    unit = METRICS[metric].unit if metric in METRICS else ""
    return f"{label(metric)} [{unit}]" if unit else label(metric)


TICKS: Final = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
_SIGNS: Final = {HERE: "circle", OTHER_STACKS: "square", OTHER_DEVICES: "diamond"}
_INKS: Final = {HERE: "#009E73", OTHER_STACKS: BLUE, OTHER_DEVICES: "#56B4E9"}


def _marks(
    name: str, x: list[float], y: list[str], told: list[str], marker: dict[str, Any]
) -> dict[str, Any]:
    """Return one mark a row; hovering tells the value and where it was measured."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "marker": marker,
        "customdata": told,
        "hovertemplate": f"{name.partition(',')[0]} %{{x:.4~g}}: %{{customdata}}<extra></extra>",
    }


def coverage(judged: Iterable[JudgedRow]) -> list[dict[str, Any]]:
    """Return errors and the share inside the 80 % range, by metric and stack."""
    groups: dict[tuple[str, str], list[JudgedRow]] = {}
    for row in judged:
        groups.setdefault((row.metric, row.stack), []).append(row)
    return [
        {
            "metric": label(metric),
            "stack": stack,
            "rows": found.n,
            "mean error [%]": 100.0 * found.mape,
            "bias [%]": 100.0 * found.bias,
            "inside 80 % [%]": None
            if found.inside_interval is None
            else 100.0 * found.inside_interval,
        }
        for (metric, stack), rows in sorted(groups.items())
        for found in (scores(rows),)
    ]


def widest_sentence(widest: str, moves_s: float) -> str:
    """Return which number of the device the answer hangs on most."""
    return (
        f"The widest number behind this answer is `{widest}`: between its low and its high value "
        f"it moves the whole reply by {moves_s:.2f} s."
    )


def worth_table(found: Sequence[Worth]) -> pd.DataFrame:
    """Return what could be measured, with the share of each asked variance that it removes."""
    import pandas as pd

    return pd.DataFrame(
        {"measure": item.what, "number": label(item.metric)}
        | {f"removes of {label(name)}": part for name, part in item.shares.items()}
        for item in found[:MOST_WORTH]
    )
