"""What the steps of a group do, as columns: operations, bytes and joules of each step.

    flops, bytes        sums over the tasks of a step
    peak_matrix_s       matrix FLOPs / peak rate of their precision
    dram_j              8 bytes x energy per bit, what the system cache serves at its own
    compute_j           FLOPs x energy of their precision + vector operations x theirs; products on
                        vector lanes are operations of these (`UnitTimes.lane_operations`)
    active_w            power of the unit that moves most of the bytes, while it is busy

All figures of traffic, arithmetic and energy are sums of these columns over some steps.

Not modelled: energy of on-chip traffic, and padding of matrix tiles, which is taken to cost none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from hw_models import compute, power
from hw_models.laws import Numbers
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.engine.cached import served
from sim.engine.timed import FloatColumn
from sim.engine.unit_time import UnitTimes
from workloads.program import ProgramSegment, StepGroup
from workloads.tasks import Task, Unit


@dataclass(frozen=True, slots=True)
class Work:
    """What each step of a group does; columns of shape (steps,), or (devices, steps).

    Attributes
    ----------
    flops
        Matrix FLOPs that are executed.
    peak_matrix_s
        Seconds these take at the peak rate of their precision [s].
    read_bytes, write_bytes
        Moved from and to DRAM [B].
    weight_bytes
        Weights among what is read [B].
    dram_j, compute_j
        Energy of the traffic and of the arithmetic at full clock [J].
    cache_j
        Of the traffic's, that of the system cache [J].
    active_w
        Power of the busy unit besides both, at full clock; a number, or a column over devices [W].
    """

    flops: FloatColumn
    peak_matrix_s: FloatColumn
    read_bytes: FloatColumn
    write_bytes: FloatColumn
    weight_bytes: FloatColumn
    dram_j: FloatColumn
    compute_j: FloatColumn
    cache_j: FloatColumn
    active_w: Numbers

    def switched_j(
        self, seconds: FloatColumn, clock: Numbers = 1.0, switched: Numbers = 1.0
    ) -> FloatColumn:
        """Return the energy of arithmetic and busy unit in steps of known seconds [J].

        Parameters
        ----------
        clock, switched
            Time means of the clock and of what `power.clocked_w` makes of it, step by step.
        """
        arithmetic_j = self.arithmetic_j(seconds, clock, switched)
        return np.asarray(arithmetic_j + self.active_j(seconds, switched))

    def arithmetic_j(
        self, seconds: FloatColumn, clock: Numbers = 1.0, switched: Numbers = 1.0
    ) -> FloatColumn:
        """Return the energy of the arithmetic, parameters as in `switched_j` [J].

        A phone heats by the mean power of a group (`sim.heat.phone`), so the group's joules are its
        mean arithmetic per second of full clock at each clock, and its steps share them in
        proportion to their own. Where the clock stays as it is both are the same.
        """
        each_j = self.compute_j * np.divide(switched, clock)
        if np.ptp(clock) == 0.0 and np.ptp(switched) == 0.0:
            return np.asarray(each_j)
        full_s = np.sum(seconds * clock, axis=-1, keepdims=True)
        compute_j = np.broadcast_to(self.compute_j, seconds.shape)
        mean_w = compute_j.sum(axis=-1, keepdims=True) / full_s
        group_j = mean_w * np.sum(seconds * switched, axis=-1, keepdims=True)
        shared_j = np.broadcast_to(each_j, seconds.shape).sum(axis=-1, keepdims=True)
        found = each_j * (group_j / np.where(shared_j > 0.0, shared_j, 1.0))
        return np.asarray(found)

    def active_j(self, seconds: FloatColumn, switched: Numbers = 1.0) -> FloatColumn:
        """Return the energy of the busy unit in steps of known seconds [J]."""
        return np.asarray(np.multiply(self.active_w, switched) * seconds)


def work_of(group: StepGroup, soc: SocSpec, stack: Stack | None = None) -> Work:
    """Return the work of each step of a group on a device.

    Tasks that are equal in every step may come as columns of one entry. ``stack`` says which
    products run on vector lanes; without one all run on the matrix engine.
    """
    cached = served(group, soc)
    units = UnitTimes(soc, stack) if stack else None
    cached_bytes = np.zeros(group.steps)
    read, write, weights = np.zeros((3, group.steps))
    vector_ops, flops = np.zeros((2, group.steps))
    by_precision: dict[tuple[str, str], FloatColumn] = {}
    by_lanes: dict[tuple[str, str], FloatColumn] = {}
    moved_bytes: dict[Unit, float] = {}
    for task, repeat in group.tasks():
        runs = repeat * task.runs
        read += runs * task.read_bytes
        write += runs * task.write_bytes
        if (part := cached.get(task)) is not None:
            cached_bytes = cached_bytes + runs * part.total_bytes
        weights += runs * task.weight_bytes
        engine = soc.units[task.unit].vector
        vector_ops = vector_ops + runs * engine.operations(task.vector_ops, task.exponentials)
        on_lanes = units.on_lanes(task, group.phase) if units else None
        if units and on_lanes is not None:
            vector_ops = vector_ops + runs * units.lane_operations(task, group.phase)
        moved = float(np.sum(runs * task.dram_bytes))
        moved_bytes[task.unit] = moved_bytes.get(task.unit, 0.0) + moved
        if task.flops.any():
            key = task.unit, precision_of(task, soc)
            by_precision[key] = by_precision.get(key, np.zeros(group.steps)) + runs * task.flops
            if on_lanes is not None:
                by_lanes[key] = by_lanes.get(key, np.zeros(1)) + on_lanes * runs * task.flops
    per_flop = soc.power.energy_per_flop
    peak_matrix_s = np.zeros(group.steps)
    compute_j = power.compute_energy_j(vector_ops, per_flop["vector"].value)
    for (unit, precision), executed in by_precision.items():
        flops += executed
        rate = soc.units[unit].matrix.rates[precision].value  # type: ignore[index]
        peak_matrix_s = peak_matrix_s + executed / rate
        multiplied = executed - by_lanes.get((unit, precision), 0.0)
        compute_j = compute_j + power.compute_energy_j(multiplied, per_flop[precision].value)
    cache_j = _cache_j(cached_bytes, soc)
    read = read - cached_bytes
    return Work(
        flops=flops,
        peak_matrix_s=peak_matrix_s,
        read_bytes=read,
        write_bytes=write,
        weight_bytes=weights,
        dram_j=np.asarray(power.dram_energy_j(read + write, soc.dram.energy.value)) + cache_j,
        compute_j=np.asarray(compute_j),
        cache_j=cache_j,
        active_w=_active_w(max(moved_bytes, key=lambda unit: moved_bytes[unit]), soc),
    )


def _cache_j(cached_bytes: FloatColumn, soc: SocSpec) -> FloatColumn:
    """Return the energy of what the system cache serves [J]."""
    cache = soc.dram.system_cache
    per_bit = cache.energy.value if cache else 0.0
    return np.asarray(power.dram_energy_j(cached_bytes, per_bit))


def _active_w(unit: Unit, soc: SocSpec) -> Numbers:
    """Return the power of a busy unit, 0 where it is not known [W]."""
    known = soc.units[unit].active_w
    return known.value if known else 0.0


def works(groups: Iterable[StepGroup], soc: SocSpec, stack: Stack) -> Iterator[Work]:
    """Yield the work of each group on a stack; groups that share their tasks share it."""
    return map(shared_work(soc, stack), groups)


def shared_work(soc: SocSpec, stack: Stack) -> Callable[[StepGroup], Work]:
    """Return what gives the work of groups on a stack; those that share their tasks share it."""
    known: dict[tuple[ProgramSegment, ...], Work] = {}

    def work(group: StepGroup) -> Work:
        if group.segments not in known:
            known[group.segments] = work_of(group, soc, stack)
        return known[group.segments]

    return work


def precision_of(task: Task, soc: SocSpec) -> str:
    """Return the precision in which a unit computes the products of a task."""
    rates = soc.units[task.unit].matrix.rates
    return compute.precision_key(task.activations, task.operand_bits, rates)
