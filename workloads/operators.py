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
from typing import TypeAlias

import numpy as np

from workloads.attended import keys_read, visible_pairs
from workloads.errors import WorkloadError, did_you_mean
from workloads.extent import Extent, Size
from workloads.operator_rules import EXPONENTIAL, RULES, SOFTMAX_OPERATIONS, OperatorRule
from workloads.trace import Operator, TensorRef, dtype_bytes

TILE = 64
"""Side of the small products that a scan is priced as."""

Real: TypeAlias = float | Size
Shape: TypeAlias = tuple[Size, ...]


@dataclass(frozen=True)
class Gemm:
    """``batch`` products of an (m, k) by a (k, n) matrix."""

    batch: Real
    m: Real
    n: Real
    k: Size


@dataclass(frozen=True)
class WeightUse:
    """A weight an operator reads: ``rows`` output features by ``cols`` input features.

    Vectors (norm scales, biases) have one row. Of an embedding table only the looked-up rows are
    read. Of experts only those that some token chose, ``copies`` of them on average.
    """

    tensor_class: str
    parameter: str
    rows: Size
    cols: Size
    copies: Real = 1

    @property
    def elements(self) -> Real:
        """Elements read: ``copies * rows * cols``."""
        return self.copies * self.rows * self.cols


Weights: TypeAlias = tuple[WeightUse, ...]


@dataclass(frozen=True)
class OperatorCost:
    """The work of one operator call.

    Arguments:
        gemm: the matrix product; for attention that of queries and keys, to which the product
            with the values adds the same with ``n`` and ``k`` exchanged. None: no matrix product.
        matmul_flops: matrix FLOP; attention counts the full rectangle, as FLOP counters do.
        causal_flops: the same without the pairs a causal mask or a window removes.
        vector_ops: operations outside matrix products, softmax in attention included.
        exponentials: those among them that are exponentials, where their number is known.
        weights: weights read.
        activation_read_elements, activation_write_elements: activations in and out.
        kv_read_elements, kv_write_elements: KV-cache traffic.
        state_read_bytes, state_write_bytes: traffic of recurrent state, in its own dtype.
    """

    gemm: Gemm | None
    matmul_flops: Size
    causal_flops: Size
    vector_ops: Size
    exponentials: Size
    weights: tuple[WeightUse, ...]
    activation_read_elements: Size
    activation_write_elements: Size
    kv_read_elements: Size
    kv_write_elements: Size
    state_read_bytes: Size = 0
    state_write_bytes: Size = 0


