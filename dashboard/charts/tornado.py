"""Which assumption matters: the reply with each parameter at its low and at its high value."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.charts.palette import ALERT, COLOURS, Figure, Trace, figure, vertical_line
from sim.assumptions import Swing

MOST_BARS = 10


def tornado(swings: Sequence[Swing], reply_s: float) -> Figure:
    """Draw the widest swings around the reply's seconds as they are."""
    shown = swings[:MOST_BARS]
    names = [_short(swing.path) for swing in shown]
    low = [swing.low_s - reply_s for swing in shown]
    high = [swing.high_s - reply_s for swing in shown]
    low_text = [f"{swing.parameter.low:.3g}" for swing in shown]
    high_text = [f"{swing.parameter.high:.3g}" for swing in shown]
    return figure(
        [
            _side("at its low value", names, low, low_text, reply_s, ALERT),
            _side("at its high value", names, high, high_text, reply_s, COLOURS["weights"]),
        ],
        90 + 30 * len(shown),
        barmode="overlay",
        xaxis={"title": {"text": "seconds of the whole reply"}},
        yaxis={"autorange": "reversed", "automargin": True},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        **vertical_line(reply_s, ""),
    )


def takeaway(swings: Sequence[Swing]) -> str:
    """Return what the chart says, for people who cannot see it."""
    if not swings:
        return "No parameter of this device has a range that moves the reply."
    return f"Widest: {swings[0].sentence()}"


def _side(
    name: str, rows: list[str], deltas: list[float], texts: list[str], base: float, ink: str
) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": rows,
        "x": deltas,
        "base": base,
        "text": texts,
        "marker": {"color": ink},
        "textposition": "auto",
        "hovertemplate": f"%{{y}} {name} (%{{text}}): %{{x:+.2f}} s<extra></extra>",
    }


def _short(path: str) -> str:
    """Return the last words of a dotted path.

    >>> _short("stacks.neuropilot.efficiency.decode")
    'efficiency.decode'
    """
    return ".".join(path.split(".")[-2:])
