"""How often the intervals of draws hold what was measured on phones.

`simulate --uncertainty` draws every uncertain number; `andesim validate` shows the closed form of
`sim.validation.intervals` instead, which is quicker. This counts how often the intervals of the
draws hold the same rows, separately for stacks with and without a fit.

Not judged: memory and power, of which too few rows were published.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from hw_models.soc import SocSpec
from hw_models.tree import moved_each
from sim.calibration.rows import Observation, observations
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import device_of_run
from sim.explore.draws import draw
from sim.explore.uncertainty import PERCENTILES


class Coverage(NamedTuple):
    """Rows of a metric, on stacks with a fit or without, and the share inside their interval."""

    metric: str
    is_fitted: bool
    n: int
    inside: float


def coverage_of_draws(runs: Iterable[MeasuredRun], samples: int, seed: int = 0) -> list[Coverage]:
    """Return how often the central 80 % of the draws of a device hold the measured value."""
    found: dict[tuple[str, bool], list[bool]] = {}
    for row in observations(runs)[0]:
        soc = device_of_run(row.run)
        key = row.metric, soc.stack(row.stack).fit is not None
        found.setdefault(key, []).append(_is_inside(row, soc, samples, seed))
    return [Coverage(*key, len(rows), sum(rows) / len(rows)) for key, rows in sorted(found.items())]


def _is_inside(row: Observation, soc: SocSpec, samples: int, seed: int) -> bool:
    draws = draw(soc, row.stack, samples, seed)
    columns = {path: values.tolist() for path, values in draws.items()}
    simulated = [row.simulated(one) for one in moved_each(soc, columns, samples)]
    low, high = np.percentile(simulated, (PERCENTILES["p10"], PERCENTILES["p90"]))
    return bool(low <= row.measured <= high)
