"""Latent attention as runtimes decode it: the expansion of the latent moved into the queries.

The cache of multi-head latent attention holds a latent of ``r`` and a rotated key of ``p`` elements
per token. The class expands the latents of all tokens into keys of ``n + p`` and values of ``v``
elements per head at every step. The two halves of the expansion are matrices, so the queries can be
multiplied by the first and the result by the second, and attention then runs over the latents
themselves. For ``T`` tokens that see ``S``, with ``H`` heads, multiply-accumulates are

    expanded   S*r*H*(n + v) + pairs*H*(n + p + v)
    absorbed   T*H*r*(n + v) + pairs*H*(2*r + p)

(DeepSeek-V2, https://arxiv.org/abs/2405.04434, section 2.1.2). Decode is given the second form,
prefill keeps the first, which is less work where ``T`` is large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workloads.extent import Extent
from workloads.trace import Operator, Segment, TensorRef


@dataclass(frozen=True)
class _Expansion:
    """Where a layer expands its latent, and its sizes as the module text names them."""

    linear: int
    attention: int
    heads: int
    latent: int
    rotated: int
    key: int
    value: int


def absorbed(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return segments whose latent attention runs over the latents; others are left as they are."""
    return tuple(replace(s, operators=_absorbed(s.operators)) for s in segments)


def _absorbed(operators: tuple[Operator, ...]) -> tuple[Operator, ...]:
    found = _find(operators)
    if found is None:
        return operators
    linear, attention = operators[found.linear], operators[found.attention]
    seen = attention.inputs[1].shape[-2]
    between = operators[found.linear + 1 : found.attention]
    inside = f"{attention.module}."  # an indexer, say, whose scores of all tokens stay
    kept = [
        o
        for o in between
        if o.module.startswith(inside) or not any(_holds(t, seen) for t in o.outputs)
    ]
    return (
        *operators[: found.linear],
        *kept,
        *_over_latents(linear, attention, found),
        *operators[found.attention + 1 :],
    )


def _holds(tensor: TensorRef, tokens: Extent) -> bool:
    return tokens in tensor.shape


def _find(operators: Sequence[Operator]) -> _Expansion | None:
    """Return the expansion of a layer whose keys and values both come from one cached latent."""
    for place, linear in enumerate(operators):
        if linear.kind != "linear" or linear.inputs[0].role != "kv_read":
            continue
        after = range(place + 1, len(operators))
        attention = next((i for i in after if operators[i].kind == "attention"), None)
        if attention is None:
            return None
        _, key, value = operators[attention].inputs[:3]
        heads, key_size = (_whole(extent) for extent in (key.shape[1], key.shape[-1]))
        rows, latent = (_whole(extent) for extent in linear.inputs[1].shape)
        value_size = _whole(value.shape[-1])
        own = rows // heads - value_size
        if key.role == value.role == "activation" and 0 < own < key_size:
            rotated = key_size - own
            return _Expansion(place, attention, heads, latent, rotated, own, value_size)
    return None


def _over_latents(linear: Operator, attention: Operator, found: _Expansion) -> list[Operator]:
    """Return the product of the queries, attention over the latents, and that of its result."""
    query, key, _ = attention.inputs[:3]
    new, seen = query.shape[-2], key.shape[-2]
    one, heads = Extent.of(1), Extent.of(found.heads)
    latent, wide = Extent.of(found.latent), Extent.of(found.latent + found.rotated)
    own, value = Extent.of(found.key), Extent.of(found.value)
    weight = linear.inputs[1]

    def made(*shape: Extent) -> TensorRef:
        return TensorRef(shape, query.dtype)

    def product(first: TensorRef, matrix: tuple[Extent, ...], out: TensorRef) -> Operator:
        held = replace(weight, shape=matrix)
        return Operator("aten.bmm", linear.module, "matmul", (first, held), (out,))

    # the values are the latents that were read as keys: the second mention costs nothing
    latents = TensorRef((one, one, seen, wide), key.dtype, "kv_read")
    again = TensorRef((one, one, seen, latent), key.dtype, "constant")
    inside = made(heads, new, latent)
    return [
        product(made(heads, new, own), (heads, own, latent), inside),
        replace(
            attention,
            inputs=(made(one, heads, new, wide), latents, again, *attention.inputs[3:]),
            outputs=(made(heads, new, latent),),
        ),
        product(inside, (heads, latent, value), made(heads, new, value)),
    ]


def _whole(extent: Extent) -> int:
    return int(extent.at({}))
