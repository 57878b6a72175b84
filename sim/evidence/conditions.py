"""What a run was started with, applied to the device it is simulated on: CPU threads.

A CPU stack's numbers stand for as many threads as the rates of its unit were measured with. Fewer
threads compute in proportion, and draw bandwidth in proportion until enough cores pull to fill it::

    compute x min(1, threads / COMPUTE_THREADS)    bandwidth x min(1, threads / BANDWIDTH_THREADS)

Not modelled: cores of several clusters, whose little ones slow a row of many threads down; more
threads than cores; clocks that fall as more cores run.
"""

from __future__ import annotations

from typing import Final

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from sim.evidence.measured import MeasuredRun

COMPUTE_THREADS: Final = Parameter(
    4.0, "count", "measured", "mnn_gemm", 4.0, 6.0, "MNN's matrix rates are of four threads"
)
"""Threads with which a CPU unit's rates were measured."""
BANDWIDTH_THREADS: Final = Parameter(
    2.0, "count", "derived", "mnn_gemv", 1.0, 4.0, "two cores draw 42.2 GB/s, half of the peak"
)
"""Threads that fill what a CPU stack attains of the bandwidth."""
RATES: Final = ("units.cpu.matrix.rates.", "units.cpu.vector.rate", "units.cpu.dequantise.rate")


def as_run(run: MeasuredRun, soc: SocSpec, stack: str) -> SocSpec:
    """Return the device as a run used it: fewer threads than its CPU stack's numbers stand for."""
    threads = run.threads
    if threads is None or threads >= COMPUTE_THREADS.value or soc.stack(stack).unit != "cpu":
        return soc
    known = soc.parameters()
    compute = threads / COMPUTE_THREADS.value
    values = {path: known[path].value * compute for path in known if path.startswith(RATES)}
    bandwidth = f"stacks.{stack}.bandwidth_fraction"
    values[bandwidth] = known[bandwidth].value * min(1.0, threads / BANDWIDTH_THREADS.value)
    return soc.with_values(values)
