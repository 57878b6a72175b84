"""How long a unit is busy with a task, launches and transfers left out.

It is the time of the slowest on-chip stage, since expansion, matrix and vector work of a tile are
pipelined inside the unit::

    compute_s = max(matrix_s, vector_s, dequantise_s) / utilisation

The utilisation is that of the stack's kernel, 1 where none was calibrated. A stack that also runs
products on vector lanes takes these where they are sooner (`vector_products`)::

    compute_s = min(the above, max(vector_s + products_s, dequantise_s)) / utilisation

Not modelled: a stage that stalls another inside one tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hw_models import compute
from hw_models.cost_laws import Work, cost_law, law_seconds
from hw_models.laws import Numbers
from hw_models.schema import ComputeUnit, Stack, StackNetwork
from hw_models.soc import SocSpec
from sim.engine.timed import FloatColumn
from sim.engine.utilisation import utilisation
from sim.errors import SimError
from workloads.tasks import Task, Unit
from workloads.trace import NETWORK


@dataclass(frozen=True, slots=True)
class UnitTimes:
    """The units of one SoC as the graphs of one stack use them."""

    soc: SocSpec
    stack: Stack

    def busy_s(self, task: Task, phase: str) -> FloatColumn:
        """Return the seconds the unit is busy with a task, per step; overheads come on top [s].

        By the law that the stack names for the operator, or else by ours.
        """
        stack = self.stack_of(task.unit)
        if law := stack.law(phase, task.operator):
            constants = {name: constant.value for name, constant in law.constants.items()}
            return np.asarray(law_seconds(law.law, work_of(task, phase), constants))
        kernel, unit = stack.kernel(phase, task.operator), self.soc.units[task.unit]
        return self.compute_s(task, unit, phase) / utilisation(kernel, task)

    def jumps(self, task: Task, phase: str) -> Sequence[FloatColumn]:
        """Return what of a task's seconds may only change in jumps, per step.

        Tiles of the buffer and whether it spills, then what its law says: matrix tiles for ours.
        """
        unit, law = self.soc.units[task.unit], self.stack_of(task.unit).law(phase, task.operator)
        steps = task.tiles(unit.buffer.operand_bytes.value).astype(np.float64)
        always = [steps, (task.activation_read_bytes > 0.0).astype(np.float64)]
        if law is None:
            matrix = unit.matrix
            sizes = (task.m, matrix.tile_m), (task.n, matrix.tile_n), (task.k, matrix.tile_k)
            always += [np.ceil(size / tile.value) for size, tile in sizes if np.any(tile.value > 1)]
            lanes = self.on_lanes(task, phase)
            return always if lanes is None else [*always, lanes.astype(np.float64)]
        if (named := cost_law(law.law).jumps) is None:
            return [*always, np.arange(task.runs.shape[0], dtype=np.float64)]
        return always + [np.asarray(column) for column in named(work_of(task, phase))]

    def compute_s(self, task: Task, unit: ComputeUnit, phase: str) -> FloatColumn:
        """Return the seconds of the slowest on-chip stage, per step [s]."""
        tile_s, lanes_s = self._tile_s(task, unit, phase), self._lanes_s(task, phase)
        return tile_s if lanes_s is None else np.minimum(tile_s, lanes_s)

    def on_lanes(self, task: Task, phase: str) -> NDArray[np.bool_] | None:
        """Return in which steps a task's product runs on vector lanes, None where it never may."""
        if (lanes_s := self._lanes_s(task, phase)) is None:
            return None
        return np.asarray(lanes_s < self._tile_s(task, self.soc.units[task.unit], phase))

    def lane_operations(self, task: Task, phase: str) -> FloatColumn | float:
        """Return the operations of vector lanes that a task's product takes, per step."""
        lanes = self.on_lanes(task, phase)
        known = self.stack_of(task.unit).vector_products
        if lanes is None or known is None:
            return 0.0
        return np.asarray(lanes * compute.lane_operations(task.flops, known.value))

    def _tile_s(self, task: Task, unit: ComputeUnit, phase: str) -> FloatColumn:
        """Return the seconds of a task whose product, if any, runs on the matrix engine [s]."""
        multiply_s = self._matrix_s(task, unit, phase) if task.flops.any() else np.zeros(1)
        return self._slowest_s(task, phase, self.vector_s(task, phase), multiply_s)

    def _lanes_s(self, task: Task, phase: str) -> FloatColumn | None:
        """Return the seconds of a task whose product shares the lanes of its other work [s].

        None where the stack runs none there; kernels that expand weights first have lanes alone.
        """
        stack = self.stack_of(task.unit)
        if stack.vector_products is None or not task.flops.any() or stack.law(phase, task.operator):
            return None
        if self.expanding_s(task, phase) is not None:
            return None
        operations = compute.lane_operations(task.flops, stack.vector_products.value)
        return self._slowest_s(task, phase, self.vector_s(task, phase, operations), np.zeros(1))

    def _slowest_s(
        self, task: Task, phase: str, vector_s: FloatColumn, multiply_s: FloatColumn
    ) -> FloatColumn:
        """Return the seconds of a task's slowest stage; what kernels expand goes before [s]."""
        unit = self.soc.units[task.unit]
        expand_s = compute.dequantise_seconds(task.expanded_weights, unit.dequantise.rate.value)
        beside_s = np.maximum(vector_s, expand_s)
        if (expanding_s := self.expanding_s(task, phase)) is not None:
            beside_s, multiply_s = vector_s, multiply_s + expanding_s
        slowest: FloatColumn = np.maximum(beside_s, multiply_s)
        return slowest

    def vector_s(self, task: Task, phase: str, products: FloatColumn | float = 0.0) -> FloatColumn:
        """Return the seconds of a task's element-wise work, per step [s].

        ``products`` are operations of products on the same lanes.
        """
        network = self.network_of(self.stack_of(task.unit), phase)
        share = network.vector.value if network and network.vector else 1.0
        engine = self.soc.units[task.unit].vector
        operations = engine.operations(task.vector_ops + products, task.exponentials)
        return np.asarray(compute.vector_seconds(operations, share * engine.rate.value))

    def exponential_share(self, task: Task, phase: str) -> float:
        """Return the share of a task's arithmetic that is bound by exponentials.

        0 where the unit counts them as any other operation, or a law of another package gives the
        operator's seconds.
        """
        unit, vector_ops = self.soc.units[task.unit], task.vector_ops
        engine, stack = unit.vector, self.stack_of(task.unit)
        if engine.exponential is None or stack.law(phase, task.operator) or not vector_ops.any():
            return 0.0
        of_them = engine.operations(task.exponentials, task.exponentials)
        whole = engine.operations(vector_ops, task.exponentials)
        slowest_s = self.compute_s(task, unit, phase)
        bound = self.vector_s(task, phase) >= slowest_s
        return float(np.sum(bound * slowest_s * of_them / whole) / np.sum(slowest_s))

    def expanding_s(self, task: Task, phase: str) -> FloatColumn | None:
        """Return the seconds in which kernels expand weights before they multiply, per step [s].

        None where that goes on beside the products, or is part of the efficiency (a decode step).
        """
        stack, unit = self.stack_of(task.unit), self.soc.units[task.unit]
        known = stack.products.pace if stack.products and phase != "decode" else {}
        if stack.products is None or task.weight_format not in known:
            return None
        rows = stack.products.rows_of(task.weight_format, unit.has_dot_products, task.kind)
        rate = known[task.weight_format].value * unit.dequantise.rate.value
        once_s = compute.dequantise_seconds(task.expanded_weights, rate)
        return np.asarray(compute.expansions(task.m, rows) * once_s)

    def _matrix_s(self, task: Task, unit: ComputeUnit, phase: str) -> FloatColumn:
        """Return matrix seconds; skipped attention blocks shrink the dense time in proportion."""
        rates = unit.matrix.rates
        key = compute.precision_key(task.activations, task.operand_bits, rates)
        matrix, stack = unit.matrix, self.stack_of(task.unit)
        network = self.network_of(stack, phase)
        own = network.efficiency.get(key) if network else None
        tile = matrix.tile_m.value, matrix.tile_n.value, matrix.tile_k.value
        share = (own or stack.efficiency.of(phase)).value
        if network and network.products and task.kind != "conv":
            share = share * network.products.value
        if stack.attention_share and task.kind == "attention" and phase == "prefill":
            share = share * stack.attention_share.value

        def seconds_of(batch: Numbers, n: Numbers, k: Numbers) -> Numbers:
            one = compute.matrix_seconds(
                task.m, n, k, rate_flops_per_s=rates[key].value, tile=tile, efficiency=share
            )
            return batch * one

        dense = seconds_of(task.batch, task.n, task.k)
        if network and task.kind == "conv":
            beside = np.clip(tile[1] // task.n, 1, task.batch)
            packed = seconds_of(np.ceil(task.batch / beside), beside * task.n, beside * task.k)
            dense = np.minimum(dense, packed)
        executed = task.flops / np.maximum(1.0, 2.0 * task.batch * task.m * task.n * task.k)
        seconds: FloatColumn = dense * executed
        return seconds

    def network_of(self, stack: Stack, phase: str) -> StackNetwork | None:
        """Return what the graphs of networks cost on a stack, None in a language model."""
        return stack.network if phase == NETWORK else None

    def stack_of(self, unit: Unit) -> Stack:
        """Return the stack that drives a unit: this run's own, else the device's first for it."""
        if unit == self.stack.unit:
            return self.stack
        drivers = [stack for stack in self.soc.stacks.values() if stack.unit == unit]
        if not drivers:
            known = ", ".join(sorted({stack.unit for stack in self.soc.stacks.values()}))
            raise SimError(
                f"deployment.placement must name units that a stack of {self.soc.id} drives. "
                f"Got '{unit}'. Known: {known}."
            )
        return drivers[0]


def work_of(task: Task, phase: str) -> Work:
    """Return a task as the numbers a cost law is a function of."""
    names = [item.name for item in fields(Work) if item.name != "phase"]
    return Work(phase=phase, **{name: getattr(task, name) for name in names})
