"""The operator trace of a model: what a PyTorch module asks of a machine, for any sequence length.

A `Trace` has up to three `Phase`s (vision, prefill, decode), beside the last two one of cross
attention to images where a model has it, or is one graph (network). A phase is
a list of `Segment`s, a segment is a list of `Operator`s that runs ``repeat`` times: identical
layers are stored once. Tensor sizes are `Extent`s in

========  ==========================================================================
``T``     new tokens in this call (prefill chunk, or verify width in decode)
``S``     visible context in tokens, the new ones included (``S >= T``)
``N``     image patches; others of an image: `workloads.image_rules`
``X``     states of images that cross attention reads
========  ==========================================================================

Views (reshape, transpose, slice) move no data and are not in a trace; real copies are. Not
modelled: batch sizes other than one sequence, and host work such as tokenising and sampling.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from workloads.extent import Extent
from workloads.image_rules import Rule

SCHEMA = "andesim.trace/1"
KINDS = (
    "attention",
    "conv",
    "copy",
    "elementwise",
    "embedding",
    "experts",
    "linear",
    "matmul",
    "norm",
    "rope",
    "scan",
)
ROLES = (
    "activation",
    "constant",
    "kv_read",
    "kv_write",
    "state_read",
    "state_write",
    "weight",
)
TENSOR_CLASSES = ("adapter", "body", "embedding", "lm_head", "vision")
COUNTED_CLASSES = tuple(sorted(("audio", *TENSOR_CLASSES)))
"""Classes that parameters are counted in: an audio encoder's are in no phase."""
PHASES = ("vision", "prefill", "decode")
CROSS = "cross"
"""What runs beside each step of prefill and decode that an image's states are kept for."""
NETWORK = "network"
"""The one phase of a trace that is a single graph."""
EVERY_PHASE = (*PHASES, NETWORK)
_ONE = {"T": 1, "S": 1}


@dataclass(frozen=True)
class TensorRef:
    """A tensor that an operator reads or writes.

    Arguments:
        shape: one `Extent` per dimension.
        dtype: PyTorch's name, such as ``bfloat16``; a deployment may store it otherwise.
        role: activation, weight, kv_read, kv_write, state_read, state_write (recurrent or
            convolution state, of one size however long the context), or constant (masks and rotary
            tables, which a static graph keeps on chip and which no cost counts).
        parameter: the parameter's name for a weight; ``*`` stands for the layer number.
        tensor_class: body, lm_head, embedding, vision or adapter, for a weight.
    """

    shape: tuple[Extent, ...]
    dtype: str
    role: str = "activation"
    parameter: str | None = None
    tensor_class: str | None = None


@dataclass(frozen=True)
class Operator:
    """One PyTorch operator call.

    Arguments:
        name: PyTorch's name, such as ``aten.linear``; ``rope`` is one module taken as a whole.
        module: path of the module that called it; ``*`` stands for the layer number.
        kind: one of `KINDS`.
        inputs, outputs: tensors in the order of the call; attention reads query, key, value.
        causal: attention: a token sees no later token (the last query sees the last key).
        window_tokens: attention: a token sees at most this many tokens, itself included. A copy
            into the cache: the cache holds no more than this many.
        experts_per_token: of a product with expert weights, (experts, rows, cols).
        work: matrix FLOP and vector operations of a ``scan``, a group of calls taken as one.
    """

    name: str
    module: str
    kind: str
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    causal: bool = False
    window_tokens: int | None = None
    experts_per_token: int | None = None
    work: tuple[Extent, Extent] | None = None


@dataclass(frozen=True)
class Segment:
    """A run of operators that is executed ``repeat`` times, each time with its own weights."""

    name: str
    repeat: int
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Phase:
    """What one call of one phase executes, in order.

    Arguments:
        name: one of `PHASES`, `CROSS` or `NETWORK`.
        symbols: the size names its extents use.
        segments: what runs, in order.
    """

    name: str
    symbols: tuple[str, ...]
    segments: tuple[Segment, ...]

    def operators(self) -> Iterator[tuple[int, Operator]]:
        """Yield (repeat, operator) in order of execution, a segment's operators once."""
        for segment in self.segments:
            for operator in segment.operators:
                yield segment.repeat, operator


def kv_elements_per_token(layers: int, kv_heads: int, head_dim: int) -> int:
    """Return the K and V elements one token adds, 2 * layers * kv_heads * head_dim.

    >>> kv_elements_per_token(layers=36, kv_heads=8, head_dim=128)  # Qwen3-4B
    73728
    """
    return 2 * layers * kv_heads * head_dim


