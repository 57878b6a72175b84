"""Useful work is a matter of model and tokens: no device, chunk or cache size changes it."""

from __future__ import annotations

import pytest

import sim

ASKED = {
    "device": "dimensity_9500",
    "model": "andesvl-0.6b",
    "session": {"turns": [{"prompt_tokens": 130, "output_tokens": 9}]},
}
PATHS = {
    "another phone": {"device": "snapdragon_8_elite"},
    "a processor": {"device": "snapdragon_8_elite", "stack": "llamacpp_cpu"},
    "one graph for any length": {"device": "ideal_85gbps_50tflops"},
    "small chunks": {"deployment.prefill_chunk_tokens": 32},
    "a chunk beyond the prompt": {"deployment.prefill_chunk_tokens": 512},
    "a large cache": {"deployment.kv_cache.capacity_tokens": 8192},
}


@pytest.fixture(scope="module")
def found():
    return sim.simulate(ASKED)


@pytest.mark.parametrize("path", PATHS)
def test_no_device_chunk_or_cache_changes_it(path, found):
    other = sim.simulate(ASKED, set=PATHS[path])
    assert other["useful_flops"] == pytest.approx(found["useful_flops"], rel=1e-9)
    assert other["useful_flops"] <= other["flops"] * (1.0 + 1e-9)


def test_without_padding_or_masked_pairs_all_is_useful():
    ideal = sim.simulate(ASKED, set={"device": "ideal_85gbps_50tflops"})
    assert ideal["useful_flops"] == pytest.approx(ideal["flops"], rel=1e-9)


def test_a_padded_chunk_is_executed_and_not_useful(found):
    fits = sim.simulate(ASKED, set={"session.turns.0.prompt_tokens": 128})
    assert found["flops"] > 1.5 * fits["flops"]
    assert found["useful_flops"] < 1.05 * fits["useful_flops"]


@pytest.mark.parametrize("policy", ["okv", "h2o", "tova"])
def test_evicting_never_needs_more_than_runs(policy):
    settings = {
        "session.turns.0.prompt_tokens": 1000,
        "deployment.kv_cache.eviction": {"policy": policy, "keep": 0.3},
    }
    evicted = sim.simulate(ASKED, set=settings)
    assert evicted["useful_flops"] <= evicted["flops"] * (1.0 + 1e-9)


def test_adapters_need_their_own_rank_alone():
    def asked(**lora):
        settings = {"deployment.lora": {"adapters": ["a"], **lora}, "session.turns.0.adapter": "a"}
        return sim.simulate(ASKED, set=settings)

    plain, padded = asked(rank=8), asked(rank=8, compiled_rank=64)
    assert padded["flops"] > plain["flops"]
    assert padded["useful_flops"] == pytest.approx(plain["useful_flops"], rel=1e-9)


def test_a_padded_verify_width_is_not_useful():
    draft = {"method": "eagle", "depth": 5, "acceptance": {"alpha": 0.7}}
    one, other = (
        sim.simulate(ASKED, set={"deployment.speculation": draft, "device": device})
        for device in ("dimensity_9500", "ideal_85gbps_50tflops")
    )
    assert one["flops"] > other["flops"]
    assert one["useful_flops"] == pytest.approx(other["useful_flops"], rel=1e-9)
