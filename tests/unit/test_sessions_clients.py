"""Sessions: arrivals, clients, background, cold start, and what the session summary says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.soc import load_soc
from sim import Result, Scenario, load_scenario, simulate
from sim.engine.loads import loads
from sim.engine.pricing import Pricing
from sim.errors import SimError
from sim.evidence.exhibits import load_exhibits
from sim.loading import cold_start, read_s
from sim.validation.heat import thermal_exhibit, thermal_text
from workloads.arrivals import arrival_times, expanded
from workloads.background import get_background
from workloads.errors import WorkloadError
from workloads.scenario import BackgroundAt, Environment, scenario_ids
from workloads.session import Bursts, Poisson, Session


def streams(seed: int = 0) -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(seed), np.random.default_rng(seed + 1)


def chat(**parts: object) -> Scenario:
    given = {"device": "dimensity_9500", "model": "smollm2-135m", **parts}
    return Scenario.from_mapping(given)


def test_poisson_gaps_have_the_mean_and_spread_of_an_exponential():
    times_s = list(
        arrival_times(Poisson(process="poisson", per_s=2.0), 5000.0, np.random.default_rng(1))
    )
    gaps_s = np.diff(times_s)
    assert gaps_s.mean() == pytest.approx(0.5, rel=0.03)
    assert gaps_s.std() == pytest.approx(0.5, rel=0.05)


@given(st.integers(1, 6), st.floats(0.0, 3.0))
def test_bursts_come_whole_and_in_order(size, spacing_s):
    process = Bursts(process="bursts", per_s=0.01, size=size, spacing_s=spacing_s)
    times_s = list(arrival_times(process, 10_000.0, np.random.default_rng(2)))
    assert times_s == sorted(times_s)
    starts_s = list(
        arrival_times(Poisson(process="poisson", per_s=0.01), 10_000.0, np.random.default_rng(2))
    )
    assert len(times_s) == pytest.approx(size * len(starts_s), abs=size)


def test_one_client_does_not_change_what_another_asks():
    keyboard = {
        "turns": [{"prompt_tokens": 9}],
        "arrivals": {"process": "poisson", "per_s": 1.0},
        "length_spread": 0.5,
    }
    assistant = {**keyboard, "turns": [{"prompt_tokens": 90}]}
    alone = Session.model_validate({"until_s": 50, "clients": {"keyboard": keyboard}})
    both = Session.model_validate(
        {"until_s": 50, "clients": {"keyboard": keyboard, "assistant": assistant}}
    )
    mine = [turn for turn in expanded(both, *streams()).turns if turn.client == "keyboard"]
    assert mine == list(expanded(alone, *streams()).turns)
    assert len({turn.prompt_tokens for turn in mine}) > 3


def test_turns_of_a_client_stay_in_order_and_are_all_listed():
    session = Session.model_validate(
        {
            "clients": {
                "a": {"turns": [{"at_s": 5}, {"at_s": 1, "prompt_tokens": 3}]},
                "b": {"turns": [{"at_s": 2}]},
            }
        }
    )
    listed = expanded(session, *streams()).turns
    assert [(turn.client, turn.at_s) for turn in listed] == [("a", 1), ("b", 2), ("a", 5)]
    assert expanded(listed_only := Session(turns=listed), *streams()) is listed_only


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ({}, "either turns or clients"),
        (
            {"clients": {"a": {"turns": [{}], "arrivals": {"process": "poisson", "per_s": 1}}}},
            "until",
        ),
        ({"turns": [{}], "queue": {"limt": 3}}, "limit"),
        ({"clients": {"a": {"turns": [{}], "arrivals": {"process": "poison"}}}}, "poisson"),
    ],
)
def test_faults_of_a_session_are_told(session, words):
    with pytest.raises(WorkloadError, match=words):
        chat(session=session)


@pytest.mark.parametrize("turn", [{"at_s": 10.0}, {"think_s": 10.0}])
def test_a_session_in_which_nobody_asks_is_refused(turn):
    late = {"until_s": 5.0, "turns": [turn, {"at_s": 0.0}]}
    with pytest.raises(SimError, match=r"at least one turn before until_s\. Got the first at 10 s"):
        simulate(chat(session=late))


def test_the_first_reply_is_that_of_the_first_turn_that_ran():
    turns = [{"prompt_tokens": tokens, "output_tokens": 2} for tokens in (9, 200, 9)]
    queue = {"limit": 1, "when_full": "drop_oldest"}
    result = simulate(chat(session={"turns": turns, "queue": queue}))
    assert [turn.outcome for turn in result.turns] == ["dropped", "done", "done"]
    first = result.first_reply()
    assert [turn.index for turn in first.turns] == [1]
    assert first.session.turns[0].prompt_tokens == 200
    assert first.summary().time_to_first_token_s > 0.0
    assert result.session_summary().verdict.startswith("Overloaded: turns ask all at once.")


def test_unknown_shipped_scenarios_name_the_nearest():
    with pytest.raises(WorkloadError, match="assistant_burst"):
        load_scenario("assistant_bursts")
    assert "gui_agent_ten_minutes" in scenario_ids()


@pytest.mark.parametrize("profile", ["scrolling", "video_call", "game"])
def test_every_number_of_a_profile_has_a_source_and_a_range(profile):
    for name, item in get_background(profile):
        if hasattr(item, "kind"):
            assert item.source, name
            assert item.low <= item.value <= item.high, name


def test_a_schedule_of_other_apps_is_followed_and_bursts_are_seeded():
    schedule = (
        BackgroundAt(at_s=10.0, profile="scrolling"),
        BackgroundAt(at_s=200.0, profile="idle"),
    )
    first, again = (list(loads(schedule, np.random.default_rng(5))) for _ in range(2))
    assert first == again
    assert (first[0].at_s, first[0].background) == (0.0, None)
    assert (first[1].at_s, first[-1].at_s) == (10.0, 200.0)
    assert [load.background is None for load in first[1:-1]] == [
        bool(i % 2) for i in range(len(first) - 2)
    ]
    assert len(list(loads(Environment().schedule, np.random.default_rng(5)))) == 1


def test_other_apps_take_memory_power_and_host_time():
    session = {"turns": [{"prompt_tokens": 20, "output_tokens": 10}]}
    alone, beside = (
        simulate(chat(session=session, environment={"background": name}))
        for name in ("idle", "game")
    )
    game = get_background("game")
    assert alone.ledger.budget_bytes - beside.ledger.budget_bytes == game.memory_bytes.value
    assert beside.energy.background_j == pytest.approx(game.power_w.value * beside.makespan_s)
    assert beside.makespan_s > alone.makespan_s


def test_transfers_of_the_npu_wait_only_where_they_need_more_of_the_bus_than_the_display_leaves():
    """A lone transfer asks for the share ``rate / bus`` of bus time; tiny requests ask for all."""
    session = {"turns": [{"prompt_tokens": 20, "output_tokens": 10}]}
    alone, beside = (
        simulate(chat(session=session, environment={"background": name}))
        for name in ("idle", "game")
    )
    pricing = Pricing(alone.soc, alone.soc.stack("neuropilot"))
    asked = {
        (group.phase, task.name): float(np.max(task.rate_bytes_per_s / task.bus_bytes_per_s))
        for group in pricing.program(alone.program).groups
        for segment in group.segments
        for task in segment.tasks
    }
    memory, display = alone.soc.dram, get_background("game").display_bytes_per_s.value
    left = 1.0 - display / (memory.peak_bytes_per_s * memory.efficiency.read_80.value)
    records = alone.records
    keys = zip(records["phase"].tolist(), records["name"].tolist(), strict=True)
    slower = np.array([max(1.0, asked[key] / left) for key in keys])
    assert (slower > 1.0).any()
    np.testing.assert_allclose(beside.records["dram_s"], records["dram_s"] * slower, rtol=1e-9)


def test_a_cold_start_reads_the_file_and_opens_the_graphs():
    """Literature row D4: 1.2 GB from UFS 4 takes 0.3 to 0.4 s, graphs apart."""
    soc = load_soc("dimensity_9500")
    stack = soc.stack()
    parts = cold_start(soc, stack, 1.2e9)
    assert 0.28 < parts.read_s < 0.42
    assert stack.graph_init_s is not None
    assert parts.graph_init_s == stack.graphs_per_step.value * stack.graph_init_s.value
    assert parts.total_s == parts.read_s + parts.graph_init_s > parts.read_s
    assert read_s(soc, 2.4e9) == pytest.approx(2 * parts.read_s, rel=1e-3)


@pytest.fixture(scope="module")
def session() -> Result:
    clients = {
        "agent": {
            "turns": [{"prompt_tokens": 60, "output_tokens": 5}],
            "arrivals": {"process": "closed", "think_s": 2.0, "count": 4},
        },
        "keyboard": {
            "priority": 0,
            "turns": [{"prompt_tokens": 9, "output_tokens": 2, "fresh": True}],
            "arrivals": {"process": "recorded", "times_s": [0.0, 0.05, 3.0]},
        },
    }
    return simulate(chat(session={"clients": clients}))


def test_a_closed_loop_asks_its_think_time_after_the_reply(session):
    agent = [turn for turn in session.turns if turn.client == "agent"]
    for before, after in pairwise(agent):
        assert after.arrived_s == pytest.approx(before.end_s + 2.0)


def test_conversations_grow_unless_fresh(session):
    prefills = [times for times in session.groups if times.group.phase == "prefill"]
    live = {times.group.turn: times.group.live_tokens[-1] for times in prefills}
    agent = [live[turn.index] for turn in session.turns if turn.client == "agent"]
    keyboard = [live[turn.index] for turn in session.turns if turn.client == "keyboard"]
    assert np.diff(agent).tolist() == [64.0] * 3
    assert keyboard == [9.0] * 3


def test_the_session_summary_adds_up(session):
    summary = session.session_summary()
    assert summary.verdict == "All 7 turns were answered."
    assert {row.client: row.asked for row in summary.clients} == {"agent": 4, "keyboard": 3}
    for row in summary.clients:
        assert sum(row.outcomes.values()) == row.asked
        assert row.wait_s["p95"] <= row.first_token_s["p95"] <= row.reply_s["p95"]
    assert summary.battery_share == pytest.approx(session.energy.total_j / (19.25 * 3600))
    assert 0.0 < summary.busy_share < 1.0


def test_frames_have_a_row_per_turn_step_and_reading(session):
    assert len(session.to_turn_frame()) == 7
    steps = session.to_step_frame()
    assert len(steps) == session.steps
    assert steps["tokens"].sum() == session.summary().output_tokens
    assert len(session.to_heat_frame()) == int(session.makespan_s // 7.0)


def test_a_long_session_compiles_equal_turns_once():
    turns = [{"prompt_tokens": 30, "output_tokens": 4, "fresh": True} for _ in range(40)]
    groups = simulate(chat(session={"turns": turns})).program.groups
    assert len(groups) == 80
    assert len({id(group.segments) for group in groups}) == 2


def test_the_thermal_exhibit_has_a_row_for_every_published_instant():
    exhibits = [exhibit for exhibit in load_exhibits() if exhibit.series]
    rows = [row for exhibit in exhibits for row in thermal_exhibit(exhibit)]
    starts = {point.run: point.time_s for exhibit in exhibits for point in exhibit.series[::-1]}
    published = sum(
        (point.tokens_per_s is not None) + (point.skin_c is not None)
        for exhibit in exhibits
        for point in exhibit.series
        if point.time_s > starts[point.run]
    )
    assert len(rows) == published + 1  # and the time constant of the body
    fractions = [row for row in rows if row.quantity == "fraction"]
    assert all(0.0 < row.simulated <= 1.0 for row in fractions)
    npu = [row for row in fractions if row.run == "galaxy_s25_ultra_npu"]
    assert [row.simulated for row in npu] == [row.measured for row in npu] == [1.0]
    assert len(thermal_text(rows).splitlines()) == len(rows) + 1
