"""The operators a trace may hold: the kind of each, and its vector operations per element.

Each addition, multiplication, comparison and transcendental function is one operation. Names are
PyTorch's, without overload and without the underscore of the form that works in place; ``moe.*``,
``rope`` and ``scan`` stand for a group of calls that a runtime executes as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SOFTMAX_OPERATIONS = 5  # maximum, subtract, exponentiate, sum, divide
_EXPONENTIAL = (
    "exp exp2 expm1 tanh erf softplus elu celu selu glu sigmoid silu log_sigmoid swish mish gelu "
    "softmax _softmax log_softmax _log_softmax logsumexp"
)
EXPONENTIAL = frozenset(f"aten.{name}" for name in _EXPONENTIAL.split())
"""Operators that take an exponential per element; erf and tanh count as one."""


@dataclass(frozen=True)
class OperatorRule:
    """The kind of an operator, and its vector operations per element.

    Arguments:
        kind: one of `workloads.trace.KINDS`.
        vector_operations: per element that is counted.
        per_input: count the elements of the largest input (a reduction) instead of the output.
    """

    kind: str
    vector_operations: int = 0
    per_input: bool = False


def _elementwise(operations: int, names: str) -> dict[str, OperatorRule]:
    return {f"aten.{name}": OperatorRule("elementwise", operations) for name in names.split()}


def _reduction(operations: int, names: str) -> dict[str, OperatorRule]:
    rule = OperatorRule("elementwise", operations, per_input=True)
    return {f"aten.{name}": rule for name in names.split()}


def _kind(kind: str, names: str, operations: int = 0) -> dict[str, OperatorRule]:
    return {f"aten.{name}": OperatorRule(kind, operations) for name in names.split()}


RULES: Mapping[str, OperatorRule] = MappingProxyType(
    {
        **_kind("linear", "linear"),
        **_kind("attention", "scaled_dot_product_attention"),
        **_kind("embedding", "embedding"),
        **_kind("matmul", "mm bmm matmul addmm baddbmm einsum dot mv linalg_solve_triangular"),
        **_kind("conv", "conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d"),
        **_elementwise(
            1,
            "add sub rsub mul div neg abs maximum minimum where masked_fill clamp clamp_min "
            "clamp_max relu relu6 sqrt rsqrt reciprocal exp exp2 expm1 log log1p log2 sin cos tan "
            "tanh pow square floor ceil round sign fmod remainder floor_divide true_divide "
            "bitwise_and bitwise_or bitwise_xor bitwise_not logical_and logical_or logical_not "
            "__and__ __or__ __lshift__ __rshift__ eq ne lt le gt ge isnan isinf erf cumsum cumprod "
            "lerp addcdiv isin leaky_relu hardtanh threshold polar view_as_complex nan_to_num "
            "logical_xor xlogy multiply subtract divide absolute negative clip bucketize "
            "searchsorted _is_all_true nonzero",
        ),
        **_elementwise(2, "addcmul outer cumsum_"),
        **_elementwise(3, "softplus elu hardsigmoid softsign celu selu glu"),
        **_elementwise(4, "sigmoid silu hardswish log_sigmoid swish"),  # negate, exp, add, divide
        **_elementwise(5, "mish"),
        **_elementwise(9, "gelu"),  # tanh form: six products, two sums, tanh
        **_elementwise(SOFTMAX_OPERATIONS, "softmax _softmax log_softmax _log_softmax"),
        **_kind("norm", "rms_norm", 4),  # square, accumulate, scale, weight
        **_kind("norm", "layer_norm native_layer_norm group_norm native_group_norm", 7),
        **_kind("norm", "batch_norm", 2),
        **_reduction(
            1,
            "sum mean amax amin max min argmax argmin prod any all logsumexp topk sort argsort "
            "max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d "
            "count_nonzero bincount histc unique",
        ),
        **_reduction(2, "var std norm linalg_norm linalg_vector_norm var_mean std_mean"),
        **_kind(
            "copy",
            "copy clone cat stack concat concatenate hstack vstack index index_select gather "
            "take_along_dim pad "
            "constant_pad_nd repeat repeat_interleave scatter scatter_add index_add index_put "
            "index_copy masked_scatter roll flip tril triu tile one_hot zeros_like ones_like "
            "full_like new_zeros fill zero expand_copy select_scatter slice_scatter im2col unfold "
            "fold col2im pixel_shuffle pixel_unshuffle diag_embed cross_entropy_loss masked_select "
            "empty_like new_empty new_ones new_full bernoulli upsample_nearest2d dropout "
            "upsample_nearest1d upsample_nearest3d native_dropout",
        ),
        # two linear interpolations each way: three of a product, a product and a sum
        **_kind("copy", "upsample_linear1d", 3),
        **_kind("copy", "upsample_bilinear2d _upsample_bilinear2d_aa grid_sampler", 9),
        **_kind("copy", "upsample_bicubic2d _upsample_bicubic2d_aa", 35),  # five of seven
        **_kind("copy", "embedding_bag _embedding_bag", 31),  # 16 products and their sum: bicubic
        "rope": OperatorRule("rope", 3),  # two multiplications and an addition
        "scan": OperatorRule("scan"),
        "moe.linear": OperatorRule("experts"),
        "moe.combine": OperatorRule("elementwise", 2, per_input=True),  # weight, add
    }
)
