"""Temperature of a run: the die, spreader and body network driven by the power of each step group.

Not modelled here: throttling. Rates stay as they were at the start; `sustained_fraction` says how
far decode must slow down for the body to stay at the governor's first trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models.thermal import RcChain

if TYPE_CHECKING:
    from sim.results import Result

BODY = -1


def group_power_w(result: Result, index: int) -> float:
    """Return the mean power of the device while group ``index`` runs [W]."""
    times = result.groups[index]
    dram_j, compute_j = result.dynamic_j[index]
    span_s = float((times.ends_s - times.starts_s).sum())
    return result.energy_model.static_w() + float((dram_j + compute_j).sum()) / span_s


def skin_after(result: Result) -> float:
    """Return the highest body temperature at the end of any group, from ambient on [C]."""
    chain = RcChain.of(result.soc.thermal)
    ambient_c = result.scenario.environment.ambient_c
    temperatures_c = np.full(len(chain.heat_capacity_j_per_k), ambient_c)
    hottest_c, now_s = ambient_c, 0.0
    for index, times in enumerate(result.groups):
        idle_w = result.energy_model.idle_w()
        temperatures_c = chain.advance(
            temperatures_c, (idle_w, 0.0, 0.0), times.start_s - now_s, ambient_c
        )
        power_w = group_power_w(result, index)
        temperatures_c = chain.advance(
            temperatures_c, (power_w, 0.0, 0.0), times.end_s - times.start_s, ambient_c
        )
        now_s = times.end_s
        hottest_c = max(hottest_c, float(temperatures_c[BODY]))
    return hottest_c


def sustained_fraction(result: Result) -> float:
    """Return the share of the decode rate that can be held for ever, in (0, 1].

    In steady state the body sits ``R * P`` above ambient, R its resistance to the air. Only power
    above the static part falls with the rate, so ``f = (P_allowed - P_static) / (P_decode -
    P_static)``.
    """
    decode = [i for i, times in enumerate(result.groups) if times.group.phase == "decode"]
    if not decode:
        return 1.0
    thermal = result.soc.thermal
    headroom_k = thermal.governor.trip_c[0].value - result.scenario.environment.ambient_c
    allowed_w = headroom_k / thermal.body.resistance_to_ambient.value
    static_w = result.energy_model.static_w()
    dynamic_w = group_power_w(result, decode[-1]) - static_w
    lowest = min(fraction.value for fraction in thermal.governor.clock_fraction)
    return float(np.clip((allowed_w - static_w) / dynamic_w, lowest, 1.0))
