"""Facts: what runs did, as columns over runs, from which every metric is made.

A single run is a column of one entry, draws of a device have an entry per device, runs that differ
in token counts one per run. All of them come the same way: columns over steps (`sim.work`, and the
seconds of an engine) are summed over the steps of each run, and `facts_of` puts the sums together.

Not modelled here: which steps ran when; that is the engines' part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.energy import energy_parts
from sim.engine.timed import FloatColumn
from sim.engine.times import GroupTimes, clock_means, hidden_in_s
from sim.graph_swaps import swapped_flash_bytes
from sim.heat.course import TENTH, sustained_fractions
from sim.heat.governed import GovernedHeat
from sim.loading import cold_start
from sim.phase_facts import PhaseFacts, added, phase_facts, summed_work, whole
from sim.work import Work
from workloads.program import Program, StepGroup
from workloads.scenario import Scenario
from workloads.trace import EVERY_PHASE, NETWORK


@dataclass(frozen=True, slots=True)
class HeatFacts:
    """Highest temperatures [C] and mean power [W], energy of leakage and of other apps [J].

    Each of shape (runs,).
    """

    hottest_body_c: FloatColumn
    hottest_die_c: FloatColumn
    highest_mean_w: FloatColumn
    leakage_j: FloatColumn
    background_j: FloatColumn

    @classmethod
    def of(cls, governed: GovernedHeat, background_w: float = 0.0) -> HeatFacts:
        """Return what governed runs have reached, beside other apps of constant power [W]."""
        return cls(
            hottest_body_c=governed.hottest_body_c,
            hottest_die_c=governed.hottest_die_c,
            highest_mean_w=governed.highest_mean_w,
            leakage_j=governed.leakage_j,
            background_j=background_w * governed.now_s,
        )


@dataclass(frozen=True)
class Facts:
    """What runs did; every column has shape (runs,).

    Attributes
    ----------
    vision, prefill, decode
        The phases, all turns together.
    network
        The calls of a network, a step each.
    turns
        Turns of which a step ran.
    first_token_s
        From the start of a turn to the end of its last prefill step, mean over turns; NaN where no
        turn got there [s].
    makespan_s, busy_s
        End of the last step; seconds in which steps ran [s].
    peak_dram_bytes, budget_bytes
        Largest resident total; what the app may occupy [B].
    fits
        Whether the run stayed inside the budget.
    file_bytes, flash_read_bytes, load_s
        The deployed file [B]; bytes read from flash [B]; seconds of a cold start [s].
    visual_tokens, kv_tokens, weight_bytes_per_step
        Image tokens, tokens in the KV cache at the end, weights that one decode step reads [B].
    dram_peak_bytes_per_s
        Peak bandwidth of the memory [B/s].
    host_j, display_j, idle_j, leakage_j, flash_j, background_j
        Energy besides that of the phases [J].
    hottest_body_c, hottest_die_c, highest_mean_w
        Highest temperatures [C] and running mean of the power [W].
    decode_w, decode_switched_w
        Mean dynamic power of the last turn's decoding, or of a network's calls, at full clock, and
        what of it falls with the voltage; NaN without any [W].
    sustained_fraction
        Mean clock in the tenth minute at that power (`sustained`).
    """

    vision: PhaseFacts
    prefill: PhaseFacts
    decode: PhaseFacts
    network: PhaseFacts
    turns: FloatColumn
    first_token_s: FloatColumn
    makespan_s: FloatColumn
    busy_s: FloatColumn
    peak_dram_bytes: FloatColumn
    budget_bytes: FloatColumn
    fits: NDArray[np.bool_]
    file_bytes: FloatColumn
    flash_read_bytes: FloatColumn
    load_s: FloatColumn
    visual_tokens: FloatColumn
    kv_tokens: FloatColumn
    weight_bytes_per_step: FloatColumn
    dram_peak_bytes_per_s: FloatColumn
    host_j: FloatColumn
    display_j: FloatColumn
    idle_j: FloatColumn
    flash_j: FloatColumn
    leakage_j: FloatColumn
    background_j: FloatColumn
    hottest_body_c: FloatColumn
    hottest_die_c: FloatColumn
    highest_mean_w: FloatColumn
    decode_w: FloatColumn
    decode_switched_w: FloatColumn
    sustained_fraction: FloatColumn

    @property
    def phases(self) -> tuple[PhaseFacts, ...]:
        """Vision encode, prefill and decode, and a network's calls."""
        return self.vision, self.prefill, self.decode, self.network

    @property
    def runs(self) -> int:
        """How many runs the columns hold."""
        return len(self.makespan_s)

    @property
    def dram_j(self) -> FloatColumn:
        """Energy of all traffic but that of the system cache [J]."""
        return _summed(self.phases, "dram_j") - self.cache_j

    @property
    def cache_j(self) -> FloatColumn:
        """Energy of what the system cache serves [J]."""
        return _summed(self.phases, "cache_j")

    @property
    def compute_j(self) -> FloatColumn:
        """Energy of all arithmetic [J]."""
        return _summed(self.phases, "compute_j")

    @property
    def active_j(self) -> FloatColumn:
        """Energy of busy units besides traffic and arithmetic [J]."""
        return _summed(self.phases, "active_j")

    @cached_property
    def energy_j(self) -> FloatColumn:
        """Energy of the whole device, the sum of its parts [J]."""
        parts = (
            self.dram_j
            + self.cache_j
            + self.compute_j
            + self.active_j
            + self.host_j
            + self.display_j
        )
        return parts + self.idle_j + self.leakage_j + self.flash_j + self.background_j


