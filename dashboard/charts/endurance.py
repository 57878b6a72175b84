"""Ten minutes on one clock: tokens/s, temperatures, clock and power, one above the other."""

from __future__ import annotations

from itertools import pairwise

from dashboard.sustained import clocks, rates
from sim.charts.frame import BASELINE, INK, Figure, Trace, figure, text_at, together
from sim.charts.shapes import ALERT, COLOURS, GREY
from sim.results import Result

PANELS = ("tokens/s", "°C", "clock [%]", "W")
GAP = 0.05


def endurance(result: Result, baseline: Result | None = None, least: float = 0.0) -> Figure:
    """Draw four panels over minutes; spans below the full clock are shaded, A is dashed.

    ``least`` is the target of the first panel [tokens/s]; 0: none.
    """
    before = _lines(baseline) if baseline else []
    dashed = [_dashed(trace) for trace in before]
    return figure(
        [*_lines(result), *dashed],
        620,
        xaxis={"title": {"text": "minutes"}, "anchor": "y4"},
        **together(_first_trip(result), _target(least), {"shapes": _throttled(result)}),
        **_axes(),
    )


def _target(least: float) -> Figure:
    """Return the line of the target rate in the first panel."""
    if not least:
        return {}
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": least, "y1": least}
    line |= {"yref": "y", "line": {"color": ALERT, "dash": "dash"}}
    place = {"xref": "paper", "yref": "y", "xanchor": "right", "yanchor": "bottom"}
    said = text_at(1, least, f"target {least:g}", font={"color": ALERT}, **place)
    return {"shapes": [line], "annotations": [said]}


def _first_trip(result: Result) -> Figure:
    """Return the line of the body temperature at which the governor steps in, if it ever does."""
    trips = result.soc.thermal.governor.trip_c
    if not trips:
        return {}
    trip_c = trips[0].value
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": trip_c, "y1": trip_c}
    line |= {"yref": "y2", "line": {"color": ALERT, "dash": "dash"}}
    place = {"xref": "paper", "yref": "y2", "xanchor": "left", "yanchor": "top"}
    said = text_at(0, trip_c, f"governor: body at {trip_c:g} °C", font={"color": ALERT}, **place)
    return {"shapes": [line], "annotations": [said]}


def _lines(result: Result) -> list[Trace]:
    """Return what changes over the session: speed, temperatures, clock, power."""
    readings = result.heat.readings
    minutes = [reading.at_s / 60 for reading in readings]
    speed = rates(result)
    speed_minutes = (speed["at_s"] / 60).tolist()
    body = [reading.body_c for reading in readings]
    die = [reading.die_c for reading in readings]
    clock = [100 * clock for clock in clocks(result)]
    watts = [reading.power_w for reading in readings]
    return [
        _line("tokens/s", speed_minutes, speed["tokens_per_s"].tolist(), COLOURS["decode"], 1),
        _line("body °C", minutes, body, COLOURS["activations"], 2),
        _line("die °C", minutes, die, GREY, 2, "dot"),
        _line("clock %", minutes, clock, COLOURS["prefill"], 3),
        _line("power W", minutes, watts, COLOURS["host"], 4),
    ]


def _dashed(trace: Trace) -> Trace:
    """Return the line of the baseline: dashed, and one entry of the legend for all of them."""
    return trace | {
        "name": BASELINE,
        "line": {"color": INK, "width": 1.2, "dash": "dash"},
        "showlegend": trace["name"] == "tokens/s",
        "hovertemplate": f"{BASELINE}: %{{y:.1f}}<extra></extra>",
    }


def _axes() -> Figure:
    """Return one vertical axis per panel, the first on top."""
    height = (1.0 - GAP * (len(PANELS) - 1)) / len(PANELS)
    axes = {}
    for place, title in enumerate(PANELS, start=1):
        top = 1.0 - (place - 1) * (height + GAP)
        axis = {"title": {"text": title}, "domain": [max(0.0, top - height), top]}
        from_zero = title in ("tokens/s", "W", "clock [%]")
        axes[_axis("yaxis", place)] = axis | {"rangemode": "tozero" if from_zero else "normal"}
    return axes


def _throttled(result: Result) -> list[Figure]:
    """Return shaded spans between readings at which the clock is below full."""
    readings = result.heat.readings
    return [
        {
            "type": "rect",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": first.at_s / 60,
            "x1": second.at_s / 60,
            "fillcolor": ALERT,
            "opacity": 0.08,
            "line": {"width": 0},
        }
        for first, second in pairwise(readings)
        if first.clock < 1.0
    ]


def _line(
    name: str, x: list[float], y: list[float], ink: str, panel: int, dash: str = "solid"
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "yaxis": _axis("y", panel),
        "line": {"color": ink, "dash": dash},
        "hovertemplate": f"{name} %{{y:.1f}}<extra></extra>",
    }


def _axis(name: str, place: int) -> str:
    """Return Plotly's name of the axis of a panel; the first has no number."""
    return name if place == 1 else f"{name}{place}"
