"""Where the time of a phase goes: the terms that people ask about.

The seconds from the end of one operator to the end of the next belong to what bounds the later one:
arithmetic, launch, or DRAM. DRAM seconds are divided among weights, cache and activations by their
bytes in the phase, those of a cache that is read at a lower rate (`kv_read_share`) by as many more.
What one law adds is a term of its own: weights that kernels expand before they multiply
(`hw_models.products`), products on vector lanes (`Stack.vector_products`), exponentials
(`VectorEngine.exponential`), logits of a prompt that nobody reads (`workloads.head_rows`), a prompt
in the draft and rows of a drafted tree beyond one (`workloads.drafting`), and what transfers lose
for being short (`ComputeUnit.ramp_bytes`) or for waiting behind other apps below saturation
(`Dram.queueing`); what the system cache serves is told from the DRAM's. Barriers (host work, graph
calls, switches, loads) are one term, and so are the work per layer and the copying of the cache,
which grow with the model. Work that is hidden behind the bound is not shown. In a long session the
first steps of a phase stand for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from sim.engine.cached import served_bytes
from sim.engine.conditions import Conditions, lost_to_waiting
from sim.engine.pricing import Pricing
from sim.engine.recording import Ran
from sim.engine.timed import TimedTask
from sim.engine.times import span_s
from sim.engine.transfers import cache_share, ramp
from sim.engine.unit_time import UnitTimes
from sim.run import Run
from workloads.head_rows import unread_share
from workloads.program import total
from workloads.tasks import Task

DRAM = "DRAM: "
DRAFT = "draft"
"""Class of a draft's weights."""
HOST = "host and graph calls"
EXPANDING = "weights expanded"
EXPONENTIALS = "exponentials"
BURSTS = "short transfers"
CACHED = "system cache"
WAITING = "waiting behind other apps"
UNREAD = "logits that nobody reads"
LANES = "products on vector lanes"
DRAFTED_PROMPT = "the prompt in the draft"
TREE_ROWS = "rows of a drafted tree"
BOUND_TERMS = {"compute": "arithmetic", "launch": "operator launch"}
OWN_TERMS = {
    "layer": "work per layer",
    "cache_copy": "cache copies",
    "graph_swap": "change of graphs",
}
"""Kinds of barriers that are terms of their own."""
BYTE_CLASSES = (
    ("weights", "weight_bytes"),
    ("KV cache", "kv_read_bytes"),
    ("KV write", "kv_write_bytes"),
    ("activations", "activation_read_bytes"),
    ("activation write", "activation_write_bytes"),
)


LawShare = tuple[str, str, float]
"""A term, the bound whose seconds it takes a share of, and that share."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a phase: its seconds, share of the phase, and the bytes it moves [s, B]."""

    name: str
    seconds: float
    share: float
    moved_bytes: float


def phase_terms(run: Run, phase: str) -> list[Term]:
    """Return the terms of a phase, largest first; their seconds add up to the phase."""
    seconds: defaultdict[str, float] = defaultdict(float)
    pricing = Pricing(run.soc, run.soc.stack(run.stack))
    shares_of = cache(partial(_shares, pricing, phase))  # equal layers share their operators
    for ran in run.sample(phase):
        if ran.task.is_barrier:
            seconds[OWN_TERMS.get(ran.task.kind, HOST)] += float(ran.elapsed_s.sum())
        elif phase == "prefill" and ran.task.demand and ran.task.demand.tensor_class == DRAFT:
            seconds[DRAFTED_PROMPT] += float(ran.elapsed_s.sum())
        else:
            shares = shares_of(ran.task, ran.conditions)
            if pricing.stack.whole_head and phase == "prefill":
                shares = (*_unread(ran), *shares)
            for name, spent_s in _of_laws(ran.seconds_by_bound(), shares).items():
                seconds[name] += spent_s
    groups = [times for times in run.groups if times.group.phase == phase]
    moved = {
        name: total((times.group for times in groups), column) for name, column in BYTE_CLASSES
    }
    cached = served_bytes((times.group for times in groups), run.soc)
    for name, part in zip(("weights", "KV cache"), cached, strict=True):
        moved[name] -= float(part.sum())
    share = run.soc.stack(run.stack).kv_read_share
    slowed = {"KV cache": 1.0 / share.value if share else 1.0}
    streamed = {name: part * slowed.get(name, 1.0) for name, part in moved.items()}
    total_bytes = sum(streamed.values()) or 1.0
    dram_s = seconds.pop("dram", 0.0)
    terms_s = {BOUND_TERMS.get(name, name): part for name, part in seconds.items()}
    terms_s |= {f"{DRAM}{name}": dram_s * part / total_bytes for name, part in streamed.items()}
    moved[CACHED] = float(cached.total_bytes.sum())
    whole = sum(terms_s.values())
    phase_s = span_s(groups)
    terms = [
        Term(name, phase_s * part / whole, part / whole, moved.get(name.removeprefix(DRAM), 0.0))
        for name, part in terms_s.items()
        if part > 0.0
    ]
    return sorted(terms, key=lambda term: -term.seconds)