def _summed(parts: Iterable[PhaseFacts], name: str) -> FloatColumn:
    total: FloatColumn = sum((getattr(part, name) for part in parts), np.zeros(1))
    return total


def facts_of(
    scenario: Scenario,
    soc: SocSpec,
    program: Program,
    *,
    phases: Sequence[PhaseFacts],
    turns: Any,
    first_token_s: Any,
    makespan_s: Any,
    peak_dram_bytes: Any,
    budget_bytes: Any,
    heat: HeatFacts,
    decoded: PhaseFacts | None,
    kv_tokens: Any = None,
    loaded_bytes: Any = 0.0,
    mapped: float = 0.0,
) -> Facts:
    """Return the facts of runs, given the sums over their steps; `sustained` adds the last one.

    Columns may be numbers, have shape (runs,), or (runs, 1) beside a device whose numbers do.

    Parameters
    ----------
    phases
        Vision encode, prefill, decode, and a network's calls; what is left out did nothing.
    decoded
        The last turn's decoding, or a network's calls; ``None`` without any.
    kv_tokens
        Tokens in the cache at the end; ``None``: as in the program.
    loaded_bytes
        Read from flash when turns begin, and when graphs change [B].
    mapped
        Share of the weights that was read from flash in every pass.
    """
    around = scenario.environment
    busy_s = sum(part.seconds for part in phases) - phases[1].hidden_s
    cold_bytes = program.opened_bytes if around.start == "cold" else 0.0
    weight_bytes = mapped * sum(part.weight_bytes for part in phases)
    flash_bytes = cold_bytes + loaded_bytes + weight_bytes
    columns: dict[str, Any] = {
        "turns": turns,
        "first_token_s": first_token_s,
        "makespan_s": makespan_s,
        "busy_s": busy_s,
        "peak_dram_bytes": peak_dram_bytes,
        "budget_bytes": budget_bytes,
        "fits": np.asarray(peak_dram_bytes) <= budget_bytes,
        "file_bytes": program.file_bytes,
        "flash_read_bytes": flash_bytes,
        "load_s": cold_start(
            soc, soc.stack(scenario.stack), program.opened_bytes, around.ambient_c
        ).total_s,
        "visual_tokens": program.visual_tokens,
        "kv_tokens": program.kv_tokens_final if kv_tokens is None else kv_tokens,
        "weight_bytes_per_step": program.weight_bytes_per_step,
        "dram_peak_bytes_per_s": soc.dram.peak_bytes_per_s,
        "decode_w": decoded.dynamic_w if decoded else np.nan,
        "decode_switched_w": decoded.switched_w if decoded else np.nan,
        "sustained_fraction": np.nan,
        **energy_parts(soc, busy_s=busy_s, makespan_s=makespan_s, flash_bytes=flash_bytes),
        **{item.name: getattr(heat, item.name) for item in fields(HeatFacts)},
    }
    runs = max(np.size(makespan_s), np.size(peak_dram_bytes))
    vision, prefill, decode, network = (
        PhaseFacts(*(_over_runs(getattr(part, item.name), runs) for item in fields(PhaseFacts)))
        for part in (*phases, *[added(())] * (len(EVERY_PHASE) - len(phases)))
    )
    filled = {name: _over_runs(column, runs) for name, column in columns.items()}
    return Facts(vision=vision, prefill=prefill, decode=decode, network=network, **filled)


def _over_runs(column: Any, runs: int) -> NDArray[Any]:
    """Return a number or a column with an entry for each run."""
    flat = np.ravel(column)
    return flat if len(flat) == runs else np.broadcast_to(flat, (runs,))


