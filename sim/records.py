"""TaskRecord: what happened to one operator in one step, the contract every figure derives from.

A run's records are held as columns (`RecordTable`), because a session has hundreds of thousands.
The busy seconds and the waits of a step's records add up to the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.timed import BARRIERS

BOUNDS = ("compute", "dram", "launch")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One operator in one step.

    Attributes
    ----------
    step, layer, turn
        Indices from 0; ``step`` counts within its phase of its turn.
    unit
        Execution unit: ``npu``, ``cpu`` ...
    ready_s
        When the operator before it in program order ended [s].
    fetch_start_s, fetch_end_s
        When its first transfer began and its last ended; equal where it moves nothing [s].
    start_s, end_s
        When its first tile began computing and its last one ended [s].
    compute_s, launch_s
        Busy seconds of the compute stage: arithmetic, and launch overhead [s].
    dram_s
        Seconds its transfers took [s].
    wait_s
        Seconds the compute stage stood idle for it: ``end_s - ready_s - compute_s - launch_s`` [s].
    dram_read_bytes, dram_write_bytes
        Bytes moved [B].
    flops
        Matrix FLOPs executed.
    tiles
        Tiles its operands were split into.
    bound
        What takes longest: ``compute``, ``dram`` or ``launch``.
    """

    phase: str
    turn: int
    step: int
    layer: int
    name: str
    kind: str
    unit: str
    ready_s: float
    fetch_start_s: float
    fetch_end_s: float
    start_s: float
    end_s: float
    compute_s: float
    launch_s: float
    dram_s: float
    wait_s: float
    dram_read_bytes: float
    dram_write_bytes: float
    flops: float
    tiles: int
    bound: str


COLUMNS = tuple(item.name for item in fields(TaskRecord))


@dataclass(frozen=True, slots=True)
class RecordTable:
    """Records as columns of equal length, step by step in program order."""

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["step"])

    def __iter__(self) -> Iterator[TaskRecord]:
        rows = zip(*(self.columns[name].tolist() for name in COLUMNS), strict=True)
        return (TaskRecord(*row) for row in rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def is_barrier(self) -> NDArray[np.bool_]:
        """Which records are host work between operators, shape (records,)."""
        return np.isin(self.columns["kind"], BARRIERS)


def longest_of(
    compute_s: NDArray[np.float64], dram_s: NDArray[np.float64], launch_s: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return, element by element, which of the three times is longest, as its place in `BOUNDS`."""
    return np.asarray(np.argmax(np.stack([compute_s, dram_s, launch_s]), axis=0))
