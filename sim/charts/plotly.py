"""Charts as Plotly figures, for the dashboard and for interactive reports.

A figure is plain data, so that it can be tested and written without Plotly.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from sim.charts.data import FIRST_TOKEN
from sim.charts.frame import (
    ABOVE,
    BASELINE,
    INK,
    Figure,
    Trace,
    figure,
    marked,
    text_at,
    together,
    vertical_line,
)
from sim.charts.shapes import (
    ALERT,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    Bar,
    BarChart,
    Chart,
    Layer,
    LayerChart,
    Point,
    ScatterChart,
    Swing,
    SwingChart,
)
from sim.wording import label

GIB: Final = 2**30
WIDE, SLIM = 0.52, 0.16
"""Heights of a bar of now and of one of the baseline, as shares of their row."""
SHORT: Final = 0.55
"""Bars shorter than this share of the longest carry their text outside."""
ROW_PX: Final = 42
ROOM: Final = 0.5
"""Beside the longest swings, for what is written at their ends, as a share of their span."""
METRICS: Final = {
    "prefill_tokens_per_s": (BLUE, "square"),
    "tokens_per_s": (GREEN, "circle"),
    "time_to_first_token_s": (ORANGE, "diamond"),
    "vision_encode_s": (PINK, "cross"),
    "peak_dram_bytes": (SKY, "triangle-up"),
    "power_w": (ALERT, "triangle-down"),
}
"""Colour and symbol of each metric that is measured, in the order of legends."""
BANDS: Final = (0.1, 0.25)
"""Relative errors that a parity plot marks."""
BEFORE: Final = "before the fit"
"""How a parity plot calls the rows of the stack as it was."""


def drawn(chart: Chart) -> Figure:
    """Return a chart as a Plotly figure."""
    match chart:
        case BarChart():
            return _bars(chart)
        case LayerChart():
            return _layers(chart) if chart.lasts else _unloaded(chart)
        case SwingChart():
            return _swings(chart)
        case ScatterChart():
            return _scatter(chart)


def element(chart: Chart) -> str:
    """Return a chart as an HTML element that the `library` draws."""
    from plotly.io import to_html

    text: str = to_html(
        drawn(chart),
        full_html=False,
        include_plotlyjs=False,
        div_id=chart.id,
        config={"displaylogo": False},
    )
    return text


def library() -> str:
    """Return the script that draws Plotly figures."""
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def page(chart: Chart) -> str:
    """Return a chart as one HTML page that needs no network."""
    head = f"<!doctype html>\n<meta charset=utf-8>\n<title>{escape(chart.title)}</title>\n"
    return f"{head}<script>{library()}</script>\n{element(chart)}\n"


def _bars(chart: BarChart) -> Figure:
    """Draw the bars of now above the slim ones of the baseline; the first token stands last."""
    both = [*chart.bars, *chart.before]
    names = list(dict.fromkeys(bar.name for bar in both if bar.name != FIRST_TOKEN))
    rows = [*names, *({bar.name for bar in both} - set(names))]
    longest = max((bar.end for bar in both), default=0.0)
    places = [
        "inside" if bar.end - bar.start > SHORT * longest else "outside" for bar in chart.bars
    ]
    inks = [bar.colour for bar in chart.bars]
    now = _bar_trace("now", chart.bars, inks, WIDE, -WIDE / 2) | {"textposition": places}
    slim = _bar_trace(BASELINE, chart.before, [INK] * len(chart.before), SLIM, WIDE / 2 + 0.02)
    slim |= {"textposition": "outside", "textfont": {"size": 11, "color": INK}}
    order = {"categoryorder": "array", "categoryarray": rows}
    reach = 1.2 * max(longest, chart.mark or 0.0)
    return figure(
        [now, slim] if chart.before else [now],
        105 + ROW_PX * len(rows),
        xaxis={"title": {"text": chart.unit}, "range": [0, reach]},
        yaxis={"range": [len(rows) - 0.5, -0.5], "showgrid": False} | order,
        showlegend=bool(chart.before),
        legend=ABOVE if chart.mark is None else ABOVE | {"y": 1.2},  # over the name of the line
        barmode="overlay",
        **(vertical_line(chart.mark, chart.mark_text) if chart.mark is not None else {}),
    )


def _bar_trace(
    name: str, bars: Sequence[Bar], inks: list[str], width: float, offset: float
) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [bar.name for bar in bars],
        "x": [bar.end - bar.start for bar in bars],
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


def _layers(chart: LayerChart) -> Figure:
    areas = [_area(chart, layer) for layer in chart.layers]
    then = chart.before
    line = {"width": 2, "dash": "dash", "color": INK}
    totals = [_stairs(then, then.totals, f"{BASELINE}: all classes", line)] if then else []
    return figure(
        [*areas, *totals],
        330,
        xaxis={"title": {"text": "seconds"}},
        yaxis={"title": {"text": "GiB"}, "rangemode": "tozero"},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.3, "x": 0, "traceorder": "normal"},
        **together(_budget(chart), _peak(chart)),
    )


def _area(chart: LayerChart, layer: Layer) -> Trace:
    fill = {"stackgroup": "resident", "fillcolor": layer.colour}
    return _stairs(chart, layer.values, layer.name, {"width": 0}) | fill


def _stairs(chart: LayerChart, held: Sequence[float], name: str, line: Figure) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(chart.at_s),
        "y": [size / GIB for size in (*held, held[-1])],
        "line": {"shape": "hv"} | line,
        "hovertemplate": "%{y:.3f} GiB",
    }


def _budget(chart: LayerChart) -> Figure:
    """Return the line of the app budget, or where it would lie."""
    if chart.mark is None:
        place = {"xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "bottom"}
        said = text_at(1, 1, f"▲ {chart.mark_text}", font={"color": ALERT}, **place)
        return {"annotations": [said]}
    y = chart.mark / GIB
    line = {"type": "line", "y0": y, "y1": y, "xref": "paper", "x0": 0, "x1": 1}
    name = text_at(1, y, chart.mark_text, xref="paper", xanchor="right", yanchor="bottom")
    return marked(line, name, ALERT)


def _peak(chart: LayerChart) -> Figure:
    totals = chart.totals
    at = totals.index(max(totals))
    arrow = {"showarrow": True, "arrowhead": 2, "ax": 70, "ay": -18}
    said = f"peak {chart.top_text}"
    return {"annotations": [text_at(chart.at_s[at], totals[at] / GIB, said, **arrow)]}


def _unloaded(chart: LayerChart) -> Figure:
    """Draw what is needed at once as one bar of stacked classes, the baseline's peak below it."""
    rows = {"needed": chart} | ({BASELINE: chart.before} if chart.before else {})
    names = list(dict.fromkeys(layer.name for one in rows.values() for layer in one.layers))
    at_peak = {name: _at_peak(one) for name, one in rows.items()}
    colours = {layer.name: layer.colour for one in rows.values() for layer in one.layers}
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": list(rows),
            "x": [held.get(name, 0.0) / GIB for held in at_peak.values()],
            "marker": {"color": colours[name]},
            "hovertemplate": f"{name}: %{{x:.3f}} GiB<extra></extra>",
        }
        for name in names
    ]
    line = vertical_line(chart.mark / GIB, chart.mark_text) if chart.mark is not None else {}
    return figure(
        bars,
        170 + 50 * len(rows),
        barmode="stack",
        xaxis={"title": {"text": "GiB"}, "rangemode": "tozero"},
        yaxis={"autorange": "reversed"},
        legend={"orientation": "h", "y": -0.6, "x": 0, "traceorder": "normal"},
        **line,
    )


