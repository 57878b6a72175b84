"""The laws to beat, on networks that they have not seen: two numbers, three numbers, the priors.

- *two numbers*: decode time = bytes of weights a + b, per stack of a device;
- *three numbers*: bytes of weights a + layers b + bytes of cache c;
- *priors*: the simulator as it was before any row.

The first two are fitted to the decode rows of a cell without the network that is left out, none of
the numbers below zero, relative errors squared. Where the simulator is nearer, that is due to what
it models beyond the law, and to what it learns from other stacks and devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from sim.calibration.asked import Asked
from sim.calibration.fit import Vector
from sim.calibration.pooled import Problem
from sim.evidence.questions import DECODE

LEAST_NETWORKS: Final = 3
"""Networks that a cell must have besides the one left out, for a law to be fitted."""


class Rival(NamedTuple):
    """log(simulated / measured) of a question by a rival law."""

    law: str
    id: str
    device: str
    stack: str
    metric: str
    log_error: float


def rivals(problem: Problem) -> list[Rival]:
    """Return the residuals of all rivals, for a problem that was solved."""
    misses = (problem.at_priors - problem.measured).tolist()
    return [
        *(_rival("priors", item, miss) for item, miss in zip(problem.rows, misses, strict=True)),
        *_laws(problem),
    ]


def _laws(problem: Problem) -> Iterator[Rival]:
    for cell in problem.by_cell:
        rows = [item for item in problem.rows if item.cell == cell and item.row.metric == DECODE]
        for network in sorted({item.network for item in rows}):
            kept = [item for item in rows if item.network != network]
            if len({item.network for item in kept}) < LEAST_NETWORKS:
                continue
            for law, columns in (("two numbers", [0, 1]), ("three numbers", [0, 2, 3])):
                numbers = _fitted(kept, columns)
                for item in rows:
                    if item.network == network:
                        seconds = float(_features(item)[columns] @ numbers)
                        yield _rival(law, item, -math.log(seconds) - item.log_measured)


def _fitted(rows: Sequence[Asked], columns: Sequence[int]) -> Vector:
    from scipy.optimize import nnls  # scipy is loaded only to fit

    relative = [_features(item)[columns] * item.row.measured for item in rows]
    return np.asarray(nnls(np.array(relative), np.ones(len(rows)))[0])


def _features(item: Asked) -> Vector:
    """Return GB of weights, 1, layers / 100 and GB of cache of a step."""
    program, groups = item.row.program, item.row.groups
    layers = sum(part.repeat for part in groups[0].segments if part.is_layer)
    steps = sum(group.steps for group in groups)
    cache = sum(group.total("kv_read_bytes") for group in groups) / steps
    return np.array([program.weight_bytes_per_step / 1e9, 1.0, layers / 100.0, cache / 1e9])


def _rival(law: str, item: Asked, log_error: float) -> Rival:
    row = item.row
    return Rival(law, item.ids[0], row.device, row.stack, row.metric, log_error)
