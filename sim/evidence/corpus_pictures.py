"""Pictures of the corpus as SVG: points on two logarithmic axes, and counts in a grid.

Plain published data, before any model of ours; rows that judge are counted but not drawn. The same
table gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

import pandas as pd

COLOURS: Final = (
    *("#0F5EA8", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#6B5B95", "#8A8A00", "#333333", "#8C564B"),
)
WIDTH: Final = 720
SIDE: Final = 400
"""Height of the field of points; it is WIDTH less the margins wide."""
LEFT: Final = 70
TOP: Final = 34
KEYS: Final = 3
"""Names in one line of the legend."""
CELL: Final = 24

Span = tuple[float, float]
Place = Callable[[float, float], tuple[float, float]]


class Axis(NamedTuple):
    """One axis: the column, its name with its unit."""

    column: str
    text: str


class Line(NamedTuple):
    """Points with ``y = x / rate``; ``text`` names them."""

    rate: float
    text: str


def scatter(
    table: pd.DataFrame, x: Axis, y: Axis, group: str, title: str, lines: Sequence[Line] = ()
) -> str:
    """Return points of a table on logarithmic axes, coloured by their commonest groups."""
    shown = table[(table[x.column] > 0.0) & (table[y.column] > 0.0)]
    names = list(shown[group].value_counts().index[: len(COLOURS)])
    shown = shown[shown[group].isin(names)]
    spans = [_span(shown[axis.column]) for axis in (x, y)]
    right = WIDTH - 20

    def place(across: float, up: float) -> tuple[float, float]:
        (x0, x1), (y0, y1) = spans
        return (
            LEFT + (math.log10(across) - x0) / (x1 - x0) * (right - LEFT),
            TOP + SIDE - (math.log10(up) - y0) / (y1 - y0) * SIDE,
        )

    points = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{COLOURS[names.index(name)]}" '
        'fill-opacity="0.55"/>'
        for (a, b), name in (
            (place(across, up), name)
            for across, up, name in shown[[x.column, y.column, group]].itertuples(index=False)
        )
    )
    rows = math.ceil(len(names) / KEYS)
    height = TOP + SIDE + 52 + 18 * rows
    drawn = [
        f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{SIDE}" fill="none" '
        'stroke="#59636e"/>',
        *_ticks(spans, place, right),
        *_lines(lines, spans, place),
        points,
        _text(WIDTH / 2, TOP + SIDE + 34, x.text),
        _text(LEFT - 56, TOP - 12, y.text, "start"),
        *_legend(names, TOP + SIDE + 56),
    ]
    return _svg(title, f"{len(shown)} rows of {len(names)} groups", height, drawn)


def grid(counts: pd.DataFrame, depth: pd.DataFrame, title: str) -> str:
    """Return counts as a grid; a cell is the darker, the more size classes ``depth`` it holds."""
    left, top = 190, 150
    drawn: list[str] = []
    for column, name in enumerate(counts.columns):
        across = left + column * CELL + CELL / 2
        drawn.append(
            f'<text transform="translate({across + 4:.0f} {top - 6}) rotate(-60)" '
            f'font-size="11" fill="#1f2328">{escape(str(name))}</text>'
        )
    for row, name in enumerate(counts.index):
        down = top + row * CELL
        drawn.append(_text(left - 8, down + CELL - 8, str(name), "end"))
        for column in range(len(counts.columns)):
            count, sizes = (int(t.to_numpy()[row, column]) for t in (counts, depth))
            if count:
                across = left + column * CELL
                drawn.append(
                    f'<rect x="{across}" y="{down}" width="{CELL - 2}" height="{CELL - 2}" '
                    f'fill="#0F5EA8" fill-opacity="{0.12 + 0.16 * sizes:.2f}"/>'
                )
                drawn.append(_text(across + CELL / 2 - 1, down + CELL - 9, str(count), size=9))
    width = left + CELL * len(counts.columns) + 60
    height = top + CELL * len(counts.index) + 10
    return _svg(title, "rows of each device and stack", height, drawn, width)


def _span(values: pd.Series) -> tuple[float, float]:
    low, high = math.log10(values.min()), math.log10(values.max())
    return low - 0.05 * (high - low) - 0.01, high + 0.05 * (high - low) + 0.01


def _ticks(spans: Sequence[Span], place: Place, right: int) -> Iterator[str]:
    (x0, x1), (y0, y1) = spans
    for power in range(math.ceil(x0), math.floor(x1) + 1):
        across, _ = place(10.0**power, 10.0**y0)
        yield f'<path d="M{across:.1f} {TOP}v{SIDE}" stroke="#d0d7de"/>'
        yield _text(across, TOP + SIDE + 16, f"1e{power}")
    for power in range(math.ceil(y0), math.floor(y1) + 1):
        _, down = place(10.0**x0, 10.0**power)
        yield f'<path d="M{LEFT} {down:.1f}H{right}" stroke="#d0d7de"/>'
        yield _text(LEFT - 6, down + 4, f"1e{power}", "end")


def _lines(lines: Sequence[Line], spans: Sequence[Span], place: Place) -> Iterator[str]:
    (x0, x1), (y0, y1) = spans
    for line in lines:
        low = max(x0, y0 + math.log10(line.rate))
        high = min(x1, y1 + math.log10(line.rate))
        if low < high:
            ends = [place(10.0**power, 10.0**power / line.rate) for power in (low, high)]
            (a, b), (c, d) = ends
            yield (
                f'<path d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" stroke="#B42318" '
                'stroke-dasharray="5 3" fill="none"/>'
            )
            yield _text(c - 4, d + 14, line.text, "end", 10)


def _legend(names: Sequence[str], top: float) -> Iterator[str]:
    for number, name in enumerate(names):
        across = LEFT + number % KEYS * (WIDTH - LEFT) / KEYS
        down = top + number // KEYS * 18
        yield f'<circle cx="{across:.0f}" cy="{down - 4:.0f}" r="5" fill="{COLOURS[number]}"/>'
        yield _text(across + 10, down, name, "start")


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="#1f2328">{escape(text)}</text>'
    )


def _svg(title: str, alt: str, height: float, drawn: Sequence[str], width: float = WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" font-family="sans-serif"><title>{escape(title)}</title>'
        f'<desc>{escape(alt)}</desc><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(drawn)}</svg>\n"
    )
