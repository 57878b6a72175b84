"""A power mode: the device at a lower clock than its silicon allows, chosen, not forced by heat.

At a fraction c of the full clock, as for a throttled SoC, what the clock drives is slower
and cheaper (`hw_models.power.clocked_w`)::

    rates of units, transfers and copies x c     times of launches and of the host / c
    energy per operation x c^g                   power of a busy unit x c^(1 + g)

DRAM keeps its clock: a byte costs what it did. A governor caps the same clock, so that one that
leaves f of the full clock leaves min(1, f / c) of this one. Ranges move with their values.

Not modelled: clocks that differ by unit; modes that lower the memory's clock, too; a range of g in
what is scaled here.
"""

from collections.abc import Iterator
from typing import Final

from hw_models.provenance import OVERRIDE, Parameter
from hw_models.soc import SocSpec

CLOCK: Final = "power.clock"
_OPENING: Final = ".graph_init_s"
"""Opening a graph reads flash, which has a clock of its own."""
_TRANSFERS: Final = (
    ".dram_fraction",
    ".bandwidth_fraction",
    ".kv_copy",
    ".bandwidth",
    ".core_bandwidth",
    ".system_cache.rate",
    "host.memcpy",
)


def with_clock(soc: SocSpec, clock: float) -> SocSpec:
    """Return a device whose units and host run at a fraction of their full clock.

    A device that does so already is returned as it is.

    >>> from hw_models.soc import load_soc
    >>> slow = with_clock(load_soc("dimensity_9500"), 0.5)
    >>> slow.units["npu"].launch.operator_s.value == (
    ...     2 * load_soc("dimensity_9500").units["npu"].launch.operator_s.value
    ... )
    True
    >>> with_clock(slow, 0.5) is slow
    True
    """
    before = soc.power.clock.value if soc.power.clock else 1.0
    if clock == before:
        return soc
    note = f"asked for; the device's own is {before:g}"
    asked = Parameter(clock, "fraction", "assumed", OVERRIDE, clock, clock, note)
    return soc.asked(CLOCK, asked, dict(_scaled(soc, clock / before)))


def _scaled(soc: SocSpec, ratio: float) -> Iterator[tuple[str, Parameter]]:
    """Yield the parameters that change with the clock, as they are at a ratio of it."""
    for path, item in soc.parameters().items():
        if ".clock_fraction" in path:
            yield path, item.times(1.0 / ratio).at_most(1.0)
        elif (factor := _factor(path, item.unit, ratio, soc.power.exponent)) != 1.0:
            yield path, item.times(factor)


def _factor(path: str, unit: str, ratio: float, exponent: float) -> float:
    """Return what a parameter is multiplied by at a ratio of its clock."""
    part = path.partition(".")[0]
    if path.endswith(_TRANSFERS) or (part == "units" and unit in ("FLOP/s", "weights/s")):
        return ratio
    if part in ("units", "stacks") and unit == "s" and not path.endswith(_OPENING):
        return 1.0 / ratio
    if path.startswith("power.energy_per_flop."):
        return float(ratio**exponent)
    return float(ratio ** (1.0 + exponent)) if path.endswith(".active_w") else 1.0
