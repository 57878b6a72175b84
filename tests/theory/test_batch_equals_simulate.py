"""A batch of scenarios gives what `simulate` gives for each of them, every metric, to 1e-9."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw_models.soc import load_soc
from sim import load_scenario, simulate
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.explore.sweep_batch import Batch, is_batchable
from sim.explore.sweep_steps import narrowed, step_seconds_by_context
from sim.fingerprint import with_tokens
from sim.metrics import metric_columns
from sim.planning import plan

TEXT = "session.turns.0={prompt_tokens: 64, output_tokens: 8}"
DEPLOYMENTS = [
    (f"device={device}", f"model={model}", turn, *more)
    for device, model, turn, *more in [
        ("ideal_85gbps_50tflops", "qwen3-4b", TEXT, "deployment.weights.body=w3"),
        ("ideal_85gbps_50tflops", "gemma3-1b", TEXT, "deployment.kv_cache.dtype=int8"),
        ("dimensity_9500", "andesvl-0.6b", "session.turns.0.output_tokens=2"),
        ("snapdragon_x_elite", "qwen3-0.6b", TEXT, "environment.start=cold"),
        ("snapdragon_x_elite", "qwen3-0.6b", TEXT, "deployment.kv_cache.capacity_tokens=5000"),
    ]
]


@pytest.mark.parametrize("overrides", DEPLOYMENTS, ids=lambda given: " ".join(given[:2]))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tokens=st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 300)), min_size=2, max_size=3)
)
def test_every_metric_equals_that_of_simulate(overrides, tokens):
    scenario = load_scenario(None, overrides)
    batch = Batch(scenario, load_soc(scenario.device), *np.array(tokens, dtype=np.int64).T)
    assert is_batchable(scenario)
    metrics = metric_columns(batch.facts)
    for run, (prompt, output) in enumerate(tokens):
        alone = simulate(with_tokens(scenario, prompt, output)).summary().as_dict()
        assert metrics.keys() == alone.keys()
        for name, expected in alone.items():
            found = metrics[name][run]
            if expected is None:
                assert np.isnan(found), name
            else:
                assert found == pytest.approx(expected, rel=1e-9, abs=0.0), name


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
