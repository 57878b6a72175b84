"""The noise of one published figure: the table that `sim.evidence.corpus_noise` writes, read.

A fit takes it as the deviation of a measured value, a judge as what no model can be expected to
beat. Not modelled: noise by device, of which too few repeat.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

from sim.errors import SimError
from sim.evidence.corpus_tables import FOLDER
from workloads.errors import did_you_mean


class Noise(NamedTuple):
    """Noise of one figure of a metric, by how two figures are related.

    Attributes
    ----------
    kind, metric, unit, relation
        Table, metric, compute unit (``any`` of them, or one) and relation of the pairs.
    questions
        How many questions repeat.
    median_difference, p90_difference
        |log(a / b)| of two figures; NaN below five questions, as all that follow.
    spread, spread_low, spread_high
        Standard deviation of the logarithm of one figure, with its 80 % interval.
    """

    kind: str
    metric: str
    unit: str
    relation: str
    questions: int
    median_difference: float
    p90_difference: float
    spread: float
    spread_low: float
    spread_high: float


def noise_of(
    kind: str, metric: str, relation: str = "other release", unit: str = "any"
) -> Noise | None:
    """Return what the repeats that ship say of a metric; none where too few repeat.

    Parameters
    ----------
    kind
        ``language``, ``vision_language``, ``network`` or ``energy``.
    metric
        A metric of that table, such as ``tokens_per_s``.
    relation
        ``same release``, ``other board``, ``other release`` or ``other person``.
    unit
        ``cpu``, ``gpu`` or ``npu``; ``any`` takes all together.

    Raises
    ------
    SimError
        If there is no such table, metric, relation or unit.

    >>> noise = noise_of("language", "tokens_per_s")
    >>> 0.0 < noise.spread_low <= noise.spread <= noise.spread_high < 0.2
    True
    >>> noise_of("energy", "energy_j_per_token") is None  # unknown stays unknown
    True
    """
    asked = {"kind": kind, "metric": metric, "unit": unit, "relation": relation}
    rows = list(_shipped())
    for what, name in asked.items():
        names = list(dict.fromkeys(getattr(row, what) for row in rows))
        if name not in names:
            raise SimError(
                f"{what} of noise must be one of {', '.join(names)}. Got {name!r}. "
                f"{did_you_mean(name, names)}"
            )
        rows = [row for row in rows if getattr(row, what) == name]
    return None if math.isnan(rows[0].spread) else rows[0]


@cache
def _shipped() -> tuple[Noise, ...]:
    import pandas as pd

    table = pd.read_csv(FOLDER / "noise.csv")
    return tuple(Noise(*row) for row in table.itertuples(index=False))