def dtype_bytes(dtype: str) -> int:
    """Return the bytes of one element of a PyTorch dtype.

    >>> dtype_bytes("float32"), dtype_bytes("bfloat16"), dtype_bytes("bool")
    (4, 2, 1)
    """
    digits = re.search(r"\d+", dtype)
    return max(1, int(digits.group()) // 8) if digits else 1


@dataclass(frozen=True)
class CachePart:
    """Layers whose caches hold equally many tokens.

    Arguments:
        elements: elements that one token adds over these layers; a latent counts as it is stored.
        window_tokens: tokens they hold at most; None: all.
    """

    elements: int
    window_tokens: int | None = None


@dataclass(frozen=True)
class DecoderShape:
    """The decoder's dimensions, as far as costs outside the trace need them.

    Arguments:
        layers, hidden, vocab: the usual dimensions.
        tied_embedding: the LM head is the embedding table.
        intermediate: width of the dense feed-forward layers; 0 where there are none.
        q_heads, kv_heads, head_dim: of the first attention layer; 0 where no layer attends.
        window_tokens, window_layers: ``window_layers`` of the layers see ``window_tokens`` at most.
    """

    layers: int
    hidden: int
    vocab: int
    tied_embedding: bool
    intermediate: int = 0
    q_heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    window_tokens: int | None = None
    window_layers: int = 0


@dataclass(frozen=True)
class VisionShape:
    """The vision encoder's dimensions, as far as costs outside the trace need them.

    Arguments:
        layers, hidden: of the encoder.
        patch_px: side of a patch.
        merge: a cell of ``merge x merge`` patches becomes one visual token.
    """

    layers: int
    hidden: int
    patch_px: int
    merge: int

    @property
    def cell_px(self) -> int:
        """Side in pixels of the square that becomes one visual token."""
        return self.patch_px * self.merge


@dataclass(frozen=True)
class Trace:
    """A model's operators and the facts about it that no operator shows.

    Arguments:
        model: model id, or the file it was captured from.
        config_digest: SHA-256 of the model's configuration.
        torch_version: the PyTorch that was traced.
        decoder, vision: dimensions; ``vision`` is None for a text model. A network has no decoder:
            its sizes are 1.
        parameters: parameter count per class, of an audio encoder too; a tied table counts as
            ``embedding``.
        phases: by name.
        adapter_rank: rank of the LoRA adapters in the trace, 0 for none.
        config: the configuration it was captured from, class defaults filled in; empty where none.
        captured_by: the library whose class was run, such as ``transformers 5.24.0``.
        stored_as: weight format id per tensor class, where the model's file says how it is stored.
        image_rule: what an image becomes; None for a text model, and for AndesVL, whose rule a
            deployment chooses.
        no_images: why a model with a vision tower takes none here; empty where it does.
    """

    model: str
    config_digest: str
    torch_version: str
    decoder: DecoderShape
    vision: VisionShape | None
    parameters: Mapping[str, int]
    phases: Mapping[str, Phase] = field(repr=False)
    adapter_rank: int = 0
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    captured_by: str = ""
    stored_as: Mapping[str, str] = field(default_factory=dict)
    schema: str = SCHEMA
    image_rule: Rule | None = field(default=None, repr=False)
    no_images: str = field(default="", repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the trace holds, alike for one just captured and one read back."""
        sizes, formats = dict(sorted(self.parameters.items())), dict(sorted(self.stored_as.items()))
        ordered = replace(self, parameters=sizes, stored_as=formats)
        held = (ordered, dict(self.phases), *([self.image_rule] if self.image_rule else []))
        return hashlib.sha256(repr(held).encode()).hexdigest()

    @property
    def kv_elements_per_token(self) -> int:
        """Cache elements one token adds over all layers, while no window is full."""
        return sum(part.elements for part in self.cache)

    @cached_property
    def cache(self) -> tuple[CachePart, ...]:
        """What decode writes into the cache for each new token, by the window of the layers."""
        held: dict[int | None, int] = {}
        for repeat, operator, tensor in self._written("kv_write"):
            elements = repeat * math.prod(int(extent.at(_ONE)) for extent in tensor.shape)
            window = operator.window_tokens
            held[window] = held.get(window, 0) + elements
        ordered = sorted(held.items(), key=lambda item: (item[0] is not None, item[0] or 0))
        return tuple(CachePart(elements, window) for window, elements in ordered)

    @cached_property
    def cross_elements(self) -> int:
        """Cache elements that one state of an image takes in the layers of cross attention."""
        return sum(
            repeat * math.prod(int(extent.at({"X": 1})) for extent in tensor.shape)
            for repeat, operator in self.phases.get(CROSS, Phase(CROSS, (), ())).operators()
            for tensor in operator.inputs
            if tensor.role == "kv_read"
        )

    @cached_property
    def state_bytes(self) -> int:
        """Bytes of recurrent and convolution state of one sequence, in the dtypes it was run in."""
        return sum(
            repeat * dtype_bytes(tensor.dtype) * math.prod(int(e.at(_ONE)) for e in tensor.shape)
            for repeat, _, tensor in self._written("state_write")
        )

    @cached_property
    def active_parameters(self) -> int:
        """Parameters that one token uses: all but the experts it does not choose."""
        idle = 0
        for repeat, operator in self._decode().operators():
            if operator.experts_per_token is not None:
                for tensor in operator.inputs:
                    if tensor.role == "weight":
                        experts, *rest = (int(extent.at({})) for extent in tensor.shape)
                        idle += repeat * (experts - operator.experts_per_token) * math.prod(rest)
        return self.total_parameters - idle

    def _decode(self) -> Phase:
        return self.phases.get("decode") or self.phases.get("prefill") or Phase("decode", (), ())

    def _written(self, role: str) -> Iterator[tuple[int, Operator, TensorRef]]:
        for repeat, operator in self._decode().operators():
            for tensor in operator.outputs:
                if tensor.role == role:
                    yield repeat, operator, tensor

    @property
    def total_parameters(self) -> int:
        """All parameters, a tied table counted once."""
        return sum(self.parameters.values())
