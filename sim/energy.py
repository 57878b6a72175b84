"""Energy of a run by part; the parts add up to the total.

DRAM and arithmetic are paid per byte and per operation, the rest per second of the run. Leakage
follows the die's temperature.

Not modelled: voltage that falls with the clock, and the radio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from hw_models import compute, power
from hw_models.soc import SocSpec
from sim.engine.timed import FloatColumn
from sim.heat.course import Heat
from workloads.program import ProgramSegment, StepGroup, Task

Columns = tuple[FloatColumn, FloatColumn]


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules by part [J]."""

    dram_j: float = 0.0
    compute_j: float = 0.0
    host_j: float = 0.0
    display_j: float = 0.0
    idle_j: float = 0.0
    leakage_j: float = 0.0
    flash_j: float = 0.0
    background_j: float = 0.0

    @property
    def total_j(self) -> float:
        """All parts together [J]."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """Return the parts by name [J]."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class EnergyModel:
    """Prices operations, bytes and seconds of a SoC in joules.

    Attributes
    ----------
    mean_leakage_w
        Leakage to count per second; ``None``: that of a die at 25 C [W].
    """

    soc: SocSpec
    mean_leakage_w: float | None = None
    _priced: dict[int, tuple[tuple[ProgramSegment, ...], Columns]] = field(
        default_factory=dict, compare=False
    )

    def task_j(self, task: Task) -> Columns:
        """Return the DRAM and the compute energy of one task, per step [J]."""
        per_flop = self.soc.power.energy_per_flop
        key = compute.precision_key(
            task.activations, task.operand_bits, self.soc.units[task.unit].matrix.rates
        )
        dram_j = power.dram_energy_j(task.dram_bytes, self.soc.dram.energy.value)
        matrix_j = power.compute_energy_j(task.flops, per_flop[key].value)
        vector_j = power.compute_energy_j(task.vector_ops, per_flop["vector"].value)
        return task.runs * dram_j, task.runs * (matrix_j + vector_j)

    def dynamic_j(self, group: StepGroup) -> Columns:
        """Return the DRAM and the compute energy of each step of a group [J]; equal turns once."""
        key = id(group.segments)
        if key not in self._priced:
            self._priced[key] = group.segments, self._group_j(group)
        return self._priced[key][1]

    def _group_j(self, group: StepGroup) -> Columns:
        dram_j, compute_j = np.zeros(group.steps), np.zeros(group.steps)
        for task, repeat in group.tasks():
            task_dram_j, task_compute_j = self.task_j(task)
            dram_j += repeat * task_dram_j
            compute_j += repeat * task_compute_j
        return dram_j, compute_j

    def idle_w(self) -> float:
        """Return the power while nothing runs: idle parts, display and leakage [W]."""
        parts = self.soc.power
        leakage_w = parts.leakage_w.value if self.mean_leakage_w is None else self.mean_leakage_w
        return parts.idle_w.value + parts.display_w.value + leakage_w

    def static_w(self) -> float:
        """Return the power while something runs that does not depend on what [W]."""
        return self.idle_w() + self.soc.power.host_poll_w.value

    def energy(
        self,
        dynamic: Sequence[Columns],
        busy_s: float,
        makespan_s: float,
        flash_bytes: float,
        heat: Heat,
    ) -> Energy:
        """Return the energy of a run, given the DRAM and compute joules of each group's steps.

        The unit was busy for ``busy_s`` of ``makespan_s`` [s].
        """
        parts = self.soc.power
        return Energy(
            dram_j=float(sum(dram_j.sum() for dram_j, _ in dynamic)),
            compute_j=float(sum(compute_j.sum() for _, compute_j in dynamic)),
            host_j=parts.host_poll_w.value * busy_s,
            display_j=parts.display_w.value * makespan_s,
            idle_j=parts.idle_w.value * makespan_s,
            leakage_j=heat.leakage_j,
            flash_j=float(power.flash_energy_j(flash_bytes, self.soc.flash.energy.value)),
            background_j=heat.background_j,
        )
