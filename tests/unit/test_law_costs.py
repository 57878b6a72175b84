"""The law that costs most is named, each law by the seconds of its terms in all phases."""

from __future__ import annotations

import pytest

import sim
from hw_models.soc import load_soc
from sim.engine.times import span_s
from sim.law_costs import LAWS, TRANSFERS, law_costs
from sim.showing import text_of

PHONE = load_soc("dimensity_9500")
ASKED = {
    "device": PHONE.id,
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 128, "output_tokens": 16}]},
}
FORCED = {
    "exponentials at a rate of their own": (
        {"units.npu.vector.exponential": 900, "units.npu.vector.rate": "1 GFLOP/s"},
        {},
    ),
    "transfers too short for their full rate": ({"units.npu.ramp_bytes": "1 GB"}, {}),
    "work per layer (a fixed time a layer)": ({"stacks.neuropilot.layer_s": "1 s"}, {}),
    "copies of the cache (its bytes over their rate)": (
        {"stacks.neuropilot.kv_copy": "1 MB/s"},
        {},
    ),
    "changes of graphs (weights that come in again)": (
        {
            "stacks.neuropilot.prompt_graph": {
                "own_weights": 1.0,
                "swap": "10 MB/s",
                "holds": "one",
            }
        },
        {},
    ),
    "host work and graph calls (a fixed time a step and a call)": (
        {"stacks.neuropilot.step_overhead_s": "9 s"},
        {},
    ),
}


def test_costs_of_laws_add_up_to_the_phases():
    result = sim.simulate(ASKED)
    costs = law_costs(result)
    assert sum(cost.seconds for cost in costs) == pytest.approx(span_s(result.groups))
    assert sum(cost.share for cost in costs) == pytest.approx(1.0)
    assert [cost.seconds for cost in costs] == sorted((c.seconds for c in costs), reverse=True)


@pytest.mark.parametrize("law", FORCED)
def test_a_law_that_is_made_to_cost_most_is_named(law):
    values, asked = FORCED[law]
    result = sim.simulate({**ASKED, **asked}, device=PHONE.with_overrides(values))
    assert law_costs(result)[0].law == law
    assert f"The law that costs most: {law}, " in text_of(result)


def test_weights_and_caches_are_one_law():
    assert law_costs(sim.simulate())[0].law == TRANSFERS
    assert not any(term.startswith("DRAM") for term in LAWS)


def test_every_law_says_what_it_is_in_words_of_its_own():
    assert len(set(LAWS.values())) == len(LAWS)
