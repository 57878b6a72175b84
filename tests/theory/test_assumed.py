"""Entries of the device that a scenario assumes: set, swept, drawn around, and named in the run."""

from __future__ import annotations

import pytest

import sim
from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from sim import load_scenario
from tests.every_law import LAWS

DEVICE, STACK = "dimensity_9500", "neuropilot"
ASKED = {
    "device": DEVICE,
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 40, "output_tokens": 6}]},
}
LAYER = f"stacks.{STACK}.layer_s"


def test_what_is_assumed_is_what_a_device_file_would_say():
    asked = sim.simulate(ASKED, set={f"assume.{LAYER}": "2 ms", "assume.dram.rate": "6 GT/s"})
    soc = load_soc(DEVICE).with_overrides({LAYER: "2 ms", "dram.rate": "6 GT/s"})
    plain = sim.simulate(ASKED, device=soc)
    assert asked.soc == plain.soc
    assert asked.metrics() == plain.metrics()
    assert asked["tokens_per_s"] < sim.simulate(ASKED)["tokens_per_s"]


def test_paths_may_be_nested_or_dotted():
    nested = {**ASKED, "assume": {"stacks": {STACK: {"layer_s": "2 ms"}}}}
    dotted = {**ASKED, "assume": {LAYER: "2 ms"}}
    assert sim.simulate(nested).metrics() == sim.simulate(dotted).metrics()


def test_a_law_that_the_device_lacks_can_be_switched_on():
    budget = LAWS["thermal.budget"]
    found = sim.simulate(ASKED, set={"assume.thermal.budget": budget})
    assert found.soc.thermal.budget is not None
    assert found.soc.thermal.budget.sustained_w.value == budget["sustained_w"]


def test_a_law_that_the_device_has_can_be_switched_off():
    """None takes a whole part away; a part that no device may lack is refused."""
    found = sim.simulate(ASKED, set={f"assume.{LAYER}": None, "assume.flash.hot": None})
    assert found.soc.stack(STACK).layer_s is None
    assert found.soc.flash.hot is None
    assert found["tokens_per_s"] > sim.simulate(ASKED)["tokens_per_s"]
    with pytest.raises(HardwareError, match="flash"):
        sim.simulate(ASKED, set={"assume.flash": None})


def test_a_scenario_without_assumptions_is_named_as_ever():
    scenario = load_scenario(None)
    assert "assume" not in scenario.model_dump(mode="json")
    assert sim.simulate().fingerprint != sim.simulate(set={"assume.dram.rate": 9e9}).fingerprint


def test_a_law_is_swept():
    values = ["0.1 ms", "1 ms", "3 ms"]
    path = f"assume.{LAYER}"
    table = sim.sweep(ASKED, {path: values, "session.turns.0.prompt_tokens": [20, 40]})
    for row in table.to_dict(orient="records"):
        own = {
            path: row[path],
            "session.turns.0.prompt_tokens": row["session.turns.0.prompt_tokens"],
        }
        alone = sim.simulate(ASKED, set=own)
        assert row["tokens_per_s"] == pytest.approx(alone["tokens_per_s"], rel=1e-9)
    assert table["tokens_per_s"].nunique() > 3


def test_draws_vary_the_rest_and_are_runs_of_their_own():
    """A fitted stack leaves open how fast it is as a whole, what is assumed of it included."""
    path = "power.idle_w"
    result = sim.simulate(ASKED, set={f"assume.{path}": 0.9, f"assume.{LAYER}": "2 ms"})
    draws = result.draws(3)
    for index, device in enumerate(draws.devices):
        assert device.parameters()[path].value == 0.9
        alone = sim.simulate(result.scenario, device=device)
        assert alone["tokens_per_s"] == pytest.approx(draws["tokens_per_s"][index], rel=1e-9)
    assert draws["tokens_per_s"].nunique() == 3


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("dram.speed", 1, "must be the dotted path"),
        ("dram.rate", "9 m", "T/s"),
        ("thermal.budget", {"sustained_w": 4.0}, "time_constant_s must be given"),
    ],
)
def test_entries_that_break_the_rules_of_a_device_are_refused(path, value, said):
    with pytest.raises(HardwareError, match=said):
        sim.simulate(ASKED, set={f"assume.{path}": value})
