"""Pictures of the corpus as SVG: points on two logarithmic axes, and counts in a grid.

Plain published data, before any model of ours; rows that judge are counted but not drawn. The same
table gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

import pandas as pd

COLOURS: Final = (
    *("#0F5EA8", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#6B5B95", "#8A8A00", "#333333", "#8C564B"),
)
OTHERS: Final = "#b6bec7"
"""Colour of groups beyond the commonest, and of what lies behind a panel."""
INK: Final = "#1f2328"
WIDTH: Final = 720
SIDE: Final = 400
"""Height of the field of points; it is WIDTH less the margins wide."""
LEFT: Final = 70
TOP: Final = 52
KEYS: Final = 3
"""Names in one line of the legend."""
CELL: Final = 24
PANELS: Final = 4
"""Panels in one line."""
PANEL: Final = (186.0, 150.0)
"""Width and height of the field of a panel."""
GAP: Final = (16.0, 30.0)
FEWEST_POINTS: Final = 3
"""Points below which a group has no panel of its own."""

Span = tuple[float, float]


class Axis(NamedTuple):
    """One axis: the column, its name with its unit."""

    column: str
    text: str


class Line(NamedTuple):
    """Points with ``y = x / rate``; ``text`` names them."""

    rate: float
    text: str


class Field(NamedTuple):
    """A rectangle with two logarithmic axes, spans as powers of ten."""

    left: float
    top: float
    width: float
    height: float
    x: Span
    y: Span

    def place(self, across: float, up: float) -> tuple[float, float]:
        """Return where a point of two values lies."""
        (x0, x1), (y0, y1) = self.x, self.y
        return (
            self.left + (math.log10(across) - x0) / (x1 - x0) * self.width,
            self.top + self.height - (math.log10(up) - y0) / (y1 - y0) * self.height,
        )


def scatter(
    table: pd.DataFrame, x: Axis, y: Axis, group: str, title: str, lines: Sequence[Line] = ()
) -> str:
    """Return points of a table on logarithmic axes, coloured by their commonest groups."""
    shown = _positive(table, x, y)
    common = list(shown[group].value_counts().index[: len(COLOURS)])
    colours = dict(zip(common, COLOURS, strict=False))
    rest = shown[group].nunique() - len(common)
    names = colours | ({f"{rest} more": OTHERS} if rest else {})
    field = Field(LEFT, TOP, WIDTH - 20 - LEFT, SIDE, *(_span(shown[a.column]) for a in (x, y)))
    drawn = [
        *_frame(field),
        *_lines(lines, field),
        *(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{colour}" fill-opacity="0.55"/>'
            for a, b, colour in _points(shown, x, y, group, field, colours)
        ),
        _text(field.left + field.width / 2, TOP + SIDE + 34, x.text),
        _text(LEFT - 56, TOP - 12, y.text, "start"),
        *_legend(names, TOP + SIDE + 56),
    ]
    height = TOP + SIDE + 52 + 18 * math.ceil(len(names) / KEYS)
    return _svg(title, f"{len(shown)} rows of {len(common) + rest} groups", height, drawn)


def panels(
    table: pd.DataFrame, x: Axis, y: Axis, group: str, title: str, lines: Sequence[Line] = ()
) -> str:
    """Return a field of points for each group on the same axes, all other points behind it."""
    shown = _positive(table, x, y)
    counts = shown[group].value_counts()
    names = sorted(counts.index[counts >= FEWEST_POINTS], key=lambda name: (-counts[name], name))
    (width, height), (beside, below) = PANEL, GAP
    spans = [_span(shown[axis.column]) for axis in (x, y)]
    field = Field(0.0, 0.0, width, height, *spans)
    behind = "".join(f"M{a:.0f} {b:.0f}h0" for a, b, _ in _points(shown, x, y, group, field, {}))
    drawn = [
        f'<defs><path id="all" d="{behind}" stroke="{OTHERS}" stroke-opacity="0.5" '
        f'stroke-width="2.4" stroke-linecap="round"/></defs>'
    ]
    rows = math.ceil(len(names) / PANELS)
    for number, name in enumerate(names):
        row, column = divmod(number, PANELS)
        left, top = LEFT + column * (width + beside), TOP + 22 + row * (height + below)
        last = row == rows - 1 or number + PANELS >= len(names)
        own = shown[shown[group] == name]
        drawn += [
            f'<g transform="translate({left:.0f} {top:.0f})"><use href="#all"/>',
            *_frame(field, bottom=last, side=column == 0, few=True),
            *_lines(lines, field, named=number == 0),
            *(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{COLOURS[0]}" '
                'fill-opacity="0.6"/>'
                for a, b, _ in _points(own, x, y, group, field, {})
            ),
            _text(0.0, -6.0, f"{name} ({len(own)})", "start", 11),
            "</g>",
        ]
    wide = LEFT + PANELS * (width + beside) + 10
    tall = TOP + 22 + rows * (height + below) + 30
    drawn += [_text(wide / 2, tall - 10, x.text), _text(LEFT - 56, TOP - 4, y.text, "start")]
    return _svg(title, f"{len(shown)} rows, {len(names)} panels", tall, drawn, wide)


def grid(counts: pd.DataFrame, depth: pd.DataFrame, title: str, classes: int) -> str:
    """Return counts as a grid; a cell is the darker, the more of its ``classes`` it holds."""
    left, top = 190, 190
    drawn: list[str] = []
    for column, name in enumerate(counts.columns):
        across = left + column * CELL + CELL / 2
        drawn.append(
            f'<text transform="translate({across + 4:.0f} {top - 6}) rotate(-60)" '
            f'font-size="11" fill="{INK}">{escape(str(name))}</text>'
        )
    for row, name in enumerate(counts.index):
        down = top + row * CELL
        drawn.append(_text(left - 8, down + CELL - 8, str(name), "end"))
        for column in range(len(counts.columns)):
            count, sizes = (int(t.to_numpy()[row, column]) for t in (counts, depth))
            if count:
                drawn += _cell(left + column * CELL, down, str(count), sizes / classes)
    for sizes in range(1, classes + 1):
        across = 20 + (sizes - 1) * CELL
        drawn += _cell(across, 44, str(sizes), sizes / classes)
    drawn.append(_text(20 + classes * CELL + 6, 60, "size classes in a cell", "start", 11))
    width = left + CELL * len(counts.columns) + 60
    height = top + CELL * len(counts.index) + 10
    return _svg(title, "rows of each device and stack", height, drawn, width)


def _cell(left: float, top: float, text: str, share: float) -> list[str]:
    """Return a cell that is the darker, the greater the share, with readable text."""
    opacity = 0.12 + 0.75 * share
    ink = "#ffffff" if opacity > 0.55 else INK
    return [
        f'<rect x="{left}" y="{top}" width="{CELL - 2}" height="{CELL - 2}" '
        f'fill="{COLOURS[0]}" fill-opacity="{opacity:.2f}"/>',
        _text(left + CELL / 2 - 1, top + CELL - 9, text, size=9, ink=ink),
    ]


def _positive(table: pd.DataFrame, x: Axis, y: Axis) -> pd.DataFrame:
    return table[(table[x.column] > 0.0) & (table[y.column] > 0.0)]


def _points(
    table: pd.DataFrame, x: Axis, y: Axis, group: str, field: Field, colours: dict[str, str]
) -> Iterator[tuple[float, float, str]]:
    """Yield place and colour of each row."""
    for across, up, name in table[[x.column, y.column, group]].itertuples(index=False):
        yield *field.place(across, up), colours.get(name, OTHERS)


def _span(values: pd.Series) -> Span:
    low, high = math.log10(values.min()), math.log10(values.max())
    return low - 0.05 * (high - low) - 0.01, high + 0.05 * (high - low) + 0.01


def _frame(
    field: Field, *, bottom: bool = True, side: bool = True, few: bool = False
) -> Iterator[str]:
    """Yield the border with its ticks; ``few``: whole powers of ten where there are enough."""
    yield (
        f'<rect x="{field.left:g}" y="{field.top:g}" width="{field.width:g}" '
        f'height="{field.height:g}" fill="none" stroke="#59636e"/>'
    )
    low = field.top + field.height
    for value in _ticks(field.x, few):
        across, _ = field.place(value, 10.0 ** field.y[0])
        yield f'<path d="M{across:.1f} {field.top:g}v{field.height:g}" stroke="#e1e5ea"/>'
        if bottom:
            yield _text(across, low + 16, _number(value), size=10 if few else 12)
    for value in _ticks(field.y, few):
        _, down = field.place(10.0 ** field.x[0], value)
        yield f'<path d="M{field.left:g} {down:.1f}h{field.width:g}" stroke="#e1e5ea"/>'
        if side:
            yield _text(field.left - 6, down + 4, _number(value), "end", 10 if few else 12)


def _ticks(span: Span, few: bool) -> list[float]:
    """Return round values of a span: powers of ten, and 2 and 5 of each where those are few."""
    powers = range(math.floor(span[0]), math.ceil(span[1]) + 1)
    inside = [power for power in powers if span[0] <= power <= span[1]]
    if len(inside) >= (2 if few else 4):
        step = 2 if few and len(inside) > 4 else 1
        return [10.0**power for power in inside[::step]]
    values = [digit * 10.0**power for power in powers for digit in (1.0, 2.0, 5.0)]
    return [value for value in values if span[0] <= math.log10(value) <= span[1]]


def _number(value: float) -> str:
    """Return a tick in plain figures where they are short, else with its power of ten."""
    if 1e-3 <= value < 1e4:
        return f"{value:g}"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}e{int(power)}"


def _lines(lines: Sequence[Line], field: Field, named: bool = True) -> Iterator[str]:
    (x0, x1), (y0, y1) = field.x, field.y
    for line in lines:
        low = max(x0, y0 + math.log10(line.rate))
        high = min(x1, y1 + math.log10(line.rate))
        if low < high:
            ends = [field.place(10.0**power, 10.0**power / line.rate) for power in (low, high)]
            (a, b), (c, d) = ends
            yield (
                f'<path d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" stroke="#B42318" '
                'stroke-dasharray="5 3" fill="none"/>'
            )
            if named:
                yield _text(c - 4, d + 14, line.text, "end", 10)


def _legend(names: dict[str, str], top: float) -> Iterator[str]:
    for number, (name, colour) in enumerate(names.items()):
        across = LEFT + number % KEYS * (WIDTH - LEFT) / KEYS
        down = top + number // KEYS * 18
        yield f'<circle cx="{across:.0f}" cy="{down - 4:.0f}" r="5" fill="{colour}"/>'
        yield _text(across + 10, down, name, "start")


def _text(
    x: float, y: float, text: str, anchor: str = "middle", size: int = 12, ink: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{ink}">{escape(text)}</text>'
    )


def _svg(title: str, alt: str, height: float, drawn: Sequence[str], width: float = WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" font-family="sans-serif"><title>{escape(title)}</title>'
        f'<desc>{escape(alt)}</desc><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{_text(width / 2, 20, title, size=14)}{''.join(drawn)}</svg>\n"
    )
