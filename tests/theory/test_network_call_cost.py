"""What a network's call costs on a stack that says so, and that no language model pays it."""

from __future__ import annotations

from typing import Any

import pytest

import sim
from hw_models.soc import load_soc
from sim.simulation import simulate
from workloads.scenario import Scenario

PRIORS = load_soc("_snapdragon_8_elite")
STACK = "stacks.qnn_dlc."
NETWORK = {"model": "mobilenet-v2", "network": {"calls": 1}}
LANGUAGE = {
    "model": "qwen2.5-0.5b",
    "session": {"turns": [{"prompt_tokens": 32, "output_tokens": 4}]},
}


def solved(asked: dict[str, Any], **values: float) -> sim.Result:
    """The answer with other values of the stack; two underscores are a dot."""
    changes = {STACK + key.replace("__", "."): value for key, value in values.items()}
    scenario = {"device": "snapdragon_8_elite", "stack": "qnn_dlc", **asked}
    return simulate(Scenario.from_mapping(scenario), soc=PRIORS.with_values(changes))


def test_a_call_takes_its_cost_once_and_neither_step_overhead_nor_graph_call() -> None:
    cheap = solved(NETWORK, network__call_s=1e-4)["inference_s"]
    dear = solved(NETWORK, network__call_s=1.1e-3)["inference_s"]
    assert dear - cheap == pytest.approx(1e-3, rel=1e-9)
    other = solved(NETWORK, network__call_s=1e-4, step_overhead_s=1.0, graph_call_s=1.0)
    assert other["inference_s"] == pytest.approx(cheap, rel=1e-9)


@pytest.mark.parametrize("key", ["vector", "products", "efficiency.a8w8"])
def test_half_a_share_costs_a_network_at_most_twice_the_time(key: str) -> None:
    value = PRIORS.parameters()[f"{STACK}network.{key}"].value
    base = solved(NETWORK)["inference_s"]
    slower = solved(NETWORK, **{f"network__{key}": value / 2})["inference_s"]
    assert base * (1 - 1e-9) <= slower <= 2 * base


def test_what_networks_cost_moves_no_language_model() -> None:
    base = solved(LANGUAGE)
    moved = solved(LANGUAGE, network__call_s=1.0, network__operator_s=1.0, network__vector=0.01)
    for metric in ("time_to_first_token_s", "tokens_per_s"):
        assert moved[metric] == pytest.approx(base[metric], rel=1e-9)
