"""Threads of a run on a processor: a device that computes with other cores than its default.

A processor with clusters computes at the rates of the cores that its default threads run on.
Another number of threads runs on other cores, fastest first; few cannot draw all of the bandwidth::

    rates x rate(threads) / rate(default)          bandwidth x share(threads) / share(default)
    active power x cores(threads) / cores(default)       share(n) = min(1, n / BANDWIDTH_THREADS)

Where no clusters are known, the rates are those of `COMPUTE_THREADS` unless the file says of how
many, and more threads add nothing. Ranges move with their values.

Not modelled: little cores that slow a row of many threads down; more threads than cores; clocks
that fall as more cores run; cores of different kinds drawing different power.
"""

from typing import Final

from hw_models.clusters import WEIGHTS, cores, rate
from hw_models.provenance import OVERRIDE, Parameter
from hw_models.schema import ComputeUnit
from hw_models.soc import SocSpec

COMPUTE_THREADS: Final = Parameter(
    4.0, "count", "measured", "mnn_gemm", 4.0, 6.0, "MNN's matrix rates are of four threads"
)
"""Threads that a CPU unit's rates stand for where its file names no clusters."""
BANDWIDTH_THREADS: Final = Parameter(
    2.0, "count", "derived", "mnn_gemv", 1.0, 4.0, "two cores draw 42.2 GB/s, half of the peak"
)
"""Threads that fill what a CPU stack attains of the bandwidth."""
RATES: Final = ("units.cpu.matrix.rates.", "units.cpu.vector.rate", "units.cpu.dequantise.rate")
THREADS: Final = "units.cpu.threads"


def with_threads(soc: SocSpec, stack: str, threads: int) -> SocSpec:
    """Return a device whose processor runs with so many threads under a stack of the CPU.

    A device that runs with that many already is returned as it is; so is one whose stack is of
    another unit.

    >>> from hw_models.soc import load_soc
    >>> phone = load_soc("snapdragon_8_gen_3")
    >>> one, rate = with_threads(phone, "mnn_cpu", 1), "units.cpu.matrix.rates.a8w4"
    >>> one.parameters()[rate].value < phone.parameters()[rate].value
    True
    >>> with_threads(one, "mnn_cpu", 1) is one
    True
    """
    if soc.stack(stack).unit != "cpu":
        return soc
    cpu = soc.units["cpu"]
    before = (cpu.threads or COMPUTE_THREADS).value
    if threads == before:
        return soc
    note = f"asked for; the device's own are {before:g}"
    asked = Parameter(float(threads), "count", "assumed", OVERRIDE, threads, threads, note)
    busy = threads if cpu.clusters else min(threads, before)
    known = soc.parameters()
    computing = _computing(cpu, busy) / _computing(cpu, before)
    factors = {path: computing for path in known if path.startswith(RATES)}
    factors[f"stacks.{stack}.bandwidth_fraction"] = _drawing(busy) / _drawing(before)
    if cpu.active_w is not None:
        factors["units.cpu.active_w"] = _busy_cores(cpu, busy) / _busy_cores(cpu, before)
    scaled = {path: known[path].times(factor) for path, factor in factors.items()}
    return soc.asked(THREADS, asked, scaled)


def _drawing(threads: float) -> float:
    """Return the share of what a stack draws of the bandwidth that so many threads draw."""
    return min(1.0, threads / BANDWIDTH_THREADS.value)


def _computing(cpu: ComputeUnit, threads: float) -> float:
    """Return what so many threads compute, to a factor of the processor's own."""
    return rate(cpu, threads, WEIGHTS) if cpu.clusters else threads


def _busy_cores(cpu: ComputeUnit, threads: float) -> float:
    return min(threads, cores(cpu)) if cpu.clusters else threads