def cost(operator: Operator, sizes: Mapping[str, Size], routing_skew: float = 0.0) -> OperatorCost:
    """Return what ``operator`` costs at ``sizes``; raises `WorkloadError` for one not in `RULES`.

    ``routing_skew`` is that of `expected_experts`.

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
    weights = _weights(operator, sizes, routing_skew)
    gemm, flops, causal, vector = _work(operator, rule, sizes, weights)
    return OperatorCost(
        gemm=gemm,
        matmul_flops=flops,
        causal_flops=causal,
        vector_ops=vector,
        exponentials=_exponentials(operator, rule, vector),
        weights=weights,
        activation_read_elements=_role_elements(operator.inputs, "activation", sizes),
        activation_write_elements=_role_elements(operator.outputs, "activation", sizes),
        kv_read_elements=_kv_read_elements(operator, sizes),
        kv_write_elements=_role_elements(operator.outputs, "kv_write", sizes),
        state_read_bytes=_state_bytes(operator.inputs, "state_read", sizes),
        state_write_bytes=_state_bytes(operator.outputs, "state_write", sizes),
    )


def _work(
    operator: Operator, rule: OperatorRule, sizes: Mapping[str, Size], weights: Weights
) -> tuple[Gemm | None, Size, Size, Size]:
    """Return the matrix product, its FLOP, those a causal mask leaves, and vector operations."""
    outputs = _elements(tuple(_shape(tensor, sizes) for tensor in operator.outputs))
    if operator.kind == "attention":
        return _attention(operator, sizes)
    if operator.work is not None:
        matrix, vector = (extent.at(sizes) for extent in operator.work)
        return _square(matrix), matrix, matrix, vector
    if operator.kind in ("linear", "matmul", "conv", "experts"):
        gemm = _product(operator, sizes, outputs, weights)
        flops = 2 * (_scattered(gemm) if _is_transposed(operator) else outputs) * gemm.k
        biases = sum(use.cols > 0 for use in weights[1:]) if operator.kind != "matmul" else 0
        return gemm, flops, flops, outputs * biases
    counted = outputs
    if rule.per_input:
        counted = max((_elements((_shape(t, sizes),)) for t in operator.inputs), key=np.max)
    return None, 0, 0, rule.vector_operations * counted


def _exponentials(operator: Operator, rule: OperatorRule, vector: Size) -> Size:
    """Return how many vector operations are exponentials; 0 where recorded work does not say."""
    if operator.kind == "attention":
        return vector // SOFTMAX_OPERATIONS
    known = operator.name in EXPONENTIAL and operator.work is None
    return vector // rule.vector_operations if known else 0


def _square(flops: Size) -> Gemm | None:
    """Return products of ``TILE`` by ``TILE`` matrices that amount to ``flops``."""
    if isinstance(flops, int) and not flops:
        return None
    return Gemm(batch=1, m=flops / (2 * TILE * TILE), n=TILE, k=TILE)


def _product(
    operator: Operator, sizes: Mapping[str, Size], outputs: Size, weights: Weights
) -> Gemm:
    """Return the matrix product of a linear layer, a convolution, a batch of products, experts."""
    shapes = [_shape(tensor, sizes) for tensor in operator.inputs]
    made = _shape(operator.outputs[0], sizes)
    if operator.kind == "matmul":
        first = shapes[1] if operator.name in ("aten.addmm", "aten.baddbmm") else shapes[0]
        wide = made[-1] if len(made) > 1 else 1
        rows = made[-2] if len(made) > 1 else 1
        return Gemm(batch=math.prod(made[:-2]), m=rows, n=wide, k=first[-1])
    if operator.kind == "conv":
        weight = shapes[1]
        return (
            _transposed(shapes[0], weight, made)
            if _is_transposed(operator)
            else _convolution(shapes[0], weight, outputs)
        )
    weight = next(
        (s for s, t in zip(shapes, operator.inputs, strict=True) if t.role == "weight"), shapes[1]
    )
    rows, depth = weight[-2], weight[-1]
    if operator.kind == "experts":
        pairs, chosen = outputs // rows, weights[0].copies
        return Gemm(batch=chosen, m=pairs / chosen, n=rows, k=depth)
    return Gemm(batch=1, m=outputs // rows, n=rows, k=depth)


def _convolution(given: Shape, weight: Shape, outputs: Size) -> Gemm:
    """Return a convolution as products: each place's window by the filters of its group.

    ``groups`` of (places, Cin/groups x window) by (Cin/groups x window, Cout/groups); depthwise
    has as many groups as channels, so its products are one column wide.
    """
    groups = max(1, int(given[1] // weight[1]))
    features = int(weight[0]) // groups
    places = outputs // (features * groups)
    return Gemm(batch=groups, m=places, n=features, k=math.prod(weight[1:]))


def _transposed(given: Shape, weight: Shape, made: Shape) -> Gemm:
    """Return a transposed convolution as products: each input place makes a window of outputs.

    ``groups`` of (input places, Cin/groups) by (Cin/groups, Cout/groups x window); the sums of
    windows that overlap are vector work that runtimes fuse.
    """
    groups = max(1, int(made[1] // weight[1]))
    places = math.prod(given[2:]) * given[0]
    return Gemm(batch=groups, m=places, n=math.prod(weight[1:]), k=int(weight[0]) // groups)


def _is_transposed(operator: Operator) -> bool:
    return "conv_transpose" in operator.name


def _scattered(gemm: Gemm) -> Size:
    """Return the products' outputs before windows are summed."""
    return int(gemm.batch) * gemm.m * gemm.n  # type: ignore[return-value]


