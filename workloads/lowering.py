"""Trace + Deployment + Session -> Program: operators become tasks in bytes and operations.

What the graph compiler of a stack does to a model is stated as `GraphOptions`: chunked prefill with
a padded remainder, compiled cache sizes, skipped attention blocks, fusion, room for activations on
chip.

Not modelled: layout changes and copies that a vendor compiler may insert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.extent import Size
from workloads.graph import VECTOR_BITS, Formats, GraphOptions
from workloads.layout import WeightFormat
from workloads.mechanisms import ActiveAdapter, adapter_tasks
from workloads.operators import Gemm, OperatorCost, WeightUse, cost
from workloads.program import Column, ProgramSegment, Task
from workloads.trace import Operator, Segment

Whole = NDArray[np.int64]

REMEMBERED = 16
"""Segments at certain sizes whose costs are remembered; one of 8,000 steps takes 0.5 MB."""

MATRIX_KINDS = ("attention", "conv", "embedding", "experts", "linear", "matmul", "scan")
"""Kinds of operators that vector operators after them are fused into."""


class Lowering:
    """Turns the operators of one group of steps into tasks.

    Parameters
    ----------
    sizes
        The named sizes of the trace's extents (``T``, ``S`` or ``N``), one entry per step. Those
        equal in every step are computed with as one number, and so is all that hangs on them alone.
    layer
        Decoder layer the operators belong to; formats may differ by layer.
    adapter
        Adapter whose products run beside the linear operators, or none.

    Attributes
    ----------
    working_set_bytes
        Largest inputs plus outputs of a task lowered so far, per step [B]: what a graph allocates.
    """

    def __init__(
        self,
        formats: Formats,
        options: GraphOptions,
        sizes: Mapping[str, Whole],
        layer: int = 0,
        adapter: ActiveAdapter | None = None,
    ) -> None:
        self.formats = formats
        self.options = options
        self.sizes: dict[str, Size] = {name: _narrow(size) for name, size in sizes.items()}
        self.layer = layer
        self.adapter = adapter
        self.steps = len(next(iter(sizes.values())))
        self.default_class = "vision" if "N" in sizes else "body"
        self.working_set_bytes: Column = np.zeros(1)

    def segment(self, segment: Segment, is_layer: bool, runs: Column) -> ProgramSegment:
        """Return the segment's tasks, fused, running in the steps where ``runs`` is 1."""
        sizes = tuple(map(_frozen, self.sizes.items()))
        demands = _demands(_Same(segment), sizes, self.options.routing_skew)
        pairs = zip(segment.operators, demands, strict=True)
        tasks = [self.task(operator, demand, runs) for operator, demand in pairs]
        if self.options.fusion in ("elementwise", "attention"):
            tasks = fuse(tasks)
        kept = [self._spill(*handed) for handed in _handed_over(tasks)]
        if self.adapter is not None and is_layer:
            kept = self._beside_adapter(kept, self.adapter)
        return ProgramSegment(segment.name, segment.repeat, tuple(kept), is_layer)

    def _beside_adapter(self, tasks: Sequence[Task], adapter: ActiveAdapter) -> list[Task]:
        found: list[Task] = []
        for task in tasks:
            found += [task, *adapter_tasks(task, adapter, self.formats)]
        return found

    def task(self, operator: Operator, demand: OperatorCost, runs: Column) -> Task:
        """Return one operator as a task, its columns one entry long where no step differs.

        Activations are counted as if none stayed on chip.
        """
        activation_bytes = self.formats.activation_bits / 8
        kv_bytes = self.formats.kv.bits / 8
        scores = self._score_bytes(operator, demand)
        tensor_class = demand.weights[0].tensor_class if demand.weights else None
        return Task(
            name=operator.module,
            kind=operator.kind,
            unit=self.formats.unit_of(operator.name, tensor_class or self.default_class),
            activations=self.formats.activations,
            operand_bits=self._operand_bits(operator, demand),
            tensor_class=tensor_class,
            **self._gemm(demand.gemm),
            flops=_column(demand.causal_flops if self.options.causal_skip else demand.matmul_flops),
            vector_ops=_column(demand.vector_ops),
            expanded_weights=_column(self._expanded(demand)),
            weight_bytes=_column(self._weight_bytes(operator, demand)),
            kv_read_bytes=_column(demand.kv_read_elements) * kv_bytes
            + _column(demand.state_read_bytes),
            kv_write_bytes=_column(demand.kv_write_elements) * kv_bytes
            + _column(demand.state_write_bytes),
            activation_read_bytes=_column(demand.activation_read_elements) * activation_bytes
            + scores,
            activation_write_bytes=_column(demand.activation_write_elements) * activation_bytes
            + scores,
            runs=runs,
            operator=operator.name.removeprefix("aten."),
        )

    def _gemm(self, gemm: Gemm | None) -> dict[str, Any]:
        sizes = (gemm.batch, gemm.m, gemm.n, gemm.k) if gemm else (0, 0, 0, 0)
        return dict(zip(("batch", "m", "n", "k"), map(_column, sizes), strict=True))

    def _score_bytes(self, operator: Operator, demand: OperatorCost) -> Column | float:
        """Return the attention scores that travel to DRAM once when attention is not fused."""
        fused = self.options.fusion in ("scores", "attention")
        if operator.kind != "attention" or fused or not demand.gemm:
            return 0.0
        scores = _column(demand.gemm.batch) * demand.gemm.m * demand.gemm.n
        return scores * (self.formats.activation_bits / 8)

    def _operand_bits(self, operator: Operator, demand: OperatorCost) -> int:
        if operator.kind == "attention":
            return self.formats.kv.compute_bits
        if not demand.weights or not demand.gemm:
            return self.formats.activation_bits
        return self._format(demand.weights[0].tensor_class).compute_bits

    def _format(self, tensor_class: str) -> WeightFormat:
        return self.formats.weights.format_for(tensor_class, self.layer)

    def _expanded(self, demand: OperatorCost) -> Size | float:
        matrices = [use for use in demand.weights if demand.gemm is not None and _is_matrix(use)]
        return sum(
            (use.elements for use in matrices if self._format(use.tensor_class).needs_expansion),
            start=0.0,
        )

    def _weight_bytes(self, operator: Operator, demand: OperatorCost) -> Column | float:
        total: Column | float = 0.0
        for use in demand.weights:
            if operator.kind == "embedding":
                total = total + use.rows * self._format("embedding").traffic_bytes(1, int(use.cols))
            elif _is_matrix(use):
                matrix = self._format(use.tensor_class)
                total = total + use.copies * matrix.traffic_bytes(int(use.rows), int(use.cols))
            else:
                total = total + use.elements * (VECTOR_BITS / 8)
        return total

    def _spill(self, task: Task, from_elsewhere: bool, to_elsewhere: bool) -> Task:
        """Return the task for all steps, its activations on chip where they fit there together.

        What another unit made, or will read, passes through DRAM whatever its size.
        """
        moved = task.activation_read_bytes + task.activation_write_bytes
        self.working_set_bytes = np.maximum(self.working_set_bytes, moved)
        spilled = moved > self.options.activation_bytes
        return task.widened(
            self.steps,
            activation_read_bytes=np.where(
                spilled | from_elsewhere, task.activation_read_bytes, 0.0
            ),
            activation_write_bytes=np.where(
                spilled | to_elsewhere, task.activation_write_bytes, 0.0
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A segment as a key: equal to itself only, so that nothing inside is compared."""

    segment: Segment

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.segment is other.segment

    def __hash__(self) -> int:
        return id(self.segment)


@lru_cache(maxsize=REMEMBERED)
def _demands(
    same: _Same, sizes: tuple[tuple[str, int | bytes], ...], routing_skew: float
) -> tuple[OperatorCost, ...]:
    """Return the costs of a segment's operators; deployments that differ in formats share them."""
    known = {
        name: size if isinstance(size, int) else np.frombuffer(size, dtype=np.int64)
        for name, size in sizes
    }
    return tuple(cost(operator, known, routing_skew) for operator in same.segment.operators)


def _frozen(item: tuple[str, Size]) -> tuple[str, int | bytes]:
    name, size = item
    return name, size if isinstance(size, int) else size.tobytes()


def _column(value: Size | float | Column) -> Column:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64, copy=False)
    return np.array([value], dtype=np.float64)


def _narrow(size: Whole) -> Size:
    return int(size[0]) if (size == size[0]).all() else size


def _is_matrix(use: WeightUse) -> bool:
    return use.rows > 1 if isinstance(use.rows, int) else bool(np.all(use.rows > 1))


def _handed_over(tasks: list[Task]) -> Iterator[tuple[Task, bool, bool]]:
    """Yield each task, whether another unit ran before it, and whether another runs after it."""
    for before, task, after in zip(
        (tasks[:1] + tasks)[:-1], tasks, (tasks + tasks[-1:])[1:], strict=True
    ):
        yield task, before.unit != task.unit, after.unit != task.unit


def fuse(tasks: Sequence[Task]) -> list[Task]:
    """Fuse vector operators into the matrix operator before them, where one unit runs both.

    The fused task reads what its first operator reads, and of each later one what that one does not
    get from its predecessor (a residual, say); it writes what its last operator writes.
    """
    fused: list[Task] = []
    for task in tasks:
        if fused and task.kind not in MATRIX_KINDS and task.unit == fused[-1].unit:
            fused[-1] = _merge(fused[-1], task)
        else:
            fused.append(task)
    return fused


def _merge(leader: Task, follower: Task) -> Task:
    side_read = np.maximum(0.0, follower.activation_read_bytes - leader.activation_write_bytes)
    return replace(
        leader,
        vector_ops=leader.vector_ops + follower.vector_ops,
        weight_bytes=leader.weight_bytes + follower.weight_bytes,
        kv_read_bytes=leader.kv_read_bytes + follower.kv_read_bytes,
        kv_write_bytes=leader.kv_write_bytes + follower.kv_write_bytes,
        activation_read_bytes=leader.activation_read_bytes + side_read,
        activation_write_bytes=follower.activation_write_bytes,
    )
