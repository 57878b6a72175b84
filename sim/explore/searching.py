"""Search of a space of deployments that is too large to enumerate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.explore.candidates import CONCESSION, Candidate, Knobs, Place

SEARCH_GENERATIONS = 40
SEARCH_POPULATION = 15
"""Of the search, the population for each knob; both moderate, since each member is a run."""


def searched(
    tried: Callable[[Place], Candidate | None], knobs: Knobs, invalid: float, seed: int
) -> list[Candidate | None]:
    """Return what differential evolution looks at, each place once.

    Parameters
    ----------
    invalid
        Miss of a place that is no valid scenario.
    """
    from scipy.optimize import differential_evolution

    looks: dict[Place, Candidate | None] = {}
    worst = max(1, sum(len(values) - 1 for values in knobs.values()))

    def miss(place: NDArray[np.float64]) -> float:
        at = tuple(round(index) for index in place.tolist())
        if at not in looks:
            looks[at] = tried(at)
        found = looks[at]
        if found is None:
            return invalid
        return found.miss + CONCESSION * found.concessions / worst

    differential_evolution(
        miss,
        bounds=[(0, len(values) - 1) for values in knobs.values()],
        integrality=[True] * len(knobs),
        maxiter=SEARCH_GENERATIONS,
        popsize=SEARCH_POPULATION,
        polish=False,
        rng=np.random.default_rng(seed),
    )
    return list(looks.values())
