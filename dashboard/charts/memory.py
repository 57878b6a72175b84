"""What lies in DRAM over the run, against the app budget."""

from __future__ import annotations

from dashboard.charts.palette import Figure, Trace, colour, figure, horizontal_line
from dashboard.choices import GIB
from sim.results import Result

ORDER = ("weights", "embedding", "draft", "adapters", "vision", "kv_cache", "activations")
FARTHEST_BUDGET = 2.5
"""A budget further up than this many times the peak would flatten everything: it is left out."""


def residency(result: Result) -> Figure:
    """Draw the classes of resident bytes as a stacked area, the budget as a line."""
    peak, budget_bytes = result.ledger.peak, result.ledger.budget_bytes
    marks: Figure = {"annotations": []}
    if budget_bytes < FARTHEST_BUDGET * peak.total_bytes:
        marks = horizontal_line(budget_bytes / GIB, f"app budget {budget_bytes / GIB:.2f} GiB")
    marks["annotations"].append(
        {
            "x": peak.at_s,
            "y": peak.total_bytes / GIB,
            "text": f"peak {peak.total_bytes / GIB:.2f} GiB",
            "arrowhead": 2,
            "ax": 70,
            "ay": -18,
            "bgcolor": "white",
        }
    )
    return figure(
        [_area(result, name) for name in classes(result)],
        300,
        xaxis={"title": {"text": "seconds"}},
        yaxis={"title": {"text": "GiB"}, "rangemode": "tozero"},
        hovermode="x unified",
        **marks,
    )


def classes(result: Result) -> list[str]:
    """Return the classes that hold anything, those that never change at the bottom."""
    held = {name for item in result.ledger.timeline for name, size in item.by_class.items() if size}
    return [name for name in ORDER if name in held] + sorted(held - set(ORDER))


def takeaway(result: Result) -> str:
    """Return what the chart says, for people who cannot see it."""
    peak, budget_bytes = result.ledger.peak, result.ledger.budget_bytes
    place = "over" if peak.total_bytes > budget_bytes else "within"
    return (
        f"DRAM peaks at {peak.total_bytes / GIB:.2f} GiB after {peak.at_s:.2f} s, {place} the "
        f"budget of {budget_bytes / GIB:.2f} GiB."
    )


def _area(result: Result, component: str) -> Trace:
    timeline = result.ledger.timeline
    held = [item.by_class.get(component, 0.0) / GIB for item in timeline]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": component.replace("kv_cache", "KV cache"),
        "x": [*(item.at_s for item in timeline), max(result.makespan_s, timeline[-1].at_s)],
        "y": [*held, held[-1]],
        "stackgroup": "resident",
        "line": {"shape": "hv", "width": 0},
        "fillcolor": colour(component),
        "hovertemplate": "%{y:.3f} GiB",
    }
