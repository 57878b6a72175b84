"""How far off a set of simulated values is, the same three numbers wherever errors are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ErrorScores(NamedTuple):
    """Mean absolute (MAPE), mean signed (bias) and 95th percentile of the absolute errors."""

    mape: float
    bias: float
    p95_abs_error: float


def error_scores(errors: Sequence[float]) -> ErrorScores:
    """Return the scores of errors relative to the measured value, at least one; all fractions.

    >>> [round(score, 3) for score in error_scores([0.1, -0.3])]
    [0.2, -0.1, 0.29]
    """
    sizes = np.abs(errors)
    return ErrorScores(
        mape=float(sizes.mean()),
        bias=float(np.mean(errors)),
        p95_abs_error=float(np.percentile(sizes, 95)),
    )
