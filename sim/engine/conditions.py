"""What the phone lets a step have at an instant: clock, host speed, share of the memory bus.

Between two changes of these conditions all rates are constant, so that the max-plus engine is exact
there; across a change the event engine runs.

A throttled SoC slows as a whole: arithmetic, launches, host work and the rate at which a unit can
issue transfers all fall with the clock (assumed; governors cap each domain by its own table).
Not modelled: voltage, and clocks that differ by unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import cast

import numpy as np

from hw_models import dram
from hw_models.soc import SocSpec
from sim.engine.timed import FloatColumn, TimedGroup, TimedTask
from workloads.background import Background
from workloads.tasks import Unit

MOST_DEMAND = 0.95
"""The largest share of the bus that other apps get, however much they ask for (assumed)."""


class TrafficClass(IntEnum):
    """Classes of DRAM traffic; smaller numbers are served first (NPU first: SERENO, OSDI'26)."""

    REALTIME = 0  # display and camera
    NPU = 1
    GPU = 2
    CPU = 3


UNIT_CLASS: dict[Unit, TrafficClass] = {
    "npu": TrafficClass.NPU,
    "gpu": TrafficClass.GPU,
    "cpu": TrafficClass.CPU,
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """The rates in force.

    Attributes
    ----------
    clock
        Fraction of the full clock.
    host
        Fraction of the host's speed that other apps leave.
    demands
        Share of bus time that other traffic asks for, by class from the first served; below 1
        together.
    queueing
        What waiting behind others' requests costs (`Dram.queueing`); 0: nothing.
    """

    clock: float = 1.0
    host: float = 1.0
    demands: tuple[float, ...] = (0.0,) * len(TrafficClass)
    queueing: float = 0.0

    def speed_of(self, barrier: TimedTask) -> float:
        """Return the speed of a barrier: other apps take from the host, not from other units."""
        return self.clock * self.host if barrier.is_on_host else self.clock


NOMINAL = Conditions()


@dataclass(frozen=True, slots=True, eq=False)
class WideConditions(Conditions):
    """Conditions of devices side by side: columns of shape (devices, 1), equal to no others."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def conditions_beside(soc: SocSpec, other: Background | None, clock: float = 1.0) -> Conditions:
    """Return what a clock and other apps leave; demands are shares of a mixed stream.

    A device whose numbers are columns, (devices, 1), has conditions that are.
    """
    queueing = soc.dram.queueing
    waits = queueing.value if queueing else 0.0
    if other is None:
        return replace(NOMINAL, clock=clock, queueing=waits)
    served = soc.dram.peak_bytes_per_s * soc.dram.efficiency.read_80.value
    asked = (other.display_bytes_per_s, None, other.gpu_bytes_per_s, other.cpu_bytes_per_s)
    demands = [item.value / served if item else 0.0 for item in asked]
    excess = np.maximum(1.0, sum(demands) / MOST_DEMAND)
    shares = tuple(share / excess for share in demands)
    kind = WideConditions if np.ndim(served) or np.ndim(waits) else Conditions
    return kind(clock, 1.0 - other.host_share.value, shares, waits)


def lengthened(left: float, beside: float, rivals: int, behind: float, queueing: float) -> float:
    """Return how much longer a transfer takes for waiting behind others' requests (`dram.waiting`).

    ``left`` is the share of the bus that classes before leave, ``beside`` and ``behind`` what
    others of its class and later classes ask for; ``rivals`` of its class take no more than theirs.
    """
    if np.ndim(left) == 0 == np.ndim(queueing) and (not queueing or left <= 0.0):
        return 1.0
    taken = np.minimum(beside, left * rivals / (rivals + 1))
    return 1.0 + queueing * cast(float, dram.waiting(1.0 - left, taken, behind))


def bus_share(
    limit: FloatColumn,
    traffic_class: TrafficClass,
    demands: tuple[float, ...],
    queueing: float = 0.0,
) -> FloatColumn:
    """Return the share of bus time a lone transfer gets, at most ``limit``.

    Classes before it are served first; with others of its class it shares max-min fairly::

        share = min(limit / longer, max(left - peers, left / 2)),  left = 1 - classes before

    >>> demands = (0.1, 0.0, 0.6, 0.0)
    >>> [float(bus_share(np.array(0.8), c, demands)) for c in (TrafficClass.NPU, TrafficClass.GPU)]
    [0.8, 0.45]
    """
    left, peers = 1.0 - sum(demands[:traffic_class]), demands[traffic_class]
    longer = lengthened(left, peers, 1, sum(demands[traffic_class + 1 :]), queueing)
    return np.minimum(limit / longer, np.maximum(left - peers, left / 2))


def lost_to_waiting(task: TimedTask, conditions: Conditions) -> FloatColumn:
    """Return the share of a task's transfers that waiting behind other apps takes, per step.

    The task is as it is under these conditions.
    """
    traffic_class, demands = UNIT_CLASS[task.unit], conditions.demands
    left, behind = 1.0 - sum(demands[:traffic_class]), sum(demands[traffic_class + 1 :])
    longer = lengthened(left, demands[traffic_class], 1, behind, conditions.queueing)
    share = task.rate_bytes_per_s / task.bus_bytes_per_s
    return np.asarray(1.0 - share / bus_share(share * longer, traffic_class, demands))


def timed_at(group: TimedGroup, conditions: Conditions) -> TimedGroup:
    """Return a group with the seconds and rates it has under constant conditions."""
    if conditions == NOMINAL:
        return group
    slowed: dict[tuple[TimedTask, ...], tuple[TimedTask, ...]] = {}
    segments = []
    for segment in group.segments:
        tasks = segment.tasks
        if tasks not in slowed:
            slowed[tasks] = tuple(_task_at(task, conditions) for task in tasks)
        segments.append(replace(segment, tasks=slowed[tasks]))
    return replace(group, segments=tuple(segments))


def _task_at(wide: TimedTask, conditions: Conditions) -> TimedTask:
    task, steps = wide.narrow, wide.tiles.shape[-1]
    return _narrow_at(task, conditions).widened(steps)


def _narrow_at(task: TimedTask, conditions: Conditions) -> TimedTask:
    if task.is_barrier:
        return replace(task, launch_s=task.launch_s / conditions.speed_of(task))
    limit = conditions.clock * task.rate_bytes_per_s / task.bus_bytes_per_s
    share = bus_share(limit, UNIT_CLASS[task.unit], conditions.demands, conditions.queueing)
    return replace(
        task,
        rate_bytes_per_s=share * task.bus_bytes_per_s,
        compute_s=task.compute_s / conditions.clock,
        launch_s=task.launch_s / conditions.clock,
    )