def expected_experts(experts: int, each: int, tokens: Size, skew: float = 0.0) -> Real:
    """Return how many experts ``tokens`` tokens touch on average, each choosing ``each``.

    Uniform routing: ``E * (1 - (1 - k/E)**T)``. With ``skew`` s the choice falls evenly on
    ``E' = k + (1 - s) * (E - k)`` experts and never on the others: s = 0 is uniform, s = 1 means
    that every token takes the same k.

    >>> round(float(expected_experts(128, 8, 1)), 6), round(float(expected_experts(128, 8, 16)), 1)
    (8.0, 82.4)
    """
    used = each + (1.0 - skew) * (experts - each)
    return used * (1.0 - (1.0 - each / used) ** tokens)


def _chosen(operator: Operator, sizes: Mapping[str, Size], skew: float) -> Real:
    """Return the experts an operator reads on average."""
    each = operator.experts_per_token or 1
    weight = next(tensor for tensor in operator.inputs if tensor.role == "weight")
    experts, rows = (int(extent.at(sizes)) for extent in weight.shape[:2])
    pairs = _elements(tuple(_shape(t, sizes) for t in operator.outputs)) // rows
    return expected_experts(experts, each, pairs // each, skew)


def _attention(operator: Operator, sizes: Mapping[str, Size]) -> tuple[Gemm, Size, Size, Size]:
    """Return the score product, its FLOP with the value product, the causal FLOP, and softmax.

    ``FLOP = 2 * batch * heads * T * S * (Dk + Dv)`` over the rectangle of queries and visible keys.
    """
    query, key, value = (_shape(tensor, sizes) for tensor in operator.inputs[:3])
    heads, queries, depth, context = math.prod(query[:-2]), query[-2], query[-1], key[-2]
    visible = keys_read(queries, context, operator.window_tokens)
    pairs = queries * visible
    if operator.causal:
        pairs = visible_pairs(queries, context, operator.window_tokens)
    flops_per_pair = 2 * heads * (depth + value[-1])
    if operator.work is not None:
        return _windows(operator.work, sizes, query, depth + value[-1])
    return (
        Gemm(batch=heads, m=queries, n=visible, k=depth),
        flops_per_pair * queries * visible,
        flops_per_pair * pairs,
        SOFTMAX_OPERATIONS * heads * pairs,
    )


def _windows(
    work: tuple[Extent, Extent], sizes: Mapping[str, Size], query: tuple[Size, ...], wide: Size
) -> tuple[Gemm, Size, Size, Size]:
    """Return the work of attention inside windows, which is stated as a sum over them.

    A query sees ``FLOP / (2 * heads * queries * (Dk + Dv))`` keys on average.
    """
    flops, vector = (extent.at(sizes) for extent in work)
    heads, queries, depth = math.prod(query[:-2]), query[-2], query[-1]
    seen = flops / (2 * heads * queries * wide)
    return Gemm(batch=heads, m=queries, n=seen, k=depth), flops, flops, vector


def _weights(operator: Operator, sizes: Mapping[str, Size], skew: float) -> Weights:
    uses = []
    for tensor in operator.inputs:
        if tensor.role != "weight":
            continue
        shape = _shape(tensor, sizes)
        copies: Real = 1
        if operator.kind == "experts":
            copies, shape = _chosen(operator, sizes, skew), shape[1:]
        rows, cols = (1, math.prod(shape)) if len(shape) <= 1 else (shape[0], math.prod(shape[1:]))
        if operator.kind == "embedding":
            rows = _role_elements(operator.inputs, "activation", sizes)
        held = tensor.tensor_class or "", tensor.parameter or ""
        uses.append(WeightUse(*held, rows, cols, copies))
    return tuple(uses)


def _kv_read_elements(operator: Operator, sizes: Mapping[str, Size]) -> Size:
    total: Size = 0
    for tensor in operator.inputs:
        if tensor.role == "kv_read":
            shape = _shape(tensor, sizes)
            if operator.kind != "attention":
                total = total + math.prod(shape)
                continue
            *heads, context, depth = shape
            queries = _shape(operator.inputs[0], sizes)[-2]
            tokens = keys_read(queries, context, operator.window_tokens)
            total = total + math.prod(heads) * tokens * depth
    return total


def _state_bytes(tensors: tuple[TensorRef, ...], role: str, sizes: Mapping[str, Size]) -> Size:
    held = (
        math.prod(_shape(tensor, sizes)) * dtype_bytes(tensor.dtype)
        for tensor in tensors
        if tensor.role == role
    )
    return sum(held, start=0)


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
