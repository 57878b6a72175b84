"""The charts of a report as data: bars from one value to another, and layers over time.

Colours are Okabe and Ito's, safe for colour-blind readers; a component keeps its colour in every
chart, and every bar and layer carries its name, so colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sim.reports.wording import label, shown, span

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, YELLOW, PINK = "#E69F00", "#F0E442", "#CC79A7"
ALERT, GREY = "#D55E00", "#9AA0A6"
COLOURS: Final = {
    "weights": BLUE,
    "embedding": "#5B9BD5",
    "vision": SKY,
    "vision encode": SKY,
    "kv_cache": GREEN,
    "activations": ORANGE,
    "draft": YELLOW,
    "adapters": PINK,
    "prefill": BLUE,
}
BUDGET_SHOWN: Final = 1.5
"""The budget is drawn where it is at most this many times the peak; else it dwarfs the layers."""

TAIL: Final = 0.05
"""Share of the run for which the residency that ended it is drawn, so that it can be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from one value to another in the unit of its chart, named at its left.

    ``text`` stands at its right: the value with its unit.
    """

    name: str
    start: float
    end: float
    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars over one axis; a dashed line stands at ``mark``, in the unit of the bars.

    Like every chart it has an ``id`` for the page and a sentence ``alt`` for who cannot see it.
    """

    id: str
    title: str
    alt: str
    bars: tuple[Bar, ...]
    mark: float | None = None
    mark_text: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """Bytes of one class that are held from each instant to the next [B]."""

    name: str
    colour: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LayerChart:
    """Layers upon each other over time [s]; a dashed line stands at ``mark`` [B].

    Layer ``i`` lasts from ``at_s[i]`` to ``at_s[i + 1]``, so there is one instant more than values.
    """

    id: str
    title: str
    alt: str
    at_s: tuple[float, ...]
    layers: tuple[Layer, ...]
    top_text: str
    mark: float | None = None
    mark_text: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A pair of positive values: ``x`` as measured, ``y`` as simulated."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """Simulated over measured on equal logarithmic axes, with the line of equality."""

    id: str
    title: str
    alt: str
    points: tuple[Point, ...]
    low_text: str
    high_text: str


Chart = BarChart | LayerChart | ScatterChart
Document = Mapping[str, Any]


def first_token_chart(document: Document) -> BarChart | None:
    """Return the waterfall of the first token; ``None`` where there was none."""
    metrics = document["run"]["metrics"]
    total_s = metrics["time_to_first_token_s"]
    if total_s is None:
        return None
    parts = {
        "waiting": document["waiting_s"],
        "vision encode": metrics["vision_encode_s"],
        "prefill": metrics["prefill_s"],
    }
    bars, start_s = [], 0.0
    for name, seconds in parts.items():
        if seconds:
            end_s, text = start_s + seconds, shown("seconds_s", seconds).text
            bars.append(Bar(name, start_s, end_s, COLOURS.get(name, GREY), text))
            start_s = end_s
    text = shown("seconds_s", total_s).text
    bars.append(Bar("first token", 0.0, total_s, GREY, text))
    target = _ceiling(document, "time_to_first_token_s")
    mark = f"target {shown('seconds_s', target).text}" if target is not None else ""
    alt = f"The first token comes after {text}."
    title = "Where the time to the first token goes"
    return BarChart("first-token", title, alt, tuple(bars), target, mark)


def memory_chart(document: Document) -> LayerChart | None:
    """Return DRAM by class over time; ``None`` where it ended at once."""
    memory = document["memory"]
    timeline, budget_bytes = memory["timeline"], memory["budget_bytes"]
    instants = [item["at_s"] for item in timeline]
    if len(instants) == 1:
        return None
    tail_s = 0.0 if document["run"]["metrics"]["fits"] else TAIL * (instants[-1] - instants[0])
    at_s = (*instants, instants[-1] + tail_s)
    layers = tuple(
        Layer(name, COLOURS.get(name, GREY), _held(timeline, name)) for name in _classes(memory)
    )
    peak = shown("peak_dram_bytes", memory["peak_bytes"]).text
    near = budget_bytes <= BUDGET_SHOWN * memory["peak_bytes"]
    budget = shown("budget_bytes", budget_bytes).text
    return LayerChart(
        id="memory",
        title="DRAM over the run",
        alt=f"DRAM peaks at {peak} during {memory['peak_cause']}; the app budget is {budget}.",
        at_s=at_s,
        layers=layers,
        top_text=peak,
        mark=budget_bytes if near else None,
        mark_text=f"app budget {budget}",
    )


def swing_chart(entry: Document) -> BarChart | None:
    """Return the tornado of one metric; ``None`` where nothing moves it."""
    metric, nominal = entry["metric"], entry["value"]
    bars = []
    for item in entry["swings"]:
        at_low, at_high = item["at_low"], item["at_high"]
        if at_low is not None and at_high is not None:
            low, high = sorted((at_low, at_high))
            bars.append(Bar(item["path"], low, high, ORANGE, span(metric, low, high)))
    if not bars:
        return None
    value = shown(metric, nominal).text
    return BarChart(
        id=f"swings-{metric}",
        title=f"What moves the {label(metric)}",
        alt=f"{bars[0].name} moves the {label(metric)} most: {bars[0].text}, from {value}.",
        bars=tuple(bars),
        mark=nominal,
        mark_text=f"nominal {value}",
    )


def _classes(memory: Document) -> tuple[str, ...]:
    """Return the classes that hold bytes at some instant, those at the peak first."""
    at_peak = [item["name"] for item in memory["classes"]]
    ever = [name for item in memory["timeline"] for name, size in item["bytes"].items() if size]
    return tuple(dict.fromkeys((*at_peak, *ever)))


def _held(timeline: Sequence[Document], name: str) -> tuple[float, ...]:
    return tuple(item["bytes"].get(name, 0.0) for item in timeline)


def _ceiling(document: Document, metric: str) -> float | None:
    """Return the lowest limit that is asked of a metric, or ``None``."""
    asked = [
        item["limit"]
        for item in document["targets"]
        if item["metric"] == metric and item["sign"].startswith("<")
    ]
    return min(asked, default=None)
