"""Tasks: the operations and bytes of an operator, in every step that it runs in.

Every quantity of a `Task` is a column with one entry per step, so 128 decode steps are one object
whose sizes grow along the column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.float64]
Unit = Literal["npu", "gpu", "cpu"]
Numbers = TypeVar("Numbers", NDArray[np.float64], NDArray[np.int64])

COLUMN_NAMES = (
    "batch",
    "m",
    "n",
    "k",
    "flops",
    "vector_ops",
    "exponentials",
    "expanded_weights",
    "weight_bytes",
    "kv_read_bytes",
    "kv_write_bytes",
    "activation_read_bytes",
    "activation_write_bytes",
    "runs",
)


def as_column(value: ArrayLike, steps: int) -> Column:
    """Return a number or an array as a column of ``steps`` entries."""
    if isinstance(value, np.ndarray) and value.shape == (steps,):
        return value.astype(np.float64, copy=False)
    return repeated(np.array(value, dtype=np.float64).reshape(1), steps)


def repeated(column: Numbers, steps: int) -> Numbers:
    """Return the one entry of each row as ``steps`` equal ones that share its memory.

    `numpy.broadcast_to` is slow. The column must be contiguous; nobody can write to what is found.
    """
    shape, strides = (*column.shape[:-1], steps), (*column.strides[:-1], 0)
    found = np.ndarray(shape, column.dtype, column, strides=strides)
    found.flags.writeable = False
    return found


def is_repeated(column: NDArray[Any]) -> bool:
    """Return whether all steps share one entry, as `repeated` makes them."""
    return bool(column.strides[-1] == 0 < column.shape[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One schedulable operator, with what is fused into it, for all steps of a group.

    Attributes
    ----------
    name
        Path of the module that called the leading operator, or what the task does.
    kind
        Kind of the leading operator: ``linear``, ``attention``, ``norm`` ...
    unit
        Where it runs: ``npu``, ``gpu`` or ``cpu``.
    activations
        Activation format, e.g. ``int16``.
    operand_bits
        Bits of the second matrix operand as the matrix engine sees it (weights after expansion, or
        KV).
    tensor_class
        Class of its weights, or ``None``.
    batch, m, n, k
        Matrix sizes per step; zero where the task has no matrix work.
    flops
        Matrix FLOPs that are executed (masked attention blocks left out only if the stack skips
        them).
    vector_ops
        Elementwise operations.
    exponentials
        Those among them that are exponentials.
    expanded_weights
        Weights that pass the dequantise stage.
    weight_bytes, kv_read_bytes, kv_write_bytes, activation_read_bytes, activation_write_bytes
        DRAM traffic per step [B].
    runs
        1 in steps where the task runs, else 0.
    request_bytes
        Bytes of each contiguous piece it moves; ``None``: a whole tile at a time [B].
    operator
        PyTorch's name of the leading operator, such as ``linear``; "" if it has none.
    weight_format
        Id of the format of its weights; "" if it has none.
    """

    name: str
    kind: str
    unit: Unit
    activations: str
    operand_bits: int
    tensor_class: str | None
    batch: Column
    m: Column
    n: Column
    k: Column
    flops: Column
    vector_ops: Column
    exponentials: Column
    expanded_weights: Column
    weight_bytes: Column
    kv_read_bytes: Column
    kv_write_bytes: Column
    activation_read_bytes: Column
    activation_write_bytes: Column
    runs: Column
    request_bytes: float | None = None
    operator: str = ""
    weight_format: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        kind: str,
        unit: Unit,
        *,
        steps: int,
        activations: str = "int16",
        operand_bits: int = 16,
        tensor_class: str | None = None,
        request_bytes: float | None = None,
        **columns: ArrayLike,
    ) -> Task:
        """Return a task of which only some columns are not zero; it runs in every step.

        >>> Task.of("copy", "eviction", "npu", steps=2, kv_read_bytes=8.0).dram_bytes.tolist()
        [8.0, 8.0]
        """
        given = {"runs": 1.0, **columns}
        filled: dict[str, Any] = {
            column: as_column(given.get(column, 0.0), steps) for column in COLUMN_NAMES
        }
        return cls(
            name=name,
            kind=kind,
            unit=unit,
            activations=activations,
            operand_bits=operand_bits,
            tensor_class=tensor_class,
            request_bytes=request_bytes,
            **filled,
        )

    def with_columns(self, **columns: ArrayLike) -> Task:
        """Return the task with some columns replaced."""
        steps = self.runs.shape[0]
        filled: dict[str, Any] = {name: as_column(item, steps) for name, item in columns.items()}
        return replace(self, **filled)

    def widened(
        self,
        steps: int,
        operand_bits: int | None = None,
        weight_format: str = "",
        **changed: Column,
    ) -> Task:
        """Return the task with columns changed, those of one entry read as ``steps`` equal ones.

        They stay one number in memory, and can not be written to.
        """
        columns = {name: getattr(self, name) for name in COLUMN_NAMES} | changed
        wide: dict[str, Any] = {
            name: column if column.shape == (steps,) else repeated(column, steps)
            for name, column in columns.items()
        }
        return replace(
            self,
            operand_bits=operand_bits or self.operand_bits,
            weight_format=weight_format or self.weight_format,
            **wide,
        )

    @property
    def narrow(self) -> Task:
        """The task with one entry per column, where all its columns are `repeated`."""
        columns = {name: getattr(self, name) for name in COLUMN_NAMES}
        if not all(map(is_repeated, columns.values())):
            return self
        cut: dict[str, Any] = {name: column[:1] for name, column in columns.items()}
        return replace(self, **cut)

    @property
    def read_bytes(self) -> Column:
        """DRAM bytes read per step [B]."""
        return self.weight_bytes + self.kv_read_bytes + self.activation_read_bytes

    @property
    def write_bytes(self) -> Column:
        """DRAM bytes written per step [B]."""
        return self.kv_write_bytes + self.activation_write_bytes

    @property
    def dram_bytes(self) -> Column:
        """DRAM bytes moved per step [B]."""
        return self.read_bytes + self.write_bytes

    def tiles(self, operand_bytes: float) -> NDArray[np.int64]:
        """Return how many equal tiles fill operand buffers, per step; 0 where it rests."""
        needed = np.maximum(1.0, np.ceil(self.dram_bytes / operand_bytes))
        return (needed * self.runs).astype(np.int64)
