"""Horizontal bars by name, those of now above the slim ones of the pinned baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from dashboard.charts.palette import BASELINE, INK, Trace

WIDE: Final = 0.52
SLIM: Final = 0.16
"""Heights of a bar of now and of one of the baseline, as shares of their row."""
SHORT: Final = 0.3
"""Bars shorter than this share of the longest carry their text outside."""


class Bar(NamedTuple):
    """One bar: its row, where it begins, how long it is, what it says."""

    name: str
    start: float
    length: float
    text: str
    ink: str


def wide(bars: Sequence[Bar]) -> Trace:
    """Return the bars of now."""
    longest = max((bar.length for bar in bars), default=0.0)
    places = ["inside" if bar.length > SHORT * longest else "outside" for bar in bars]
    inks = [bar.ink for bar in bars]
    return _trace("now", bars, inks, WIDE, -WIDE / 2) | {"textposition": places}


def slim(bars: Sequence[Bar]) -> Trace:
    """Return the bars of the baseline, in one dark colour below those of now."""
    trace = _trace(BASELINE, bars, [INK] * len(bars), SLIM, WIDE / 2 + 0.02)
    return trace | {"textposition": "outside", "textfont": {"size": 11, "color": INK}}


def _trace(name: str, bars: Sequence[Bar], inks: list[str], width: float, offset: float) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [bar.name for bar in bars],
        "x": [bar.length for bar in bars],
        "base": [bar.start for bar in bars],
        "width": width,
        "offset": offset,
        "marker": {"color": inks},
        "text": [bar.text for bar in bars],
        "textangle": 0,
        "constraintext": "none",
        "insidetextanchor": "middle",
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{text}<extra>" + name + "</extra>",
    }
