"""Operators of encoders and convolutional networks against their closed forms."""

from __future__ import annotations

import pytest

from workloads.extent import Extent
from workloads.models.network_folding import segments_of
from workloads.operators import cost
from workloads.trace import Operator, TensorRef


def tensor(*shape: int, role: str = "activation", name: str = "layer.weight") -> TensorRef:
    sizes = tuple(Extent.of(size) for size in shape)
    weight = (name, "body") if role == "weight" else (None, None)
    return TensorRef(sizes, "float32", role, *weight)


def convolution(given: TensorRef, weight: TensorRef, made: TensorRef, name: str) -> Operator:
    return Operator(f"aten.{name}", "layer", "conv", (given, weight), (made,))


def test_a_dense_convolution_multiplies_each_window_by_each_filter() -> None:
    found = cost(
        convolution(
            tensor(1, 3, 224, 224),
            tensor(32, 3, 7, 7, role="weight"),
            tensor(1, 32, 112, 112),
            "conv2d",
        ),
        {},
    )
    assert found.matmul_flops == 2 * 112 * 112 * 32 * 3 * 7 * 7
    assert found.gemm is not None
    sizes = (found.gemm.batch, found.gemm.m, found.gemm.n, found.gemm.k)
    assert sizes == (1, 112 * 112, 32, 3 * 7 * 7)


@pytest.mark.parametrize("groups", [2, 32, 64])
def test_groups_divide_the_work_of_a_convolution(groups: int) -> None:
    weight = tensor(64, 64 // groups, 3, 3, role="weight")
    found = cost(convolution(tensor(1, 64, 56, 56), weight, tensor(1, 64, 56, 56), "conv2d"), {})
    assert found.matmul_flops == 2 * 56 * 56 * 64 * (64 // groups) * 9
    assert found.gemm is not None
    assert (found.gemm.batch, found.gemm.n) == (groups, 64 // groups)


def test_a_transposed_convolution_makes_a_window_of_each_input_place() -> None:
    weight = tensor(64, 16, 2, 2, role="weight")
    made = tensor(1, 16, 56, 56)
    found = cost(convolution(tensor(1, 64, 28, 28), weight, made, "conv_transpose2d"), {})
    assert found.matmul_flops == 2 * 28 * 28 * 64 * 16 * 4


def test_a_bias_adds_one_operation_to_each_output() -> None:
    plain = convolution(
        tensor(1, 8, 4, 4), tensor(8, 8, 1, 1, role="weight"), tensor(1, 8, 4, 4), "conv2d"
    )
    biased = Operator(
        plain.name, "layer", "conv", (*plain.inputs, tensor(8, role="weight")), plain.outputs
    )
    assert cost(biased, {}).vector_ops - cost(plain, {}).vector_ops == 8 * 4 * 4


@pytest.mark.parametrize(
    ("name", "kind", "each"),
    [
        ("upsample_nearest2d", "copy", 0),
        ("upsample_bilinear2d", "copy", 9),
        ("group_norm", "norm", 7),
        ("softmax", "elementwise", 5),
        ("hardswish", "elementwise", 4),
    ],
)
def test_vector_work_counts_each_output(name: str, kind: str, each: int) -> None:
    made = tensor(1, 8, 64, 64)
    operator = Operator(f"aten.{name}", "layer", kind, (tensor(1, 8, 64, 64),), (made,))
    assert cost(operator, {}).vector_ops == each * 8 * 64 * 64


def block(number: int, width: int = 8) -> list[Operator]:
    weight = tensor(width, 8, 3, 3, role="weight", name=f"blocks.{number}.conv.weight")
    made = tensor(1, 8, 4, 4)
    return [
        Operator("aten.conv2d", f"blocks.{number}.conv", "conv", (made, weight), (made,)),
        Operator("aten.relu", f"blocks.{number}", "elementwise", (made,), (made,)),
    ]


def test_equal_blocks_are_stored_once_and_repeat() -> None:
    listed = [*block(0, 4), *block(1), *block(2), *block(3), *block(4, 4)]
    found = segments_of(listed)
    assert [(part.repeat, len(part.operators)) for part in found] == [(1, 2), (3, 2), (1, 2)]
    assert sum(part.repeat * len(part.operators) for part in found) == len(listed)


def test_blocks_that_share_their_weights_are_not_taken_for_copies() -> None:
    assert [part.repeat for part in segments_of([*block(0), *block(0)])] == [1]
