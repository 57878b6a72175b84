"""Bytes, tokens, joules and heat are conserved across preemption, throttling and out-of-memory."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.engine.times import GroupTimes
from sim.heat.phone import Load, Phone

FAST_HEAT = load_soc("dimensity_9500").with_values(
    {"thermal.governor.sensor_period_s": 0.1, "thermal.body.heat_capacity": 2.0}
)


HOT_DIE = FAST_HEAT.with_values(
    {
        "thermal.die_governor.trip_c": 44.0,
        "thermal.die_governor.sensor_period_s": 0.25,
        "thermal.die.heat_capacity": 0.05,
    }
)


def run(
    environment: dict[str, Any], session: dict[str, Any], seed: int = 0, phone: SocSpec = FAST_HEAT
) -> Result:
    mapping = {
        "device": "dimensity_9500",
        "model": "smollm2-135m",
        "environment": environment,
        "session": session,
    }
    return simulate(Scenario.from_mapping(mapping), soc=phone, seed=seed)


def sessions(per_s: float, preemption: str, limit: int | None) -> dict[str, Any]:
    return {
        "until_s": 2.0,
        "queue": {"preemption": preemption, "limit": limit},
        "clients": {
            "agent": {
                "turns": [{"prompt_tokens": 140, "output_tokens": 6, "fresh": True}],
                "arrivals": {"process": "closed", "think_s": 0.1, "count": 4},
            },
            "keyboard": {
                "priority": 0,
                "turns": [{"prompt_tokens": 8, "output_tokens": 2, "fresh": True}],
                "arrivals": {"process": "bursts", "per_s": per_s, "size": 3, "spacing_s": 0.01},
            },
        },
    }


def assert_conserved(result: Result) -> None:
    ran = [times.group for times in result.groups]
    records, summary = result.records, result.summary()
    for column in ("read_bytes", "write_bytes", "flops"):
        name = column if column == "flops" else f"dram_{column}"
        asked = sum(group.total(column) for group in ran)
        assert records[name].sum() == pytest.approx(asked, rel=1e-9)
        assert summary.as_dict()[name] == pytest.approx(asked, rel=1e-9)
    done = {turn.index for turn in result.turns if turn.outcome == "done"}
    delivered = sum(result.session.turns[index].output_tokens for index in done)
    assert summary.output_tokens >= delivered
    assert sum(result.energy.parts().values()) == pytest.approx(summary.energy_j, rel=1e-12)
    joules = summary.energy_j - result.energy.flash_j
    charged_j = result.scenario.environment.charging_heat_w * result.makespan_s
    whole = all(outcome != "killed" for outcome in (turn.outcome for turn in result.turns))
    # a turn that memory ended between two steps has heated by the mean of its group
    assert result.heat.heat_j - charged_j == pytest.approx(joules, rel=1e-9 if whole else 0.05)
    spans = sorted(
        span for times in result.groups for span in zip(times.starts_s, times.ends_s, strict=True)
    )
    assert all(later[0] >= now[1] - 1e-9 for now, later in pairwise(spans))


@given(st.lists(st.tuples(st.floats(0.0, 8.0), st.floats(0.01, 1.5)), min_size=1, max_size=6))
def test_the_powers_of_the_readings_are_the_heat_between_them(pieces):
    """Whatever runs, and however briefly: no reading shows a moment for the whole."""
    phone = Phone(FAST_HEAT, 25.0, iter([Load(0.0, None)]))
    heats, end_s = [], 0.0
    for power_w, seconds in pieces:
        phone.run(lambda _, power_w=power_w: power_w, end_s)
        end_s += seconds
        while phone.next_change_s <= end_s:
            phone.advance(phone.next_change_s)
            heats += [phone.heat_j] * (len(phone.readings) - len(heats))
        phone.advance(end_s)
    at_s = [0.0, *(reading.at_s for reading in phone.readings)]
    joules = np.diff(at_s) * [reading.power_w for reading in phone.readings]
    assert np.cumsum(joules) == pytest.approx(np.array(heats))


@settings(max_examples=12, deadline=None)
@example(4.0, "step", None, 41.0, "idle", 0.0, HOT_DIE)  # clocks change inside groups
@example(5.5, "step", None, 41.0, "idle", 0.0, HOT_DIE)
@given(
    st.floats(0.5, 6.0),
    st.sampled_from(["step", "turn"]),
    st.sampled_from([None, 1]),
    st.sampled_from([5.0, 41.0]),
    st.sampled_from(["idle", "game"]),
    st.sampled_from([0.0, 4.0]),
    st.sampled_from([FAST_HEAT, HOT_DIE]),
)
def test_preemption_throttling_and_other_apps_lose_nothing(
    per_s, preemption, limit, ambient_c, background, charging_w, phone
):
    environment = {
        "ambient_c": ambient_c,
        "background": background,
        "charging_heat_w": charging_w,
    }
    result = run(environment, sessions(per_s, preemption, limit), phone=phone)
    assert_conserved(result)
    assert all(times.group.steps == len(times.ends_s) for times in result.groups)


@pytest.mark.parametrize("share", [0.05, 0.999])
def test_a_run_that_memory_ends_keeps_what_it_did(share):
    session = sessions(2.0, "step", None)
    peak = run({}, session).summary().peak_dram_bytes
    result = run({"app_budget_bytes": int(peak * share)}, session)
    assert not result.fits
    assert "killed" in {turn.outcome for turn in result.turns}
    assert result.ledger.overflow is not None
    assert result.makespan_s <= result.ledger.overflow.at_s + 1e-9
    if result.groups:
        assert_conserved(result)


def read_bytes(times: GroupTimes, steps: int) -> float:
    """Return the bytes that the first steps of a group read [B]."""
    return sum(
        segment.repeat * float(np.broadcast_to(task.read_bytes, times.group.steps)[:steps].sum())
        for segment in times.group.segments
        for task in segment.tasks
    )


def test_a_turn_cut_short_by_the_memory_of_another_keeps_the_steps_it_did():
    """A growing cache ends the run while a turn of lower priority waits between two steps."""
    clients = {
        "agent": {"turns": [{"prompt_tokens": 8, "output_tokens": 300}]},
        "keyboard": {
            "priority": 0,
            "turns": [{"prompt_tokens": 2000, "output_tokens": 2, "at_s": 0.2}],
        },
    }
    mapping = {"device": "dimensity_9500", "stack": "llamacpp_cpu", "model": "smollm2-135m"}
    session = {"session": {"queue": {"preemption": "step"}, "clients": clients}}
    whole = simulate(Scenario.from_mapping(mapping | session), soc=FAST_HEAT)
    budget = whole.summary().peak_dram_bytes - 1
    result = simulate(
        Scenario.from_mapping(mapping | session | {"environment": {"app_budget_bytes": budget}}),
        soc=FAST_HEAT,
    )
    assert not result.fits
    assert {turn.outcome for turn in result.turns} == {"killed"}
    (cut,) = (t for t in result.groups if (t.group.turn, t.group.phase) == (0, "decode"))
    (full,) = (t for t in whole.groups if (t.group.turn, t.group.phase) == (0, "decode"))
    assert 0 < cut.group.steps == len(cut.ends_s) < full.group.steps
    assert cut.group.total("read_bytes") == pytest.approx(read_bytes(full, cut.group.steps))
    assert_conserved(result)
