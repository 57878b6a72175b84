"""Charts of an answer as data, computed once for every page (`sim.charts.shapes`).

A chart may hold the same of a pinned baseline, as ``before``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sim.breakdown import Term
from sim.charts.shapes import (
    DARK,
    Bar,
    BarChart,
    Layer,
    LayerChart,
    Point,
    ScatterChart,
    Swing,
    SwingChart,
    colour,
)
from sim.wording import held_name, label, shown, span

CLASSES: Final = (
    *("weights", "embedding", "draft", "adapters", "vision", "kv_cache", "activations"),
)
"""Classes of DRAM from bottom to top: those that never change lie lowest."""
FARTHEST_BUDGET: Final = 2.5
"""A budget further up than this many times the peak would flatten everything: it is named only."""
FARTHEST_TARGET: Final = 3.0
"""So for a target that is further away than this many times the first token."""
TAIL: Final = 0.05
"""Share of the run for which the residency that ended it is drawn, so that it can be seen."""
SMALLEST_SHARE: Final = 0.005
"""Terms of decode below this share of a step are left out."""
FIRST_TOKEN: Final = "first token"
TOKEN, STEP = "output token", "step"
"""What decode is counted by."""


Metrics = Mapping[str, Any]
Instant = tuple[float, Mapping[str, float]]
"""An instant [s], and the bytes that each class holds from then on [B]."""


def first_token_chart(
    metrics: Metrics, target_s: float | None = None, before: Metrics | None = None
) -> BarChart | None:
    """Return the waterfall of the first token; ``None`` where there was none.

    What is neither vision encode nor prefill is waiting: other turns ran, or adapters were loaded.
    """
    total_s = metrics["time_to_first_token_s"]
    if total_s is None:
        return None
    is_near = target_s is not None and target_s < FARTHEST_TARGET * total_s
    said = shown("seconds_s", total_s).text
    then_s = before["time_to_first_token_s"] if before else None
    then = f"; of the pinned baseline after {shown('seconds_s', then_s).text}" if then_s else ""
    return BarChart(
        id="first-token",
        title="Where the time to the first token goes",
        alt=f"The first token comes after {said}{then}.",
        bars=_until_first_token(metrics),
        mark=target_s if is_near else None,
        mark_text=f"target {shown('seconds_s', target_s).text}" if is_near else "",
        unit="seconds",
        before=_until_first_token(before) if before and then_s else (),
    )


def _until_first_token(metrics: Metrics) -> tuple[Bar, ...]:
    """Return the phases up to the first token, each beginning where the one before ends."""
    total_s = metrics["time_to_first_token_s"]
    vision_s, prefill_s = metrics["vision_encode_s"] or 0.0, metrics["prefill_s"] or 0.0
    parts = {
        "waiting": total_s - vision_s - prefill_s,
        "vision encode": vision_s,
        "prefill": prefill_s,
    }
    bars, start_s = [], 0.0
    for name, seconds in parts.items():
        if seconds > SMALLEST_SHARE * total_s:
            end_s, text = start_s + seconds, shown("seconds_s", seconds).text
            bars.append(Bar(name, start_s, end_s, colour(name), text))
            start_s = end_s
    return (*bars, Bar(FIRST_TOKEN, 0.0, total_s, DARK, shown("seconds_s", total_s).text))


def decode_chart(
    terms: Sequence[Term],
    count: float,
    before: tuple[Sequence[Term], float] | None = None,
    per: str = TOKEN,
) -> BarChart:
    """Return what bounds decode, per output token or per step, of which there were ``count``.

    Steps that commit several tokens are no measure of each other; tokens are. ``before`` holds
    terms and count of the baseline.
    """
    alt = "No decode step ran."
    if terms:
        alt = f"Decode is bound by {terms[0].name}: {terms[0].share:.0%} of each {per}."
    return BarChart(
        id="decode",
        title="What bounds decode",
        alt=alt,
        bars=_each(terms, count),
        unit=f"milliseconds per {per}",
        before=_each(*before) if before else (),
    )


def _each(terms: Sequence[Term], count: float) -> tuple[Bar, ...]:
    shares = ((term, term.seconds / count * 1e3) for term in terms if term.share >= SMALLEST_SHARE)
    return tuple(
        Bar(
            *(term.name, 0.0, each_ms, colour(term.name.removeprefix("DRAM: "))),
            text=f"{each_ms:.1f} ms, {term.share:.0%}",
        )
        for term, each_ms in shares
    )


def memory_chart(
    timeline: Sequence[Instant],
    budget_bytes: float,
    end_s: float,
    *,
    cause: str = "",
    fits: bool = True,
    before: LayerChart | None = None,
) -> LayerChart:
    """Return DRAM by class over time against the app budget, until ``end_s``."""
    instants = [at_s for at_s, _ in timeline]
    tail_s = 0.0 if fits else TAIL * (instants[-1] - instants[0])
    held = {name for _, by_class in timeline for name, size in by_class.items() if size}
    names = [*(name for name in CLASSES if name in held), *sorted(held - set(CLASSES))]
    peak_at_s, at_peak = max(timeline, key=lambda item: sum(item[1].values()))
    peak_bytes = sum(at_peak.values())
    peak, budget = (shown("peak_dram_bytes", size).text for size in (peak_bytes, budget_bytes))
    is_near = budget_bytes < FARTHEST_BUDGET * peak_bytes
    far = "" if is_near else f", {budget_bytes / peak_bytes:.1f} times the peak"
    during = f"during {cause}" if cause else f"after {peak_at_s:.2f} s"
    place = "over" if peak_bytes > budget_bytes else "within"
    return LayerChart(
        id="memory",
        title="DRAM over the run",
        alt=f"DRAM peaks at {peak} {during}, {place} the app budget of {budget}.",
        at_s=(*instants, max(end_s, instants[-1] + tail_s)),
        layers=tuple(
            Layer(
                held_name(name),
                colour(name),
                tuple(by_class.get(name, 0.0) for _, by_class in timeline),
            )
            for name in names
        ),
        top_text=peak,
        mark=budget_bytes if is_near else None,
        mark_text=f"app budget {budget}{far}",
        before=before,
    )


def swing_chart(
    metric: str,
    nominal: float,
    swings: Iterable[Mapping[str, Any]],
    *,
    unit: str = "",
    before: float | None = None,
) -> SwingChart | None:
    """Return the tornado of one metric; ``None`` where nothing moves it.

    ``swings`` are those of a report's document: the metric at the low and at the high value of a
    number, ``at_low`` and ``at_high``, and these values as text, ``low`` and ``high``.
    """
    found = tuple(
        Swing(
            *(item["path"], item["at_low"], item["at_high"], item["low"], item["high"]),
            text=span(metric, *sorted((item["at_low"], item["at_high"]))),
        )
        for item in swings
        if item["at_low"] is not None and item["at_high"] is not None
    )
    if not found:
        return None
    value = shown(metric, nominal).text
    return SwingChart(
        id=f"swings-{metric}",
        title=f"What moves the {label(metric)}",
        alt=f"{found[0].name} moves the {label(metric)} most: {found[0].text}, from {value}.",
        swings=found,
        nominal=nominal,
        nominal_text=f"nominal {value}",
        unit=unit or label(metric),
        before=before,
    )


def parity_chart(
    rows: Iterable[Mapping[str, Any]],
    title: str = "Simulated against measured",
    alt: str = "",
    before: Iterable[Mapping[str, Any]] = (),
    fewest: int = 1,
) -> ScatterChart | None:
    """Return simulated over measured of rows of a validation; ``None`` below so many points.

    Rows are those of ``validation.json``. Values that are not positive have no place on the axes.
    """
    points = _pairs(rows)
    if len(points) < fewest:
        return None
    metrics = {point.group for point in points}
    ends = [value for point in points for value in (point.x, point.y)]
    low, high = (
        shown(min(metrics), end).text if len(metrics) == 1 else "" for end in (min(ends), max(ends))
    )
    return ScatterChart(
        id="parity" if len(metrics) > 1 else f"parity-{min(metrics)}",
        title=title,
        alt=alt or f"{len(points)} rows.",
        points=points,
        low_text=low,
        high_text=high,
        before=_pairs(before),
    )


def _pairs(rows: Iterable[Mapping[str, Any]]) -> tuple[Point, ...]:
    return tuple(
        Point(
            *(str(row["id"]), row["measured"], row["simulated"], row["metric"]),
            interval=(row["interval"][0], row["interval"][1]) if row.get("interval") else None,
        )
        for row in rows
        if row["measured"] > 0.0 and row["simulated"] > 0.0
    )
