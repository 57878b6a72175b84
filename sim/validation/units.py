"""Numbers that are so far from what is simulated that their unit is the likely fault.

A unit that is mistaken is off by 1000, 1024 or 60. Of the 3888 judged values that ship, all but one
(129) lie within a factor of 16, so what is beyond 50 is no evidence until somebody has looked at
its unit. Memory has a bound of its own: the weights. Not told: which unit was meant.
"""

from __future__ import annotations

from typing import Final

from hw_models.soc import SocSpec
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import DECODE, scenario_of_run
from sim.planning import plan

FARTHEST: Final = 50.0
"""Assumed: no right number is this many times what is simulated, or this small a part of it."""
MEMORY: Final = "peak_dram_bytes"


def factor_apart(measured: float, simulated: float) -> float:
    """Return how many times the larger of two numbers above zero is the other; 1 if one is 0."""
    if measured <= 0.0 or simulated <= 0.0:
        return 1.0
    return max(measured / simulated, simulated / measured)


def unit_in_doubt(metric: str, measured: float, simulated: float) -> str:
    """Return why a number's unit is to be checked, "" where it need not be.

    >>> unit_in_doubt("power_w", 5500.0, 5.0)
    'power_w of 5500 is a factor of 1,100 from the simulated 5: check its unit.'
    >>> unit_in_doubt("power_w", 5.5, 5.0)
    ''
    """
    factor = factor_apart(measured, simulated)
    if factor < FARTHEST:
        return ""
    return (
        f"{metric} of {measured:g} is a factor of {factor:,.0f} from the simulated "
        f"{simulated:.3g}: check its unit."
    )


def below_weights(run: MeasuredRun, soc: SocSpec) -> str:
    """Return why a run's memory is less than its weights take, "" where it is not.

    Raises `CannotSimulate` where the run leaves open what it ran.
    """
    program = plan(scenario_of_run(run, DECODE, soc), soc).program
    weights = program.initial_bytes["weights"]
    measured = run.metrics[MEMORY]
    if measured >= weights:
        return ""
    return (
        f"{MEMORY} of {measured:g} must be at least the {weights:.4g} B of the weights: check "
        "its unit, or leave it empty where mapped weights were not counted."
    )
