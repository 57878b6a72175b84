"""Three runs of a Galaxy S25's GPU back to back, and the law that gives their bursts.

Used by `power_pictures.py` and by a test. The series stands in role context: the network of lumps
is fitted to its board and die, driven by its own clock, and no shipped device has these numbers.
Its power was not published; watts follow from the die's resistance, which is the shipped one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hw_models.soc import SocSpec, load_soc
from sim.engine.conditions import Conditions
from sim.evidence import corpus
from sim.heat.phone import Load, Phone

Numbers = NDArray[np.float64]

FULL_HZ: Final = 1.2e9
AIR_C: Final = 28.0
LOADS_S: Final = (0.0, 169.0, 348.0)
"""When each run begins to load its model [s]."""
TOKENS_S: Final = ((6.0, 75.0), (177.0, 254.0), (356.0, 449.0))
"""When each run gives tokens [s]."""
CUTS_S: Final = ((39.4, 42.9), (197.8, 201.5), (360.3, 363.7))
"""Between which two rows of the series each run leaves the full clock [s]."""
LOADING_W: Final = 3.2
TRAFFIC_W, SWITCHED_W = 1.2, 7.2
"""What decoding takes at full clock, with the clock and with its voltage, too [W]."""
WARM_S, WARM_W = 160.0, 1.1
"""What came before the series: its board begins 4 K above its battery."""

LUMPS: Final = {
    "thermal.die.heat_capacity": 0.5,
    "thermal.spreader.heat_capacity": 8.3,
    "thermal.spreader.resistance_to_next": 2.6,
    "thermal.die_governor.trip_c": 95.0,
    "power.host_poll_w": 0.0,
}
"""By the board's and the die's own course; the die was at 83 C and not slowed down."""
GOVERNOR: Final[dict[str, dict[str, Any]]] = {
    "thermal.skin": {"time_constant_s": 50.0},
    "thermal.governor": {
        "trip_c": [39.0],
        "clock_fraction": [0.55],
        "hysteresis_c": 1.0,
        "sensor_period_s": 3.0,
    },
}
"""The first trip of a Pixel's skin, 1 K as an owner of this phone found, and two numbers that are
chosen here: the time constant, and the clock that is left, the series' mean behind the cuts."""


class Course(NamedTuple):
    """A replay: instants [s], clock as a fraction (0: no tokens), die, board and skin [C]."""

    time_s: Numbers
    clock: Numbers
    die_c: Numbers
    board_c: Numbers
    skin_c: Numbers

    def bursts_s(self) -> list[float]:
        """Return how long each run keeps the full clock [s]."""
        found = []
        for begin_s, end_s in TOKENS_S:
            runs = (self.time_s >= begin_s) & (self.time_s < end_s)
            slow = self.time_s[runs & (self.clock < 1.0)]
            found.append(float(slow[0] if len(slow) else end_s) - begin_s)
        return found

    def mean_clocks(self) -> list[float]:
        """Return the mean clock of each run, as a fraction."""
        each = [(self.time_s >= begin) & (self.time_s < end) for begin, end in TOKENS_S]
        return [float(self.clock[runs].mean()) for runs in each]


def series() -> pd.DataFrame:
    """Return the measured series."""
    rows = corpus("time_series", role="context")
    return rows[rows["source"] == "series_s25_gpu"].sort_values("time_s")


def lagged_board_c(constant_s: float) -> Numbers:
    """Return a lagged mean of the measured board, before and after each cut [C], shape (3, 2).

    Between two runs nothing was read; the board is taken to have cooled exponentially there.
    """
    shown = series()
    at_s, board_c = (shown[name].to_numpy(dtype=float) for name in ("time_s", "board_c"))
    grid_s = np.arange(0.0, at_s[-1], 0.5)
    course_c = np.interp(grid_s, at_s, board_c)
    for begin, end in zip(
        *((np.diff(at_s) > 60.0).nonzero()[0] + add for add in (0, 1)), strict=True
    ):
        gap = (grid_s > at_s[begin]) & (grid_s < at_s[end])
        floor_c = board_c[end] - 1.0
        share = (grid_s[gap] - at_s[begin]) / (at_s[end] - at_s[begin])
        course_c[gap] = floor_c + (board_c[begin] - floor_c) ** (1.0 - share)
    lagged_c = course_c.copy()
    for place in range(1, len(grid_s)):
        kept = np.exp(-0.5 / constant_s)
        lagged_c[place] = course_c[place] + (lagged_c[place - 1] - course_c[place]) * kept
    return np.interp(np.array(CUTS_S), grid_s, lagged_c)


def device(**moved: object) -> SocSpec:
    """Return a Snapdragon 8 Elite with this phone's lumps and governor.

    ``moved`` replaces parts by path, with ``__`` for a dot.
    """
    parts = {name.replace("__", "."): item for name, item in moved.items()}
    return load_soc("snapdragon_8_elite").with_overrides({**LUMPS, **GOVERNOR, **parts})


def replay(soc: SocSpec) -> Course:
    """Return what a phone makes of the three runs."""
    phone = Phone(soc, AIR_C, iter([Load(0.0, None)]))
    phone.run(lambda _: WARM_W, 0.0)
    rows = []
    for time_s in np.arange(0.0, TOKENS_S[-1][1] + 1.0, 0.5):
        while phone.next_change_s < WARM_S + time_s:
            phone.advance(phone.next_change_s)
        law, decodes = power_at(float(time_s))
        phone.run(law, WARM_S + time_s)
        die_c, board_c, _ = phone.temperatures_c[:, 0]
        clock = phone.conditions.clock if decodes else 0.0
        rows.append((time_s, clock, die_c, board_c, phone.skin_c))
    return Course(*np.array(rows).T)


def power_at(time_s: float) -> tuple[Callable[[Conditions], float] | None, bool]:
    """Return the power law of what runs at an instant, and whether it gives tokens."""
    for loads_s, (begin_s, end_s) in zip(LOADS_S, TOKENS_S, strict=True):
        if begin_s <= time_s < end_s:
            return lambda now: TRAFFIC_W * now.clock + SWITCHED_W * now.clock**2.5, True
        if loads_s <= time_s < begin_s:
            return lambda _: LOADING_W, False
    return None, False
