"""Which law costs most: the terms of all phases of a run, by the law that each follows from.

Several terms follow from one law: weights, KV cache and activations are all bytes over the rate of
the memory. What is hidden behind another law costs nothing here, as in `sim.breakdown`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sim.breakdown import (
    BOUND_TERMS,
    BURSTS,
    CACHED,
    DRAFTED_PROMPT,
    DRAM,
    EXPANDING,
    EXPONENTIALS,
    HOST,
    LANES,
    OWN_TERMS,
    TREE_ROWS,
    UNREAD,
    WAITING,
    Term,
    phase_terms,
)
from sim.run import Run
from workloads.trace import EVERY_PHASE

TRANSFERS: Final = "transfers (bytes over the rate of the memory)"
LAWS: Final = MappingProxyType(
    {
        BOUND_TERMS["compute"]: "arithmetic (operations over the rate attained)",
        BOUND_TERMS["launch"]: "launches (a fixed time an operator)",
        HOST: "host work and graph calls (a fixed time a step and a call)",
        OWN_TERMS["layer"]: "work per layer (a fixed time a layer)",
        OWN_TERMS["cache_copy"]: "copies of the cache (its bytes over their rate)",
        OWN_TERMS["graph_swap"]: "changes of graphs (weights that come in again)",
        EXPANDING: "expansion of weights before each product",
        EXPONENTIALS: "exponentials at a rate of their own",
        BURSTS: "transfers too short for their full rate",
        WAITING: "waiting behind other apps for the memory",
        DRAFTED_PROMPT: "the prompt in the draft's layers",
        TREE_ROWS: "rows of a drafted tree beyond one a pass",
        LANES: "products on vector lanes",
        UNREAD: "logits of a prompt that nobody reads",
        CACHED: "reads from the system cache",
    }
)
"""The law of each term but those of the DRAM, with what it says."""


@dataclass(frozen=True, slots=True)
class LawCost:
    """What one law costs a run: its seconds, and their share of all phases [s]."""

    law: str
    seconds: float
    share: float


def law_costs(
    run: Run, known: Mapping[str, Sequence[Term]] = MappingProxyType({})
) -> list[LawCost]:
    """Return what each law costs, the most first; the seconds add up to those of all phases.

    Parameters
    ----------
    known
        Terms of phases that the caller has already.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for phase in EVERY_PHASE:
        for term in known[phase] if phase in known else phase_terms(run, phase):
            law = TRANSFERS if term.name.startswith(DRAM) else LAWS.get(term.name, term.name)
            seconds[law] += term.seconds
    whole = sum(seconds.values())
    costs = [LawCost(law, spent, spent / whole) for law, spent in seconds.items()]
    return sorted(costs, key=lambda cost: -cost.seconds)
