"""What makes a pass over many runs cheap changes no step: few contexts, narrow columns."""

import numpy as np
import pytest

from hw_models.soc import load_soc
from sim import load_scenario, simulate
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.explore import side_by_side
from sim.explore.sweep_batch import is_batchable
from sim.explore.sweep_steps import grows_evenly, narrowed, step_seconds_by_context
from sim.explore.variants import reply_seconds
from sim.planning import plan

TURN = "{prompt_tokens: 100, output_tokens: 900}"


@pytest.mark.parametrize("device", ["ideal_85gbps_50tflops", "snapdragon_x_elite"])
@pytest.mark.parametrize("dtype", ["int16", "int8"])
def test_few_contexts_decide_every_step(device, dtype, monkeypatch):
    scenario = load_scenario(
        None,
        [
            f"device={device}",
            "model=qwen3-0.6b",
            f"deployment.kv_cache.dtype={dtype}",
            "session.turns.0={prompt_tokens: 100, output_tokens: 3000}",
        ],
    )
    soc = load_soc(scenario.device)
    planned = plan(scenario, soc)
    pricing = Pricing(soc, soc.stack(planned.stack))
    group = planned.program.groups[-1]
    every = step_seconds(pricing.group(group))
    evaluated = []
    monkeypatch.setattr(
        "sim.explore.sweep_steps.step_seconds",
        lambda timed: evaluated.append(timed.steps) or step_seconds(timed),
    )
    assert step_seconds_by_context(pricing, group) == pytest.approx(every, rel=1e-11)
    assert sum(evaluated) < group.steps / 10


def test_narrow_columns_change_no_step():
    scenario = load_scenario(None, ["session.turns.0.output_tokens=40"])
    soc = load_soc(scenario.device)
    planned = plan(scenario, soc)
    pricing = Pricing(soc, soc.stack(planned.stack))
    for group in planned.program.groups:
        seconds = step_seconds(pricing.group(narrowed(group)))
        assert np.array_equal(seconds, step_seconds(pricing.group(group)))


@pytest.mark.parametrize(
    "override",
    [
        "deployment.kv_cache.eviction={policy: okv}",
        "deployment.fusion=none",
        "session.turns.0.at_s=2.0",
        "environment.background=game",
        "session.turns=[{prompt_tokens: 8}, {prompt_tokens: 8}]",
    ],
)
def test_what_a_batch_does_not_know_is_not_batched(override):
    assert not is_batchable(load_scenario(None, [override]))


def test_long_replies_are_drawn_from_few_steps_and_end_as_they_do_step_by_step(monkeypatch):
    asked = load_scenario(
        None,
        [
            "device=snapdragon_8_elite",
            "stack=llamacpp_cpu",
            "model=qwen3-0.6b",
            "session.turns.0={prompt_tokens: 100, output_tokens: 3000}",
        ],
    )
    result = simulate(asked)
    values = {"dram.rate": np.array([4e9, 6e9, 9e9])}
    by_few = reply_seconds(result, values)
    evaluated = []
    monkeypatch.setattr(
        "sim.explore.sweep_steps.step_seconds",
        lambda timed: evaluated.append(timed.steps) or step_seconds(timed),
    )
    reply_seconds(result, values)
    assert 0 < sum(evaluated) < result.steps / 2
    monkeypatch.setattr(side_by_side, "grows_evenly", lambda _: False)
    assert by_few == pytest.approx(reply_seconds(result, values), rel=1e-11)


def test_steps_that_grow_unevenly_are_told_apart():
    scenario = load_scenario(None, ["model=gemma3-1b", f"session.turns.0={TURN}"])
    soc = load_soc("snapdragon_8_elite")
    asked = scenario.model_copy(update={"device": soc.id, "stack": "llamacpp_cpu"})
    windowed = plan(asked, soc).program.groups[-1]
    assert not grows_evenly(narrowed(windowed))
    plain = asked.model_copy(update={"model": "qwen3-0.6b"})
    assert grows_evenly(narrowed(plan(plain, soc).program.groups[-1]))
