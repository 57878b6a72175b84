"""What lies in DRAM over the run, against the app budget."""

from __future__ import annotations

from dashboard.charts.palette import (
    ALERT,
    BASELINE,
    INK,
    Figure,
    Trace,
    colour,
    figure,
    horizontal_line,
    text_at,
    together,
    vertical_line,
)
from dashboard.choices import GIB
from sim.results import Result

ORDER = ("weights", "embedding", "draft", "adapters", "vision", "kv_cache", "activations")
FARTHEST_BUDGET = 2.5
"""A budget further up than this many times the peak would flatten everything: it is named."""


def residency(result: Result, baseline: Result | None = None) -> Figure:
    """Draw the classes of resident bytes as a stacked area, budget and baseline as lines.

    A model that does not even load has no time to draw over: its classes are stacked in one bar.
    """
    if not result.makespan_s:
        return _unloaded(result, baseline)
    areas = [_area(result, name) for name in classes(result)]
    totals = [_total(baseline)] if baseline else []
    return figure(
        [*areas, *totals],
        330,
        xaxis={"title": {"text": "seconds"}},
        yaxis={"title": {"text": "GiB"}, "rangemode": "tozero"},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.3, "x": 0, "traceorder": "normal"},
        **together(_budget(result), _peak(result)),
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


def _unloaded(result: Result, baseline: Result | None) -> Figure:
    rows = [("needed", result), *([(BASELINE, baseline)] if baseline else [])]
    peaks = {name: run.ledger.peak.by_class for name, run in rows}
    held = sorted({name for run in peaks.values() for name in run if run[name]}, key=_place)
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name.replace("kv_cache", "KV cache"),
            "y": list(peaks),
            "x": [run.get(name, 0.0) / GIB for run in peaks.values()],
            "marker": {"color": colour(name)},
            "hovertemplate": f"{name}: %{{x:.3f}} GiB<extra></extra>",
        }
        for name in held
    ]
    budget_gib = result.ledger.budget_bytes / GIB
    return figure(
        bars,
        170 + 50 * len(rows),
        barmode="stack",
        xaxis={"title": {"text": "GiB"}, "rangemode": "tozero"},
        yaxis={"autorange": "reversed"},
        legend={"orientation": "h", "y": -0.6, "x": 0, "traceorder": "normal"},
        **vertical_line(budget_gib, f"app budget {budget_gib:.2f} GiB"),
    )


def _place(component: str) -> int:
    return ORDER.index(component) if component in ORDER else len(ORDER)


def _budget(result: Result) -> Figure:
    """Return the line of the app budget, or where it would lie."""
    peak_bytes, budget_bytes = result.ledger.peak.total_bytes, result.ledger.budget_bytes
    said = f"app budget {budget_bytes / GIB:.2f} GiB"
    if budget_bytes < FARTHEST_BUDGET * peak_bytes:
        return horizontal_line(budget_bytes / GIB, said)
    said = f"▲ {said}, {budget_bytes / peak_bytes:.1f} times the peak"
    place = {"xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "bottom"}
    return {"annotations": [text_at(1, 1, said, font={"color": ALERT}, **place)]}


def _peak(result: Result) -> Figure:
    peak = result.ledger.peak
    arrow = {"showarrow": True, "arrowhead": 2, "ax": 70, "ay": -18}
    said = f"peak {peak.total_bytes / GIB:.2f} GiB"
    return {"annotations": [text_at(peak.at_s, peak.total_bytes / GIB, said, **arrow)]}


def _area(result: Result, component: str) -> Trace:
    timeline = result.ledger.timeline
    held = [item.by_class.get(component, 0.0) / GIB for item in timeline]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": component.replace("kv_cache", "KV cache"),
        "x": _instants(result),
        "y": [*held, held[-1]],
        "stackgroup": "resident",
        "line": {"shape": "hv", "width": 0},
        "fillcolor": colour(component),
        "hovertemplate": "%{y:.3f} GiB",
    }


def _total(baseline: Result) -> Trace:
    held = [item.total_bytes / GIB for item in baseline.ledger.timeline]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{BASELINE}: all classes",
        "x": _instants(baseline),
        "y": [*held, held[-1]],
        "line": {"shape": "hv", "width": 2, "dash": "dash", "color": INK},
        "hovertemplate": "%{y:.3f} GiB",
    }


def _instants(result: Result) -> list[float]:
    timeline = result.ledger.timeline
    return [*(item.at_s for item in timeline), max(result.makespan_s, timeline[-1].at_s)]
