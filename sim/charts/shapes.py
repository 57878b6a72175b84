"""What charts are made of: their colours, and bars, layers over time, swings and pairs as data.

`sim.charts.svg` and `sim.charts.plotly` draw each of them. Colours are Okabe and Ito's, safe for
colour-blind readers; a component keeps its colour in every chart, and every bar and layer carries
its name, so colour is never the only sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, YELLOW, PINK = "#E69F00", "#F0E442", "#CC79A7"
ALERT, GREY, DARK = "#D55E00", "#9AA0A6", "#5F6368"
BROWN = "#A65628"
COLOURS: Final = {
    "weights": BLUE,
    "embedding": BROWN,
    "vision": SKY,
    "vision encode": SKY,
    "kv_cache": GREEN,
    "KV cache": GREEN,
    "KV write": GREEN,
    "activations": ORANGE,
    "activation write": ORANGE,
    "draft": YELLOW,
    "adapters": PINK,
    "prefill": BLUE,
    "decode": GREEN,
    "compute": ORANGE,
    "arithmetic": ORANGE,
    "dram": BLUE,
    "launch": PINK,
    "operator launch": PINK,
    "host": PINK,
    "host and graph calls": PINK,
    "work per layer": PINK,
    "cache copies": SKY,
    "change of graphs": BROWN,
    "flash": SKY,
}


def colour(name: str) -> str:
    """Return the colour of a component; grey for what has none of its own."""
    return COLOURS.get(name, GREY)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from one value to another in the unit of its chart, named at its left.

    ``text`` stands in it or at its right: the value with its unit.
    """

    name: str
    start: float
    end: float
    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars over one axis; a dashed line stands at ``mark``, in the unit of the bars.

    Like every chart it has an ``id`` for the page and a sentence ``alt`` for who cannot see it.
    ``unit`` names the axis.
    """

    id: str
    title: str
    alt: str
    bars: tuple[Bar, ...]
    mark: float | None = None
    mark_text: str = ""
    unit: str = ""
    before: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """Bytes of one class that are held from each instant to the next [B]."""

    name: str
    colour: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LayerChart:
    """Layers upon each other over time [s]; a dashed line stands at ``mark`` [B].

    Layer ``i`` lasts from ``at_s[i]`` to ``at_s[i + 1]``, so there is one instant more than values.
    Where the line would lie too far up there is none, and ``mark_text`` says where it would be.
    """

    id: str
    title: str
    alt: str
    at_s: tuple[float, ...]
    layers: tuple[Layer, ...]
    top_text: str
    mark: float | None = None
    mark_text: str = ""
    before: LayerChart | None = None

    @property
    def totals(self) -> list[float]:
        """Bytes of all layers together, from each instant to the next [B]."""
        return [sum(held) for held in zip(*(one.values for one in self.layers), strict=True)]

    @property
    def lasts(self) -> bool:
        """Whether there is any time to draw over: a model that does not even load has none."""
        return self.at_s[-1] > self.at_s[0]


@dataclass(frozen=True, slots=True)
class Swing:
    """What a metric becomes with one number at its low and at its high value.

    ``low`` and ``high`` are those values as text.
    """

    name: str
    at_low: float
    at_high: float
    low: str
    high: str
    text: str


@dataclass(frozen=True, slots=True)
class SwingChart:
    """A tornado: how far each of some numbers moves a metric from its ``nominal`` value.

    ``unit`` names the axis; ``before`` is the nominal value of the baseline.
    """

    id: str
    title: str
    alt: str
    swings: tuple[Swing, ...]
    nominal: float
    nominal_text: str
    unit: str = ""
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A pair of positive values: ``x`` as measured, ``y`` as simulated.

    ``group`` is the metric; ``interval`` bounds ``y`` in 80 % of the cases.
    """

    name: str
    x: float
    y: float
    group: str = ""
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """Simulated over measured on equal logarithmic axes, with the line of equality."""

    id: str
    title: str
    alt: str
    points: tuple[Point, ...]
    low_text: str = ""
    high_text: str = ""
    before: tuple[Point, ...] = ()


Chart = BarChart | LayerChart | SwingChart | ScatterChart
