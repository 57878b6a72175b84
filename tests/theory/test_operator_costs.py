"""Operator costs against sums written out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.attended import keys_read, visible_pairs
from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.operator_rules import RULES, SOFTMAX_OPERATIONS
from workloads.operators import cost
from workloads.trace import KINDS, Operator, TensorRef


def tensor(shape, role="activation", tensor_class=None):
    extents = tuple(Extent.parse(text) for text in shape.split(","))
    return TensorRef(extents, "bfloat16", role, "w" if tensor_class else None, tensor_class)


def linear(bias=False):
    inputs = [tensor("T,2560"), tensor("9728,2560", "weight", "body")]
    inputs += [tensor("9728", "weight", "body")] if bias else []
    return Operator("aten.linear", "up_proj", "linear", tuple(inputs), (tensor("T,9728"),))


def attention(causal=True, window=None, key_role="kv_read"):
    key = tensor("1,8,S,128", key_role)
    return Operator(
        "aten.scaled_dot_product_attention",
        "self_attn",
        "attention",
        (tensor("1,32,T,128"), key, key, tensor("T,S", "constant")),
        (tensor("1,32,T,128"),),
        causal=causal,
        window_tokens=window,
    )


def brute_force_pairs(new, context, window):
    return sum(
        1
        for query in range(context - new, context)
        for key in range(context)
        if key <= query and (window is None or query - key < window)
    )


@given(st.integers(1, 12), st.integers(0, 20), st.one_of(st.none(), st.integers(1, 15)))
def test_visible_pairs_are_those_the_mask_leaves(new, cached, window):
    context = new + cached
    assert visible_pairs(new, context, window) == brute_force_pairs(new, context, window)


@given(st.integers(1, 12), st.integers(0, 20), st.one_of(st.none(), st.integers(1, 15)))
def test_visible_tokens_are_the_keys_some_query_sees(new, cached, window):
    context = new + cached
    seen = {
        key
        for query in range(cached, context)
        for key in range(query + 1)
        if window is None or query - key < window
    }
    assert keys_read(new, context, window) == len(seen)


def test_linear_layer():
    work = cost(linear(), {"T": 128})
    assert (work.gemm.batch, work.gemm.m, work.gemm.n, work.gemm.k) == (1, 128, 9728, 2560)
    assert work.matmul_flops == work.causal_flops == 2 * 128 * 9728 * 2560
    assert [use.elements for use in work.weights] == [9728 * 2560]
    assert work.activation_read_elements == 128 * 2560
    assert work.activation_write_elements == 128 * 9728
    assert work.kv_read_elements == work.kv_write_elements == work.vector_ops == 0


def test_a_bias_is_one_addition_per_output_and_one_row_of_weights():
    work = cost(linear(bias=True), {"T": 128})
    assert work.vector_ops == 128 * 9728
    assert [(use.rows, use.cols) for use in work.weights] == [(9728, 2560), (1, 9728)]


def test_attention_counts_the_rectangle_and_the_triangle():
    work = cost(attention(), {"T": 256, "S": 1024})
    pairs = 256 * 1024 - 256 * 255 // 2
    assert work.matmul_flops == 2 * 32 * 256 * 1024 * 256
    assert work.causal_flops == 2 * 32 * pairs * 256
    assert work.vector_ops == SOFTMAX_OPERATIONS * 32 * pairs
    assert work.kv_read_elements == 2 * 8 * 1024 * 128
    assert work.activation_read_elements == 32 * 256 * 128
    assert (work.gemm.batch, work.gemm.m, work.gemm.n, work.gemm.k) == (32, 256, 1024, 128)


def test_full_attention_reads_no_cache():
    work = cost(attention(causal=False, key_role="activation"), {"T": 64, "S": 64})
    assert work.matmul_flops == work.causal_flops
    assert work.kv_read_elements == 0
    assert work.activation_read_elements == (32 + 8 + 8) * 64 * 128


def test_a_window_bounds_reads_and_work():
    work = cost(attention(window=512), {"T": 1, "S": 4096})
    assert work.kv_read_elements == 2 * 8 * 512 * 128
    assert work.matmul_flops == work.causal_flops == 2 * 32 * 512 * 256


def test_an_embedding_reads_the_rows_it_looks_up():
    table = tensor("151936,2560", "weight", "embedding")
    lookup = Operator(
        "aten.embedding", "embed", "embedding", (table, tensor("T")), (tensor("T,2560"),)
    )
    work = cost(lookup, {"T": 7})
    assert work.weights[0].elements == 7 * 2560
    assert work.gemm is None
    assert work.matmul_flops == 0


@pytest.mark.parametrize(
    ("name", "operations"), [(n, r.vector_operations) for n, r in RULES.items()]
)
def test_vector_operations_per_element(name, operations):
    kind = RULES[name].kind
    if kind in ("copy", "elementwise", "norm", "rope"):
        x = tensor("T,2560")
        assert cost(Operator(name, "m", kind, (x,), (x,)), {"T": 3}).vector_ops == 7680 * operations


def test_the_kinds_are_those_of_the_rules():
    assert {rule.kind for rule in RULES.values()} == set(KINDS)


@given(st.lists(st.integers(8, 10_000), min_size=1, max_size=5), st.integers(1, 8))
def test_all_steps_at_once_equal_one_by_one(contexts, new):
    together = cost(attention(window=512), {"T": new, "S": np.array(contexts)})
    for index, context in enumerate(contexts):
        alone = cost(attention(window=512), {"T": new, "S": context})
        for field in ("matmul_flops", "causal_flops", "vector_ops", "kv_read_elements"):
            assert getattr(together, field)[index] == getattr(alone, field)


def test_context_must_hold_the_new_tokens():
    with pytest.raises(WorkloadError, match="must hold the new tokens"):
        cost(attention(), {"T": 9, "S": 8})


def test_unknown_operator_names_the_nearest():
    x = tensor("T,8")
    with pytest.raises(WorkloadError, match=r"Did you mean 'aten\.silu'"):
        cost(Operator("aten.sillu", "mlp", "elementwise", (x,), (x,)), {"T": 1})


class Counted(float):
    """A number that counts the additions, products, divisions and functions it goes through."""

    count = 0

    def _of(self, value):
        Counted.count += 1
        return Counted(value)

    def __add__(self, other):
        return self._of(float(self) + float(other))

    def __mul__(self, other):
        return self._of(float(self) * float(other))

    def __truediv__(self, other):
        return self._of(float(self) / float(other))

    def __neg__(self):
        return self._of(-float(self))

    def exp(self):
        return self._of(np.exp(float(self)))

    def tanh(self):
        return self._of(np.tanh(float(self)))


FORMULAS = {
    "aten.add": lambda x: x + 1.0,
    "aten.mul": lambda x: x * 2.0,
    "aten.silu": lambda x: x / ((-x).exp() + 1.0),
    "aten.gelu": lambda x: (((x * x * x * 0.044715 + x) * 0.7978845608).tanh() + 1.0) * x * 0.5,
    "rope": lambda x: x * 0.6 + float(Counted(x) * 0.8),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_operations_per_element_are_those_of_the_formula(name):
    Counted.count = 0
    FORMULAS[name](Counted(0.7))
    assert RULES[name].vector_operations == Counted.count
