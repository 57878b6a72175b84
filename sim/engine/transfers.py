"""What a task's transfers get of the memory: its bus, its stack, its unit, and what slows them.

    rate = min(bus, peak x min(fraction of the stack, of the unit)) x b / (b + ramp)

A KV cache that is read more slowly, and weights that are mapped from flash, lengthen the mean; what
the system cache serves (`sim.engine.cached`) comes at its own rate and leaves the bus alone.

Not modelled: the order of transfers inside one task.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hw_models import dram
from hw_models.laws import Numbers
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.engine.timed import FloatColumn, TimedTask
from sim.loading import fault_bytes_per_s
from workloads.tasks import Task

NEARLY_NONE: Final = 1e-12
"""Share of a transfer that stays on the bus where the system cache serves all of it."""


def rates(
    soc: SocSpec,
    stack: Stack,
    task: Task,
    tile_bytes: FloatColumn,
    mapped: float = 0.0,
    cached_bytes: FloatColumn | None = None,
) -> tuple[FloatColumn, FloatColumn]:
    """Return what the memory would serve and what a lone transfer gets, per step [B/s].

    Parameters
    ----------
    mapped
        Share of the weights that every pass brings in from flash.
    cached_bytes
        What the system cache serves of it, off the bus [B].
    """
    moved = np.maximum(task.dram_bytes, 1.0)
    bus = _bus(soc, task, tile_bytes)
    peak = soc.dram.peak_bytes_per_s
    limit = np.minimum(stack.bandwidth_fraction.value, soc.units[task.unit].dram_fraction.value)
    rate = np.minimum(bus, peak * limit) * ramp(soc, task)
    if stack.kv_read_share is not None and task.kv_read_bytes.any():
        slowed = task.kv_read_bytes * (1.0 / stack.kv_read_share.value - 1.0)
        rate = rate * moved / (moved + slowed)
    if mapped and task.weight_bytes.any():
        fetched = mapped * task.weight_bytes
        rest = task.dram_bytes - fetched
        rate = moved / (fetched / fault_bytes_per_s(soc) + rest / rate)
    cache = soc.dram.system_cache
    if cache is not None and cached_bytes is not None and cached_bytes.any():
        rest = np.maximum(moved - cached_bytes, NEARLY_NONE * moved)
        quicker = np.maximum(rate, cache.rate.value)
        return bus * moved / rest, moved / (rest / rate + cached_bytes / quicker)
    return bus, np.asarray(rate)


def ramp(soc: SocSpec, task: Task) -> Numbers:
    """Return the share of its rate that a task's transfers attain for being short, per step.

    1 where the unit's file says nothing.
    """
    half = soc.units[task.unit].ramp_bytes
    moved = np.maximum(task.dram_bytes, 1.0)
    return dram.granularity_efficiency(moved, half.value) if half else 1.0


def cache_share(soc: SocSpec, task: TimedTask, clock: float) -> float:
    """Return the share of a task's transfer seconds in which the system cache serves it."""
    cache, whole_s = soc.dram.system_cache, float(np.sum(task.tiles * task.fetch_s))
    if cache is None or task.cached_bytes is None or not whole_s:
        return 0.0
    served_s = np.sum((task.tiles > 0) * task.cached_bytes / (cache.rate.value * clock))
    return min(1.0, float(served_s) / whole_s)


def _bus(soc: SocSpec, task: Task, tile_bytes: FloatColumn) -> FloatColumn:
    """Return what the memory serves of a task's mix of reads and size of requests [B/s]."""
    memory, moved = soc.dram, np.maximum(task.dram_bytes, 1.0)
    points = memory.efficiency
    mix = dram.mix_efficiency(
        task.read_bytes / moved,
        read_only=points.read_only.value,
        read_80=points.read_80.value,
        read_50=points.read_50.value,
    )
    request = np.maximum(tile_bytes, 1.0) if task.request_bytes is None else task.request_bytes
    whole = dram.granularity_efficiency(request, memory.row_bytes.value)
    return np.asarray(memory.peak_bytes_per_s * np.asarray(mix * whole))