def _at_peak(chart: LayerChart) -> dict[str, float]:
    at = chart.totals.index(max(chart.totals))
    return {layer.name: layer.values[at] for layer in chart.layers}


def _swings(chart: SwingChart) -> Figure:
    """Draw each number at its low and at its high value as bars from the nominal value."""
    marks = [vertical_line(chart.nominal, "now" if chart.before is not None else "")]
    if chart.before is not None:
        marks.append(vertical_line(chart.before, BASELINE, INK))
    ends = [end for swing in chart.swings for end in (swing.at_low, swing.at_high)]
    room = ROOM * (max(ends, default=0.0) - min(ends, default=0.0))
    lows = [(swing.at_low, swing.low) for swing in chart.swings]
    highs = [(swing.at_high, swing.high) for swing in chart.swings]
    return figure(
        [
            _side("at its low value", chart, lows, ALERT),
            _side("at its high value", chart, highs, BLUE),
        ],
        120 + 38 * len(chart.swings),
        barmode="overlay",
        xaxis={"title": {"text": chart.unit}}
        | ({"range": [min(ends) - room, max(ends) + room]} if room else {}),
        yaxis={"autorange": "reversed", "automargin": True},
        legend=ABOVE | {"y": 1.08},
        **together(*marks),
    )


def _side(name: str, chart: SwingChart, ends: Sequence[tuple[float, str]], ink: str) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [_short(swing) for swing in chart.swings],
        "x": [at - chart.nominal for at, _ in ends],
        "base": chart.nominal,
        "text": [text for _, text in ends],
        "textangle": 0,
        "textposition": "auto",
        "cliponaxis": False,
        "marker": {"color": ink},
        "hovertemplate": f"%{{y}} {name} (%{{text}}): %{{x:+.3g}}<extra></extra>",
    }


