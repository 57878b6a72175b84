"""Threads of a run on a processor: a device that computes with other cores than its default.

A processor with clusters computes at the rates of the cores that its default threads run on.
Another number of threads runs on other cores, fastest first; few cannot draw all of the bandwidth::

    rates x rate(threads) / rate(default)          bandwidth x share(threads) / share(default)
    active power x cores(threads) / cores(default)       share(n) = min(1, n / BANDWIDTH_THREADS)

Where a file says what each cluster draws from the DRAM, `clusters.drawn` stands for the share.
Where no clusters are known, the rates are those of `COMPUTE_THREADS` unless the file says of how
many, and more threads add nothing. Ranges move with their values.

Not modelled: little cores that slow a row of many threads down; more threads than cores; clocks
that fall as more cores run; cores of different kinds drawing different power.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast, get_args

import numpy as np

from hw_models.clusters import BANDWIDTH_THREADS, WEIGHTS, End, cores, drawn, rate
from hw_models.errors import HardwareError, suggest
from hw_models.laws import Numbers
from hw_models.provenance import OVERRIDE, Parameter
from hw_models.schema import ComputeUnit
from hw_models.soc import SocSpec

COMPUTE_THREADS: Final = Parameter(
    4.0, "count", "measured", "mnn_gemm", 4.0, 6.0, "MNN's matrix rates are of four threads"
)
"""Threads that a CPU unit's rates stand for where its file names no clusters."""
RATES: Final = ("units.cpu.matrix.rates.", "units.cpu.vector.rate", "units.cpu.dequantise.rate")
THREADS: Final = "units.cpu.threads"


def with_threads(
    soc: SocSpec, stack: str, threads: int | None, clusters: Sequence[str] = ()
) -> SocSpec:
    """Return a device whose processor runs with so many threads under a stack of the CPU.

    Arguments: threads, None: the device's own; names of the clusters that they run on, none: all.
    A device that runs so already is returned as it is; so is one whose stack is of another unit.
    Raises `HardwareError` for a cluster that the processor lacks.

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
    before, placed = (cpu.threads or COMPUTE_THREADS).value, _placed(cpu, clusters)
    wanted = before if threads is None else float(threads)
    if wanted == before and placed is cpu:
        return soc
    note = f"asked for; the device's own are {before:g}"
    asked = Parameter(wanted, "count", "assumed", OVERRIDE, wanted, wanted, note)
    busy = wanted if cpu.clusters else min(wanted, before)
    known = soc.parameters()
    computing = _computing(placed, busy) / _computing(cpu, before)
    factors = {path: computing for path in known if path.startswith(RATES)}
    if cpu.active_w is not None:
        factors["units.cpu.active_w"] = _busy_cores(placed, busy) / _busy_cores(cpu, before)
    scaled = {path: known[path].times(factor) for path, factor in factors.items()}
    fraction, ends = f"stacks.{stack}.bandwidth_fraction", get_args(End)
    drawing = [_drawing(soc, placed, busy, e) / _drawing(soc, cpu, before, e) for e in ends]
    scaled[fraction] = _with_ends(known[fraction], drawing)
    found = soc.asked(THREADS, asked, scaled)
    there = found.units["cpu"].model_copy(update={"clusters": placed.clusters})
    return found.model_copy(update={"units": {**found.units, "cpu": there}})


def _placed(cpu: ComputeUnit, clusters: Sequence[str]) -> ComputeUnit:
    """Return a processor with no clusters but some; the same one where these are all of its own."""
    if unknown := [name for name in clusters if name not in cpu.clusters]:
        rule = "deployment.clusters must be clusters of the device's processor"
        if not cpu.clusters:
            raise HardwareError(f"{rule}. Got {unknown[0]!r}. None are known of it.")
        raise HardwareError(f"{rule}. Got {unknown[0]!r}. {suggest(unknown[0], cpu.clusters)}")
    if not clusters or set(clusters) == set(cpu.clusters):
        return cpu
    chosen = {name: item for name, item in cpu.clusters.items() if name in clusters}
    return cpu.model_copy(update={"clusters": chosen})


def _drawing(soc: SocSpec, cpu: ComputeUnit, threads: float, end: End) -> Numbers:
    """Return what so many threads of a processor draw of the bandwidth, to a factor."""
    most = soc.dram.peak_bytes_per_s * getattr(cpu.dram_fraction, end)
    known = drawn(cpu, threads, most, end)
    if known is None:
        return min(1.0, _busy_cores(cpu, threads) / BANDWIDTH_THREADS.value)
    return known if np.ndim(known) else float(known)


def _with_ends(item: Parameter, ratios: Sequence[Numbers]) -> Parameter:
    """Return a parameter times a ratio, its range as wide as its own and that of the ratio."""
    ends = [float(np.ravel(ratio)[0]) for ratio in ratios]
    low, high = item.low * min(ends), item.high * max(ends)
    return replace(item.times(cast(float, ratios[0])), low=low, high=high)


def _computing(cpu: ComputeUnit, threads: float) -> float:
    """Return what so many threads compute, to a factor of the processor's own."""
    return rate(cpu, threads, WEIGHTS) if cpu.clusters else threads


def _busy_cores(cpu: ComputeUnit, threads: float) -> float:
    return min(threads, cores(cpu)) if cpu.clusters else threads
