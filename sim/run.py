"""Run: what was asked, on what, and what happened, immutable and complete.

Every figure derives from the step times and the records; nothing is counted twice. What people read
(metrics, tables, traces) is made from a run by modules that know it, and gathered in `sim.results`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import islice
from typing import Self

import numpy as np

from hw_models.soc import SocSpec
from sim.energy import Energy, EnergyModel
from sim.engine.recording import Ran, operators_that_ran, run_records
from sim.engine.residency import Ledger
from sim.engine.scheduler import TurnTimes
from sim.engine.timed import FloatColumn, TimedProgram
from sim.engine.times import GroupTimes, clock_means, hidden_s, span_s
from sim.facts import Facts, HeatFacts, facts_of_groups, sustained
from sim.fingerprint import fingerprint
from sim.heat.course import Heat, heat_of_groups
from sim.loading import ColdStart, cold_start
from sim.packaging import versions
from sim.records import RecordTable
from sim.work import Work, works
from workloads.program import Program
from workloads.scenario import Scenario
from workloads.session import Session

TASK_STEPS = 2000
"""Runs of more steps are written by steps, to keep memory flat in their length."""
SAMPLE_STEPS = 400
"""What bounds a phase is read from its first turns, until they have so many steps."""
SAMPLE_GROUPS = 16
"""Nor from more groups than these, whose steps may be few."""


@dataclass(frozen=True)
class Run:
    """One run: what was asked, on what, what happened.

    Attributes
    ----------
    session
        The session with every turn listed.
    groups
        Times of the step groups that ran; fewer than the program's when memory ran out.
    ledger
        DRAM residency over time.
    engine
        ``maxplus``, ``event``, or ``maxplus+event`` where some steps were replayed.
    turns
        What became of every turn that could be asked.
    observed
        Heat as the engine saw it; ``None`` where only step times are known.
    mapped
        Share of the weights that did not fit and was read from flash in every pass.
    """

    scenario: Scenario
    soc: SocSpec
    stack: str
    program: Program
    groups: tuple[GroupTimes, ...]
    ledger: Ledger
    engine: str
    seed: int
    session: Session
    warnings: tuple[str, ...] = ()
    turns: tuple[TurnTimes, ...] = ()
    observed: Heat | None = None
    mapped: float = 0.0

    @property
    def timed(self) -> TimedProgram:
        """What the engine ran, with seconds."""
        return TimedProgram(tuple(times.priced for times in self.groups))

    @property
    def fits(self) -> bool:
        """Whether the run stayed inside the DRAM budget."""
        return self.ledger.overflow is None

    @cached_property
    def fingerprint(self) -> str:
        """Identity of what was asked, see `sim.fingerprint`."""
        return fingerprint(self.scenario, self.soc, self.seed)

    @property
    def makespan_s(self) -> float:
        """End of the last step [s]."""
        return max((times.end_s for times in self.groups), default=0.0)

    @cached_property
    def records(self) -> RecordTable:
        """A record per operator and step that ran."""
        return run_records(self.groups)

    @cached_property
    def steps(self) -> int:
        """Steps that ran."""
        return sum(times.group.steps for times in self.groups)

    def first_reply(self) -> Self:
        """Return the first turn that ran, as a run of its own."""
        if len(self.turns) <= 1:
            return self
        first = self.groups[0].group.turn if self.groups else self.program.groups[0].turn
        program = replace(
            self.program, groups=tuple(g for g in self.program.groups if g.turn == first)
        )
        groups = tuple(times for times in self.groups if times.group.turn == first)
        session = Session(turns=(self.session.turns[first],))
        return replace(
            self,
            scenario=self.scenario.model_copy(update={"session": session}),
            session=session,
            program=program,
            groups=groups,
            turns=tuple(turn for turn in self.turns if turn.index == first),
            observed=None,
        )

    @property
    def keeps_tasks(self) -> bool:
        """Whether files hold a row per task; of longer runs they hold a row per step, all steps."""
        return self.steps <= TASK_STEPS

    def sample(self, phase: str) -> list[Ran]:
        """Return the operators of a phase's first groups, as many as `SAMPLE_STEPS` needs."""
        groups = (times for times in self.groups if times.group.phase == phase)
        chosen: list[GroupTimes] = []
        for times in islice(groups, SAMPLE_GROUPS):
            chosen.append(times)
            if sum(earlier.group.steps for earlier in chosen) >= SAMPLE_STEPS:
                break
        return [ran for times in chosen for ran in operators_that_ran(times)]

    @property
    def replayed_steps(self) -> int:
        """Steps that the event engine ran."""
        spans = [span for times in self.groups for span in times.spans]
        return sum(span.count for span in spans if span.replayed)

    @cached_property
    def heat(self) -> Heat:
        """Temperatures, leakage and the energy of other apps."""
        if self.observed is not None and all(times.spans for times in self.groups):
            return self.observed
        around = self.scenario.environment
        return heat_of_groups(self.soc, around.ambient_c, self._powers(), around.charging_heat_w)

    def _powers(self) -> Iterator[tuple[float, float, float]]:
        """Yield start, end [s] and mean dynamic power [W] of each group, with one beside it."""
        runs: list[list[GroupTimes]] = []
        joules: list[float] = []
        for times, (dram_j, compute_j) in zip(self.groups, self.dynamic_j, strict=True):
            if times.group.images_needed is None:
                runs.append([])
                joules.append(0.0)
            runs[-1].append(times)
            joules[-1] += float((dram_j + compute_j).sum())
        for run, dynamic_j in zip(runs, joules, strict=True):
            busy_s = span_s(run) - hidden_s(run)
            yield run[0].start_s, run[-1].end_s, dynamic_j / busy_s

    @cached_property
    def energy_model(self) -> EnergyModel:
        """Joules per byte, operation and second on this device, leakage as in this run."""
        if not self.makespan_s:
            return EnergyModel(self.soc)
        return EnergyModel(self.soc, self.heat.leakage_j / self.makespan_s)

    @cached_property
    def work(self) -> tuple[Work, ...]:
        """What the steps of each group did."""
        stack = self.soc.stack(self.stack)
        return tuple(works((times.group for times in self.groups), self.soc, stack))

    @cached_property
    def dynamic_j(self) -> tuple[tuple[FloatColumn, FloatColumn], ...]:
        """Energy of each step in DRAM, and in arithmetic and busy unit, per group [J]."""
        rows = zip(self.groups, self.work, strict=True)
        return tuple((done.dram_j, self._switched_j(times, done)) for times, done in rows)

    def _switched_j(self, times: GroupTimes, done: Work) -> FloatColumn:
        clocks = clock_means(times, self.soc.power.exponent)
        return done.switched_j(times.ends_s - times.starts_s, *clocks)

    @cached_property
    def facts(self) -> Facts:
        """What every metric is made of, as columns of one run."""
        return sustained(self.own_facts, self.scenario, self.soc)

    @cached_property
    def own_facts(self) -> Facts:
        """The facts without what minutes of decoding would leave of the clock."""
        heat = (getattr(self.heat, item.name) for item in fields(HeatFacts))
        return facts_of_groups(
            self.scenario,
            self.soc,
            self.program,
            self.groups,
            work=self.work,
            heat=HeatFacts(*(np.array([value]) for value in heat)),
            peak_dram_bytes=self.ledger.peak.total_bytes,
            budget_bytes=self.ledger.budget_bytes,
            mapped=self.mapped,
        )

    @property
    def busy_s(self) -> float:
        """Seconds in which steps ran [s]."""
        return span_s(self.groups) - hidden_s(self.groups)

    @property
    def flash_read_bytes(self) -> float:
        """Bytes read from flash: a cold start's file, adapters, weights that did not fit [B]."""
        return float(self.facts.flash_read_bytes[0])

    @cached_property
    def energy(self) -> Energy:
        """Energy by part [J]."""
        return Energy(*(float(getattr(self.facts, item.name)[0]) for item in fields(Energy)))

    @property
    def versions(self) -> dict[str, str]:
        """Versions the numbers depend on."""
        return versions()

    def cold_start(self) -> ColdStart:
        """Return the parts of a cold start; the clock of a run starts after it."""
        at_c = self.scenario.environment.ambient_c
        return cold_start(self.soc, self.soc.stack(self.stack), self.program.opened_bytes, at_c)
