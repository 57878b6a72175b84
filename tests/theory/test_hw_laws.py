"""Cost laws of compute, DRAM, flash and power against closed forms and published points."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.compute import (
    matrix_seconds,
    precision_key,
)
from hw_models.dram import (
    granularity_efficiency,
    mix_efficiency,
)
from hw_models.errors import HardwareError
from hw_models.flash import read_seconds
from hw_models.power import compute_energy_j, dram_energy_j, leakage_w

sizes = st.integers(1, 20_000)
tiles = st.tuples(*[st.sampled_from([1, 4, 8, 16, 32, 64])] * 3)
rates = st.floats(1e9, 1e14)
RAMULATOR = {"read_only": 0.933, "read_80": 0.822, "read_50": 0.704}
UFS = {"sequential_bytes_per_s": 4e9, "random_4k_bytes_per_s": 2e8, "latency_s": 1e-4}


@given(sizes, sizes, sizes, rates)
def test_without_tiles_a_product_takes_its_flops_over_the_rate(m, n, k, rate):
    assert matrix_seconds(m, n, k, rate_flops_per_s=rate) == pytest.approx(2 * m * n * k / rate)


@given(sizes, sizes, sizes, tiles, rates)
def test_tiles_cost_what_they_pad(m, n, k, tile, rate):
    tiled = matrix_seconds(m, n, k, rate_flops_per_s=rate, tile=tile)
    ideal = matrix_seconds(m, n, k, rate_flops_per_s=rate)
    padding = [
        math.ceil(size / side) * side / size for size, side in zip((m, n, k), tile, strict=True)
    ]
    assert tiled == pytest.approx(ideal * math.prod(padding))


def test_time_is_a_staircase_in_the_rows_of_the_tile():
    """Verifying up to 32 tokens costs the matrix engine what one costs (arXiv 2509.23324)."""
    rows = np.arange(1, 97)
    seconds = matrix_seconds(rows, 2048, 2048, rate_flops_per_s=12.03e12, tile=(32, 32, 32))
    assert seconds == pytest.approx(np.ceil(rows / 32) * seconds[0])
    assert seconds[0] == pytest.approx(32 * 2 * 2048 * 2048 / 12.03e12)


@given(st.floats(0.1, 1.0), rates)
def test_efficiency_divides_the_rate(efficiency, rate):
    whole = matrix_seconds(64, 64, 64, rate_flops_per_s=rate)
    part = matrix_seconds(64, 64, 64, rate_flops_per_s=rate, efficiency=efficiency)
    assert part * efficiency == pytest.approx(whole)


@given(st.sampled_from(["int8", "int16"]), st.floats(1, 16))
def test_a_chosen_precision_is_wide_enough_and_none_narrower_would_do(activation, weight_bits):
    widths = {"a8w4": (8, 4), "a8w8": (8, 8), "a16w4": (16, 4), "a16w8": (16, 8), "fp16": (16, 16)}
    chosen = precision_key(activation, weight_bits, widths)
    needed = (int(activation[3:]), weight_bits)
    fitting = [pair for pair in widths.values() if pair[0] >= needed[0] and pair[1] >= needed[1]]
    assert widths[chosen] == min(fitting)


@pytest.mark.parametrize(
    ("activation", "bits", "available", "key"),
    [
        ("fp16", 4, ["a16w4", "a16w16", "fp16"], "fp16"),
        ("bf16", 4, ["fp16", "bf16", "fp32"], "bf16"),
        ("fp16", 4, ["bf16"], "bf16"),
        ("fp32", 32, ["fp16", "fp32"], "fp32"),
        ("fp16", 16, ["fp32", "a16w16"], "fp32"),
        ("int16", 16, ["fp16", "a16w16"], "a16w16"),
        ("int16", 4, ["a8w8", "fp16"], "fp16"),
    ],
)
def test_floating_point_never_runs_on_integers(activation, bits, available, key):
    assert precision_key(activation, bits, available) == key


def test_no_wide_enough_precision_is_an_error():
    with pytest.raises(HardwareError, match="precision must hold fp32 activations"):
        precision_key("fp32", 4, ["fp16", "a16w4"])


@given(st.floats(0, 1))
def test_the_mix_is_linear_between_its_points_and_never_beyond_them(share):
    efficiency = mix_efficiency(share, **RAMULATOR)
    assert 0.704 <= efficiency <= 0.933
    if share >= 0.8:
        assert efficiency == pytest.approx(0.822 + (share - 0.8) / 0.2 * (0.933 - 0.822))


@given(st.floats(1, 1e9), st.floats(1, 1e6))
def test_small_requests_cost_a_fixed_extra(request_bytes, row_bytes):
    """g / (g + g_half) is the rate when each request costs the time of g_half more bytes."""
    efficiency = granularity_efficiency(request_bytes, row_bytes)
    assert request_bytes / efficiency == pytest.approx(request_bytes + row_bytes)


@given(st.floats(1e6, 1e10))
def test_large_requests_stream_at_the_sequential_rate(read_bytes):
    seconds = read_seconds(read_bytes, read_bytes, **UFS, queue_depth=1)
    assert seconds == pytest.approx(1e-4 + read_bytes / 4e9)


@given(st.integers(1, 64))
def test_small_reads_gain_from_the_queue_until_the_request_rate_binds(depth):
    count = 10_000
    seconds = read_seconds(4096 * count, 4096, **UFS, queue_depth=depth)
    share_s = 4096 / 4e9 + 1e-4 / depth
    assert seconds >= count * 4096 / 2e8
    assert seconds == pytest.approx(count * max(4096 / 2e8, share_s), rel=0.01)


def test_a_request_begun_is_a_request_read():
    assert read_seconds(4097.0, 4096, **UFS) == read_seconds(8192.0, 4096, **UFS)


def test_nothing_takes_no_time_and_laws_broadcast():
    assert read_seconds(0.0, 4096, **UFS, queue_depth=8) == 0
    rate = 4096 * 1000 / read_seconds(4096 * 1000, 4096, **UFS | {"latency_s": 0.0})
    assert rate == pytest.approx(2e8, rel=1e-12), "the 4 KiB rate is reached, not passed"
    several = read_seconds(np.array([0.0, 4096.0, 8192.0]), 4096, **UFS)
    assert several[2] == pytest.approx(2 * several[1])


@given(st.floats(0, 1e10), st.floats(0, 1e-10))
def test_energies_are_proportional(amount, unit_energy):
    assert dram_energy_j(amount, unit_energy) == pytest.approx(8 * amount * unit_energy)
    assert compute_energy_j(amount, unit_energy) == pytest.approx(amount * unit_energy)


@given(st.floats(-20, 95))
def test_leakage_doubles_per_doubling_temperature(die_c):
    assert leakage_w(die_c + 30, 0.15, 30) == pytest.approx(2 * leakage_w(die_c, 0.15, 30))
    assert leakage_w(25.0, 0.15, 30) == 0.15
    assert leakage_w(1000.0, 0.15, 30) == leakage_w(125.0, 0.15, 30)
