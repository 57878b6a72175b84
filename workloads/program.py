"""Task, Program: what must be computed, per step, in order, in operations and bytes. No seconds.

A `Program` is a list of step groups; a group is consecutive steps of one phase that share a task
list. Every quantity of a `Task` is a column with one entry per step, so 128 decode steps are one
object whose sizes grow along the column.

Not modelled: operators of one step that run on two units at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

WEIGHT_CLASSES = ("body", "lm_head", "embedding", "vision", "draft", "adapter")


@dataclass(frozen=True, slots=True)
class Task:
    """One schedulable operator, with what is fused into it, for all steps of a group.

    Attributes
    ----------
    kind
        Operator kind of the leading operator: ``linear``, ``attention``, ``norm`` ...
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
    expanded_weights
        Weights that pass the dequantise stage.
    runs
        1 in steps where the task runs, else 0.
    """

    name: str
    kind: str
    unit: str
    activations: str
    operand_bits: int
    tensor_class: str | None
    batch: Column
    m: Column
    n: Column
    k: Column
    flops: Column
    vector_ops: Column
    expanded_weights: Column
    weight_bytes: Column
    kv_read_bytes: Column
    kv_write_bytes: Column
    activation_read_bytes: Column
    activation_write_bytes: Column
    runs: Column

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


@dataclass(frozen=True, slots=True)
class ProgramSegment:
    """Tasks that run ``repeat`` times in a row: identical layers."""

    name: str
    repeat: int
    tasks: tuple[Task, ...]
    is_layer: bool = False


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


@dataclass(frozen=True, slots=True)
class Program:
    """All steps of a session, in order, with what must be resident.

    Attributes
    ----------
    resident_bytes
        Bytes each class occupies in DRAM while it is resident [B].
    file_bytes
        Bytes of the deployed model in flash [B].
    kv_bytes_per_token
        KV-cache bytes of one token [B].
    visual_tokens, kv_tokens_final, weight_bytes_per_step
        Facts of the program the summary reports.
    """

    model: str
    groups: tuple[StepGroup, ...]
    resident_bytes: Mapping[str, float]
    file_bytes: float
    kv_bytes_per_token: float
    kv_capacity_tokens: int
    visual_tokens: int
    kv_tokens_final: int
    weight_bytes_per_step: float
    warnings: tuple[str, ...] = field(default=())

    def total(self, quantity: str, phase: str | None = None) -> float:
        """Return the sum of a task column over a phase, or over everything."""
        chosen = (group for group in self.groups if phase in (None, group.phase))
        return sum(group.total(quantity) for group in chosen)

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything that determines a run, as 16 hexadecimal digits."""
        digest = hashlib.sha256(repr((self.model, dict(self.resident_bytes))).encode())
        for group in self.groups:
            digest.update(repr((group.phase, group.turn, group.at_s)).encode())
            digest.update(group.committed_tokens.tobytes())
            for segment in group.segments:
                digest.update(repr((segment.name, segment.repeat)).encode())
                for task in segment.tasks:
                    _digest_task(digest, task)
        return digest.hexdigest()[:16]


def _digest_task(digest: hashlib._Hash, task: Task) -> None:
    for item in fields(task):
        value = getattr(task, item.name)
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
