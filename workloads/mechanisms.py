"""Tasks that no operator of the model shows: eviction, adapters, sampling, tree commits.

Not modelled: the order in which a sampler sorts logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from workloads.eviction import AttentionShape, EvictionWork
from workloads.graph import VECTOR_BITS, Formats
from workloads.lora import LinearSizes, Lora, Module
from workloads.program import ProgramSegment
from workloads.tasks import Column, Task
from workloads.trace import DecoderShape

MODULES_OF: Mapping[str, tuple[Module, ...]] = MappingProxyType(
    {
        "q_proj": ("q",),
        "k_proj": ("k",),
        "v_proj": ("v",),
        "o_proj": ("o",),
        "gate_proj": ("gate",),
        "up_proj": ("up",),
        "down_proj": ("down",),
        "qkv_proj": ("q", "k", "v"),
        "gate_up_proj": ("gate", "up"),
    }
)
"""The modules an adapter may sit on, in each linear layer; a fused one holds several."""

SAMPLING_OPS = 4
"""Operations per logit: find the largest, exponential, sum, compare with the draw."""


def attention_shape(shape: DecoderShape, kv_bytes_per_token: float) -> AttentionShape:
    """Return what the cost of eviction depends on."""
    return AttentionShape(shape.layers, shape.q_heads, shape.head_dim, kv_bytes_per_token)


def eviction_segment(
    formats: Formats, work: EvictionWork, row_bytes: float, runs: Column
) -> ProgramSegment:
    """Return scoring and compaction of the KV cache; rows of ``row_bytes`` are gathered [B]."""
    steps = runs.shape[0]
    unit = formats.unit_for("body")
    moved = np.asarray(work.compaction_bytes, dtype=np.float64) / 2
    score = Task.of(
        "kv_cache.score",
        "eviction",
        unit,
        steps=steps,
        vector_ops=work.scoring_flops,
        kv_read_bytes=work.scoring_read_bytes,
        runs=runs,
    )
    compact = Task.of(
        "kv_cache.compact",
        "eviction",
        unit,
        steps=steps,
        kv_read_bytes=moved,
        kv_write_bytes=moved,
        request_bytes=row_bytes,
        runs=runs * (moved > 0.0),
    )
    return ProgramSegment("eviction", 1, (score, compact))


@dataclass(frozen=True, slots=True)
class ActiveAdapter:
    """The adapter a turn runs on, and the sizes of the modules it sits on."""

    lora: Lora
    sizes: LinearSizes


def adapter_tasks(linear: Task, adapter: ActiveAdapter, formats: Formats) -> list[Task]:
    """Return the products of an unmerged adapter beside a layer's linear task: two per module."""
    if linear.kind != "linear":
        return []
    lora, tasks = adapter.lora, list[Task]()
    rank, steps, linear = float(lora.padded_rank), linear.runs.shape[0], linear.narrow
    for name, features in _adapted(linear, adapter):
        tasks.append(_product(f"{name}.lora_a", linear, rank, linear.k, lora, formats))
        tasks.append(_product(f"{name}.lora_b", linear, features, rank, lora, formats))
    return [task.widened(steps) for task in tasks]


def _adapted(linear: Task, adapter: ActiveAdapter) -> Iterator[tuple[str, Column | float]]:
    """Yield a name and the output features of each adapted module in a linear task."""
    if linear.tensor_class == "vision" and adapter.lora.vision:
        yield linear.name, linear.n
    if linear.tensor_class == "body":
        held = MODULES_OF.get(linear.name.rpartition(".")[2], ())
        for module in held:
            if module in adapter.lora.modules:
                name = linear.name if len(held) == 1 else f"{linear.name}.{module}"
                yield name, float(adapter.sizes.shapes()[module][1])


def _product(
    name: str, linear: Task, n: Column | float, k: Column | float, lora: Lora, formats: Formats
) -> Task:
    return Task.of(
        name,
        "linear",
        linear.unit,
        steps=linear.m.shape[0],
        activations=formats.activations,
        operand_bits=min(max(lora.bits, 4), VECTOR_BITS),  # wider ones are stored, not multiplied
        tensor_class="adapter",
        batch=1.0,
        m=linear.m,
        n=n,
        k=k,
        flops=2.0 * linear.m * n * k,
        weight_bytes=n * k * (lora.bits / 8),
        runs=linear.runs,
    )


def sampling_segment(
    formats: Formats, vocabulary: int, tokens: float, runs: Column
) -> tuple[ProgramSegment, ...]:
    """Return the choice of ``tokens`` tokens from their logits, if a unit does it."""
    unit = formats.units.get("sampling")
    if unit is None:
        return ()
    logits = tokens * vocabulary
    task = Task.of(
        "sampling",
        "sampling",
        unit,
        steps=runs.shape[0],
        activations=formats.activations,
        vector_ops=SAMPLING_OPS * logits,
        exponentials=logits,
        activation_read_bytes=logits * formats.activation_bits / 8,
        runs=runs,
    )
    return (ProgramSegment("sampling", 1, (task,)),)


def tree_commit_segment(
    formats: Formats, committed: Column, kv_bytes_per_token: float, row_bytes: float
) -> ProgramSegment:
    """Return the copy that moves the accepted path of a tree to the front of the cache."""
    moved = committed * kv_bytes_per_token
    task = Task.of(
        "kv_cache.commit",
        "eviction",
        formats.unit_for("body"),
        steps=committed.shape[0],
        kv_read_bytes=moved,
        kv_write_bytes=moved,
        request_bytes=row_bytes,
    )
    return ProgramSegment("commit", 1, (task,))
