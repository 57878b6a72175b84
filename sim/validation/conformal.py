"""Conformal intervals: what errors on data left out of the fit say about the next row.

With the n absolute residuals r of log(simulated / measured), sorted, and a level p::

    k = ceil((n + 1) p)      interval = simulated x exp(+- r_k)      none where k > n

Were all n residuals and the next row's from one model that saw none of them (split conformal), and
exchangeable, the row would lie inside with probability p or more, whatever the distribution (Vovk,
Gammerman, Shafer, *Algorithmic Learning in a Random World*, 2005). Here each residual comes from a
fit without its own network and the simulation from the fit to all: the jackknife, which has no such
bound (Barber, Candes, Ramdas, Tibshirani, *Predictive inference with the jackknife+*, 2021). Nor
are rows of another phone or runtime exchangeable. So these intervals are a reference, no promise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

LEVEL: Final = 0.8
"""Share of rows that an interval is meant to hold."""


def needed_residuals(level: float = LEVEL) -> int:
    """Return the fewest residuals that support a level below 1: level / (1 - level), rounded up.

    >>> needed_residuals(0.8), needed_residuals(0.95)
    (4, 19)
    """
    return math.ceil(level / (1.0 - level) - 1e-9)


def conformal_factor(log_errors: Iterable[float], level: float = LEVEL) -> float | None:
    """Return exp(r_k), the factor up and down of the interval, or none where n is too small.

    >>> conformal_factor([0.0, 0.1, -0.2, 0.3], 0.8) == math.exp(0.3)
    True
    >>> conformal_factor([0.1, 0.2, 0.3], 0.8) is None
    True
    """
    residuals = sorted(abs(error) for error in log_errors)
    rank = math.ceil((len(residuals) + 1) * level - 1e-9)
    return math.exp(residuals[rank - 1]) if rank <= len(residuals) else None
