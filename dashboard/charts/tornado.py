"""Which assumption matters: a metric with each parameter at its low and at its high value."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.charts.palette import (
    ABOVE,
    ALERT,
    BASELINE,
    COLOURS,
    INK,
    Figure,
    Trace,
    figure,
    together,
    vertical_line,
)
from hw_models.units import format_quantity
from sim.explore.sensitivity import REPLY, Swing

MOST_BARS = 10
METRICS = {
    REPLY: "seconds of the whole reply",
    "time_to_first_token_s": "seconds to the first token",
    "tokens_per_s": "tokens per second",
    "energy_j": "joules per reply",
}
"""Metrics a tornado is drawn for, and what their axis says."""


def tornado(
    swings: Sequence[Swing], nominal: float, axis: str, baseline: float | None = None
) -> Figure:
    """Draw the widest swings of a metric around its value now; the baseline's is a line."""
    shown = swings[:MOST_BARS]
    marks = [vertical_line(nominal, "now" if baseline is not None else "")]
    if baseline is not None:
        marks.append(vertical_line(baseline, BASELINE, INK))
    low = [(swing.low, swing.parameter.low) for swing in shown]
    high = [(swing.high, swing.parameter.high) for swing in shown]
    return figure(
        [
            _side("at its low value", shown, low, nominal, ALERT),
            _side("at its high value", shown, high, nominal, COLOURS["weights"]),
        ],
        120 + 30 * len(shown),
        barmode="overlay",
        xaxis={"title": {"text": axis}},
        yaxis={"autorange": "reversed", "automargin": True},
        legend=ABOVE | {"y": 1.08},
        **together(*marks),
    )


def takeaway(swings: Sequence[Swing]) -> str:
    """Return what the chart says, for people who cannot see it."""
    if not swings:
        return "No parameter of this device has a range that moves it."
    return f"Widest: {swings[0].sentence()}"


def _side(
    name: str,
    swings: Sequence[Swing],
    ends: list[tuple[float, float]],
    nominal: float,
    ink: str,
) -> Trace:
    units = [swing.parameter.unit for swing in swings]
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [_short(swing.path) for swing in swings],
        "x": [outcome - nominal for outcome, _ in ends],
        "base": nominal,
        "text": [
            format_quantity(value, unit) for (_, value), unit in zip(ends, units, strict=True)
        ],
        "textangle": 0,
        "textposition": "auto",
        "cliponaxis": False,
        "marker": {"color": ink},
        "hovertemplate": f"%{{y}} {name} (%{{text}}): %{{x:+.3g}}<extra></extra>",
    }


def _short(path: str) -> str:
    """Return the last words of a dotted path.

    >>> _short("stacks.neuropilot.efficiency.decode")
    'efficiency.decode'
    """
    return ".".join(path.split(".")[-2:])
