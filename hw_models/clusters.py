"""Cores of a processor: what the threads of a run compute, from the clusters they run on.

Threads go to the fastest cores first, one a core. For any rate that a core has per cycle::

    rate(threads) = sum over the fastest cores of clock x work per cycle

Threads beyond the cores add nothing. What a kernel reaches of it is the stack's efficiency. What
they draw from the DRAM is bounded by each cluster, and by all (`drawn`).

Source: cores, clocks and instruction sets of the makers. Not modelled: clocks that fall as more
cores run, caches of a cluster, and slow cores that hold up fast ones.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from hw_models.cores import Cluster
from hw_models.errors import HardwareError, suggest
from hw_models.laws import Numbers
from hw_models.provenance import OVERRIDE, Parameter
from hw_models.schema import ComputeUnit

PER_CYCLE: Final = {
    "a8w8": "int8_per_cycle",
    "a8w4": "int8_per_cycle",
    "fp16": "fp16_per_cycle",
    "bf16": "fp16_per_cycle",
}
"""What a core does per cycle, by the matrix precision that it gives the rate of."""
WEIGHTS: Final = "weights_per_cycle"
BANDWIDTH_THREADS: Final = Parameter(
    2.0, "count", "derived", "mnn_gemv", 1.0, 4.0, "two cores draw 42.2 GB/s, half of the peak"
)
"""Threads that fill what a CPU stack attains of the bandwidth, where no file says."""
End = Literal["value", "low", "high"]
NOTE: Final = "clock x {} of the cores that {:g} threads run on"


def rate(unit: ComputeUnit, threads: float, per_cycle: str) -> float:
    """Return what the cores of that many threads do per second, fastest first.

    Arguments: a unit with clusters, threads, and the field of `Core` that says what a core does.
    A fraction of a thread is a fraction of the next core.

    >>> from hw_models.soc import load_soc
    >>> cpu = load_soc("_bcm2712").units["cpu"]
    >>> rate(cpu, 4, "int8_per_cycle") == 4 * rate(cpu, 1, "int8_per_cycle")
    True
    """
    return sum(busy * own for busy, own, _ in _busy(unit, threads, per_cycle))


def drawn(unit: ComputeUnit, threads: float, most: Numbers, end: End = "value") -> Numbers | None:
    """Return what the clusters that so many threads run on draw from the DRAM [B/s]::

        min(most, sum over clusters of min(bandwidth, busy cores x core bandwidth))

    Where one of the two is not known of a cluster, its cores are no limit, or a core draws its part
    of what `BANDWIDTH_THREADS` draw. None where neither is known of some cluster. ``most`` is what
    the unit draws whatever its threads [B/s]; ``end`` says which end of the ranges counts.
    """
    if not unit.clusters or not all(item.bandwidth or item.core_bandwidth for item in _items(unit)):
        return None
    parts = (_cluster_drawn(item, busy, end) for busy, _, item in _busy(unit, threads, WEIGHTS))
    return np.minimum(most, sum(parts, 0.0))


def _cluster_drawn(item: Cluster, busy: float, end: End) -> Numbers:
    """Return what so many busy cores of a cluster draw [B/s]."""
    whole = np.inf if item.bandwidth is None else getattr(item.bandwidth, end)
    share = min(1.0, busy / BANDWIDTH_THREADS.value)
    own = whole * share if item.core_bandwidth is None else busy * getattr(item.core_bandwidth, end)
    found: Numbers = np.minimum(whole, own)
    return found


def _items(unit: ComputeUnit) -> list[Cluster]:
    return list(unit.clusters.values())


def _busy(
    unit: ComputeUnit, threads: float, per_cycle: str
) -> Iterator[tuple[float, float, Cluster]]:
    """Yield of each cluster, fastest first, its busy cores, what one does a second, and itself."""
    items = _items(unit)
    fastest = [(item.clock.value * _work(unit, item.core, per_cycle).value, item) for item in items]
    left = threads
    for own, item in sorted(fastest, key=lambda pair: -pair[0]):
        busy = min(left, item.cores.value)
        yield busy, own, item
        left -= busy


def cores(unit: ComputeUnit) -> float:
    """Return how many cores all clusters of a unit have; 0 where none are known."""
    return sum(item.cores.value for item in unit.clusters.values())


def with_rates(unit: ComputeUnit) -> ComputeUnit:
    """Return a unit whose matrix and expansion rates follow from its clusters, if it has any.

    Rates that were fitted or are a what-if stay. A rate's range is that of the work per cycle.
    Raises `HardwareError` where a cluster's cores are of no kind that the unit knows.
    """
    used = {item.core for item in unit.clusters.values()}
    if unknown := sorted(used - set(unit.cores)):
        rule = "clusters must be of cores that are listed under cores"
        raise HardwareError(f"{rule}. Got {unknown[0]!r}. {suggest(unknown[0], unit.cores)}")
    changed: dict[str, object] = {"cores": {name: unit.cores[name] for name in sorted(used)}}
    if unit.clusters and unit.threads is not None:
        rates = {
            key: _derived(unit, given, PER_CYCLE[key]) if key in PER_CYCLE else given
            for key, given in unit.matrix.rates.items()
        }
        expanded = _derived(unit, unit.dequantise.rate, WEIGHTS)
        changed["matrix"] = unit.matrix.model_copy(update={"rates": rates})
        changed["dequantise"] = unit.dequantise.model_copy(update={"rate": expanded})
    return unit.model_copy(update=changed)


def _derived(unit: ComputeUnit, given: Parameter, per_cycle: str) -> Parameter:
    """Return the rate of a unit's clusters in place of a given one."""
    if given.source == OVERRIDE or given.kind == "fitted" or unit.threads is None:
        return given
    threads = unit.threads.value
    value = rate(unit, threads, per_cycle)
    fastest = max(unit.clusters.values(), key=lambda item: item.clock.value)
    work = _work(unit, fastest.core, per_cycle)
    low, high = (value * end / work.value for end in (work.low, work.high))
    note = NOTE.format(per_cycle, threads)
    source = fastest.clock.source
    return replace(given, value=value, kind="derived", source=source, low=low, high=high, note=note)


def _work(unit: ComputeUnit, core: str, per_cycle: str) -> Parameter:
    found: Parameter = getattr(unit.cores[core], per_cycle)
    return found
