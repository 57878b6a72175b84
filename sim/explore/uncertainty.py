"""Intervals: how far the metrics of a run may lie from their nominal values.

Every uncertain number of the device is drawn (`sim.explore.draws`), the run is repeated on each
draw, and each metric gets its 10th, 50th and 90th percentile. The median need not be the nominal
value: an assumed number may lie anywhere in its range.

Not modelled: what the equations leave out; validation tells about that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError
from sim.explore.draws import draw
from sim.explore.variants import MetricColumns, variant_metrics
from sim.metrics import METRICS

if TYPE_CHECKING:
    from sim.results import Result

PERCENTILES = {"p10": 10.0, "p50": 50.0, "p90": 90.0}


def sampled_metrics(result: Result, samples: int, seed: int = 0) -> MetricColumns:
    """Return every metric on draws of the device, each of shape (samples,).

    Empty where nothing is uncertain; NaN where a draw does not reach the metric. Raises `SimError`
    where `samples` is below 1.
    """
    if samples < 1:
        raise SimError(f"--uncertainty must be at least 1 sample. Got {samples}.")
    draws = draw(result.soc, result.stack, samples, seed)
    return variant_metrics(result, draws) if draws else {}


def uncertainty(result: Result, samples: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Return the interval of each metric: ``{metric: {"p10", "p50", "p90"}}``.

    A metric that some draw does not reach, and `fits`, which is yes or no, have none. A device
    without uncertain numbers gives intervals of no width.
    """
    sampled: Mapping[str, NDArray[np.float64]] = sampled_metrics(result, samples, seed)
    nominal = result.metrics()
    found = {}
    for name, value in nominal.items():
        column = sampled.get(name, np.array([np.nan if value is None else value], dtype=float))
        if METRICS[name].kind is not bool and np.isfinite(column).all():
            levels = np.percentile(column, list(PERCENTILES.values()))
            found[name] = dict(zip(PERCENTILES, levels.tolist(), strict=True))
    return found
