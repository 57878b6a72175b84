"""Split conformal intervals: what residuals on data left out promise about the next row.

With the n absolute residuals r of log(simulated / measured), sorted, and a level p::

    k = ceil((n + 1) p)      interval = simulated x exp(+- r_k)      none where k > n

If the next row is exchangeable with those n, it lies inside with probability p or more, whatever
the distribution (Vovk, Gammerman, Shafer, *Algorithmic Learning in a Random World*, 2005). Rows of
another phone or runtime are not exchangeable, which is why these intervals are only a reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

LEVEL: Final = 0.8


def needed_residuals(level: float = LEVEL) -> int:
    """Return the fewest residuals that support a level.

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
