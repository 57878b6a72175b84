"""The law to beat: decode time = weight bytes / bandwidth + overhead, two numbers per stack.

It is fitted to the same rows, with the same priors of bandwidth and overhead, by the same
procedure. Where the simulator is nearer, that is due to what it models beyond the law: KV cache,
compute, launches and phases. The fraction is the law's own: no share of the unit limits it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.soc import SocSpec
from sim.calibration.rows import Observation
from sim.calibration.stacks import Contradiction, fit_rows


@dataclass(frozen=True)
class TwoNumberLaw:
    """A decode row as the two-number law sees it."""

    row: Observation

    @property
    def measured(self) -> float:
        """The measured decode rate [tokens/s]."""
        return self.row.measured

    def simulated(self, soc: SocSpec) -> float:
        """Return 1 / (weight bytes / (fraction x peak) + overhead) [tokens/s]."""
        stack = soc.stack(self.row.stack)
        rate = stack.bandwidth_fraction.value * soc.dram.peak_bytes_per_s
        return 1.0 / (self.row.program.weight_bytes_per_step / rate + stack.step_overhead_s.value)


def two_number_device(soc: SocSpec, rows: list[Observation]) -> SocSpec | None:
    """Return the device with the law's two numbers fitted to the decode rows of one stack.

    None where no values within the priors come near the rows.
    """
    prefix = f"stacks.{rows[0].stack}."
    paths = [prefix + "bandwidth_fraction", prefix + "step_overhead_s"]
    try:
        found = fit_rows(soc, [TwoNumberLaw(row) for row in rows], paths)
    except Contradiction:
        return None
    return soc.with_values(found.values)
