"""Charts of fixed data are the same bytes as the ones that were looked at."""

from __future__ import annotations

from pathlib import Path

from sim.charts.shapes import Bar, BarChart, Layer, LayerChart, Point, ScatterChart
from sim.charts.svg import svg

GOLDEN = Path(__file__).with_name("report_charts.html")
CHARTS = (
    BarChart(
        id="bars",
        title="Where the time goes",
        alt="Prefill takes most.",
        bars=(
            Bar("vision & projector", 0.0, 0.8, "#56B4E9", "0.800 s"),
            Bar("prefill", 0.8, 2.0, "#0072B2", "1.20 s"),
        ),
        mark=1.5,
        mark_text="target 1.50 s",
    ),
    LayerChart(
        id="layers",
        title="DRAM over the run",
        alt="DRAM peaks at once.",
        at_s=(0.0, 1.0, 4.0, 4.0),
        layers=(
            Layer("weights", "#0072B2", (2e9, 2e9, 2e9)),
            Layer("vision", "#56B4E9", (5e8, 0.0, 0.0)),
        ),
        top_text="2.33 GiB",
        mark=3e9,
        mark_text="app budget 2.79 GiB",
    ),
    ScatterChart(
        id="parity",
        title="decode rate",
        alt="Two rows.",
        points=(Point("a", 10.0, 8.0), Point("b", 20.0, 22.0)),
        low_text="8.00 tokens/s",
        high_text="22.0 tokens/s",
    ),
)


def page() -> str:
    return "<!doctype html>\n<meta charset=utf-8>\n" + "\n".join(map(svg, CHARTS)) + "\n"


def test_charts_are_the_shipped_bytes():
    assert page() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.write_text(page(), encoding="utf-8", newline="\n")
