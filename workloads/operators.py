"""What one operator costs: operations and elements, as pure functions of the sizes.

1 MAC = 2 FLOP. Elements, not bytes: a deployment decides how many bits each takes. Every result is
a number, or an array where a size is an array, so that all decode steps are costed at once.

Matrix operations and vector operations are counted apart, since an NPU runs them on different
units. Not modelled: which intermediate results stay on chip; the program builder decides that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from workloads.errors import WorkloadError, did_you_mean
from workloads.extent import Size
from workloads.trace import Operator, TensorRef

SOFTMAX_OPERATIONS = 5  # maximum, subtract, exponentiate, sum, divide


@dataclass(frozen=True)
class OperatorRule:
    """The kind of an operator, and its vector operations per output element.

    Each addition, multiplication, comparison and transcendental function is one operation.
    """

    kind: str
    vector_operations: int = 0


RULES: Mapping[str, OperatorRule] = MappingProxyType(
    {
        "aten.linear": OperatorRule("linear"),
        "aten.scaled_dot_product_attention": OperatorRule("attention"),
        "aten.embedding": OperatorRule("embedding"),
        "aten.add": OperatorRule("elementwise", 1),
        "aten.mul": OperatorRule("elementwise", 1),
        "aten.silu": OperatorRule("elementwise", 4),  # x / (1 + exp(-x)): negate, exp, add, divide
        "aten.gelu": OperatorRule("elementwise", 9),  # tanh form: six products, two sums, tanh
        "aten.rms_norm": OperatorRule("norm", 4),  # square, accumulate, scale, weight
        "aten.layer_norm": OperatorRule("norm", 7),  # sum, centre, square, sum, scale, weight, bias
        "rope": OperatorRule("rope", 3),  # two multiplications and an addition
        "aten.copy": OperatorRule("copy"),
        "aten.clone": OperatorRule("copy"),
    }
)


@dataclass(frozen=True)
class Gemm:
    """``batch`` products of an (m, k) by a (k, n) matrix."""

    batch: Size
    m: Size
    n: Size
    k: Size


@dataclass(frozen=True)
class WeightUse:
    """A weight an operator reads: ``rows`` output features by ``cols`` input features.

    Vectors (norm scales, biases) have one row. Of an embedding table only the looked-up rows are
    read.
    """

    tensor_class: str
    parameter: str
    rows: Size
    cols: Size

    @property
    def elements(self) -> Size:
        """Elements read: ``rows * cols``."""
        return self.rows * self.cols


@dataclass(frozen=True)
class OperatorCost:
    """The work of one operator call.

    Arguments:
        gemm: the matrix product; for attention that of queries and keys, to which the product
            with the values adds the same with ``n`` and ``k`` exchanged. None: no matrix product.
        matmul_flops: matrix FLOP; attention counts the full rectangle, as FLOP counters do.
        causal_flops: the same without the pairs a causal mask or a window removes.
        vector_ops: operations outside matrix products, softmax in attention included.
        weights: weights read.
        activation_read_elements, activation_write_elements: activations in and out.
        kv_read_elements, kv_write_elements: KV-cache traffic.
    """

    gemm: Gemm | None
    matmul_flops: Size
    causal_flops: Size
    vector_ops: Size
    weights: tuple[WeightUse, ...]
    activation_read_elements: Size
    activation_write_elements: Size
    kv_read_elements: Size
    kv_write_elements: Size


def cost(operator: Operator, sizes: Mapping[str, Size]) -> OperatorCost:
    """Return what ``operator`` costs at ``sizes``; raises `WorkloadError` for one not in `RULES`.

    >>> from workloads.extent import Extent
    >>> def tensor(text, role="activation", tensor_class=None):
    ...     shape = tuple(Extent.parse(extent) for extent in text.split(","))
    ...     return TensorRef(shape, "bfloat16", role, "q_proj.weight", tensor_class)
    >>> weight = tensor("4096,2560", "weight", "body")
    >>> q_proj = Operator(
    ...     "aten.linear", "q_proj", "linear", (tensor("T,2560"), weight), (tensor("T,4096"),)
    ... )
    >>> cost(q_proj, {"T": 128}).matmul_flops == 2 * 128 * 2560 * 4096
    True
    """
    rule = _rule(operator)
    outputs = tuple(_shape(tensor, sizes) for tensor in operator.outputs)
    weights = _weights(operator, sizes)
    gemm: Gemm | None = None
    flops: Size = 0
    causal: Size = 0
    vector = rule.vector_operations * _elements(outputs)
    if operator.kind == "attention":
        gemm, flops, causal, vector = _attention(operator, sizes)
    elif operator.kind == "linear":
        rows, depth = weights[0].rows, weights[0].cols
        gemm = Gemm(batch=1, m=_elements(outputs) // rows, n=rows, k=depth)
        flops = causal = 2 * gemm.m * gemm.n * gemm.k
        vector = _elements(outputs) * (len(weights) - 1)
    return OperatorCost(
        gemm=gemm,
        matmul_flops=flops,
        causal_flops=causal,
        vector_ops=vector,
        weights=weights,
        activation_read_elements=_role_elements(operator.inputs, "activation", sizes),
        activation_write_elements=_role_elements(operator.outputs, "activation", sizes),
        kv_read_elements=_kv_read_elements(operator, sizes),
        kv_write_elements=_role_elements(operator.outputs, "kv_write", sizes),
    )


def visible_tokens(queries: Size, context: Size, window: int | None) -> Size:
    """Return how many keys ``queries`` new tokens read together.

    ``min(context, window + queries - 1)``; all of ``context`` without a window.

    >>> visible_tokens(1, 4096, 512)
    512
    """
    return context if window is None else _least(context, window + queries - 1)


def visible_pairs(queries: Size, context: Size, window: int | None = None) -> Size:
    """Return the number of (query, key) pairs that a causal mask leaves.

    The last query sees the last key. Without a window ``T*S - T*(T-1)/2``; with one the sum of
    ``min(window, j)`` for ``j`` from ``S-T+1`` to ``S``. Raises `WorkloadError` for ``S < T``.

    >>> visible_pairs(4, 4)
    10
    >>> visible_pairs(4, 4, window=2)
    7
    """
    if np.any(np.asarray(context) < queries):
        raise WorkloadError(f"context S must hold the new tokens T. Got S={context}, T={queries}.")
    if window is None:
        return queries * context - queries * (queries - 1) // 2
    return _windowed_sum(context, window) - _windowed_sum(context - queries, window)


def _windowed_sum(tokens: Size, window: int) -> Size:
    """Sum of ``min(window, j)`` for ``j`` from 1 to ``tokens``."""
    ramp = _least(tokens, window)
    return ramp * (ramp + 1) // 2 + (tokens - ramp) * window


def _least(first: Size, second: Size) -> Size:
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    least: Size = np.minimum(first, second)
    return least


def _attention(operator: Operator, sizes: Mapping[str, Size]) -> tuple[Gemm, Size, Size, Size]:
    """Return the score product, its FLOP with the value product, the causal FLOP, and softmax.

    ``FLOP = 2 * batch * heads * T * S * (Dk + Dv)`` over the rectangle of queries and visible keys.
    """
    query, key, value = (_shape(tensor, sizes) for tensor in operator.inputs[:3])
    heads, queries, depth, context = math.prod(query[:-2]), query[-2], query[-1], key[-2]
    visible = visible_tokens(queries, context, operator.window_tokens)
    pairs = queries * visible
    if operator.causal:
        pairs = visible_pairs(queries, context, operator.window_tokens)
    flops_per_pair = 2 * heads * (depth + value[-1])
    return (
        Gemm(batch=heads, m=queries, n=visible, k=depth),
        flops_per_pair * queries * visible,
        flops_per_pair * pairs,
        SOFTMAX_OPERATIONS * heads * pairs,
    )


def _weights(operator: Operator, sizes: Mapping[str, Size]) -> tuple[WeightUse, ...]:
    uses = []
    for tensor in operator.inputs:
        if tensor.role != "weight":
            continue
        shape = _shape(tensor, sizes)
        rows, cols = (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])
        if operator.kind == "embedding":
            rows = _role_elements(operator.inputs, "activation", sizes)
        uses.append(WeightUse(tensor.tensor_class or "", tensor.parameter or "", rows, cols))
    return tuple(uses)


def _kv_read_elements(operator: Operator, sizes: Mapping[str, Size]) -> Size:
    total: Size = 0
    for tensor in operator.inputs:
        if tensor.role == "kv_read":
            *heads, context, depth = _shape(tensor, sizes)
            queries = _shape(operator.inputs[0], sizes)[-2]
            tokens = visible_tokens(queries, context, operator.window_tokens)
            total = total + math.prod(heads) * tokens * depth
    return total


def _role_elements(tensors: tuple[TensorRef, ...], role: str, sizes: Mapping[str, Size]) -> Size:
    return _elements(tuple(_shape(tensor, sizes) for tensor in tensors if tensor.role == role))


def _elements(shapes: tuple[tuple[Size, ...], ...]) -> Size:
    return sum((math.prod(shape) for shape in shapes), start=0)


def _shape(tensor: TensorRef, sizes: Mapping[str, Size]) -> tuple[Size, ...]:
    return tuple(extent.at(sizes) for extent in tensor.shape)


def _rule(operator: Operator) -> OperatorRule:
    try:
        return RULES[operator.name]
    except KeyError:
        hint = did_you_mean(operator.name, RULES)
        raise WorkloadError(
            f"operator of {operator.module} must be known. Got {operator.name!r}. {hint}"
        ) from None
