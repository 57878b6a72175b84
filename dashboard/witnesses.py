"""Measured rows beside the present question: how near they are, and how the simulator did on them.

Every validation row that ships is judged once per server, the nearest to the first question first;
the page shows them as they come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from dashboard.jobs import Job
from sim.calibration.shipping import read_residuals
from sim.charts.data import ALERT, BLUE, GREY
from sim.charts.frame import INK, Figure, figure
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.measured import MeasuredRun
from sim.explore.variants import MetricColumns
from sim.reports.evidence import HERE, OTHER_DEVICES, OTHER_STACKS, place_of
from sim.results import Result
from sim.validation.judging import Judged, validate
from sim.wording import label

if TYPE_CHECKING:
    import pandas as pd

CHUNK: Final = 4
"""Rows that are judged in one piece of work."""
PLACES: Final = (HERE, OTHER_STACKS, OTHER_DEVICES)
MOST_NEAR: Final = 24

Piece = tuple[Judged, ...]

_LOCK = Lock()
_JOB: list[Job[Piece]] = []


def judging(result: Result) -> Job[Piece]:
    """Return the job that judges every row, begun by the first who asks."""
    with _LOCK:
        if not _JOB:
            runs = sorted(
                runs_in_role(load_exhibits(), "validation"),
                key=lambda run: _apart(run, result.soc.id, result.stack),
            )
            _JOB.append(Job(_pieces(runs), -(-len(runs) // CHUNK)))
        return _JOB[0]


def rows(found: Job[Piece]) -> list[Judged]:
    """Return the rows that are judged so far."""
    return [row for piece in found.pieces for row in piece]


def nearest(judged: Sequence[Judged], result: Result, metric: str) -> list[Judged]:
    """Return the rows of a metric, the nearest first: same silicon, same runtime, then by bytes."""
    own = result.soc.id, result.stack
    chosen = [row for row in judged if row.metric == metric]
    return sorted(
        chosen, key=lambda row: (_apart(row.run, *own), _bytes_apart(row, result))
    )[:MOST_NEAR]  # fmt: skip


def readable(near: Sequence[Judged], result: Result) -> pd.DataFrame:
    """Return the rows as a table: where, what, measured, simulated, error, and how far away."""
    import pandas as pd

    return pd.DataFrame(
        {
            "where": place_of(row, result.soc.id, result.stack),
            "row": row.run.id,
            "device": row.device,
            "stack": row.stack,
            "model": row.run.model,
            "weights": row.run.weights,
            "measured": row.measured,
            "simulated": row.simulated,
            "error": row.error,
            "inside 80 %": None
            if row.interval is None
            else row.interval[0] <= row.measured <= row.interval[1],
            "source": row.run.source_url or None,
        }
        for row in near
    )


def beside(
    near: Sequence[Judged], result: Result, metric: str, drawn: MetricColumns | None
) -> Figure:
    """Draw near rows in order, measured over the simulated range, and the present prediction."""
    import numpy as np

    names = [f"{row.run.model}, {row.device}, {row.stack} · {index + 1}"
             for index, row in enumerate(near)]  # fmt: skip
    ends = [row.interval or (row.simulated, row.simulated) for row in near]
    value = result.metrics().get(metric)
    here = f"this question: {result.program.model}"
    inks = [_INKS.get(place_of(row, result.soc.id, result.stack), GREY) for row in near]
    simulated = {
        "type": "scatter",
        "mode": "markers",
        "name": "simulated, 80 % range",
        "x": [row.simulated for row in near],
        "y": names,
        "marker": {"symbol": "line-ns-open", "size": 13, "color": INK},
        "error_x": {
            "type": "data",
            "array": [high - row.simulated for row, (_, high) in zip(near, ends, strict=True)],
            "arrayminus": [row.simulated - low for row, (low, _) in zip(near, ends, strict=True)],
            "thickness": 7,
            "width": 0,
            "color": "rgba(0,114,178,.3)",
        },
        "hovertemplate": "simulated %{x:.4~g}<extra></extra>",
    }
    measured = {
        "type": "scatter",
        "mode": "markers",
        "name": "measured",
        "x": [row.measured for row in near],
        "y": names,
        "marker": {"size": 11, "color": inks},
        "hovertemplate": "measured %{x:.4~g}<extra></extra>",
    }
    traces = [simulated, measured]
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
        xaxis={"type": "log", "title": {"text": label(metric)}},
        yaxis={"categoryorder": "array", "categoryarray": [here, *names], "autorange": "reversed"},
    )


_INKS: Final = {HERE: "#009E73", OTHER_STACKS: BLUE, OTHER_DEVICES: "#56B4E9"}


def coverage(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return errors and the share inside the 80 % range, by metric and stack."""
    from sim.validation.judging import Validation

    return [
        {
            "metric": label(metric),
            "stack": stack,
            "rows": score.n,
            "mean error [%]": 100.0 * score.mape,
            "bias [%]": 100.0 * score.bias,
            "inside 80 % [%]": None
            if score.inside_interval is None
            else 100.0 * score.inside_interval,
        }
        for (metric, stack), score in Validation(tuple(judged), ()).by_group("stack").items()
    ]


def wanted(result: Result, status: str, widest: str, moves_s: float) -> str:
    """Return the one measurement that would help most."""
    what = {
        "unvalidated": "a first token and a decode rate",
        "partly": "a first token and a decode rate",
        "validated": "a decode rate at a long context",
    }[status]
    return (
        f"Measure {what} on **{result.soc.name}** under **{result.stack}**, with any model: the "
        f"widest number behind this answer is `{widest}`, which moves the whole reply by "
        f"{moves_s:.2f} s between its low and its high value."
    )


def _pieces(runs: Sequence[MeasuredRun]) -> Iterator[Piece]:
    residuals = read_residuals()
    for at in range(0, len(runs), CHUNK):
        yield validate(runs[at : at + CHUNK], None, residuals).rows


def _apart(run: MeasuredRun, device: str, stack: str) -> int:
    """Return how far a row's device and stack are from others: 0 is the same."""
    return (run.device != device) * 2 + (run.stack != stack) * (1 if run.device == device else 2)


def _bytes_apart(row: Judged, result: Result) -> float:
    """Return how far the row's rate is from this one's, a stand-in for bytes per token [log]."""
    value = result.metrics().get(row.metric)
    return abs(math.log(row.simulated / value)) if value else 0.0
