"""Charts as SVG text: no script, no font, no network, and the same bytes each time.

Not drawn: axes with ticks. Every bar carries its value as text, every layer its name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from sim.charts.shapes import (
    ALERT,
    BLUE,
    ORANGE,
    Bar,
    BarChart,
    Chart,
    Layer,
    LayerChart,
    ScatterChart,
    SwingChart,
)

# All lengths are in units of the view box, which is WIDTH wide; y counts downwards.
WIDTH: Final = 720
LEFT: Final = 120
"""Least room for the names of bars, which stand at their left."""
BARS: Final = 180
"""Least room for bars; longer names lose their beginning."""
APART: Final = 8
"""Between a bar and what is written beside it."""
ROW: Final = 26
HEAD: Final = 30
HEIGHT: Final = 180
"""Of the layers, HEAD included."""
LEGEND: Final = 20
"""Height of a line of the legend."""
KEY: Final = 118
"""Width of one name in the legend."""
KEYS: Final = WIDTH // KEY
CHARACTER: Final = 7.0
SIDE: Final = 300
"""Of the square that holds points."""


def svg(chart: Chart) -> str:
    """Return a chart as one ``svg`` element with a title and a description."""
    match chart:
        case BarChart():
            drawn, height = _bars(chart)
        case LayerChart():
            drawn, height = _layers(chart)
        case SwingChart():
            drawn, height = _bars(_ranges(chart), is_zoomed=True)
        case ScatterChart():
            drawn, height = _scatter(chart)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {height}" '
        f'aria-labelledby="{chart.id}-title {chart.id}-alt">'
        f'<title id="{chart.id}-title">{escape(chart.title)}</title>'
        f'<desc id="{chart.id}-alt">{escape(chart.alt)}</desc>{drawn}</svg>'
    )


def _bars(chart: BarChart, is_zoomed: bool = False) -> tuple[str, int]:
    """Draw bars from zero, or between the least and the largest value alone."""
    reach = [value for bar in chart.bars for value in (bar.start, bar.end)]
    reach += [chart.mark] if chart.mark is not None else []
    low, high = min([*reach] if is_zoomed else [0.0, *reach]), max(reach)
    left, right = _room(chart.bars)
    scale = (right - left) / ((high - low) or 1.0)
    height = HEAD + ROW * len(chart.bars) + 4
    parts = [
        part
        for row, bar in enumerate(chart.bars)
        for part in _bar(bar, HEAD + ROW * row, left, right, (low, scale))
    ]
    if chart.mark is not None:
        x = left + (chart.mark - low) * scale
        half = CHARACTER * len(chart.mark_text) / 2
        at = min(max(x, half), WIDTH - half)
        parts += [_dashed(x, x, HEAD - 6, height - 4), _text(at, HEAD - 11, chart.mark_text, ALERT)]
    return "".join(parts), height


def _room(bars: Sequence[Bar]) -> tuple[float, float]:
    """Return where bars begin and end, so that names and texts beside them fit."""
    names = max((len(bar.name) for bar in bars), default=0) * CHARACTER + APART
    texts = max((len(bar.text) for bar in bars), default=0) * CHARACTER + APART
    right = WIDTH - texts
    return min(max(LEFT, names), right - BARS), right


def _ranges(chart: SwingChart) -> BarChart:
    """Return a tornado as bars from the lower to the higher end of each swing."""
    bars = tuple(
        Bar(
            one.name,
            min(one.at_low, one.at_high),
            max(one.at_low, one.at_high),
            ORANGE,
            one.text,
        )
        for one in chart.swings
    )
    return BarChart(chart.id, chart.title, chart.alt, bars, chart.nominal, chart.nominal_text)


def _bar(bar: Bar, top: int, left: float, right: float, axis: tuple[float, float]) -> Iterator[str]:
    """Draw a row: name, bar, text; ``axis`` is the value at ``left`` and the length per value."""
    low, scale = axis
    start, end = (left + (value - low) * scale for value in (bar.start, bar.end))
    middle = top + ROW / 2 + 4
    yield _text(left - APART, middle, _fitting(bar.name, left - APART), anchor="end")
    yield _box(start, top + 4, max(1.0, end - start), ROW - 8, bar.colour)
    yield _text(right + APART, middle, bar.text, anchor="start")


def _fitting(name: str, width: float) -> str:
    """Return a name that fits; of one too long its end, which says most of a dotted path."""
    most = int(width / CHARACTER)
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _layers(chart: LayerChart) -> tuple[str, int]:
    """Draw layers upon each other; steps too short to see still have a pixel."""
    totals = chart.totals
    top = max(*totals, chart.mark or 0.0)
    scale = (HEIGHT - HEAD) / (top or 1.0)
    xs = _places(chart.at_s)
    under = [0.0] * len(totals)
    parts = []
    for layer in chart.layers:
        over = [a + b for a, b in zip(under, layer.values, strict=True)]
        parts.append(_area(xs, under, over, scale, layer.colour))
        under = over
    if chart.mark is not None:
        y = HEIGHT - chart.mark * scale
        behind = _box(0, y - 18, CHARACTER * len(chart.mark_text), 16, "#fff")
        text = _text(4, y - 5, chart.mark_text, ALERT, "start")
        parts += [_dashed(0, WIDTH, y, y), behind, text]
    peak = totals.index(max(totals))
    at = min(max((xs[peak] + xs[peak + 1]) / 2, 60), WIDTH - 60)
    parts.append(_text(at, HEIGHT - totals[peak] * scale - 5, f"peak {chart.top_text}"))
    parts += [_text(0, HEIGHT + 15, f"{chart.at_s[0]:.2f} s", anchor="start")]
    parts += [_text(WIDTH, HEIGHT + 15, f"{chart.at_s[-2]:.2f} s", anchor="end")]
    lines = math.ceil(len(chart.layers) / KEYS)
    return "".join([*parts, *_legend(chart.layers)]), HEIGHT + (1 + lines) * LEGEND + 8


def _places(at_s: Sequence[float]) -> list[float]:
    """Return where instants lie, the first at the left edge, the last at the right one."""
    span_s = (at_s[-1] - at_s[0]) or 1.0
    return [WIDTH * (instant - at_s[0]) / span_s for instant in at_s]


def _area(
    xs: Sequence[float], under: Sequence[float], over: Sequence[float], scale: float, colour: str
) -> str:
    """Draw a layer between two stairs of values; step ``i`` lasts from ``xs[i]`` to the next."""
    steps = range(len(over))
    upper = [(xs[i + side], HEIGHT - over[i] * scale) for i in steps for side in (0, 1)]
    lower = [(xs[i + side], HEIGHT - under[i] * scale) for i in steps for side in (0, 1)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
    return f'<polygon points="{points}" fill="{colour}"/>'


def _legend(layers: Iterable[Layer]) -> Iterator[str]:
    """Draw the names of the layers, as many side by side as the width holds."""
    for index, layer in enumerate(layers):
        line, place = divmod(index, KEYS)
        left, top = place * KEY, HEIGHT + (1 + line) * LEGEND + 6
        yield _box(left, top, 11, 11, layer.colour)
        yield _text(left + 16, top + 10, layer.name, anchor="start")


def _scatter(chart: ScatterChart) -> tuple[str, int]:
    """Draw points in a square in the middle; both axes span the same values."""
    values = [value for point in chart.points for value in (point.x, point.y)]
    low, span = math.log(min(values)), math.log(max(values) / min(values)) or 1.0
    left, top = (WIDTH - SIDE) / 2, 10.0

    def place(x: float, y: float) -> tuple[float, float]:
        right, up = ((math.log(value) - low) / span * SIDE for value in (x, y))
        return left + right, top + SIDE - up

    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{BLUE}" fill-opacity="0.6"/>'
        for x, y in (place(point.x, point.y) for point in chart.points)
    )
    bottom = top + SIDE + 16
    texts = (
        _text(left, bottom, chart.low_text, anchor="start"),
        _text(left + SIDE / 2, bottom, "measured"),
        _text(left + SIDE, bottom, chart.high_text, anchor="end"),
        _text(left - 8, top + SIDE / 2, "simulated", anchor="end"),
        _text(left + 8, top + 14, "dashed: simulated = measured", ALERT, "start"),
    )
    frame = f'<path d="M{left:.1f} {top:.1f}v{SIDE}h{SIDE}" fill="none" stroke="#59636e"/>'
    equal = _dashed(left, left + SIDE, top + SIDE, top)
    return "".join([frame, equal, dots, *texts]), SIDE + 32


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
    )


def _dashed(x1: float, x2: float, y1: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{ALERT}" '
        'stroke-width="1.5" stroke-dasharray="5 3"/>'
    )


def _text(x: float, y: float, text: str, colour: str = "#1f2328", anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12.5" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
