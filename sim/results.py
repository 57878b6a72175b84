"""Result: everything a run produced, immutable and complete.

``summary()`` gives the metrics, ``to_frame()`` a row per task, ``to_perfetto()`` a trace for
ui.perfetto.dev. Every figure derives from the step times and the records; nothing is counted twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hw_models.soc import SocSpec
from sim.energy import Energy, EnergyModel
from sim.engine.recording import maxplus_records, replayed_records
from sim.engine.residency import Ledger
from sim.engine.timed import FloatColumn, TimedProgram
from sim.metrics import Summary, summarise
from sim.records import RecordTable
from sim.versions import versions
from workloads.program import Program, StepGroup
from workloads.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.replay import ReplayedGroup


Intervals = Mapping[str, Mapping[str, float]]
"""Percentiles ``p10``, ``p50`` and ``p90`` of each metric."""


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """When each step of a group started and ended [s]."""

    group: StepGroup
    starts_s: FloatColumn
    ends_s: FloatColumn

    @property
    def start_s(self) -> float:
        """Start of the first step [s]."""
        return float(self.starts_s[0])

    @property
    def end_s(self) -> float:
        """End of the last step [s]."""
        return float(self.ends_s[-1])


@dataclass(frozen=True)
class Result:
    """One run: what was asked, on what, what happened.

    Attributes
    ----------
    groups
        Times of the step groups that ran; fewer than the program's when memory ran out.
    ledger
        DRAM residency over time.
    replayed
        What the event engine saw, or ``None`` after the max-plus engine.
    """

    scenario: Scenario
    soc: SocSpec
    stack: str
    program: Program
    timed: TimedProgram
    groups: tuple[GroupTimes, ...]
    ledger: Ledger
    engine: str
    seed: int
    warnings: tuple[str, ...] = ()
    replayed: tuple[ReplayedGroup, ...] | None = None

    @property
    def fits(self) -> bool:
        """Whether the run stayed inside the DRAM budget."""
        return self.ledger.overflow is None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything the numbers depend on, 16 hexadecimal digits."""
        parameters = {path: item.value for path, item in self.soc.parameters().items()}
        asked = (self.scenario.model_dump_json(), self.program.fingerprint(), self.stack, self.seed)
        text = repr((asked, sorted(parameters.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def makespan_s(self) -> float:
        """End of the last step [s]."""
        return self.groups[-1].end_s if self.groups else 0.0

    @cached_property
    def records(self) -> RecordTable:
        """A record per operator and step that ran."""
        timed = self.timed.groups[: len(self.groups)]
        if self.replayed is not None:
            return replayed_records(timed, self.replayed[: len(self.groups)])
        return maxplus_records(timed, [group.starts_s for group in self.groups])

    @cached_property
    def energy_model(self) -> EnergyModel:
        """Joules per byte, operation and second on this device."""
        return EnergyModel(self.soc)

    @cached_property
    def dynamic_j(self) -> tuple[tuple[FloatColumn, FloatColumn], ...]:
        """DRAM and compute energy of each step, per group [J]."""
        return tuple(self.energy_model.dynamic_j(times.group) for times in self.groups)

    @cached_property
    def energy(self) -> Energy:
        """Energy by part [J]."""
        busy_s = float(sum((times.ends_s - times.starts_s).sum() for times in self.groups))
        flash_bytes = self.program.file_bytes if self.scenario.environment.start == "cold" else 0.0
        return self.energy_model.energy(self.dynamic_j, busy_s, self.makespan_s, flash_bytes)

    @property
    def versions(self) -> dict[str, str]:
        """Versions the numbers depend on."""
        return versions()

    def summary(self) -> Summary:
        """Return the metrics, each defined once in `sim.metrics`."""
        return summarise(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the records as a pandas frame, a row per task."""
        import pandas as pd

        return pd.DataFrame(self.records.columns)

    def to_perfetto(self, path: str | Path) -> None:
        """Write the run as Chrome trace JSON, which ui.perfetto.dev opens."""
        from sim.perfetto import write_trace

        write_trace(self, Path(path))
