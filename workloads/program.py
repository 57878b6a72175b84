"""Task, Program: what must be computed, per step, in order, in operations and bytes. No seconds.

A `Program` is a list of step groups; a group is consecutive steps of one phase that share a task
list. Every quantity of a `Task` is a column with one entry per step, so 128 decode steps are one
object whose sizes grow along the column.

Turns of equal work share their tasks and segments, so these are compared by identity: what follows
from them (seconds, matrices, energy) is found once, and kept under the shared object as its key.

Not modelled: operators of one step that run on two units at once. Steps of two groups do, where
images encode on one unit while another prefills (`StepGroup.images_needed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.float64]
Unit = Literal["npu", "gpu", "cpu"]

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


OnProgress = Callable[[int, int, str], None]
"""Told how many of how many things are done, and what they are."""


def untold(done: int, of: int, things: str) -> None:
    """Tell nobody how far something has come."""


def as_column(value: ArrayLike, steps: int) -> Column:
    """Return a number or an array as a column of ``steps`` entries."""
    if isinstance(value, np.ndarray) and value.shape == (steps,):
        return value.astype(np.float64, copy=False)
    return repeated(np.array(value, dtype=np.float64).reshape(1), steps)


Numbers = TypeVar("Numbers", NDArray[np.float64], NDArray[np.int64])


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


@dataclass(frozen=True, slots=True, eq=False)
class ProgramSegment:
    """Tasks that run ``repeat`` times in a row: identical layers, or draft passes.

    Attributes
    ----------
    graph_call
        Each run is a graph call of its own.
    """

    name: str
    repeat: int
    tasks: tuple[Task, ...]
    is_layer: bool = False
    graph_call: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What must happen before a group's first step: loads from flash, an adapter's rebind [B].

    Attributes
    ----------
    adapter_bytes
        How much more of the DRAM adapters hold from then on.
    swapped_bytes
        Weights of the graph that takes the place of the one before.
    """

    flash_bytes: float = 0.0
    copied_bytes: float = 0.0
    adapter_bytes: float = 0.0
    swapped_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Consecutive steps of one phase.

    Attributes
    ----------
    turn
        Index of the session's turn, from 0.
    new_tokens, visible_tokens
        Tokens computed, and tokens of context the graph attends to, per step (patches in vision).
    live_tokens
        Tokens in the KV cache after the step.
    committed_tokens
        Output tokens the step yields.
    activation_bytes
        What the graph allocates for activations while the group runs [B].
    at_s
        Arrival of the turn [s].
    switches
        1 in steps that run another graph than the step before; ``None``: none does.
    setup
        What must happen before the first step.
    images_needed
        Prefill beside the encoding of later images: steps of the vision group before this one that
        must be done before each step; ``None``: the whole group.
    cache_bytes
        What the conversation holds of classes that grow with it while the group runs; empty where
        the cache is allocated whole from the start [B].
    needed_flops
        What the tokens of each step need of its matrix work, those of a prefill in its last step;
        ``None``: all that is executed [FLOP].
    first
        Index of its first step among those of its phase and turn: a long reply is several groups.
    """

    phase: str
    turn: int
    new_tokens: Column
    visible_tokens: Column
    live_tokens: Column
    committed_tokens: Column
    segments: tuple[ProgramSegment, ...]
    activation_bytes: float
    at_s: float = 0.0
    switches: Column | None = None
    setup: Setup = Setup()
    images_needed: Column | None = None
    cache_bytes: Mapping[str, float] = field(default_factory=dict)
    needed_flops: Column | None = None
    first: int = 0

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.new_tokens.shape[0])

    def tasks(self) -> Iterator[tuple[Task, int]]:
        """Yield each distinct task with how often it runs per step."""
        for segment in self.segments:
            for task in segment.tasks:
                yield task, segment.repeat

    def total(self, quantity: str) -> float:
        """Return the sum of a task column over steps and layers, e.g. ``total("flops")``."""
        return float(
            sum(
                repeat * (getattr(task, quantity) * task.runs).sum()
                for task, repeat in self.tasks()
            )
        )


def total(groups: Iterable[StepGroup], quantity: str) -> float:
    """Return the sum of a task column over all steps of groups; equal turns are summed once."""
    found: dict[tuple[ProgramSegment, ...], float] = {}
    summed = 0.0
    for group in groups:
        if group.segments not in found:
            found[group.segments] = group.total(quantity)
        summed += found[group.segments]
    return summed


@dataclass(frozen=True, slots=True)
class Program:
    """All steps of a session, in order, with what must be resident.

    Attributes
    ----------
    resident_bytes
        The most that each class occupies in DRAM [B].
    initial_bytes
        What each class occupies before the first turn [B].
    file_bytes, later_bytes
        Bytes of the deployed model in flash, and what of them a cold start leaves for later [B].
    kv_bytes_per_token
        KV-cache bytes of one token [B].
    visual_tokens, kv_tokens_final, weight_bytes_per_step
        Facts of the program the summary reports.
    positions
        Positions of the longest conversation, cached tokens that were evicted included.
    image_states
        Most states of images that a conversation keeps for cross attention.
    """

    model: str
    groups: tuple[StepGroup, ...]
    resident_bytes: Mapping[str, float]
    initial_bytes: Mapping[str, float]
    file_bytes: float
    kv_bytes_per_token: float
    kv_capacity_tokens: int
    visual_tokens: int
    kv_tokens_final: int
    weight_bytes_per_step: float
    positions: int = 0
    image_states: int = 0
    later_bytes: float = 0.0

    @property
    def opened_bytes(self) -> float:
        """What a cold start reads of the deployed model [B]."""
        return self.file_bytes - self.later_bytes

    def total(self, quantity: str, phase: str | None = None) -> float:
        """Return the sum of a task column over a phase, or over everything."""
        chosen = (group for group in self.groups if phase in (None, group.phase))
        return sum(group.total(quantity) for group in chosen)
