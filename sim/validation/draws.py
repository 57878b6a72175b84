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
from sim.calibration.rows import Observation, by_stack, observations
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import device_of_run
from sim.explore.draws import draw
from sim.explore.uncertainty import PERCENTILES
from sim.explore.variants import shaping_prices, side_by_side


class Coverage(NamedTuple):
    """Rows of a metric, on stacks with a fit or without, and the share inside their interval."""

    metric: str
    is_fitted: bool
    n: int
    inside: float


def coverage_of_draws(runs: Iterable[MeasuredRun], samples: int, seed: int = 0) -> list[Coverage]:
    """Return how often the central 80 % of the draws of a device hold the measured value."""
    found: dict[tuple[str, bool], list[bool]] = {}
    for (_, stack), rows in by_stack(observations(runs)[0]).items():
        soc = device_of_run(rows[0].run)
        is_fitted = soc.stack(stack).fit is not None
        devices = _devices(soc, stack, samples, seed)
        for row in rows:
            found.setdefault((row.metric, is_fitted), []).append(_is_inside(row, devices))
    return [Coverage(*key, len(rows), sum(rows) / len(rows)) for key, rows in sorted(found.items())]


def _devices(soc: SocSpec, stack: str, samples: int, seed: int) -> list[SocSpec]:
    """Return the draws of a device: one of columns for all that share a layout."""
    draws = draw(soc, stack, samples, seed)
    if not draws:
        return [soc]
    return [side for _, side in side_by_side(soc, draws, shaping_prices(soc, stack, draws))]


def _is_inside(row: Observation, devices: list[SocSpec]) -> bool:
    simulated = np.concatenate([row.simulated_on_each(side) for side in devices])
    low, high = np.percentile(simulated, (PERCENTILES["p10"], PERCENTILES["p90"]))
    return bool(low <= row.measured <= high)
