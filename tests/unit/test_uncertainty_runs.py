"""Intervals and sensitivity: what draws of a device say of a run."""

import sys

import numpy as np
import pytest

from hw_models.provenance import Parameter
from hw_models.soc import load_soc
from sim import load_scenario, simulate
from sim.errors import SimError
from sim.explore import sensitivity
from sim.explore.draws import uncertain
from sim.explore.uncertainty import sampled_metrics, uncertainty
from sim.explore.variants import reply_seconds

SMALL = ["model=andesvl-0.6b", "session.turns.0.output_tokens=12"]


def test_intervals_are_ordered_and_reproducible():
    result = simulate(load_scenario(None, SMALL))
    intervals = uncertainty(result, 32, seed=1)
    assert intervals == uncertainty(result, 32, seed=1)
    assert intervals.keys() <= result.summary().as_dict().keys() - {"fits"}
    assert {"time_to_first_token_s", "tokens_per_s", "energy_j"} <= intervals.keys()
    for interval in intervals.values():
        assert interval["p10"] <= interval["p50"] <= interval["p90"]
    assert intervals["tokens_per_s"]["p90"] > 1.2 * intervals["tokens_per_s"]["p10"]
    assert intervals["output_tokens"] == {"p10": 12.0, "p50": 12.0, "p90": 12.0}


def test_a_longer_prompt_is_faster_in_no_draw():
    short, long = (
        sampled_metrics(simulate(load_scenario(None, [*SMALL, f"session.turns=[{turn}]"])), 32)
        for turn in ("{prompt_tokens: 64}", "{prompt_tokens: 200}")
    )
    first, second = (one["time_to_first_token_s"] for one in (short, long))
    assert (first <= second).all()
    assert first.mean() < second.mean()
    assert first.max() > second.min()


def test_an_exact_device_has_intervals_of_no_width():
    scenario = load_scenario(
        None, ["device=ideal_85gbps_50tflops", "model=qwen3-0.6b", "session.turns=[{}]"]
    )
    result = simulate(scenario)
    interval = uncertainty(result, 5)["tokens_per_s"]
    assert interval["p10"] == interval["p90"] == result.summary().tokens_per_s
    assert sensitivity.tornado(result) == []
    assert sensitivity.least_certain(result) is None


def test_zero_samples_are_refused():
    with pytest.raises(SimError, match=r"at least 1 sample\. Got 0"):
        uncertainty(simulate(load_scenario(None, SMALL)), 0)


def test_a_swing_is_what_simulate_gives_at_both_ends():
    result = simulate(load_scenario(None, SMALL))
    widest = sensitivity.tornado(result, "energy_j")[0]
    ends = [
        simulate(result.scenario, soc=result.soc.with_values({widest.path: value})).summary()
        for value in (widest.parameter.low, widest.parameter.high)
    ]
    assert [widest.low, widest.high] == pytest.approx([end.energy_j for end in ends], rel=1e-9)
    assert widest.path in widest.sentence()
    assert "energy_j between" in widest.sentence()


@pytest.mark.parametrize("device", ["sa8775p", "apple_a16", "snapdragon_8_elite"])
def test_no_number_that_moves_the_reply_is_left_out(device):
    turns = "session.turns=[{prompt_tokens: 64, output_tokens: 8}]"
    result = simulate(load_scenario(None, [f"device={device}", "model=qwen3-0.6b", turns]))
    items = uncertain(result.soc, result.stack)
    ends = [(path, end) for path, item in items.items() for end in (item.low, item.high)]
    nominal = {path: item.value for path, item in items.items()}
    moved = [nominal | {path: end} for path, end in ends]
    values = {path: np.array([row[path] for row in moved]) for path in items}
    low, high = reply_seconds(result, values).reshape(-1, 2).T
    moving = {path for path, width in zip(items, high - low, strict=True) if abs(width) > 1e-9}
    assert moving
    assert moving <= {swing.path for swing in sensitivity.tornado(result)}


def test_the_answer_in_one_line_names_the_widest_swing():
    result = simulate(load_scenario(None, SMALL))
    found = sensitivity.least_certain(result)
    assert found.width == max(swing.width for swing in sensitivity.tornado(result))
    assert "puts the whole reply between" in found.sentence()


def test_morris_gives_no_effect_to_what_cannot_matter():
    pytest.importorskip("SALib")
    result = simulate(load_scenario(None, ["model=qwen3-0.6b", "session.turns=[{}]"]))
    effects = sensitivity.morris(result, "energy_j", trajectories=2, seed=1)
    assert effects == sensitivity.morris(result, "energy_j", trajectories=2, seed=1)
    idle = [effect for effect in effects if effect.path.startswith("flash.")]
    assert idle
    assert all(effect.main == pytest.approx(0.0, abs=1e-9) for effect in idle)
    assert effects[0].main > 0.0


def test_sobol_shares_of_a_sum_add_up_to_one():
    pytest.importorskip("SALib")
    soc = load_soc("ideal_85gbps_50tflops")
    parameters = {
        path: Parameter(1.0, "W", "measured", "ideal", low, high)
        for path, low, high in (("power.idle_w", 0.5, 2.0), ("power.display_w", 0.0, 1.5))
    }
    scenario = load_scenario(
        None, ["device=ideal_85gbps_50tflops", "model=qwen3-0.6b", "session.turns=[{}]"]
    )
    result = simulate(scenario, soc=soc.with_parameters(parameters, {}))
    effects = sensitivity.sobol(result, "energy_j", samples=64, seed=0)
    assert {effect.path for effect in effects} == set(parameters)
    assert sum(effect.main for effect in effects) == pytest.approx(1.0, abs=0.1)
    assert all(effect.interaction == pytest.approx(effect.main, abs=0.1) for effect in effects)


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(SimError, match="Did you mean 'tokens_per_s'"):
        sensitivity.tornado(simulate(load_scenario(None, SMALL)), "token_per_s")


def test_without_salib_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "SALib.sample.sobol", None)
    with pytest.raises(SimError, match=r"pip install '\.\[sensitivity\]'"):
        sensitivity.sobol(simulate(load_scenario(None, SMALL)))


def test_draws_that_are_simulated_by_themselves_are_told_one_by_one():
    later = "[{at_s: 0, profile: idle}, {at_s: 1000, profile: game}]"
    beside = (f"environment.background={later}", "session={turns: [{prompt_tokens: 16}]}")
    result = simulate(load_scenario(None, ["model=andesvl-0.6b", *beside]))
    told = []
    sampled_metrics(result, 4, on_progress=lambda *step: told.append(step))
    assert told == [(done, 4, "draws") for done in range(4)]
