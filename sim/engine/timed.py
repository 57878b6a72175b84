"""A program with seconds: what both engines run.

A *timed task* is one operator on one unit. Its operands are split into equal tiles no larger than
an operand buffer; every tile is fetched by the DMA stage and then computed. All quantities are
columns: one entry per step of the group, so that 128 decode steps are one array operation.

With b bytes, r bytes/s, c compute seconds, o launch seconds and d operand buffers, tile i obeys::

    fetch_end[i]   = max(fetch_end[i-1], compute_end[i-d]) + b / r
    compute_end[i] = max(compute_end[i-1], fetch_end[i]) + o + c

A *barrier* (host work, a graph call, the hand-over between layers) waits for both stages and lets
nothing be fetched past it.

Not modelled: bank conflicts inside one unit's buffers, and out-of-order issue.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workloads.tasks import Task, Unit, is_repeated, repeated

HOST_UNIT: Unit = "cpu"
FloatColumn = NDArray[np.float64]
IntColumn = NDArray[np.int64]

Barrier = Literal[
    "adapter_switch",
    "encoder_load",
    "graph_swap",
    "graph_switch",
    "graph_call",
    "host",
    "layer",
    "cache_copy",
]
"""Work between operators, on the host or on the unit itself."""
BARRIERS: tuple[Barrier, ...] = get_args(Barrier)
TIMED_COLUMNS = (
    "tiles",
    "tile_bytes",
    "rate_bytes_per_s",
    "bus_bytes_per_s",
    "compute_s",
    "launch_s",
)


@dataclass(frozen=True, slots=True, eq=False)
class TimedTask:
    """One operator on one unit, for every step of its group.

    Attributes
    ----------
    tiles
        Tiles per step; 0 means the operator does not run in that step.
    tile_bytes
        DRAM bytes moved per tile, reads and writes [B].
    rate_bytes_per_s
        Rate of the transfer when the unit has the memory to itself [B/s].
    bus_bytes_per_s
        Rate at which the memory would serve this transfer if the unit could take it all [B/s];
        ``rate / bus`` is the share of bus time a lone transfer occupies.
    compute_s, launch_s
        Seconds per tile on the compute stage [s].
    demand
        The operator this task runs; ``None`` for a barrier.
    cached_bytes
        What the system cache serves of it in a step; ``None``: nothing [B].
    """

    name: str
    kind: str
    unit: Unit
    tiles: IntColumn
    tile_bytes: FloatColumn
    rate_bytes_per_s: FloatColumn
    bus_bytes_per_s: FloatColumn
    compute_s: FloatColumn
    launch_s: FloatColumn
    demand: Task | None = None
    cached_bytes: FloatColumn | None = None

    @property
    def is_barrier(self) -> bool:
        """Whether both stages drain before this task and nothing is fetched past it."""
        return self.demand is None

    @property
    def is_on_host(self) -> bool:
        """Whether the host does it, so that other apps slow it."""
        return self.unit == HOST_UNIT

    @property
    def narrow(self) -> TimedTask:
        """The task with one entry per column, where no step differs from the others."""
        columns = self._columns()
        if not all(map(is_repeated, columns.values())):
            return self
        return replace(self, **{name: column[..., :1] for name, column in columns.items()})

    def widened(self, steps: int) -> TimedTask:
        """Return the task with columns of one entry as ``steps`` equal ones, one in memory."""
        columns = self._columns().items()
        wide = {name: repeated(c, steps) for name, c in columns if c.shape[-1] == 1 < steps}
        return replace(self, **wide) if wide else self

    def _columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in TIMED_COLUMNS}

    @property
    def fetch_s(self) -> FloatColumn:
        """Seconds one tile's transfer takes alone on the memory [s]."""
        return self.tile_bytes / self.rate_bytes_per_s

    @property
    def busy_s(self) -> FloatColumn:
        """Seconds one tile occupies the compute stage, launch included [s]."""
        return self.compute_s + self.launch_s


@dataclass(frozen=True, slots=True, eq=False)
class TimedSegment:
    """A list of tasks that runs ``repeat`` times in a row (identical layers)."""

    name: str
    repeat: int
    tasks: tuple[TimedTask, ...]
    is_layer: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TimedGroup:
    """Consecutive steps of one phase that share their task list.

    Attributes
    ----------
    buffers
        Operand buffers d of the unit, at least 1.
    release_s
        The group starts no earlier than this [s].
    images_needed
        For each step, how many steps of the group before it must be done before it may start. It
        then runs beside the others. ``None``: all must be done.
    """

    phase: str
    turn: int
    steps: int
    buffers: int
    segments: tuple[TimedSegment, ...]
    release_s: float = 0.0
    images_needed: FloatColumn | None = None


@dataclass(frozen=True, slots=True)
class TimedProgram:
    """What an engine runs: groups in order."""

    groups: tuple[TimedGroup, ...]
