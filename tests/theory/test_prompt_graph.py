"""Two graphs with weights of their own: what a change costs, and when none is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from docs.power_pictures import printed_swaps
from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.breakdown import phase_terms
from sim.calibration.rows import observe
from sim.evidence.corpus_runs import language_runs
from sim.explore.variants import variant_facts

IDEAL = load_soc("ideal_85gbps_50tflops")
STACK = IDEAL.default_stack
RATE = 1e9
TURNS = 3


def device(**part: Any) -> SocSpec:
    entries = {"own_weights": 1.0, "swap": RATE, **part}
    return IDEAL.with_overrides({f"stacks.{STACK}.prompt_graph": entries})


def run(soc: SocSpec, engine: str = "auto", tokens: int = 4, **environment: Any) -> Result:
    turn = {"prompt_tokens": 60, "output_tokens": tokens}
    scenario = Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": "smollm2-135m",
            "environment": environment,
            "session": {"turns": [turn] * TURNS},
        }
    )
    return simulate(scenario, soc=soc, engine=engine)  # type: ignore[arg-type]


def weights(result: Result) -> float:
    return result.program.resident_bytes["weights"]


@pytest.mark.parametrize("engine", ["event", "maxplus"])
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_each_turn_changes_graphs_twice_and_the_first_once(engine, share):
    plain, swapping = run(IDEAL, engine), run(device(holds="one", own_weights=share), engine)
    changes = 2 * TURNS - 1
    expected_s = changes * share * weights(plain) / RATE
    assert swapping.makespan_s - plain.makespan_s == pytest.approx(expected_s, rel=1e-9)
    firsts = [times.start_s for times in swapping.groups if times.group.phase == "prefill"]
    assert len(firsts) == TURNS


def test_a_reply_of_one_token_needs_no_other_graph():
    plain, swapping = run(IDEAL, tokens=1), run(device(holds="one"), tokens=1)
    assert swapping.makespan_s == pytest.approx(plain.makespan_s, rel=1e-12)


def test_the_wait_is_a_term_of_both_phases():
    result = run(device(holds="one"))
    for phase, changes in (("prefill", TURNS - 1), ("decode", TURNS)):
        terms = {term.name: term.seconds for term in phase_terms(result, phase)}
        expected_s = changes * weights(result) / RATE
        assert terms["change of graphs"] == pytest.approx(expected_s, rel=1e-6)


def test_both_stay_open_where_memory_has_room_for_both():
    plain = run(IDEAL)
    roomy = run(device())
    more = roomy["peak_dram_bytes"] - plain["peak_dram_bytes"]
    assert more == pytest.approx(weights(plain), rel=1e-12)
    assert roomy.makespan_s == pytest.approx(plain.makespan_s, rel=1e-12)
    tight = run(device(), app_budget_bytes=int(plain["peak_dram_bytes"] * 1.5))
    assert tight["fits"]
    assert tight["peak_dram_bytes"] == plain["peak_dram_bytes"]
    assert tight.makespan_s == pytest.approx(run(device(holds="one")).makespan_s, rel=1e-12)


def test_the_file_holds_both_and_a_cold_start_reads_one():
    plain = run(IDEAL, start="cold")
    one, both = run(device(holds="one"), start="cold"), run(device(), start="cold")
    for found in (one, both):
        assert found.program.file_bytes == pytest.approx(plain.program.file_bytes + weights(plain))
    assert one["load_s"] == pytest.approx(plain["load_s"], rel=1e-12)
    assert both["load_s"] > plain["load_s"]
    assert one["flash_read_bytes"] == plain["flash_read_bytes"]


@pytest.mark.parametrize("engine", ["event", "maxplus"])
def test_a_change_takes_the_flash_energy_of_what_the_page_cache_lacks(engine):
    silent = run(device(holds="one", own_weights=0.5), engine)
    told = run(device(holds="one", own_weights=0.5, from_flash=0.6), engine)
    read_bytes = (2 * TURNS - 1) * 0.6 * 0.5 * weights(silent)
    assert told["flash_read_bytes"] - silent["flash_read_bytes"] == pytest.approx(read_bytes)
    expected_j = read_bytes * IDEAL.flash.energy.value
    assert told.energy.flash_j - silent.energy.flash_j == pytest.approx(expected_j, rel=1e-9)
    assert told["energy_j"] - silent["energy_j"] == pytest.approx(expected_j, rel=1e-9)
    assert told.makespan_s == pytest.approx(silent.makespan_s, rel=1e-12)
    one_token = run(device(holds="one", from_flash=1.0), engine, tokens=1)
    assert one_token["flash_read_bytes"] == silent["flash_read_bytes"] == 0.0


def between(soc: SocSpec, engine: str, tokens: int, prompt: int, at_s: float) -> Result:
    """A long reply, and an urgent turn of another client that arrives while it runs."""
    clients = {
        "slow": {"turns": [{"prompt_tokens": prompt, "output_tokens": 30}], "priority": 1},
        "urgent": {
            "turns": [{"prompt_tokens": 60, "output_tokens": tokens, "at_s": at_s}],
            "priority": 0,
        },
    }
    asked = {
        "device": IDEAL.id,
        "model": "smollm2-135m",
        "deployment": {"prefill_chunk_tokens": 64},
        "session": {"clients": clients, "queue": {"preemption": "step"}},
    }
    return simulate(Scenario.from_mapping(asked), soc=soc, engine=engine)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["event", "maxplus"])
@pytest.mark.parametrize(
    ("tokens", "inside", "changes"),
    [
        (1, "decode", 3),  # reply's graph, prompt's, and the reply's again for what is left of it
        (8, "decode", 3),  # reply's, prompt's, reply's: it stays open for what is left
        (1, "prefill", 1),  # the prompt's stays open
        (8, "prefill", 3),  # reply's for the urgent one, prompt's again, reply's
    ],
)
def test_turns_in_between_change_graphs_where_another_one_is_open(engine, tokens, inside, changes):
    prompt = 60 if inside == "decode" else 6000
    plain = between(IDEAL, engine, tokens, prompt, 1e3)
    part = next(times for times in plain.groups if times.group.phase == inside)
    at_s = float(part.ends_s[len(part.ends_s) // 2])
    if inside == "decode":  # where one is held, the reply begins after a change
        at_s += weights(plain) / RATE
    swapping = between(device(holds="one"), engine, tokens, prompt, at_s)
    silent = between(IDEAL, engine, tokens, prompt, at_s)
    expected_s = changes * weights(plain) / RATE
    parts = [times.group for times in swapping.groups if times.group.turn == 0]
    steps = sum(group.steps for group in parts if group.phase == inside)
    assert steps == len(part.ends_s)
    busy = [float(run.facts.busy_s[0]) for run in (silent, swapping)]
    assert busy[1] - busy[0] == pytest.approx(expected_s, rel=1e-9)
    told = between(device(holds="one", from_flash=1.0), engine, tokens, prompt, at_s)
    assert told["flash_read_bytes"] == pytest.approx(changes * weights(plain), rel=1e-9)
    for metric in ("flops", "kv_tokens_final", "useful_flops"):
        assert swapping[metric] == pytest.approx(silent[metric], rel=1e-12)
    numbers = [int(group.first) for group in parts if group.phase == inside]
    assert numbers == sorted(set(numbers))
    records = swapping.records
    waited_s = (records["end_s"] - records["ready_s"])[records["kind"] == "graph_swap"]
    assert len(waited_s) == changes
    assert waited_s.sum() == pytest.approx(expected_s, rel=1e-9)


def test_draws_of_the_law_are_runs_of_their_own():
    part = f"stacks.{STACK}.prompt_graph."
    result = run(device(from_flash=0.5))
    paths = f"{part}swap", "dram.app_fraction"
    need = result["peak_dram_bytes"] / IDEAL.dram.capacity.value
    values = {
        paths[0]: np.array([1e9, 2e9, 3e9]),
        paths[1]: np.array([0.8 * need, 0.9 * need, 1.1 * need]),
        f"{part}from_flash": np.array([0.2, 0.5, 1.0]),
    }
    facts = variant_facts(result, values)
    for index in range(3):
        chosen = {path: float(column[index]) for path, column in values.items()}
        alone = simulate(result.scenario, soc=result.soc.with_values(chosen)).facts
        for name in ("makespan_s", "peak_dram_bytes", "first_token_s", "flash_j", "energy_j"):
            assert getattr(facts, name)[index] == pytest.approx(
                float(getattr(alone, name)[0]), rel=1e-9
            )


def test_the_rate_of_the_genio_is_that_of_its_prints():
    """Geometric mean and ends of what the tool printed in rows of role calibration."""
    rates = [weight_bytes / seconds for weight_bytes, seconds in printed_swaps()]
    swap = load_soc("genio_720").parameters()["stacks.neuropilot.prompt_graph.swap"]
    assert len(rates) == 6
    assert swap.value == pytest.approx(np.exp(np.mean(np.log(rates))), rel=0.03)
    assert (swap.low, swap.high) == pytest.approx((min(rates), max(rates)), rel=0.03)


def test_rows_are_simulated_without_the_change_their_tool_leaves_out():
    """Prompt and reply are printed apart from the change between them."""
    runs = [run for run in language_runs("calibration") if run.id in ("N025", "N028")]
    soc = load_soc("genio_720")
    alone = soc.model_copy(
        update={
            "stacks": {
                **soc.stacks,
                "neuropilot": soc.stack("neuropilot").model_copy(update={"prompt_graph": None}),
            }
        }
    )
    for run in runs:
        for metric in run.metrics:
            assert observe(run, metric, soc).simulated(soc) == pytest.approx(
                observe(run, metric, alone).simulated(alone), rel=1e-12
            )
