"""Weight formats against closed forms, published block sizes and hand arithmetic."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.compression import catalogue, get_format, which_mix
from workloads.layout import Layout, binary_entropy

QWEN3_4B = {"body": 3_633_511_936, "lm_head": 388_956_160}

GGML_NAMES = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"]
GGML_NAMES += ["iq2_xxs", "iq2_xs", "iq1_s", "iq1_m", "tq1_0", "tq2_0", "f16", "bf16", "f32"]
GGML_NAMES += ["iq2_s", "iq3_xxs", "iq3_s", "iq4_nl", "iq4_xs", "mxfp4", "nvfp4", "q1_0", "q8_k"]


@pytest.mark.parametrize("name", GGML_NAMES)
def test_block_sizes_are_those_of_the_gguf_package(name):
    constants = pytest.importorskip("gguf.constants")
    weights, size = constants.GGML_QUANT_SIZES[constants.GGMLQuantizationType[name.upper()]]
    stored = get_format(name)
    assert stored.traffic_bytes(1, weights) == size
    assert stored.traffic_bits == size * 8 / weights


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("w4", 4.0),
        ("w4_g128_z", 4.15625),  # AWQ and GPTQ: fp16 scale and 4-bit zero
        ("w4_g64_z16", 4.5),  # fp16 scale and fp16 zero
        ("w4_g32", 4.5),
        ("q4_k", 4.5),  # ggml tables
        ("tq2_0", 2.0625),
        ("tq1_0", 1.6875),
        ("bitnet", 2.0),
        ("bitnet_ideal", math.log2(3)),
        ("sherry", 1.25),  # arXiv 2601.07892
        ("sparse75_int4_bitmap", 2.0),
        ("sparse75_int3_bitmap", 1.75),
        ("sparse77_int4_entropy", 1.698),
        ("sparse80_int8_entropy", 2.322),
        ("bpw1.8", 1.8),
    ],
)
def test_nominal_bits(name, bits):
    assert get_format(name).traffic_bits == pytest.approx(bits, abs=5e-4)


def test_three_readings_of_1_8_bits_per_weight():
    ideal = binary_entropy(0.25) + 0.25 * math.log2(15)
    assert ideal == pytest.approx(1.788, abs=5e-4)
    assert get_format("sparse75_int4_entropy").traffic_bits == pytest.approx(1.8113, abs=5e-5)
    assert get_format("w2_entropy").traffic_bits == pytest.approx(1.810, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "cuts"), [("w2_entropy", (-1.5, -0.5, 0.5)), ("w2_entropy_symmetric", (-1, 0, 1))]
)
def test_four_level_entropy_of_a_normal_variable(name, cuts):
    cumulative = [0.0, *(0.5 * (1 + math.erf(cut / math.sqrt(2))) for cut in cuts), 1.0]
    masses = [high - low for low, high in itertools.pairwise(cumulative)]
    entropy = -math.fsum(mass * math.log2(mass) for mass in masses)
    assert get_format(name).traffic_bits == pytest.approx(entropy, rel=1e-12)


@pytest.mark.parametrize(("bits", "megabytes"), [(16, 8044.9), (4, 2011.2), (1.8, 905.1)])
def test_weight_bytes_of_a_pass_over_qwen3_4b(bits, megabytes):
    stored = get_format(f"bpw{bits}")
    assert stored.traffic_bytes(1, sum(QWEN3_4B.values())) / 1e6 == pytest.approx(
        megabytes, abs=0.05
    )


def test_head_in_int8_costs_a_third_more_than_all_at_1_8():
    """Qwen3-4B: 0.905 GB per pass with everything at 1.8 bits, 1.206 GB with the head in int8."""
    body, head = QWEN3_4B.values()
    everything = get_format("bpw1.8").traffic_bytes(1, body + head)
    with_head = get_format("bpw1.8").traffic_bytes(1, body) + get_format("bpw8").traffic_bytes(
        1, head
    )
    assert with_head / 1e9 == pytest.approx(1.206, abs=1e-3)
    assert with_head / everything == pytest.approx(1.33, abs=5e-3)


def test_row_scale_and_group_padding_by_hand():
    assert get_format("w4").traffic_bytes(10, 100) == 10 * (100 * 4 + 16) // 8
    assert get_format("w4_g128").traffic_bytes(10, 129) == 10 * 2 * (128 * 4 + 16) // 8
    assert get_format("q4_k").file_bytes(3, 257) == 3 * 2 * 144


def test_unpacking_at_load_saves_flash_but_no_traffic():
    unpacked = get_format("sparse75_int4_entropy_unpacked")
    assert unpacked.traffic_bits == unpacked.resident_bits == 4.0
    assert unpacked.file_bits == get_format("sparse75_int4_entropy").file_bits
    assert unpacked.file_bytes(64, 64) < unpacked.traffic_bytes(64, 64)


@given(st.integers(1, 40), st.integers(1, 3000), st.sampled_from(sorted(catalogue())))
def test_bytes_never_undercut_the_nominal_bits_and_add_over_rows(rows, cols, name):
    stored = get_format(name)
    size = stored.traffic_bytes(rows, cols)
    assert size >= rows * cols * stored.traffic.weight_bits / 8
    assert size <= stored.traffic_bytes(1, cols) * rows
    assert stored.traffic_bytes(rows, cols + 1) >= size


@given(st.floats(0.01, 0.99))
def test_entropy_coding_never_loses_to_a_bitmap(sparsity):
    bits = {
        mask: Layout(value_bits=4, sparsity=sparsity, mask=mask).nominal_bits
        for mask in ("bitmap", "entropy")
    }
    assert bits["entropy"] <= bits["bitmap"]
    assert binary_entropy(sparsity) == pytest.approx(binary_entropy(1 - sparsity))


def test_which_mix_enumerates_every_assignment_and_keeps_what_is_fixed():
    names = ["w2", "w4", "sparse75_int4_entropy"]
    found = which_mix(2.41, QWEN3_4B, names, fixed={"lm_head": "w8"}, count=9)
    assert len(found) == 3
    assert found[0].formats == {"body": "sparse75_int4_entropy", "lm_head": "w8"}
    mean = (QWEN3_4B["body"] * 1.811278 + QWEN3_4B["lm_head"] * 8) / sum(QWEN3_4B.values())
    assert found[0].bits == pytest.approx(mean, rel=1e-6)
    assert len(which_mix(1.8, QWEN3_4B, names, count=99)) == 9
