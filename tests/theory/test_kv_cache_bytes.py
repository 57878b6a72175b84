"""KV-cache sizes against closed forms and the figures of model configurations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import load_scenario
from sim.simulation import simulate
from workloads.errors import WorkloadError
from workloads.kv_cache import (
    KV_FORMAT_IDS,
    KvCache,
    bucket_for,
    get_kv_format,
    visible_tokens,
)
from workloads.trace import kv_elements_per_token

QWEN3_4B = kv_elements_per_token(36, 8, 128)


@pytest.mark.parametrize(
    ("layers", "elements", "kib"), [(28, 57_344, 112), (36, 73_728, 144)]
)  # Qwen3-0.6B and 1.7B; Qwen3-4B
def test_bytes_per_token_of_qwen3(layers, elements, kib):
    assert kv_elements_per_token(layers, 8, 128) == elements
    assert get_kv_format("fp16").bytes_per_token(elements) == kib * 1024
    assert get_kv_format("int8").bytes_per_token(elements) == kib * 512


@pytest.mark.parametrize(("tokens", "mib"), [(4096, 576), (8192, 1152), (131_072, 18 * 1024)])
def test_cache_of_qwen3_4b(tokens, mib):
    assert get_kv_format("int16").size_bytes(tokens, QWEN3_4B) == mib * 2**20
    assert get_kv_format("int8").size_bytes(tokens, QWEN3_4B) == mib * 2**19


def test_llama_3_2_1b_at_64k_is_2_1_gb_only_at_16_bits():
    """2511.07427 quotes 2.1 GB; the formula gives that at fp16, half of it at 8 bits."""
    elements = kv_elements_per_token(16, 8, 64)
    assert get_kv_format("fp16").size_bytes(65_536, elements) == pytest.approx(2.15e9, rel=2e-3)
    assert get_kv_format("int8").size_bytes(65_536, elements) == pytest.approx(1.07e9, rel=4e-3)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("kivi2", 3.0),
        ("kivi2_g128", 2.25),
        ("kivi4_g32", 5.0),
        ("int4", 4.125),
        ("int4_g32", 4.5),
        ("q4_0", 4.5),
        ("q8_0", 8.5),
    ],
)
def test_bits_per_element_with_scales_and_zeros(name, bits):
    assert get_kv_format(name).bits == bits


def test_kivi_keeps_its_newest_tokens_in_16_bits():
    kivi = get_kv_format("kivi2_g128")
    assert kivi.size_bytes(128, 8) == 128 * 8 * 2
    assert kivi.size_bytes(1128, 8) == 128 * 8 * 2 + 1000 * 8 * 2.25 / 8


@given(st.sampled_from(KV_FORMAT_IDS), st.lists(st.integers(0, 10**6), min_size=2))
def test_bytes_grow_with_tokens_and_exceed_16_bits_in_fp32_only(name, tokens):
    ordered = sorted(tokens)
    widest = 256 if name == "fp32" else 128
    sizes = get_kv_format(name).size_bytes(ordered, 64)
    assert np.all(np.diff(sizes) >= 0)
    assert np.all(sizes <= np.asarray(ordered) * widest)


@given(st.lists(st.integers(1, 5000), min_size=1), st.integers(0, 5000))
def test_bucket_is_the_smallest_that_fits(buckets, tokens):
    if tokens > max(buckets):
        with pytest.raises(WorkloadError, match="largest"):
            bucket_for(tokens, buckets)
    else:
        assert bucket_for(tokens, buckets) == min(size for size in buckets if size >= tokens)


def test_static_graphs_read_their_whole_cache():
    live = np.array([100.0, 600.0])
    assert visible_tokens(live, [4096]).tolist() == [4096, 4096]
    assert visible_tokens(live, [512, 4096]).tolist() == [512, 4096]
    assert visible_tokens(live, []).tolist() == [100, 600]


def test_scenario_part_names_the_nearest_format():
    with pytest.raises(ValueError, match="int16"):
        KvCache(dtype="int61")
    cache = KvCache.model_validate({"dtype": "int8", "eviction": {"policy": "okv", "keep": 0.25}})
    assert cache.eviction.kept_tokens(1000) == 250
    with pytest.raises(ValueError, match="snapkv"):
        KvCache.model_validate({"eviction": {"policy": "snap"}})


def test_keys_and_values_of_two_formats_take_the_mean_of_both():
    assert get_kv_format("q8_0+q4_0").bits == (8.5 + 4.5) / 2
    assert get_kv_format("fp16+q8_0").size_bytes(10, 64) == 10 * 64 * (16 + 8.5) / 2 / 8


@pytest.mark.parametrize("stack", ["neuropilot", "litert_gpu"])
def test_the_format_of_the_cache_does_not_touch_an_encoder(stack):
    """An encoder keeps no cache: its attention has the second operand that the stack gives it."""
    seconds = {
        simulate(load_scenario(None, [f"stack={stack}", f"deployment.kv_cache.dtype={dtype}"]))[
            "vision_encode_s"
        ]
        for dtype in ("int4", "int8", "fp16")
    }
    assert len({round(value, 12) for value in seconds}) == 1
