"""DRAM over a session: caches grow or stand, adapters and the vision encoder come and go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import Result, Scenario, simulate
from sim.engine.pricing import Pricing
from sim.engine.residency import LONGEST_TIMELINE, Allocation, ledger
from sim.loading import fault_bytes_per_s, read_s
from workloads.kv_cache import get_kv_format
from workloads.session import Turn

TALK = [{"prompt_tokens": 30, "output_tokens": 4, "at_s": 10.0 * i} for i in range(4)]
SEES = [{**turn, "images_px": [[280, 280]]} for turn in TALK]


def run(session: list[dict[str, Any]], stack: str = "litert_cpu", **parts: Any) -> Result:
    mapping = {"device": "dimensity_9500", "stack": stack, "model": "smollm2-135m"}
    return simulate(Scenario.from_mapping(mapping | {"session": {"turns": session}} | parts))


def held(result: Result, name: str) -> list[float]:
    return [item.by_class.get(name, 0.0) for item in result.ledger.timeline]


def test_a_dynamic_cache_grows_turn_by_turn():
    result = run(TALK)
    kv = get_kv_format("fp16")
    sizes = sorted(set(held(result, "kv_cache")))
    per_token = result.program.kv_bytes_per_token
    live = [34 * turn + tokens for turn in range(4) for tokens in (30, 33)]
    live = [tokens - turn for tokens, turn in zip(live, [0, 0, 1, 1, 2, 2, 3, 3], strict=True)]
    expected = kv.size_bytes(live, 1) / kv.size_bytes(1, 1) * per_token
    assert sizes == pytest.approx(sorted(expected))
    assert result.ledger.peak.cause == "decode of turn 4 (assistant)"
    assert max(sizes) == pytest.approx(result.program.resident_bytes["kv_cache"])


def test_a_fresh_conversation_gives_its_cache_back():
    result = run([{**turn, "fresh": True} for turn in TALK])
    assert len(set(held(result, "kv_cache"))) == 2  # prefill and decode, each time the same


@pytest.mark.parametrize(
    ("stack", "parts"),
    [
        ("neuropilot", {}),
        ("litert_cpu", {"deployment": {"kv_cache": {"capacity_tokens": 512}}}),
    ],
)
def test_static_graphs_and_given_capacities_are_allocated_whole(stack, parts):
    result = run(TALK, stack, **parts)
    assert set(held(result, "kv_cache")) == {result.program.resident_bytes["kv_cache"]}


def test_adapters_come_and_the_least_recently_used_leaves():
    lora = {"rank": 8, "adapters": ["a", "b", "c"], "resident": 2}
    names = ["a", "b", "a", "c", "b", None]
    session = [
        {**TALK[0], "fresh": True, "adapter": name, "at_s": 10.0 * i}
        for i, name in enumerate(names)
    ]
    result = run(session, deployment={"lora": lora})
    each = result.program.resident_bytes["adapters"] / 2
    by_turn = {item.cause: item.by_class["adapters"] / each for item in result.ledger.timeline}
    loaded = [by_turn[f"prefill of turn {i + 1} (assistant)"] for i in range(len(names))]
    assert loaded == pytest.approx([1, 2, 2, 2, 2, 2])
    assert result.flash_read_bytes == pytest.approx(4 * each)  # a, b, c, b again


@pytest.mark.parametrize(("frees", "loads"), [(True, 1), (False, 1), ("reload", 4)])
def test_the_encoder_leaves_and_is_read_again(frees, loads):
    mapping = {"model": "andesvl-0.6b", "deployment": {"free_vision_after_encode": frees}}
    result = run(SEES, "neuropilot", **mapping)
    vision = held(result, "vision")
    arrivals = sum(later > now for now, later in zip([0.0, *vision], vision, strict=False))
    assert arrivals == loads
    assert (vision[-1] == 0.0) == (frees is not False)
    file_bytes = result.flash_read_bytes / (loads - 1) if loads > 1 else 0.0
    assert bool(file_bytes) == (frees == "reload")
    encodes = [group for group in result.groups if group.group.phase == "vision"]
    first_s, later_s = (group.end_s - group.start_s for group in (encodes[0], encodes[1]))
    assert later_s - first_s == pytest.approx(read_s(result.soc, file_bytes), abs=1e-12)


def test_memory_may_run_out_because_a_conversation_grew():
    free = run(TALK)
    budget = int(free.ledger.peak.total_bytes) - 1
    result = run(TALK, environment={"app_budget_bytes": budget})
    assert [turn.outcome for turn in result.turns] == ["done", "done", "done", "killed"]
    assert result.ledger.overflow is not None
    assert result.ledger.overflow.cause == "decode of turn 4 (assistant)"


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "client": st.sampled_from(["one", "two"]),
                "fresh": st.booleans(),
                "at_s": st.floats(0.0, 0.5),
                "output_tokens": st.integers(1, 4),
                "adapter": st.sampled_from(["a", "b", None]),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_left_at_the_end_is_what_conversations_and_adapters_hold(asked):
    turns = [Turn(prompt_tokens=9, **turn).model_dump() for turn in asked]
    result = run(turns, deployment={"lora": {"rank": 4, "adapters": ["a", "b"], "resident": 1}})
    last = {turn.client: index for index, turn in enumerate(result.session.turns)}
    caches = sum(
        max(g.cache_bytes["kv_cache"] for g in result.program.groups[::-1] if g.turn == index)
        for index in last.values()
    )
    end = result.ledger.timeline[-1].by_class
    assert end["kv_cache"] == pytest.approx(caches)
    assert end["activations"] == pytest.approx(0.0, abs=1e-3)
    used = any(turn.adapter for turn in result.session.turns)
    assert end["adapters"] == pytest.approx(used * result.program.resident_bytes["adapters"])
    assert min(min(item.by_class.values()) for item in result.ledger.timeline) >= -1e-3


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**6))
def test_a_long_timeline_is_thinned_and_keeps_its_peak(peak_at):
    count = 3 * LONGEST_TIMELINE
    place = peak_at % count
    sizes = [5.0 if i == place else float(i % 2) for i in range(count)]
    deltas = [now - before for before, now in zip([0.0, *sizes], sizes, strict=False)]
    whole = ledger(
        (Allocation(float(i), "activations", delta) for i, delta in enumerate(deltas)), 1e9
    )
    assert len(whole.timeline) <= 2 * LONGEST_TIMELINE + 1
    assert (whole.peak.at_s, whole.peak.total_bytes) == (float(place), 5.0)
    assert whole.timeline[-1].at_s == count - 1


def test_weights_from_flash_arrive_at_the_rate_of_faults_and_the_rest_at_that_of_dram():
    result = run(TALK[:1])
    group = next(group for group in result.program.groups if group.phase == "decode")
    stack = result.soc.stack(result.stack)
    pairs = [Pricing(result.soc, stack, mapped).group(group) for mapped in (False, True)]
    for parts in zip(*(timed.segments for timed in pairs), strict=True):
        for plain, mapped in zip(*(part.tasks for part in parts), strict=True):
            if plain.is_barrier or not plain.demand.weight_bytes.any():
                continue
            weights, bytes_each = plain.demand.weight_bytes, plain.demand.dram_bytes
            lone_s = (bytes_each - weights) / plain.rate_bytes_per_s
            expected_s = weights / fault_bytes_per_s(result.soc) + lone_s
            assert bytes_each / mapped.rate_bytes_per_s == pytest.approx(expected_s)


def test_an_encoder_that_is_read_again_is_a_barrier_of_that_name():
    result = run(SEES, model="andesvl-0.6b", deployment={"free_vision_after_encode": "reload"})
    loading = {
        (group.phase, task.name)
        for group in result.timed.groups
        for part in group.segments
        for task in part.tasks
        if task.name in ("encoder_load", "adapter_switch") and task.tiles.any()
    }
    assert loading == {("vision", "encoder_load")}
