"""Throttling and other apps inside a run: engines agree, rates follow, nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, load_scenario, simulate
from sim.heat.course import sustained_fractions
from sim.loading import fault_bytes_per_s

HOT = {"ambient_c": 41.0}


def soc(**values: float) -> SocSpec:
    return load_soc("dimensity_9500").with_values(
        {"thermal.governor.sensor_period_s": 0.05, "thermal.body.heat_capacity": 1.0, **values}
    )


def die_trip(trip_c: float) -> dict[str, float]:
    return {
        "thermal.die_governor.trip_c": trip_c,
        "thermal.die_governor.sensor_period_s": 0.03,
        "thermal.die.heat_capacity": 0.05,
    }


def run(
    engine: str = "auto",
    environment: dict[str, Any] = HOT,
    phone: SocSpec | None = None,
    **session: Any,
) -> Result:
    asked = session or {"turns": [{"prompt_tokens": 40, "output_tokens": 40}]}
    scenario = Scenario.from_mapping(
        {
            "device": "dimensity_9500",
            "model": "smollm2-135m",
            "environment": environment,
            "session": asked,
        }
    )
    return simulate(scenario, engine=engine, soc=phone or soc())  # type: ignore[arg-type]


CLIENTS = {
    "until_s": 3.0,
    "clients": {
        "agent": {
            "turns": [{"prompt_tokens": 150, "output_tokens": 12, "fresh": True}],
            "arrivals": {"process": "closed", "think_s": 0.05, "count": 6},
        },
        "keyboard": {
            "priority": 0,
            "turns": [{"prompt_tokens": 10, "output_tokens": 3, "fresh": True}],
            "arrivals": {"process": "poisson", "per_s": 4.0},
        },
    },
}
CHANGING = {
    **HOT,
    "background": [
        {"at_s": 0.031, "profile": "video_call"},
        {"at_s": 0.4321, "profile": "game"},
        {"at_s": 1.2, "profile": "idle"},
    ],
}


@pytest.mark.parametrize(
    ("environment", "die_trip_c"),
    [
        pytest.param(HOT, 85.0, marks=pytest.mark.long, id="throttled, body alone"),
        pytest.param(HOT, 46.0, marks=pytest.mark.long, id="throttled, die as well"),
        pytest.param(CHANGING, 85.0, marks=pytest.mark.long, id="busy too, body alone"),
        pytest.param(CHANGING, 46.0, id="busy too, die as well"),
    ],
)
def test_auto_equals_the_event_engine_across_changes(environment, die_trip_c):
    """Where the clock alone changes, max-plus is exact and nothing needs replaying."""
    phone = soc(**die_trip(die_trip_c))
    auto, event = (run(name, environment, phone, **CLIENTS) for name in ("auto", "event"))
    assert auto.heat.changes > 0
    assert any(reading.die_level for reading in auto.heat.readings) == (die_trip_c < 85.0)
    assert auto.engine == ("maxplus" if environment is HOT else "maxplus+event")
    assert (auto.replayed_steps > 0) == (environment is not HOT)
    assert auto.replayed_steps < event.replayed_steps
    assert [turn.outcome for turn in auto.turns] == [turn.outcome for turn in event.turns]
    for mine, theirs in zip(auto.groups, event.groups, strict=True):
        np.testing.assert_allclose(mine.starts_s, theirs.starts_s, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-6, atol=1e-9)
    for name, value in auto.summary().as_dict().items():
        other = event.summary().as_dict()[name]
        assert value is other or value == pytest.approx(other, rel=1e-6), name
    for mine_c, theirs_c in zip(auto.heat.readings, event.heat.readings, strict=True):
        assert mine_c.level == theirs_c.level
        assert mine_c.die_c == pytest.approx(theirs_c.die_c, rel=1e-6)
    assert len(auto.records) == len(event.records)
    for name in ("start_s", "end_s", "ready_s"):
        np.testing.assert_allclose(auto.records[name], event.records[name], rtol=1e-6, atol=1e-9)


def test_a_shortened_agent_session_of_the_4b_model_is_that_of_the_event_engine():
    """`gui_agent_ten_minutes`: clients, preemption, a video call, both governors; four seconds."""
    scenario = load_scenario("gui_agent_ten_minutes", ["session.until_s=4"])
    phone = load_soc("dimensity_9500").with_values(
        {
            "thermal.governor.sensor_period_s": 0.7,
            "thermal.body.heat_capacity": 1.0,
            "thermal.spreader.heat_capacity": 0.5,
            "thermal.die_governor.trip_c": 50.0,
            "thermal.die.heat_capacity": 0.2,
        }
    )
    auto, event = (simulate(scenario, engine=name, soc=phone) for name in ("auto", "event"))
    assert auto.heat.changes > 2
    assert max(reading.level for reading in auto.heat.readings) > 0
    assert max(reading.die_level for reading in auto.heat.readings) > 0
    assert [turn.outcome for turn in auto.turns] == [turn.outcome for turn in event.turns]
    for name, value in auto.summary().as_dict().items():
        other = event.summary().as_dict()[name]
        assert value is other or value == pytest.approx(other, rel=1e-6), name
    for mine, theirs in zip(auto.groups, event.groups, strict=True):
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-6)


def test_throttling_slows_and_moves_the_same_bytes():
    cool, hot = run(environment={"ambient_c": 5.0}).summary(), run().summary()
    assert hot.tokens_per_s < cool.tokens_per_s
    assert hot.dram_read_bytes == cool.dram_read_bytes
    assert hot.flops == cool.flops


def test_a_step_at_half_the_clock_takes_twice_as_long():
    asked = run(environment={"ambient_c": 60.0})
    (decode,) = (times for times in asked.groups if times.group.phase == "decode")
    level = {span.conditions.clock: span for span in decode.spans if not span.changes}
    assert len(level) >= 1
    for clock, span in level.items():
        took_s = (decode.ends_s - decode.starts_s)[span.first]
        cool = run(environment={"ambient_c": 5.0}).groups[-1]
        full_s = (cool.ends_s - cool.starts_s)[span.first]
        assert took_s == pytest.approx(full_s / clock, rel=1e-9)


@pytest.mark.parametrize("profile", ["scrolling", "video_call", "game"])
def test_the_npu_loses_little_to_other_apps(profile):
    """SERENO (OSDI'26): 1.0 % of prefill and 1.6 % of decode; decode has more host work."""

    def summary(background: str) -> Any:
        mapping = {
            "device": "dimensity_9500",
            "model": "andesvl-4b",
            "environment": {"background": background},
            "session": {"turns": [{"prompt_tokens": 256, "output_tokens": 16}]},
        }
        return simulate(Scenario.from_mapping(mapping)).summary()

    alone, beside = summary("idle"), summary(profile)
    decode, prefill = beside.decode_s / alone.decode_s - 1, beside.prefill_s / alone.prefill_s - 1
    assert 0.002 < decode < 0.03
    assert 0.0 < prefill < decode


@pytest.mark.parametrize(("stack", "slowed"), [("neuropilot", 1.0), ("llamacpp_cpu", 1 / 0.65)])
def test_other_apps_slow_a_layers_fixed_work_where_threads_do_it_in_both_engines(stack, slowed):
    def run_beside(background: str, engine: str = "maxplus") -> Result:
        scenario = Scenario.from_mapping(
            {
                "device": "dimensity_9500",
                "stack": stack,
                "model": "smollm2-135m",
                "environment": {"background": background},
                "session": {"turns": [{"prompt_tokens": 8, "output_tokens": 3}]},
            }
        )
        return simulate(scenario, engine=engine)  # type: ignore[arg-type]

    def layer_s(result: Result) -> float:
        records = result.records
        is_layer = records["kind"] == "layer"
        return float((records["end_s"] - records["ready_s"])[is_layer].sum())

    beside, event = run_beside("game"), run_beside("game", "event")
    assert layer_s(beside) == pytest.approx(slowed * layer_s(run_beside("idle")), rel=1e-9)
    for one, other in zip(beside.groups, event.groups, strict=True):
        np.testing.assert_allclose(one.ends_s, other.ends_s, rtol=1e-9)


def test_sustained_decode_settles_below_the_full_clock_when_power_is_high():
    phone = load_soc("dimensity_9500")
    low, high = sustained_fractions(phone, 25.0, np.array([1.0, 14.0]))
    assert low == 1.0
    assert 0.3 <= high < 1.0


def test_a_phone_on_the_charger_sustains_less():
    phone = load_soc("dimensity_9500")
    (alone,) = sustained_fractions(phone, 25.0, np.array([9.0]))
    (charging,) = sustained_fractions(phone, 25.0, np.array([9.0]), charging_w=6.0)
    assert charging < alone


def test_weights_over_budget_collapse_as_measured():
    """SmallThinker, Qwen3-1.7B at a limit of 1 GiB: from 41 to 1.09 tokens/s, through mmap."""
    mapping = {
        "device": "dimensity_9500",
        "model": "qwen3-1.7b",
        "deployment": {"weights": {"body": "q4_0", "lm_head": "q4_0", "embedding": "q4_0"}},
        "environment": {"app_budget_bytes": "1 GiB", "over_budget": "spill"},
        "session": {"turns": [{"prompt_tokens": 32, "output_tokens": 8}]},
    }
    result = simulate(Scenario.from_mapping(mapping))
    summary = result.summary()
    assert result.mapped
    assert summary.fits
    assert 1.09 / 2 < summary.tokens_per_s < 1.09 * 2
    assert summary.flash_read_bytes == pytest.approx(result.program.total("weight_bytes"))
    rate = summary.weight_bytes_per_step * summary.tokens_per_s
    assert rate <= fault_bytes_per_s(result.soc) * (1 + 1e-9)
