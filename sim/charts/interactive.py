"""Charts as Plotly figures, for pages that may weigh 5 MB; the library is embedded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.charts.data import ALERT, BLUE, BarChart, Chart, LayerChart, ScatterChart

if TYPE_CHECKING:
    import plotly.graph_objects as go

GIB: Final = 2**30
LAYOUT: Final = {
    "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
    "height": 300,
    "template": "plotly_white",
    "legend": {"orientation": "h"},
}


def library() -> str:
    """Return the script that draws Plotly figures."""
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def figure(chart: Chart) -> str:
    """Return a chart as an HTML element that the library draws."""
    match chart:
        case BarChart():
            drawn = _bars(chart)
        case LayerChart():
            drawn = _layers(chart)
        case ScatterChart():
            drawn = _scatter(chart)
    drawn.update_layout(**LAYOUT)
    element: str = drawn.to_html(
        full_html=False, include_plotlyjs=False, div_id=chart.id, config={"displaylogo": False}
    )
    return element


def _bars(chart: BarChart) -> go.Figure:
    import plotly.graph_objects as go

    bars = chart.bars[::-1]  # Plotly counts from the bottom
    drawn = go.Figure(
        go.Bar(
            orientation="h",
            y=[bar.name for bar in bars],
            base=[bar.start for bar in bars],
            x=[bar.end - bar.start for bar in bars],
            text=[bar.text for bar in bars],
            marker_color=[bar.colour for bar in bars],
        )
    )
    if chart.mark is not None:
        drawn.add_vline(chart.mark, **_dashed(chart.mark_text))
    return drawn


def _layers(chart: LayerChart) -> go.Figure:
    import plotly.graph_objects as go

    drawn = go.Figure()
    for layer in chart.layers:
        drawn.add_scatter(
            x=chart.at_s,
            y=[held / GIB for held in (*layer.values, layer.values[-1])],
            name=layer.name,
            mode="lines",
            line={"shape": "hv", "width": 0, "color": layer.colour},
            fillcolor=layer.colour,
            stackgroup="dram",
        )
    drawn.update_xaxes(title="s")
    drawn.update_yaxes(title="GiB")
    if chart.mark is not None:
        drawn.add_hline(chart.mark / GIB, **_dashed(chart.mark_text))
    return drawn


def _scatter(chart: ScatterChart) -> go.Figure:
    import plotly.graph_objects as go

    ends = [value for point in chart.points for value in (point.x, point.y)]
    drawn = go.Figure()
    drawn.add_scatter(
        x=[point.x for point in chart.points],
        y=[point.y for point in chart.points],
        text=[point.name for point in chart.points],
        mode="markers",
        marker_color=BLUE,
        name="rows",
    )
    line = {"dash": "dash", "color": ALERT}
    equal = [min(ends), max(ends)]
    drawn.add_scatter(x=equal, y=equal, mode="lines", line=line, name="simulated = measured")
    drawn.update_xaxes(type="log", title="measured")
    drawn.update_yaxes(type="log", title="simulated")
    return drawn


def _dashed(text: str) -> dict[str, Any]:
    return {"line_dash": "dash", "line_color": ALERT, "annotation_text": text}
