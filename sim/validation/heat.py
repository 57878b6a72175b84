"""Ten-minute runs of phones against the heat network: when rates fall, what is left, how warm.

The published runs name no power, but for one battery share. Each is replayed with a power that
others measured on its kind of processor, on the heat network and governor that all phones here
share. So this judges time constants and sustained fractions, never a calibrated device.

Not modelled: the phone's own governor tables, GPU and CPU clusters apart, and the phone's case.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from hw_models.soc import SocSpec, load_soc
from hw_models.thermal import RcChain
from sim.evidence.exhibits import Exhibit, SeriesPoint
from sim.heat.course import decoding

AMBIENT_C = 25.0
"""Assumed, where the published runs do not say [C]."""
DEVICE = "dimensity_9500"
"""Any phone of the catalogue: they share their heat network."""

BODY_CONSTANT_S = 540.0
"""Fit to the battery temperature of a Galaxy S25+ (reported on reddit.com/r/programming)."""

DECODE_W = {
    "npu": 4.7,  # T-MAN (arXiv 2511.11248), Table 3: QNN W4, whole device
    "ane": 4.7,  # the same: an NPU of another phone stands in
    "cpu": 8.2,  # T-MAN, Table 3: bitnet.cpp
    "gpu": 13.8,  # upper end of net power in PowerBench (arXiv 2607.05475); assumed for a GPU
}
"""Power of a phone that decodes, by kind of processor [W]."""


@dataclass(frozen=True, slots=True)
class ThermalRow:
    """One published instant beside the simulated one.

    Attributes
    ----------
    quantity
        ``fraction``: decode rate over that of the start; ``skin_c``: temperature of the body [C];
        ``time_constant_s``: of the body [s]. ``measured`` and ``simulated`` are of it.
    power_w
        Power the run was replayed with [W]; 0 where none was.
    """

    run: str
    quantity: str
    at_s: float
    measured: float
    simulated: float
    power_w: float


def thermal_exhibit(exhibit: Exhibit, soc: SocSpec | None = None) -> list[ThermalRow]:
    """Return a row per published instant after the start, and the body's time constant.

    Parameters
    ----------
    soc
        A phone, whose heat network is used; `DEVICE` if none.
    """
    soc = soc or load_soc(DEVICE)
    runs: dict[str, list[SeriesPoint]] = {}
    for point in exhibit.series:
        runs.setdefault(point.run, []).append(point)
    rows = [row for name, points in runs.items() for row in _rows(name, points, soc)]
    constant_s = float(RcChain.of(soc.thermal).time_constants_s[0, 0])
    rows.append(
        ThermalRow("galaxy_s25_plus", "time_constant_s", 0.0, BODY_CONSTANT_S, constant_s, 0.0)
    )
    return rows


def thermal_text(rows: list[ThermalRow]) -> str:
    """Return the rows as lines for people."""
    lines = ["Ten-minute runs on the shared heat network (context, nothing is fitted to them):"]
    lines += [
        f"  {row.run:24s} {row.quantity:16s} at {row.at_s:5.0f} s: measured {row.measured:7.2f}, "
        f"simulated {row.simulated:7.2f}" + (f" at {row.power_w:.1f} W" if row.power_w else "")
        for row in rows
    ]
    return "\n".join(lines)


def _rows(name: str, points: list[SeriesPoint], soc: SocSpec) -> list[ThermalRow]:
    backend = next(kind for kind in DECODE_W if kind in name.split("_"))
    power_w = DECODE_W[backend]
    ends_s, clocks, bodies_c = _replayed(soc, power_w, points[-1].time_s)
    found = []
    for point in points[1:]:
        index = int(np.searchsorted(ends_s, point.time_s))
        given = {"fraction": (point.tokens_per_s, clocks), "skin_c": (point.skin_c, bodies_c)}
        for quantity, (measured, simulated) in given.items():
            if measured is None:
                continue
            start = points[0].tokens_per_s if quantity == "fraction" else 1.0
            found.append(
                ThermalRow(
                    name,
                    quantity,
                    point.time_s,
                    measured / (start or 1.0),
                    float(simulated[min(index, len(simulated) - 1)]),
                    power_w,
                )
            )
    return found


def _replayed(
    soc: SocSpec, power_w: float, until_s: float
) -> tuple[list[float], list[float], list[float]]:
    """Return ends [s], clocks and body temperatures [C] of the stretches of a run."""
    parts = soc.power
    static_w = sum(
        part.value for part in (parts.idle_w, parts.host_poll_w, parts.display_w, parts.leakage_w)
    )
    dynamic_w = np.array([max(0.0, power_w - static_w)])
    stretches = takewhile(
        lambda stretch: stretch.start_s[0] < until_s, decoding(soc, AMBIENT_C, dynamic_w)
    )
    rows = [
        (float(part.end_s[0]), float(part.clock[0]), float(part.body_c[0])) for part in stretches
    ]
    ends_s, clocks, bodies_c = zip(*rows, strict=True)
    return list(ends_s), list(clocks), list(bodies_c)
