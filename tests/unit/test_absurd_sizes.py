"""Absurd questions are answered or refused soon: steps that memory refuses are never priced."""

import pytest

from hw_models.soc import load_soc
from sim import Scenario, load_scenario, planning, simulate
from sim.engine.pricing import Pricing
from sim.planning import plan
from tests.random_questions import drafting
from workloads import step_tasks, steps
from workloads.errors import WorkloadError
from workloads.turns import TurnPlan

BASE = {
    "device": "ideal_85gbps_50tflops",
    "model": "smollm2-135m",
    "environment": {"app_budget_bytes": 1e9},
}


def asked(output_tokens, **deployment):
    turn = {"prompt_tokens": 64, "output_tokens": output_tokens}
    return Scenario.from_mapping(BASE | {"deployment": deployment, "session": {"turns": [turn]}})


def decode_steps(result):
    groups = [group for group in result.program.groups if group.phase == "decode"]
    assert [group.first for group in groups] == list(range(0, 10**7, steps.WINDOW_STEPS))[
        : len(groups)
    ]
    return sum(group.steps for group in groups)


@pytest.mark.parametrize("device", ["ideal_85gbps_50tflops", "dimensity_9500"])
def test_a_reply_that_memory_refuses_is_lowered_as_its_last_step(device):
    scenario = asked(4_000_000).model_copy(update={"device": device})
    found = simulate(scenario)
    assert not found.fits
    assert sum(group.steps for group in found.program.groups) < 10


def test_the_refusal_names_the_same_bytes_however_the_reply_is_lowered(monkeypatch):
    short = simulate(asked(200_000))
    monkeypatch.setattr(steps, "LONG_STEPS", 10**9)
    whole = simulate(asked(200_000))
    assert decode_steps(whole) == 199_999
    assert not whole.fits
    assert short.metrics() == pytest.approx(whole.metrics(), nan_ok=True)
    assert short.ledger.peak.by_class == pytest.approx(whole.ledger.peak.by_class)


def test_a_long_reply_that_fits_is_lowered_whole():
    found = simulate(asked(steps.LONG_STEPS + 100))
    assert found.fits
    assert found.program.groups[-1].steps == steps.LONG_STEPS + 99


def test_a_plan_that_is_not_for_a_run_is_whole():
    scenario = asked(50_000)
    found = plan(scenario, simulate(scenario).soc)
    assert found.program.groups[-1].steps == 49_999


WINDOW = {"eviction": {"policy": "sliding_window", "window": 512}}


def test_a_million_steps_of_a_cache_that_no_longer_grows_are_lowered_once():
    result = simulate(asked(1_000_000, kv_cache=WINDOW))
    assert result.fits
    assert decode_steps(result) == 999_999
    decode = [group for group in result.program.groups if group.phase == "decode"]
    assert len({id(group.segments[0]) for group in decode}) == 3  # growing, full, the last ones
    hour = simulate(asked(steps.WINDOW_STEPS, kv_cache=WINDOW))
    last = [times.ends_s - times.starts_s for times in (result.groups[-1], hour.groups[-1])]
    assert last[0] == pytest.approx(last[1][-1])


def test_a_reply_in_windows_is_the_reply_as_one_group(monkeypatch):
    for deployment in ({}, {"kv_cache": WINDOW}, {"speculation": drafting(0.6)}):
        scenario = asked(3_000, **deployment)
        whole = simulate(scenario)
        with monkeypatch.context() as patched:
            patched.setattr(planning, "WINDOW_STEPS", 700)
            parts = simulate(scenario)
        assert len(parts.groups) > len(whole.groups)
        assert parts.metrics() == pytest.approx(whole.metrics(), nan_ok=True)
        frames = [result.to_step_frame() for result in (parts, whole)]
        for name in ("step", "start_s", "end_s", "dynamic_j"):
            assert frames[0][name].to_numpy() == pytest.approx(frames[1][name].to_numpy())


def test_steps_that_differ_are_refused_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(step_tasks, "MOST_BYTES", 5e5)
    monkeypatch.setattr(planning, "WINDOW_STEPS", 1000)
    with pytest.raises(
        WorkloadError, match=r"at most about \d+ decode steps of different contexts"
    ):
        simulate(asked(12_000))
    assert simulate(asked(12_000, kv_cache=WINDOW)).fits


def test_more_steps_than_can_be_held_are_refused_in_a_sentence():
    scenario = asked(2_000_000, kv_cache=WINDOW)
    with pytest.raises(WorkloadError, match=r"at most 1000000 decode steps\. Got 1999999"):
        simulate(scenario)


def test_the_limit_of_memory_is_found_without_running_and_is_the_runs_own():
    from sim.explore.limits import judge_of, limit_of
    from sim.explore.scales import scale_of

    scenario = asked(100)
    scale = scale_of("session.turns.0.output_tokens", scenario)
    limit = limit_of(scenario, scale, "largest", judge_of(()))
    assert limit.binding == "memory"
    assert limit.best.metrics["fits"]
    assert simulate(asked(int(limit.best.value))).fits
    assert not simulate(asked(int(limit.beyond.value))).fits


def test_steps_that_never_run_are_never_priced(monkeypatch):
    """Memory ends the first run, its session the second; what would have come is left alone."""
    priced = []
    price = Pricing.group
    monkeypatch.setattr(
        Pricing, "group", lambda self, group: priced.append(group) or price(self, group)
    )
    turns = "session={turns: [{output_tokens: 8}, {output_tokens: 90000}, {output_tokens: 8}]}"
    stopped = simulate(load_scenario(None, [turns, "deployment.kv_cache.dtype=fp32"]))
    ended = simulate(load_scenario(None, ["session.until_s=1", "session.turns=" + str([{}] * 9)]))
    assert not stopped.fits
    ran = len(stopped.groups) + len(ended.groups)
    assert len(priced) == ran < len(stopped.program.groups) + len(ended.program.groups)


def test_turns_of_equal_work_are_lowered_once_and_are_those_that_were_lowered_alone(monkeypatch):
    turns = "session.turns=[{prompt_tokens: 9}, {fresh: true}, {at_s: 99, fresh: true}]"
    asked = load_scenario(None, [turns])
    together = plan(asked, load_soc(asked.device)).program.groups
    monkeypatch.setattr(TurnPlan, "work", property(id))
    alone = plan(asked, load_soc(asked.device)).program.groups
    second, third = ([group for group in together if group.turn == turn] for turn in (1, 2))
    for one, other in zip(second, third, strict=True):
        assert one.segments is other.segments
        assert (one.at_s, other.at_s) == (0.0, 99.0)
    for one, other in zip(together, alone, strict=True):
        assert (one.turn, one.phase, one.at_s, one.steps) == (
            other.turn,
            other.phase,
            other.at_s,
            other.steps,
        )
        for quantity in ("flops", "weight_bytes", "kv_read_bytes"):
            assert one.total(quantity) == pytest.approx(other.total(quantity), rel=1e-12)
        assert one.needed_flops == pytest.approx(other.needed_flops, rel=1e-12)
