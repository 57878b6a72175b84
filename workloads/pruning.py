"""Structured pruning as a what-if: layers, KV head groups and FFN columns leave the trace together.

Every tensor that has a pruned dimension changes, so operations, bytes and cache sizes stay
consistent; the result equals the trace of a model built that way. Of a grouped-query model whole
groups go: a KV head with its query heads.

Not modelled: the accuracy lost, and pruning that differs from layer to layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.session import Strict
from workloads.storage import is_layer
from workloads.trace import NETWORK, DecoderShape, Operator, Phase, Segment, TensorRef, Trace

TEXT_PHASES = ("prefill", "decode")

Removed = Annotated[float, Field(ge=0.0, lt=1.0)]
Sizes = Mapping[int, int]


class Pruning(Strict):
    """What is removed from the decoder.

    Attributes
    ----------
    layers
        Decoder layers removed, counted from the last.
    heads
        Fraction of the KV heads removed, each with its query heads.
    ffn
        Fraction of the FFN's intermediate width removed.
    """

    layers: Annotated[int, Field(ge=0)] = 0
    heads: Removed = 0.0
    ffn: Removed = 0.0


def pruned_shape(shape: DecoderShape, pruning: Pruning) -> DecoderShape:
    """Return the decoder's dimensions after pruning; at least one layer, head and column stay.

    Raises `WorkloadError` where no layer would.
    """
    if pruning.layers >= shape.layers:
        raise WorkloadError(
            f"deployment.pruning.layers must be below the model's {shape.layers}. "
            f"Got {pruning.layers}."
        )
    shape = replace(shape, layers=shape.layers - pruning.layers)
    if not _narrows(pruning):
        return shape
    kv_heads = max(1, round(shape.kv_heads * (1.0 - pruning.heads)))
    return replace(
        shape,
        kv_heads=kv_heads,
        q_heads=kv_heads * (shape.q_heads // shape.kv_heads),
        intermediate=max(1, round(shape.intermediate * (1.0 - pruning.ffn))),
    )


def _narrows(pruning: Pruning) -> bool:
    """Return whether layers that stay become narrower."""
    return bool(pruning.heads or pruning.ffn)


def prune(trace: Trace, pruning: Pruning) -> Trace:
    """Return the trace of the model with the given parts removed."""
    if pruning == Pruning():
        return trace
    _check_architecture(trace, pruning)
    shape = pruned_shape(trace.decoder, pruning)
    narrow = _narrowing(trace.decoder, shape) if _narrows(pruning) else _as_it_is
    phases = {
        name: _phase(phase, shape.layers, narrow) if name in TEXT_PHASES else phase
        for name, phase in trace.phases.items()
    }
    removed = _body_elements(trace.phases["decode"]) - _body_elements(phases["decode"])
    parameters = {**trace.parameters, "body": trace.parameters["body"] - removed}
    return replace(trace, decoder=shape, phases=phases, parameters=parameters)


def _check_architecture(trace: Trace, pruning: Pruning) -> None:
    """Refuse networks, and to narrow layers whose parts are not those of a plain transformer."""
    if NETWORK in trace.phases:
        raise WorkloadError(
            f"deployment.pruning must be left out for {trace.model}, a network: only language "
            "models have layers to cut."
        )
    kinds = {operator.kind for _, operator in trace.phases["decode"].operators()}
    other = sorted(kinds & {"conv", "experts", "matmul", "scan"})
    if other and _narrows(pruning):
        raise WorkloadError(
            f"deployment.pruning.heads and ffn must be 0 for {trace.model}: its layers hold "
            f"{' and '.join(other)}. Layers can be pruned."
        )


def _as_it_is(operator: Operator) -> Operator:
    return operator


def _phase(phase: Phase, left: int, narrow: Callable[[Operator], Operator]) -> Phase:
    """Return the first ``left`` layers of a phase, each operator narrowed."""
    segments = []
    for segment in phase.segments:
        if not is_layer(segment):
            segments.append(segment)
            continue
        repeat = min(segment.repeat, left)
        left -= repeat
        if repeat:
            operators = tuple(narrow(operator) for operator in segment.operators)
            segments.append(Segment(segment.name, repeat, operators))
    return replace(phase, segments=tuple(segments))


def _narrowing(before: DecoderShape, after: DecoderShape) -> Callable[[Operator], Operator]:
    """Return the function that narrows one operator of a layer."""
    depth = before.head_dim
    features = {
        before.q_heads * depth: after.q_heads * depth,
        before.kv_heads * depth: after.kv_heads * depth,
        (before.q_heads + 2 * before.kv_heads) * depth: (after.q_heads + 2 * after.kv_heads)
        * depth,
    }
    heads = {before.q_heads: after.q_heads, before.kv_heads: after.kv_heads}
    width = {
        before.intermediate: after.intermediate,
        2 * before.intermediate: 2 * after.intermediate,
    }

    def narrow(operator: Operator) -> Operator:
        parent, _, leaf = operator.module.rpartition(".")
        if leaf in ("q_proj", "k_proj", "v_proj", "qkv_proj"):
            return _resized(operator, outputs=features)
        if leaf == "o_proj":
            return _resized(operator, inputs=features)
        if leaf in ("gate_proj", "up_proj", "gate_up_proj"):
            return _resized(operator, outputs=width)
        if leaf == "down_proj":
            return _resized(operator, inputs=width)
        if "mlp" in (leaf, parent.rpartition(".")[-1]):
            return _resized(operator, inputs=width, outputs=width)
        if ".self_attn" in operator.module:
            return _regrouped(operator, heads, features)
        return operator

    return narrow


def _resized(
    operator: Operator, inputs: Sizes | None = None, outputs: Sizes | None = None
) -> Operator:
    """Change the feature dimension of activations, and of weights the side it belongs to."""

    def tensor(ref: TensorRef, sizes: Sizes) -> TensorRef:
        return replace(ref, shape=(*ref.shape[:-1], _mapped(ref.shape[-1], sizes)))

    def weight(ref: TensorRef) -> TensorRef:
        if len(ref.shape) == 1:
            return tensor(ref, outputs or {})
        rows, cols = ref.shape
        return replace(ref, shape=(_mapped(rows, outputs or {}), _mapped(cols, inputs or {})))

    return replace(
        operator,
        inputs=tuple(
            weight(ref) if ref.role == "weight" else tensor(ref, inputs or {})
            for ref in operator.inputs
        ),
        outputs=tuple(tensor(ref, outputs or {}) for ref in operator.outputs),
    )


def _regrouped(operator: Operator, heads: Sizes, features: Sizes) -> Operator:
    """Change the number of heads; the last dimension is the head's own size and stays.

    A part cut from a product of all heads has one dimension, features for each token.
    """

    def tensor(ref: TensorRef) -> TensorRef:
        if ref.role in ("weight", "constant"):
            return ref
        if len(ref.shape) == 1:
            return replace(ref, shape=(_rescaled(ref.shape[0], features),))
        return replace(ref, shape=(*(_mapped(e, heads) for e in ref.shape[:-1]), ref.shape[-1]))

    return replace(
        operator,
        inputs=tuple(map(tensor, operator.inputs)),
        outputs=tuple(map(tensor, operator.outputs)),
    )


def _mapped(extent: Extent, sizes: Sizes) -> Extent:
    if extent.terms or extent.constant.denominator != 1:
        return extent
    value = int(extent.constant)
    return Extent.of(sizes.get(value, value))


def _rescaled(extent: Extent, sizes: Sizes) -> Extent:
    """Return an extent of so many elements per token with other elements per token."""
    terms = tuple((name, Fraction(sizes.get(int(each), each))) for name, each in extent.terms)
    return replace(extent, terms=terms)


def _body_elements(phase: Phase) -> int:
    return sum(
        repeat * math.prod(int(extent.at({})) for extent in tensor.shape)
        for repeat, operator in phase.operators()
        for tensor in operator.inputs
        if tensor.role == "weight" and tensor.tensor_class == "body"
    )