def _short(swing: Swing) -> str:
    """Return the last two words of a dotted path, one below the other."""
    return ".<br>".join(swing.name.split(".")[-2:])


def _scatter(chart: ScatterChart) -> Figure:
    """Draw the points by metric, with the diagonal and bands of 10 and 25 %."""
    values = [value * _scale(one) for one in chart.points for value in (one.x, one.y)]
    ends = [min(values) / 2, max(values) * 2]
    lines = [_diagonal(ends, 0.0, "simulated = measured", INK)]
    for band in BANDS:
        lines += [_diagonal(ends, sign * band, f"±{band:.0%}", GREY) for sign in (1, -1)]
    groups = by_metric({point.group for point in chart.points})
    points = [_points([one for one in chart.points if one.group == name], name) for name in groups]
    hollow = {"size": 10, "color": INK, "symbol": "circle-open"}
    then = [_pairs(BEFORE, chart.before, hollow)] if chart.before else []
    return figure(
        [*lines, *points, *then],
        420,
        xaxis={"type": "log", "dtick": 1, "title": {"text": "measured"}},
        yaxis={"type": "log", "dtick": 1, "title": {"text": "simulated"}},
    )


def by_metric(found: set[str]) -> list[str]:
    """Return metrics in the order of legends, those without a colour last."""
    return [*(name for name in METRICS if name in found), *sorted(found - set(METRICS))]


def named(metric: str) -> str:
    """Return a metric as a legend calls it; bytes are drawn in GB.

    >>> named("tokens_per_s"), named("peak_dram_bytes")
    ('Decode rate', 'Peak DRAM [GB]')
    """
    text = label(metric)
    return text[:1].upper() + text[1:] + " [GB]" * metric.endswith("_bytes")


def _scale(point: Point) -> float:
    """Return what brings bytes near the other metrics: GB."""
    return 1e-9 if point.group.endswith("_bytes") else 1.0


def _points(points: Sequence[Point], metric: str) -> Trace:
    ink, symbol = METRICS.get(metric, (GREY, "x"))
    trace = _pairs(named(metric), points, {"size": 9, "color": ink, "symbol": symbol})
    ends = [point.interval or (point.y, point.y) for point in points]
    above = [_scale(one) * (high - one.y) for one, (_, high) in zip(points, ends, strict=True)]
    below = [_scale(one) * (one.y - low) for one, (low, _) in zip(points, ends, strict=True)]
    bars = {"type": "data", "array": above, "arrayminus": below, "thickness": 0.8, "width": 0}
    return trace | ({"error_y": bars} if any(point.interval for point in points) else {})


def _pairs(name: str, points: Sequence[Point], marker: Figure) -> Trace:
    """Draw pairs; names come from files of strangers, so markup in them is made harmless."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(name),
        "x": [point.x * _scale(point) for point in points],
        "y": [point.y * _scale(point) for point in points],
        "text": [escape(point.name) for point in points],
        "marker": marker,
        "hovertemplate": "%{text}<br>measured %{x:.4g}, simulated %{y:.4g}<extra></extra>",
    }


def _diagonal(ends: list[float], offset: float, name: str, ink: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": ends,
        "y": [end * (1.0 + offset) for end in ends],
        "line": {"color": ink, "width": 1, "dash": "solid" if offset == 0.0 else "dot"},
        "showlegend": offset >= 0.0,
        "hoverinfo": "skip",
    }
