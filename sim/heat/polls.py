"""The grid of instants at which a governor polls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers
from hw_models.thermal import Columns

Mask = NDArray[np.bool_]
"""Which runs, shape (runs,)."""

SAME_INSTANT = 1e-9
"""Polls nearer than this share of a period are the same."""


def next_poll_s(now_s: Numbers, period_s: Numbers) -> Columns:
    """Return the first instant of the grid after ``now_s`` [s].

    >>> next_poll_s(np.array([0.0, 0.3, 0.31]), 0.1).round(9).tolist()
    [0.1, 0.4, 0.4]
    """
    return np.asarray((np.floor(now_s / period_s + SAME_INSTANT) + 1.0) * period_s)
