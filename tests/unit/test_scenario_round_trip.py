"""A scenario written without its defaults reads back as the same scenario."""

import pytest

from sim import load_scenario
from tests.random_scenarios import scenario
from workloads.eviction_policies import EvictionPolicy
from workloads.scenario import Scenario


def again(asked):
    return Scenario.from_mapping(asked.model_dump(mode="json", exclude_defaults=True))


@pytest.mark.parametrize("number", range(60))
def test_a_scenario_reads_back_as_itself(number):
    asked = Scenario.from_mapping(scenario(number))
    assert again(asked) == asked


@pytest.mark.parametrize(
    "policy", [kind.model_fields["policy"].default for kind in EvictionPolicy.__args__]
)
def test_a_policy_of_defaults_keeps_its_name(policy):
    asked = load_scenario(None, [f"deployment.kv_cache.eviction.policy={policy}"])
    assert again(asked) == asked


def test_plain_decoding_is_a_default_like_any_other():
    found = load_scenario().model_dump(mode="json", exclude_defaults=True)
    assert "speculation" not in found.get("deployment", {})
