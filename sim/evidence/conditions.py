"""What a run was started with, applied to the device it is simulated on: CPU threads.

A processor with clusters computes at the rates of the cores that its default threads run on.
Another number of threads runs on other cores, fastest first; few cannot draw all of the bandwidth::

    rates x rate(threads) / rate(default)          bandwidth x min(1, threads / BANDWIDTH_THREADS)

Where no clusters are known, the rates are those of `COMPUTE_THREADS` and more threads add nothing.

Not modelled: cores of several clusters, whose little ones slow a row of many threads down; more
threads than cores; clocks that fall as more cores run.
"""

from __future__ import annotations

from typing import Final

from hw_models.clusters import WEIGHTS, rate
from hw_models.provenance import Parameter
from hw_models.schema import ComputeUnit
from hw_models.soc import SocSpec
from sim.evidence.measured import MeasuredRun

COMPUTE_THREADS: Final = Parameter(
    4.0, "count", "measured", "mnn_gemm", 4.0, 6.0, "MNN's matrix rates are of four threads"
)
"""Threads that a CPU unit's rates stand for where its file names no clusters."""
BANDWIDTH_THREADS: Final = Parameter(
    2.0, "count", "derived", "mnn_gemv", 1.0, 4.0, "two cores draw 42.2 GB/s, half of the peak"
)
"""Threads that fill what a CPU stack attains of the bandwidth."""
RATES: Final = ("units.cpu.matrix.rates.", "units.cpu.vector.rate", "units.cpu.dequantise.rate")


def as_run(run: MeasuredRun, soc: SocSpec, stack: str) -> SocSpec:
    """Return the device as a run used it: with its threads, where its stack is of the CPU."""
    threads = run.threads
    if threads is None or soc.stack(stack).unit != "cpu":
        return soc
    compute = _share(soc.units["cpu"], threads)
    if compute == 1.0:
        return soc
    known = soc.parameters()
    values = {path: known[path].value * compute for path in known if path.startswith(RATES)}
    bandwidth = f"stacks.{stack}.bandwidth_fraction"
    values[bandwidth] = known[bandwidth].value * min(1.0, threads / BANDWIDTH_THREADS.value)
    return soc.with_values(values)


def without_host(soc: SocSpec, stack: str) -> SocSpec:
    """Return a device whose steps hold no work of the host: what the profile of a graph times."""
    return soc.with_values({f"stacks.{stack}.step_overhead_s": 0.0})


def _share(cpu: ComputeUnit, threads: int) -> float:
    """Return what a number of threads computes, of what the unit's rates stand for."""
    if not cpu.clusters or cpu.threads is None:
        return min(1.0, threads / COMPUTE_THREADS.value)
    return rate(cpu, threads, WEIGHTS) / rate(cpu, cpu.threads.value, WEIGHTS)
