"""Eviction policies: counts and costs against closed forms; properties all of them share."""

import itertools
import typing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.eviction import AttentionShape, Eviction
from workloads.eviction_policies import (
    EvictionPolicy,
    H2o,
    LocalSnapKv,
    Okv,
    PyramidKv,
    Quest,
    SlidingWindow,
    SnapKv,
    Tova,
)
from workloads.kv_cache import get_kv_format
from workloads.trace import kv_elements_per_token

ELEMENTS = kv_elements_per_token(36, 8, 128)
QWEN3_4B = AttentionShape(layers=36, heads=32, head_dim=128, kv_bytes_per_token=2 * ELEMENTS)
POLICIES = [policy() for policy in typing.get_args(EvictionPolicy)]
STEPS = np.arange(300)


@pytest.mark.parametrize(("dtype", "gain"), [("int8", 1.14), ("fp16", 1.25)])
def test_half_the_cache_at_1_8_bits_per_weight(dtype, gain):
    """Qwen3-4B, 4096 tokens, 905 MB of weights: bytes per step fall by x1.14 and x1.25."""
    cache = get_kv_format(dtype)
    kept = Okv(keep=0.5).retained_tokens(4096, 0)
    full, half = (905e6 + cache.size_bytes(tokens, ELEMENTS) for tokens in (4096, kept))
    assert full / half == pytest.approx(gain, abs=5e-3)


def test_snapkv_work_by_hand():
    work = SnapKv(budget_tokens=1024).prefill_work(16_384, 128, QWEN3_4B)
    assert work.scoring_flops == 2 * 32 * 16_384 * 32 * 128 * 36
    assert work.scoring_read_bytes == 16_384 * ELEMENTS  # K only, 2 bytes an element
    assert work.compaction_bytes == 2 * 1024 * 2 * ELEMENTS
    assert (
        SnapKv(budget_tokens=1024, rereads_keys=False)
        .prefill_work(16_384, 128, QWEN3_4B)
        .scoring_read_bytes
        == 0
    )


def test_prefill_end_eviction_does_not_lower_the_peak():
    for policy in (SnapKv(), PyramidKv(), Okv(), H2o(), Tova(), Quest()):
        assert policy.peak_prefill_tokens(5000, 128) == 5000


def test_bounded_policies_do():
    local = LocalSnapKv(cache_tokens=1024)
    assert local.peak_prefill_tokens(5000, 128) == 1024 + 128
    assert SlidingWindow(window=512).peak_prefill_tokens(5000, 128) == 4 + 512 + 128


def test_prefill_end_grows_again_in_decode():
    assert np.array_equal(Okv().retained_tokens(1000, STEPS), 500 + STEPS)


def test_sliding_window_saturates():
    kept = SlidingWindow(window=100, sinks=4).retained_tokens(50, STEPS)
    assert kept[0] == 50
    assert kept.max() == kept[-1] == 104


def test_h2o_holds_a_fifth_of_the_prompt():
    assert set(H2o().retained_tokens(1000, STEPS)) == {200}


def test_batched_eviction_amortises_its_compaction():
    policy = Tova(budget_tokens=100, evict_batch=8)
    kept = policy.retained_tokens(100, STEPS)
    assert (kept.min(), kept.max()) == (100, 107)
    moved = policy.decode_work(100, STEPS, QWEN3_4B).compaction_bytes
    assert moved[8] == 2 * 100 * QWEN3_4B.kv_bytes_per_token / 8
    in_place = Tova(budget_tokens=100).decode_work(100, STEPS, QWEN3_4B)
    assert not np.any(in_place.compaction_bytes)
    assert np.all(in_place.scoring_flops == 100 * 32 * 36)


@pytest.mark.parametrize("policy", [SnapKv, H2o])
@pytest.mark.parametrize(("keep", "prompt", "kept"), [(0.55, 100, 55), (0.07, 900, 63)])
def test_a_share_that_is_a_whole_number_keeps_just_that(policy, keep, prompt, kept):
    """In binary 0.55 * 100 is a little more than 55."""
    assert policy(keep=keep).retained_tokens(prompt, 0) == kept


def test_quest_reads_less_and_stores_all():
    """Traffic fraction 1/page + budget/S."""
    policy = Quest(page=16, budget_tokens=1024)
    assert policy.retained_tokens(16_384, 0) == 16_384
    fraction = policy.loaded_tokens(16_384, 0) / 16_384
    assert fraction == pytest.approx(1 / 16 + 1024 / 16_384)
    assert policy.loaded_tokens(1000, 0) == 1000


@pytest.mark.parametrize(("prompt", "passes"), [(1024, 0), (1025, 1), (2048, 8), (2049, 9)])
def test_local_snapkv_gathers_after_every_chunk_past_its_bound(prompt, passes):
    work = LocalSnapKv(cache_tokens=1024).prefill_work(prompt, 128, QWEN3_4B)
    assert work.compaction_bytes == passes * 2 * 1024 * QWEN3_4B.kv_bytes_per_token


def test_local_snapkv_gathers_in_every_step_once_full():
    moved = LocalSnapKv(cache_tokens=1024).decode_work(1000, STEPS, QWEN3_4B).compaction_bytes
    assert np.count_nonzero(moved) == np.count_nonzero(1000 + STEPS > 1024)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.policy)
@given(prompt=st.integers(1, 20_000), chunk=st.integers(1, 512))
def test_no_policy_keeps_more_than_there_is_or_costs_less_than_nothing(policy, prompt, chunk):
    kept = policy.retained_tokens(prompt, STEPS)
    assert np.all(kept <= prompt + STEPS)
    assert np.all(kept > 0)
    assert np.all(policy.loaded_tokens(prompt, STEPS) <= kept)
    assert policy.retained_tokens(prompt, 0) <= policy.peak_prefill_tokens(prompt, chunk) <= prompt
    for work in (
        policy.prefill_work(prompt, chunk, QWEN3_4B),
        policy.decode_work(prompt, STEPS, QWEN3_4B),
    ):
        parts = (work.scoring_flops, work.scoring_read_bytes, work.compaction_bytes)
        assert all(np.all(np.asarray(part) >= 0) for part in parts)


def test_only_keeping_everything_is_free():
    for policy in POLICIES:
        work = policy.prefill_work(100_000, 128, QWEN3_4B)
        steps = policy.decode_work(100_000, STEPS, QWEN3_4B)
        parts = itertools.chain.from_iterable(
            np.atleast_1d(part)
            for effort in (work, steps)
            for part in (effort.scoring_flops, effort.compaction_bytes)
        )
        scores = {type(policy).prefill_work, type(policy).decode_work}
        free = scores == {Eviction.prefill_work, Eviction.decode_work}  # chosen by place alone
        assert any(parts) != free
