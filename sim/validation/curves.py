"""Rates over minutes as curves: the area between two, and the instant at which each has fallen.

    area = mean over time of |replayed - measured| / mean over time of measured

Curves are shares of their own first half minute (`sim.validation.energy`), so a level that is off
everywhere is no area. Nothing here is fitted.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from sim.validation.energy import Floats, replayed_series

FALLEN: Final = 0.9
"""Share of the first half minute's rate below which a phone counts as throttled: a tenth lost."""


def area_between(at_s: Floats, measured: Floats, replayed: Floats) -> float:
    """Return the area between two curves, as a share of that below the measured one.

    >>> at = np.array([0.0, 1.0, 3.0])
    >>> round(area_between(at, np.ones(3), np.array([1.0, 1.0, 0.4])), 6)
    0.2
    """
    apart = np.trapezoid(np.abs(replayed - measured), at_s)
    return float(apart / np.trapezoid(measured, at_s))


def fallen_at_s(at_s: Floats, curve: Floats, share: float = FALLEN) -> float:
    """Return the first instant at which a curve is below a share, infinite if it never is [s].

    >>> fallen_at_s(np.array([0.0, 5.0, 9.0]), np.array([1.0, 0.95, 0.8]))
    9.0
    """
    below = np.flatnonzero(curve < share)
    return float(at_s[below[0]]) if len(below) else math.inf


def curves_table(role: str) -> pd.DataFrame:
    """Return a row for each series of a role: phone, stack, area, and when each curve fell [s]."""
    found = []
    for series in replayed_series(role):
        measured, replayed = series.curves
        found.append(
            {
                "role": role,
                "series": series.id,
                "phone": series.row["device"],
                "stack": series.row["stack"],
                "area": area_between(series.at_s, measured, replayed),
                "measured_s": fallen_at_s(series.at_s, measured),
                "replayed_s": fallen_at_s(series.at_s, replayed),
            }
        )
    return pd.DataFrame(found)
