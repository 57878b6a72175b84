"""How a stack runs a deployment: what its graph compiler does, and how tensors are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from workloads.compression import WeightMap
from workloads.kv_cache import KvFormat
from workloads.tasks import Unit

VECTOR_BITS = 16
"""Norm scales and biases stay at 16 bit whatever the weights' format."""


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the stack's graph compiler does; sizes in tokens and bytes.

    Attributes
    ----------
    prefill_chunk_tokens
        Tokens per prefill step, at most; ``None`` runs the whole prompt at once.
    pads_prefill
        Prefill graphs have a fixed size, so that the last step computes padding; kernels that take
        any number of tokens compute what is left.
    cache_buckets_tokens
        Compiled cache sizes, ascending; empty for kernels that follow the live length.
    causal_skip
        Masked attention blocks are not computed.
    activation_bytes
        A task whose inputs and outputs fit in this much on-chip memory moves no activations [B].
    verify_buckets_tokens
        Compiled decode widths, ascending; empty for kernels that take any width.
    fusion
        ``none``; ``scores``: attention keeps its scores on chip; ``elementwise``: vector operators
        join the matrix operator before them; ``attention``: both.
    vision_overlap
        Visual tokens are prefilled while later images encode, where two units do it.
    routing_skew
        How unevenly a mixture's tokens choose experts (`workloads.operators.expected_experts`).
    whole_head
        Graphs of prompts compute logits of all rows of every chunk (`workloads.head_rows`).
    """

    prefill_chunk_tokens: int | None
    cache_buckets_tokens: tuple[int, ...]
    verify_buckets_tokens: tuple[int, ...]
    causal_skip: bool
    activation_bytes: float
    fusion: str = "attention"
    vision_overlap: bool = False
    routing_skew: float = 0.0
    pads_prefill: bool = True
    whole_head: bool = False


class Placing(NamedTuple):
    """Where operators run: units per tensor class, what each cannot hold, and who runs that."""

    units: tuple[tuple[str, Unit], ...]
    unsupported: tuple[tuple[Unit, frozenset[str]], ...]
    fallback: Unit

    def unit_of(self, operator: str, tensor_class: str) -> Unit:
        """Return the unit that runs an operator on weights of a class."""
        wanted = dict(self.units)[tensor_class]
        missing = dict(self.unsupported).get(wanted, frozenset())
        return self.fallback if operator.removeprefix("aten.") in missing else wanted


@dataclass(frozen=True, slots=True)
class Formats:
    """How tensors are stored.

    Attributes
    ----------
    kv
        Format of the KV cache.
    units
        Unit per tensor class (``vision``, ``body``, ``lm_head``, ``embedding``, ``draft``), and of
        ``sampling`` where an operator does it.
    shared_table
        The LM head and the embedding table are one copy in memory.
    unsupported
        Operators that the graphs of a unit can not hold, by PyTorch's name without ``aten.``.
    fallback
        The unit that runs these instead.
    encoder_bits
        Bits of the second operand of attention that reads no cache, as the stack's graphs have it.
    """

    weights: WeightMap
    activations: str
    activation_bits: int
    kv: KvFormat
    units: Mapping[str, Unit]
    encoder_bits: int
    shared_table: bool = False
    unsupported: Mapping[Unit, frozenset[str]] = field(default_factory=dict)
    fallback: Unit = "cpu"

    @property
    def placing(self) -> Placing:
        """Where operators run."""
        return Placing(
            tuple(sorted(self.units.items())),
            tuple(sorted(self.unsupported.items())),
            self.fallback,
        )

    def unit_for(self, tensor_class: str) -> Unit:
        """Return the unit that runs operators on weights of a class."""
        return self.units[tensor_class]
