"""Trace + Deployment + Session -> Program: operators become tasks in bytes and operations.

What the graph compiler of a stack does to a model is stated as `GraphOptions`: chunked prefill with
a padded remainder, compiled cache sizes, skipped attention blocks, fusion, room for activations on
chip.

Not modelled: layout changes and copies that a vendor compiler may insert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workloads.extent import Size
from workloads.graph import VECTOR_BITS, Formats, GraphOptions, Placing
from workloads.layout import WeightFormat
from workloads.mechanisms import ActiveAdapter, adapter_tasks
from workloads.operators import Gemm, OperatorCost, WeightUse, cost
from workloads.program import ProgramSegment
from workloads.same import FrozenSizes, Same, frozen, thawed
from workloads.tasks import Column, Task
from workloads.trace import Operator, Segment

Whole = NDArray[np.int64]

REMEMBERED = 16
"""Segments at certain sizes whose tasks are remembered; one of 8,000 steps takes 0.5 MB."""

MATRIX_KINDS = ("attention", "conv", "embedding", "experts", "linear", "matmul", "scan")
"""Kinds of operators that vector operators after them are fused into."""
UNKNOWN: Any = np.zeros(1)
"""Stands in a shaped task for what only formats know."""


class Shaped(NamedTuple):
    """A task as its graph runs it, before formats say what weights and cache take.

    ``parts`` are its operators with their costs, the leading one first.
    """

    task: Task
    parts: tuple[tuple[Operator, OperatorCost], ...]


class Graph(NamedTuple):
    """What shapes the tasks of a segment, whatever formats weights and cache have."""

    placing: Placing
    activations: str
    activation_bits: int
    fusion: str
    causal_skip: bool
    routing_skew: float
    default_class: str


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
        self.graph = Graph(
            formats.placing,
            formats.activations,
            formats.activation_bits,
            options.fusion,
            options.causal_skip,
            options.routing_skew,
            "vision" if "N" in sizes else "body",
        )
        self.working_set_bytes: Column = np.zeros(1)

    def segment(self, segment: Segment, is_layer: bool, runs: Column) -> ProgramSegment:
        """Return the segment's tasks, fused, running in the steps where ``runs`` is 1."""
        shaped = _shaped(Same(segment), frozen(self.sizes), self.graph)
        kept = [self._stored(*handed, runs) for handed in _handed_over(shaped)]
        if self.adapter is not None and is_layer:
            kept = self._beside_adapter(kept, self.adapter)
        return ProgramSegment(segment.name, segment.repeat, tuple(kept), is_layer)

    def _beside_adapter(self, tasks: Sequence[Task], adapter: ActiveAdapter) -> list[Task]:
        found: list[Task] = []
        for task in tasks:
            found += [task, *adapter_tasks(task, adapter, self.formats)]
        return found

    def _stored(
        self, shaped: Shaped, from_elsewhere: bool, to_elsewhere: bool, runs: Column
    ) -> Task:
        """Return a task for all steps, in formats; activations stay on chip where they fit.

        What another unit made, or will read, passes through DRAM whatever its size.
        """
        task, parts = shaped
        kv_bytes = self.formats.kv.bits / 8
        moved = task.activation_read_bytes + task.activation_write_bytes
        self.working_set_bytes = np.maximum(self.working_set_bytes, moved)
        spilled = moved > self.options.activation_bytes
        return task.widened(
            self.steps,
            operand_bits=self._operand_bits(*parts[0]),
            expanded_weights=_column(self._expanded(parts[0][1])),
            weight_bytes=_column(sum(self._weight_bytes(*part) for part in parts)),
            kv_read_bytes=_column(
                sum(cost.kv_read_elements * kv_bytes + cost.state_read_bytes for _, cost in parts)
            ),
            kv_write_bytes=_column(
                sum(cost.kv_write_elements * kv_bytes + cost.state_write_bytes for _, cost in parts)
            ),
            activation_read_bytes=np.where(
                spilled | from_elsewhere, task.activation_read_bytes, 0.0
            ),
            activation_write_bytes=np.where(
                spilled | to_elsewhere, task.activation_write_bytes, 0.0
            ),
            runs=runs,
            weight_format=self._format(task.tensor_class).id if task.tensor_class else "",
        )

    def _operand_bits(self, operator: Operator, demand: OperatorCost) -> int:
        if operator.kind == "attention":
            reads_cache = any(tensor.role == "kv_read" for tensor in operator.inputs)
            return self.formats.kv.compute_bits if reads_cache else self.formats.encoder_bits
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