def sustained(facts: Facts, scenario: Scenario, soc: SocSpec, minute: int = TENTH) -> Facts:
    """Return facts with what minutes of decoding leave of the clock (`sim.heat.course`)."""
    around = scenario.environment
    fraction = sustained_fractions(
        soc,
        around.ambient_c,
        np.nan_to_num(facts.decode_w),
        around.charging_heat_w,
        minute,
        np.nan_to_num(facts.decode_switched_w),
    )
    return replace(facts, sustained_fraction=np.where(np.isnan(facts.decode_w), np.nan, fraction))


def joined(parts: Sequence[tuple[Sequence[int], Facts]]) -> Facts:
    """Return the facts of several runs as one, given the places of each part's rows.

    Later parts overwrite earlier ones.
    """
    runs = 1 + max(max(places) for places, _ in parts)
    return cast(Facts, _joined(parts, runs))


def _joined(parts: Sequence[tuple[Sequence[int], Any]], runs: int) -> Any:
    _, like = parts[0]
    if isinstance(like, np.ndarray):
        found = np.empty(runs, dtype=like.dtype)
        for places, column in parts:
            found[list(places)] = column
        return found
    columns = {
        item.name: _joined([(places, getattr(part, item.name)) for places, part in parts], runs)
        for item in fields(like)
    }
    return type(like)(**columns)


def facts_of_groups(
    scenario: Scenario,
    soc: SocSpec,
    program: Program,
    groups: Sequence[GroupTimes],
    *,
    work: Sequence[Work],
    heat: HeatFacts,
    peak_dram_bytes: Any,
    budget_bytes: Any,
    mapped: float = 0.0,
) -> Facts:
    """Return the facts of runs whose step groups ran at known times, each whole.

    Parameters
    ----------
    groups
        Starts and ends of shape (steps,), or (runs, steps) for devices side by side.
    work
        Of each group.
    """
    found: dict[str, list[PhaseFacts]] = {name: [] for name in EVERY_PHASE}
    summed = {
        id(done): summed_work(whole, done) for done in {id(one): one for one in work}.values()
    }
    for times, done in zip(groups, work, strict=True):
        seconds = times.ends_s - times.starts_s
        clocks = clock_means(times, soc.power.exponent)
        group = times.group
        part = phase_facts(
            whole,
            done,
            seconds,
            group.committed_tokens,
            clocks,
            group.needed_flops,
            summed[id(done)],
        )
        found[times.group.phase].append(part)
    vision, prefill, decode, network = (added(found[name]) for name in EVERY_PHASE)
    replying = "decode" if found["decode"] else NETWORK
    turns = [times.group.turn for times in groups if times.group.phase == replying]
    replied = found[replying][-turns.count(turns[-1]) :] if turns else []
    return facts_of(
        scenario,
        soc,
        program,
        phases=(vision, replace(prefill, hidden_s=hidden_in_s(groups)), decode, network),
        turns=float(len({times.group.turn for times in groups}) or 1),
        first_token_s=_first_token_s(groups),
        makespan_s=_makespan_s(groups),
        peak_dram_bytes=peak_dram_bytes,
        budget_bytes=budget_bytes,
        heat=heat,
        decoded=added(replied) if replied else None,
        loaded_bytes=_loaded_bytes([times.group for times in groups], soc.stack(scenario.stack)),
        mapped=mapped,
    )


def _loaded_bytes(groups: Sequence[StepGroup], stack: Stack) -> Any:
    """Return what groups read from flash before their first steps [B]."""
    loaded = sum(group.setup.flash_bytes for group in groups)
    return loaded + swapped_flash_bytes(groups, stack)


def _makespan_s(groups: Sequence[GroupTimes]) -> FloatColumn:
    """Return the end of the last step [s]."""
    ends = [times.ends_s[..., -1:] for times in groups]
    return np.maximum.reduce(ends) if ends else np.zeros(1)


def first_tokens_s(groups: Iterable[GroupTimes]) -> dict[int, FloatColumn]:
    """Return, by turn, the time from its start to the end of its last prefill step [s]."""
    starts: dict[int, FloatColumn] = {}
    firsts: dict[int, FloatColumn] = {}
    for times in groups:
        starts.setdefault(times.group.turn, times.starts_s[..., :1])
        if times.group.phase == "prefill":
            firsts[times.group.turn] = times.ends_s[..., -1:]
    return {turn: end_s - starts[turn] for turn, end_s in firsts.items()}


def _first_token_s(groups: Sequence[GroupTimes]) -> FloatColumn:
    taken = [*first_tokens_s(groups).values()]
    return np.asarray(np.mean(taken, axis=0)) if taken else np.full(1, np.nan)