def _of_laws(found: dict[str, float], shares: Sequence[LawShare]) -> dict[str, float]:
    """Return the seconds of an operator by its bounds, what one law takes of them apart [s]."""
    for name, bound, share in shares:
        part = found[bound] * share
        found[name] = found.get(name, 0.0) + part
        found[bound] -= part
    return found


def _shares(
    pricing: Pricing, phase: str, timed: TimedTask, conditions: Conditions
) -> tuple[LawShare, ...]:
    """Return what single laws take of an operator's time, alike in all steps it runs in."""
    task = timed.demand
    assert task is not None
    return (
        (TREE_ROWS, "compute", _tree_share(pricing.units, task, phase)),
        (LANES, "compute", _lanes_share(pricing.units, task, phase)),
        (EXPANDING, "compute", _expanding_share(pricing.units, task, phase)),
        (EXPONENTIALS, "compute", pricing.units.exponential_share(task, phase)),
        (WAITING, "dram", float(np.mean(lost_to_waiting(timed, conditions)))),
        (CACHED, "dram", cache_share(pricing.soc, timed, conditions.clock)),
        (BURSTS, "dram", 1.0 - float(np.mean(ramp(pricing.soc, task)))),
    )


def _unread(ran: Ran) -> tuple[LawShare, ...]:
    """Return the shares of an LM head's arithmetic and transfers for logits that nobody reads.

    Its weights are read for them in every chunk but the last.
    """
    task = ran.task.demand
    if task is None or task.tensor_class != "lm_head":
        return ()
    is_last = (ran.steps == ran.group.steps - 1).astype(np.float64)
    share = unread_share(task.m[ran.steps], is_last)
    logits = task.activation_write_bytes / task.dram_bytes
    of_bytes = np.where(is_last, share * logits[ran.steps], share)
    taken_s = ran.elapsed_s
    whole_s = float(taken_s.sum()) or 1.0
    return (
        (UNREAD, "compute", float((share * taken_s).sum()) / whole_s),
        (UNREAD, "dram", float((of_bytes * taken_s).sum()) / whole_s),
    )


def _tree_share(units: UnitTimes, task: Task, phase: str) -> float:
    """Return the share of a draft's arithmetic that its rows beyond one take."""
    if task.tensor_class != DRAFT or not np.any(task.m > 1.0):
        return 0.0
    one = task.with_columns(m=1.0, flops=task.flops / task.m)
    seconds = [float(np.mean(units.busy_s(each, phase))) for each in (one, task)]
    return 1.0 - seconds[0] / seconds[1] if seconds[1] else 0.0


def _lanes_share(units: UnitTimes, task: Task, phase: str) -> float:
    """Return the share of an operator's arithmetic in steps whose product runs on vector lanes."""
    lanes, busy_s = units.on_lanes(task, phase), units.busy_s(task, phase)
    return 0.0 if lanes is None else float(np.mean(lanes * busy_s) / (np.mean(busy_s) or 1.0))


def _expanding_share(units: UnitTimes, task: Task, phase: str) -> float:
    """Return the share of an operator's arithmetic in which its weights are expanded."""
    expanding_s, busy_s = units.expanding_s(task, phase), float(units.busy_s(task, phase).sum())
    return 0.0 if expanding_s is None or not busy_s else float(expanding_s.sum()) / busy_s
