"""Energy of a run by part; the parts add up to the total.

DRAM and arithmetic are paid per byte and per operation, busy units per second of their steps
(`sim.work`), the rest per second of the run. Leakage follows the die's temperature.

Not modelled: the radio.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from hw_models import power
from hw_models.laws import Numbers
from hw_models.soc import SocSpec


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules by part [J]."""

    dram_j: float = 0.0
    cache_j: float = 0.0
    compute_j: float = 0.0
    active_j: float = 0.0
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
    """The power of a SoC that does not depend on what runs.

    Attributes
    ----------
    mean_leakage_w
        Mean leakage of the run [W]; ``None``: that of a die at 25 C.
    """

    soc: SocSpec
    mean_leakage_w: float | None = None

    def idle_w(self) -> float:
        """Return the power while nothing runs: idle parts, display and leakage [W]."""
        parts = self.soc.power
        leakage_w = parts.leakage_w.value if self.mean_leakage_w is None else self.mean_leakage_w
        return parts.idle_w.value + parts.display_w.value + leakage_w

    def static_w(self) -> float:
        """Return the power while a step runs, apart from what the step itself adds [W]."""
        return self.idle_w() + self.soc.power.host_poll_w.value


def energy_parts(
    soc: SocSpec, *, busy_s: Numbers, makespan_s: Numbers, flash_bytes: Numbers
) -> dict[str, Numbers]:
    """Return the joules that are paid per second and per byte of flash, by part [J].

    The unit was busy for ``busy_s`` of ``makespan_s`` [s]. The remaining parts of `Energy` follow
    from the work of the steps, and from heat.
    """
    parts = soc.power
    return {
        "host_j": parts.host_poll_w.value * busy_s,
        "display_j": parts.display_w.value * makespan_s,
        "idle_j": parts.idle_w.value * makespan_s,
        "flash_j": power.flash_energy_j(flash_bytes, soc.flash.energy.value),
    }