@lru_cache(maxsize=REMEMBERED)
def _shaped(same: Same[Segment], sizes: FrozenSizes, graph: Graph) -> tuple[Shaped, ...]:
    """Return a segment's tasks, fused; deployments that differ in formats share them.

    Activations are counted as if none stayed on chip.
    """
    known = thawed(sizes)
    tasks = [
        Shaped(_task(operator, demand, graph), ((operator, demand),))
        for operator in same.part.operators
        for demand in [cost(operator, known, graph.routing_skew)]
    ]
    return tuple(fuse(tasks) if graph.fusion in ("elementwise", "attention") else tasks)


def _task(operator: Operator, demand: OperatorCost, graph: Graph) -> Task:
    """Return one operator as a task, its columns one entry long where no step differs."""
    activation_bytes = graph.activation_bits / 8
    scores = _score_bytes(operator, demand, graph)
    tensor_class = demand.weights[0].tensor_class if demand.weights else None
    return Task(
        name=operator.module,
        kind=operator.kind,
        unit=graph.placing.unit_of(operator.name, tensor_class or graph.default_class),
        activations=graph.activations,
        operand_bits=0,
        tensor_class=tensor_class,
        **_gemm(demand.gemm),
        flops=_column(demand.causal_flops if graph.causal_skip else demand.matmul_flops),
        vector_ops=_column(demand.vector_ops),
        exponentials=_column(demand.exponentials),
        expanded_weights=UNKNOWN,
        weight_bytes=UNKNOWN,
        kv_read_bytes=UNKNOWN,
        kv_write_bytes=UNKNOWN,
        activation_read_bytes=_column(demand.activation_read_elements) * activation_bytes + scores,
        activation_write_bytes=_column(demand.activation_write_elements) * activation_bytes
        + scores,
        runs=UNKNOWN,
        operator=operator.name.removeprefix("aten."),
    )


def _gemm(gemm: Gemm | None) -> dict[str, Any]:
    sizes = (gemm.batch, gemm.m, gemm.n, gemm.k) if gemm else (0, 0, 0, 0)
    return dict(zip(("batch", "m", "n", "k"), map(_column, sizes), strict=True))


def _score_bytes(operator: Operator, demand: OperatorCost, graph: Graph) -> Column | float:
    """Return the attention scores that travel to DRAM once when attention is not fused."""
    fused = graph.fusion in ("scores", "attention")
    if operator.kind != "attention" or fused or not demand.gemm:
        return 0.0
    scores = _column(demand.gemm.batch) * demand.gemm.m * demand.gemm.n
    return scores * (graph.activation_bits / 8)


def _column(value: Size | float | Column) -> Column:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64, copy=False)
    return np.array([value], dtype=np.float64)


def _narrow(size: Whole) -> Size:
    return int(size[0]) if (size == size[0]).all() else size


def _is_matrix(use: WeightUse) -> bool:
    return use.rows > 1 if isinstance(use.rows, int) else bool(np.all(use.rows > 1))


def _handed_over(shaped: Sequence[Shaped]) -> Iterator[tuple[Shaped, bool, bool]]:
    """Yield each task, whether another unit ran before it, and whether another runs after it."""
    units = [item.task.unit for item in shaped]
    for before, item, after in zip(
        (units[:1] + units)[:-1], shaped, (units + units[-1:])[1:], strict=True
    ):
        yield item, before != item.task.unit, after != item.task.unit


def fuse(tasks: Sequence[Shaped]) -> list[Shaped]:
    """Fuse vector operators into the matrix operator before them, where one unit runs both.

    The fused task reads what its first operator reads, and of each later one what that one does not
    get from its predecessor (a residual, say); it writes what its last operator writes.
    """
    fused: list[Shaped] = []
    for item in tasks:
        task = item.task
        if fused and task.kind not in MATRIX_KINDS and task.unit == fused[-1].task.unit:
            fused[-1] = _merge(fused[-1], item)
        else:
            fused.append(item)
    return fused


def _merge(leader: Shaped, follower: Shaped) -> Shaped:
    first, then = leader.task, follower.task
    side_read = np.maximum(0.0, then.activation_read_bytes - first.activation_write_bytes)
    task = replace(
        first,
        vector_ops=first.vector_ops + then.vector_ops,
        exponentials=first.exponentials + then.exponentials,
        activation_read_bytes=first.activation_read_bytes + side_read,
        activation_write_bytes=then.activation_write_bytes,
    )
    return Shaped(task, (*leader.parts, *follower.parts))
