"""Pictures of concepts/power_and_memory.md, calibration rows beside the simulation.

    python docs/power_pictures.py

writes the pictures; the errors of joules and of rates over minutes stand in validation.md. The
Galaxy S25 stands in role context: it is shown, and nothing is fitted to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from docs import galaxy_s25
from hw_models.flash import read_seconds
from hw_models.soc import load_soc
from sim import simulate
from sim.engine.conditions import Conditions
from sim.evidence import corpus
from sim.heat.phone import Load, Phone
from sim.validation.energy import course, result_of, spent_at_start

IMAGES: Final = Path(__file__).with_name("images")
PANEL: Final = (340, 190)
MARGIN: Final = (46, 30, 34)
"""Left of a panel, above it, below it."""
MEASURED: Final = "#E69F00"
SIMULATED: Final = "#0F5EA8"


class Curve(NamedTuple):
    """A line or points over time in one panel."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    is_points: bool = False


class Panel(NamedTuple):
    """A field with its title, its ranges, and what is drawn in it."""

    title: str
    x_text: str
    x: tuple[float, float]
    y: tuple[float, float]
    curves: Sequence[Curve]


def picture(panels: Sequence[Panel], columns: int = 2) -> str:
    """Return panels side by side as SVG."""
    wide, high = PANEL[0] + MARGIN[0] + 16, PANEL[1] + MARGIN[1] + MARGIN[2]
    rows = -(-len(panels) // columns)
    size = f'width="{wide * columns}" height="{high * rows}"'
    drawn = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">']
    for index, panel in enumerate(panels):
        left, top = wide * (index % columns) + MARGIN[0], high * (index // columns) + MARGIN[1]
        drawn += _panel(panel, left, top)
    return "\n".join([*drawn, "</svg>", ""])


def _panel(panel: Panel, left: int, top: int) -> list[str]:
    (x0, x1), (y0, y1) = panel.x, panel.y

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + (x - x0) / (x1 - x0) * PANEL[0]
        return across, top + PANEL[1] - (y - y0) / (y1 - y0) * PANEL[1]

    def text(x: float, y: float, said: str, anchor: str = "middle", size: int = 11) -> str:
        where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        return f'<text {where} fill="#24292f">{said}</text>'

    box = f'<rect x="{left}" y="{top}" width="{PANEL[0]}" height="{PANEL[1]}"'
    found = [box + ' fill="none" stroke="#59636e"/>', text(left, top - 8, panel.title, "start", 12)]
    for share in (0.0, 0.5, 1.0):
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        found.append(text(at(x, y0)[0], top + PANEL[1] + 14, f"{x:g}"))
        found.append(text(left - 5, at(x0, y)[1] + 4, f"{y:g}", "end"))
    found.append(text(left + PANEL[0] / 2, top + PANEL[1] + 28, panel.x_text))
    for curve in panel.curves:
        points = [at(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y0 <= y <= y1]
        if curve.is_points:
            dots = f'r="2" fill="{curve.colour}" fill-opacity="0.7"/>'
            found += [f'<circle cx="{x:.1f}" cy="{y:.1f}" {dots}' for x, y in points]
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            look = f'fill="none" stroke="{curve.colour}" stroke-width="1.8"'
            found.append(f'<polyline points="{path}" {look}/>')
    return found


def iphone_panels(names: Sequence[str] = ("TS16", "TS17", "TS15", "TS03")) -> list[Panel]:
    """Return the rates of runs that began cool, as shares of that of the first 30 s."""
    series, rows = corpus("time_series", role="calibration"), corpus("energy", role="calibration")
    panels = []
    for name in names:
        shown = series[series["id"] == name]
        row = rows[rows["id"] == shown["row"].iloc[0]].iloc[0]
        result = result_of(row)
        assert result is not None
        spent = spent_at_start(row["notes"])
        ends_s, clocks, _ = course(result.soc, result.facts, 600.0, spent)
        rate = shown["tokens_per_s"] / shown[shown["time_s"] < 30.0]["tokens_per_s"].mean()
        smooth = rate.rolling(5, center=True, min_periods=1).median()
        curves = [
            Curve(list(shown["time_s"]), list(smooth), MEASURED, is_points=True),
            Curve([0.0, *ends_s], [1.0, *clocks], SIMULATED),
        ]
        title = f"{name}: {row['model']}, {row['stack']}, start {spent:.0%} spent"
        panels.append(Panel(title, "s", (0.0, 600.0), (0.0, 1.2), curves))
        late = shown["time_s"] >= 400.0
        print(f"{title}: last minutes {rate[late].mean():.2f} measured, {clocks[-40:].mean():.2f}")
    return panels


def galaxy_panels() -> list[Panel]:
    """Return clock, die and board of a Galaxy S25's three runs back to back, beside a replay."""
    shown, course = galaxy_s25.series(), galaxy_s25.replay(galaxy_s25.device())
    at_s, times = list(shown["time_s"]), list(course.time_s)
    hertz = course.clock * galaxy_s25.FULL_HZ / 1e9
    print(f"Galaxy S25: bursts of {course.bursts_s()} s, mean clocks {course.mean_clocks()}")
    span = (0.0, 450.0)

    def panel(title: str, measured: str, unit: float, high: float, *lines: Curve) -> Panel:
        points = Curve(at_s, list(shown[measured] / unit), MEASURED, is_points=True)
        low = 0.0 if high < 10.0 else 20.0
        return Panel(f"Galaxy S25 GPU (context): {title}", "s", span, (low, high), [points, *lines])

    def line(values: Iterable[float], colour: str = SIMULATED) -> Curve:
        return Curve(times, list(values), colour)

    board, spot = line(course.board_c), line(course.skin_c, "#59636e")
    return [
        panel("clock [GHz]", "gpu_clock_hz", 1e9, 1.4, line(hertz)),
        panel("die [°C]", "gpu_c", 1.0, 100.0, line(course.die_c)),
        panel("board, grey: the spot that is read [°C]", "board_c", 1.0, 60.0, board, spot),
    ]


LATCHED: Final = {"trip_c": 63.0, "clock_fraction": 0.63}
"""A Dimensity 9500's GPU: 3.5 TFLOP/s, 2.2 after 61 to 66 C, and still after 15 minutes of rest."""


def latch_panel() -> Panel:
    """Return the clock of a GPU whose die was too hot once: before, after, and after a rest."""
    soc = load_soc("dimensity_9500").with_overrides({"thermal.latch": LATCHED})
    phone = Phone(soc, 25.0, iter([Load(0.0, None)]))
    rows: list[tuple[float, float]] = []
    for begins_s, ends_s, power_w in ((0.0, 60.0, 2.0), (120.0, 240.0, 9.0), (1140.0, 1200.0, 2.0)):
        while phone.next_change_s < begins_s:
            phone.advance(phone.next_change_s)
        phone.run(partial(_at_clock, power_w), begins_s)
        rows.append((begins_s / 60.0, phone.conditions.clock))
        while phone.next_change_s < ends_s:
            phone.advance(phone.next_change_s)
            rows += [
                (phone.now_s / 60.0, rows[-1][1]),
                (phone.now_s / 60.0, phone.conditions.clock),
            ]
        phone.run(None, ends_s)
    print(
        f"Dimensity 9500 GPU: clock {rows[0][1]:.2f}, {rows[-1][1]:.2f} after a hot die and a rest"
    )
    points = Curve([0.5, 4.0, 19.5], [1.0, 2.2 / 3.5, 2.2 / 3.5], MEASURED, is_points=True)
    line = Curve(*zip(*rows, strict=True), SIMULATED)
    title = "Dimensity 9500 GPU: rate after a hot die (published)"
    return Panel(title, "minutes", (0.0, 20.0), (0.0, 1.2), [points, line])


def _at_clock(power_w: float, now: Conditions) -> float:
    return power_w * now.clock**2.5


CHAT: Final = {"prompt_tokens": 20, "output_tokens": 40, "fresh": True}
"""A turn of half an hour's chat of 343 turns; what was asked was not published."""


def chat_panel() -> Panel:
    """Return half an hour of chat and of decoding without a pause on a Galaxy S26's GPU."""
    asked = {"device": "snapdragon_8_elite_gen_5", "stack": "litert_gpu", "model": "gemma4-e2b"}
    closed = {"process": "closed", "think_s": 3.6, "count": 343}
    session = {"until_s": 1800.0, "clients": {"chat": {"turns": [CHAT], "arrivals": closed}}}
    heat = simulate(set=asked | {"session": session}).heat
    alone = simulate(set=asked | ONE_TURN)
    ends_s, clocks, _ = course(alone.soc, alone.facts, 1800.0, 0.0)
    least = min(reading.clock for reading in heat.readings)
    print(f"chat: clock {least:.2f}, body {heat.hottest_body_c:.1f} C; no pause: {clocks[-1]:.2f}")
    readings = [(reading.at_s / 60.0, reading.clock) for reading in heat.readings]
    curves = [
        Curve([0.0, 30.0], [1.0, 26.58 / 26.55], MEASURED, is_points=True),
        Curve(*zip((0.0, 1.0), *readings, strict=True), SIMULATED),
        Curve([0.0, *(end / 60.0 for end in ends_s)], [1.0, *clocks], "#59636e"),
    ]
    title = "Chat on a Galaxy S26 (published), grey: no pause"
    return Panel(title, "minutes", (0.0, 30.0), (0.0, 1.2), curves)


READS: Final = {(128, 2): 954, (256, 2): 1536, (512, 2): 1882, (1024, 2): 2085, (8192, 2): 2529}
"""MiB/s of a OnePlus 15R by request [KiB] and requests at a time."""


def flash_panel() -> Panel:
    """Return reads of a OnePlus 15R by the size of requests, two at a time, beside the law."""
    ufs = {"sequential_bytes_per_s": 2.72e9, "random_4k_bytes_per_s": 2e8, "latency_s": 1.6e-4}
    sizes = np.arange(5.0, 13.2, 0.1)
    rates = [
        2**10 / float(read_seconds(2**30, 2**size * 1024, **ufs, queue_depth=2)) for size in sizes
    ]
    curves = [
        Curve(np.log2([kib for kib, _ in READS]).tolist(), list(READS.values()), MEASURED, True),
        Curve(sizes.tolist(), rates, SIMULATED),
    ]
    title = "Flash, two requests at a time [MiB/s]"
    return Panel(title, "log2 of a request in KiB", (5.0, 13.0), (0.0, 3000.0), curves)


SWAPS: Final = re.compile(
    r"(?:of (?P<after>[\d.]+) s that follows|graph then took (?P<then>[\d.]+) s)"
)
"""How notes of rows tell the seconds that a tool printed for a change of graphs."""


def printed_swaps() -> list[tuple[float, float]]:
    """Return weights [B] and printed seconds of each change of graphs on a Genio 720."""
    rows = corpus("language", role="calibration")
    rows = rows[rows["device"] == "genio_720"]
    found = []
    for row in rows.to_dict(orient="records"):
        if match := SWAPS.search(row["notes"]):
            asked = {"device": "genio_720", "model": row["model"]}
            weights = simulate(set=asked | ONE_TURN).program.resident_bytes["weights"]
            found.append((weights, float(match["after"] or match["then"])))
    return found


ONE_TURN: Final = {"session.turns": [{"prompt_tokens": 14, "output_tokens": 2}]}


def swap_panel() -> Panel:
    """Return changes of graphs on a Genio 720, printed ones beside the law and its range."""
    part = load_soc("genio_720").stack("neuropilot").prompt_graph
    assert part is not None
    sizes = np.linspace(0.0, 1.2e9, 25)
    rates = (part.swap.low, part.swap.value, part.swap.high)
    lines = [Curve((sizes / 1e9).tolist(), (sizes / rate).tolist(), SIMULATED) for rate in rates]
    weights, seconds = zip(*printed_swaps(), strict=True)
    points = Curve([size / 1e9 for size in weights], seconds, MEASURED, is_points=True)
    title = "Genio 720: changes of graphs, the law and its range [s]"
    return Panel(title, "GB of weights", (0.0, 1.2), (0.0, 2.0), [*lines, points])


def main() -> None:
    """Write the pictures."""
    pictures = {
        "power_budget": iphone_panels(),
        "power_governors": [*galaxy_panels(), latch_panel(), chat_panel()],
        "power_flash": [flash_panel(), swap_panel()],
    }
    for name, panels in pictures.items():
        (IMAGES / f"{name}.svg").write_text(picture(panels), encoding="utf-8")


if __name__ == "__main__":
    main()
