"""Tasks that no operator of the model shows: drafting, eviction, adapters, sampling, tree commits.

Not modelled: drafting and verification of the same session side by side on two units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from workloads.eviction import AttentionShape, EvictionWork
from workloads.graph import VECTOR_BITS, Formats
from workloads.layout import WeightFormat
from workloads.lora import LinearSizes, Lora, Module
from workloads.program import ProgramSegment
from workloads.speculation import DecoderSize, DraftCost
from workloads.tasks import Column, Task
from workloads.trace import DecoderShape, Trace

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


def decoder_size(trace: Trace) -> DecoderSize:
    """Return the sizes draft costs depend on; the final norm is no part of a layer."""
    shape = trace.decoder
    return DecoderSize(
        hidden=shape.hidden,
        layers=shape.layers,
        layer_parameters=(trace.parameters["body"] - shape.hidden) // shape.layers,
        vocabulary=shape.vocab,
        kv_elements_per_layer=trace.kv_elements_per_token // shape.layers,
    )


def attention_shape(shape: DecoderShape, kv_bytes_per_token: float) -> AttentionShape:
    """Return what the cost of eviction depends on."""
    return AttentionShape(shape.layers, shape.q_heads, shape.head_dim, kv_bytes_per_token)


@dataclass(frozen=True, slots=True)
class Draft:
    """What drafting adds to each decode step of a deployment.

    Attributes
    ----------
    body, head
        Weight formats of the draft's layers and of the LM head it runs.
    """

    cost: DraftCost
    body: WeightFormat
    head: WeightFormat
    hidden: int
    is_tree: bool = False

    @property
    def resident_bytes(self) -> float:
        """Bytes of weights kept besides the target's [B]."""
        return self.cost.extra_parameters * self.body.resident_bits / 8

    @property
    def file_bytes(self) -> float:
        """Bytes of weights in flash besides the target's [B]."""
        return self.cost.extra_parameters * self.body.file_bits / 8

    def segment(self, formats: Formats, live: Column) -> ProgramSegment | None:
        """Return the draft passes of each step, one graph call each, or nothing to run."""
        if self.cost.passes == 0:
            return None
        kv_bytes = formats.kv.bytes_per_token(self.cost.kv_elements_per_token)
        body = self._pass_task(formats, "draft.body", self.cost.body_parameters, self.body, live)
        head = self._pass_task(formats, "draft.head", self.cost.head_parameters, self.head, live)
        body = body.with_columns(kv_read_bytes=live * kv_bytes, kv_write_bytes=kv_bytes)
        return ProgramSegment("draft", self.cost.passes, (body, head), graph_call=True)

    def _pass_task(
        self, formats: Formats, name: str, parameters: int, held: WeightFormat, live: Column
    ) -> Task:
        rows = max(1, parameters // self.hidden)
        return Task.of(
            name,
            "linear",
            formats.unit_for("draft"),
            steps=live.shape[0],
            activations=formats.activations,
            operand_bits=held.compute_bits,
            tensor_class="draft",
            batch=1.0,
            m=1.0,
            n=float(rows),
            k=float(self.hidden),
            flops=2.0 * parameters,
            expanded_weights=float(parameters) if held.needs_expansion else 0.0,
            weight_bytes=parameters * held.traffic_bits / 8,
        )


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
