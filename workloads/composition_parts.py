"""Parts of a composed model as operators: an encoder without its classifier, and a projector.

What an encoder is asked for is its features before they are pooled: the last map of a convolutional
network, the last tokens of a transformer without those of class and registers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.session import Strict
from workloads.trace import NETWORK, Operator, Segment, TensorRef, Trace

MOST_EXTRA_TOKENS = 5
"""Class token and registers that stand beside the tokens of places."""
HEAD_DIM = 64
"""Width of a head in a resampler's attention."""


class Projector(Strict):
    """How features become visual tokens of the language model.

    Attributes
    ----------
    kind
        ``linear``: one layer. ``mlp``: several, GELU between. ``pool``: means of squares, then one
        layer. ``resampler``: learned queries attend to the features, then one layer.
    layers
        Of an mlp.
    pool
        Side of the squares that become one token.
    queries
        Visual tokens that a resampler makes.
    """

    kind: Literal["linear", "mlp", "pool", "resampler"] = "linear"
    layers: Annotated[int, Field(ge=1, le=8)] = 2
    pool: Annotated[int, Field(ge=2, le=16)] = 2
    queries: Annotated[int, Field(ge=1, le=4096)] = 64

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: object) -> object:
        """Read ``linear``, ``{pool: 2}`` and ``{resampler: {queries: 64}}``."""
        if isinstance(given, str):
            return {"kind": given}
        if isinstance(given, dict) and "kind" not in given:
            if "pool" in given:
                return {"kind": "pool", **given}
            for kind in ("mlp", "resampler"):
                if isinstance(given.get(kind), dict):
                    return {"kind": kind, **given[kind]}
        return given


@dataclass(frozen=True)
class Features:
    """What an encoder gives before pooling.

    Attributes
    ----------
    segments
        Its operators up to there, weights of class ``vision``.
    tokens, channels
        Places, and features of each.
    """

    segments: tuple[Segment, ...]
    tokens: int
    channels: int

    @property
    def side(self) -> int:
        """Places along a side, rounded down."""
        return math.isqrt(self.tokens)


def features_of(trace: Trace, name: str) -> Features:
    """Return an encoder without what follows its last features.

    Raises `WorkloadError` for a network that has neither a map nor tokens.
    """
    parts = list(trace.phases[NETWORK].segments)
    for index in range(len(parts) - 1, -1, -1):
        operators = parts[index].operators
        for place in range(len(operators) - 1, -1, -1):
            found = _places(operators[place])
            if found is not None:
                last = replace(parts[index], operators=operators[: place + 1])
                kept = [_of_vision(part) for part in (*parts[:index], last)]
                return Features(tuple(kept), *found)
    raise WorkloadError(
        f"vision.model must be an encoder: a map of features or a row of tokens. Got {name}."
    )


def _places(operator: Operator) -> tuple[int, int] | None:
    """Return tokens and channels of what an operator makes, if it is features of places."""
    shape = tuple(int(extent.at({})) for extent in operator.outputs[0].shape)
    if operator.kind == "copy" or len(shape) not in (3, 4) or shape[0] != 1:
        return None
    if len(shape) == 4:
        channels, height, width = shape[1:]
        return (height * width, channels) if height > 1 and height == width else None
    tokens, channels = shape[1], shape[2]
    extra = tokens - math.isqrt(tokens) ** 2
    if tokens < 4 or channels < 16 or extra > MOST_EXTRA_TOKENS:
        return None
    return tokens - extra, channels


def _of_vision(segment: Segment) -> Segment:
    return replace(segment, operators=tuple(map(_with_vision_weights, segment.operators)))


def _with_vision_weights(operator: Operator) -> Operator:
    inputs = (
        replace(t, tensor_class="vision") if t.role == "weight" else t for t in operator.inputs
    )
    return replace(operator, inputs=tuple(inputs))


def projected(projector: Projector, features: Features, hidden: int) -> tuple[list[Operator], int]:
    """Return the operators of a projector, and the visual tokens it makes."""
    if projector.kind == "resampler":
        return _resampler(projector.queries, features, hidden), projector.queries
    tokens, channels = features.tokens, features.channels
    found: list[Operator] = []
    if projector.kind == "pool":
        side = features.side // projector.pool
        if not side:
            raise WorkloadError(
                f"projector.pool must be at most {features.side}, the places along a side of the "
                f"features. Got {projector.pool}."
            )
        found.append(_pooled(features, side, projector.pool))
        tokens = side * side
    layers = projector.layers if projector.kind == "mlp" else 1
    for number in range(layers):
        if number:
            found.append(_vector("aten.gelu", tokens, hidden, number))
        found.append(
            _linear(f"projector.{number}", tokens, channels if not number else hidden, hidden)
        )
    return found, tokens


def _resampler(queries: int, features: Features, hidden: int) -> list[Operator]:
    """Return cross attention of learned queries to the features (arXiv 2204.14198)."""
    tokens, channels = features.tokens, features.channels
    heads = max(1, hidden // HEAD_DIM)
    depth = hidden // heads
    keys = _tensor(1, heads, tokens, depth)
    seen = Operator(
        "aten.scaled_dot_product_attention",
        "projector.attention",
        "attention",
        (_tensor(1, heads, queries, depth), keys, keys),
        (_tensor(1, queries, heads, depth),),
    )
    return [
        _linear("projector.key", tokens, channels, hidden),
        _linear("projector.value", tokens, channels, hidden),
        _linear("projector.query", queries, hidden, hidden),
        seen,
        _linear("projector.out", queries, hidden, hidden),
    ]


def _pooled(features: Features, side: int, pool: int) -> Operator:
    made = features.channels * side * side
    return Operator(
        "aten.avg_pool2d",
        "projector.pool",
        "elementwise",
        (_tensor(1, features.channels, features.side, features.side),),
        (_tensor(1, features.channels, side, side),),
        work=(Extent.of(0), Extent.of(made * pool * pool)),
    )


def _vector(name: str, tokens: int, channels: int, number: int) -> Operator:
    tensor = _tensor(1, tokens, channels)
    return Operator(name, f"projector.act.{number}", "elementwise", (tensor,), (tensor,))


def _linear(module: str, tokens: int, inputs: int, outputs: int) -> Operator:
    weight = replace(
        _tensor(outputs, inputs), role="weight", parameter=f"{module}.weight", tensor_class="vision"
    )
    bias = replace(
        _tensor(outputs), role="weight", parameter=f"{module}.bias", tensor_class="vision"
    )
    given, made = _tensor(1, tokens, inputs), _tensor(1, tokens, outputs)
    return Operator("aten.linear", module, "linear", (given, weight, bias), (made,))


def _tensor(*shape: int) -> TensorRef:
    return TensorRef(tuple(Extent.of(size) for size in shape), "bfloat16")


def weights_of(segments: Sequence[Segment]) -> int:
    """Return the parameters that operators read, shared ones once."""
    total, seen = 0, set[str]()
    for repeat, tensor in _weights(segments):
        name = tensor.parameter or ""
        if repeat > 1 or name not in seen:
            total += repeat * math.prod(int(extent.at({})) for extent in tensor.shape)
        seen.add(name)
    return total


def _weights(segments: Sequence[Segment]) -> Iterator[tuple[int, TensorRef]]:
    for segment in segments:
        for operator in segment.operators:
            for tensor in operator.inputs:
                if tensor.role == "weight":
                    yield segment.repeat, tensor
