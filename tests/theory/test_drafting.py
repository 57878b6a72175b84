"""What a draft runs besides one row a pass: the prompt, and the rows of a tree that it expands.

Closed forms on the ideal machine, and a draft model's prompt against that model asked by itself.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.breakdown import DRAFTED_PROMPT, TREE_ROWS, phase_terms
from sim.law_costs import LAWS, law_costs
from workloads.acceptance import Acceptance
from workloads.catalogue import trace_for
from workloads.compression import get_format
from workloads.drafting import decoder_size
from workloads.speculation import EagleDraft

IDEAL = load_soc("ideal_85gbps_50tflops")
ENGINES = ("event", "maxplus")
MODEL, PROMPT, CHUNK, DEPTH, NODES = "smollm2-135m", 300, 128, 4, 16
SIZE = decoder_size(trace_for(MODEL))
BODY = 2 * SIZE.hidden**2 + SIZE.layer_parameters
SLOW = {path: "1 GFLOP/s" for path in IDEAL.parameters() if ".matrix.rates." in path}


def scenario(model: str = MODEL, **speculation: Any) -> Scenario:
    drafting = {"method": "eagle", "depth": DEPTH, "tree_nodes": NODES, **speculation}
    return Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": model,
            "deployment": {
                "prefill_chunk_tokens": CHUNK,
                "speculation": {"acceptance": {"survival": [0.8, 0.6, 0.4, 0.3]}, **drafting},
            },
            "session": {"turns": [{"prompt_tokens": PROMPT, "output_tokens": 20}]},
        }
    )


def both(engine: str = "auto", soc: SocSpec = IDEAL, **changed: Any) -> list[Result]:
    """Return the runs without and with entries of the draft."""
    return [
        simulate(scenario(**entries), soc=soc, engine=engine)  # type: ignore[arg-type]
        for entries in ({}, changed)
    ]


def total(result: Result, phase: str, column: str) -> float:
    return float(sum(g.total(column) for g in result.program.groups if g.phase == phase))


def chunks(result: Result) -> list[tuple[float, float]]:
    """Return rows and visible tokens of each chunk."""
    group = next(group for group in result.program.groups if group.phase == "prefill")
    return list(zip(group.new_tokens, group.visible_tokens, strict=True))


def pair_flops() -> int:
    return 4 * SIZE.q_heads * SIZE.head_dim


def test_the_prompt_runs_over_the_drafts_layers():
    plain, drafted = both(prefills=True)
    skips = IDEAL.stack().causal_skip
    expected = sum(
        2 * rows * BODY + pair_flops() * (rows * seen - skips * rows * (rows - 1) / 2)
        for rows, seen in chunks(plain)
    )
    added = total(drafted, "prefill", "flops") - total(plain, "prefill", "flops")
    assert added == pytest.approx(expected, rel=1e-12)
    useful = drafted.facts.prefill.useful_flops[0] - plain.facts.prefill.useful_flops[0]
    needed = 2 * PROMPT * BODY + pair_flops() * PROMPT * (PROMPT + 1) / 2
    assert useful == pytest.approx(needed, rel=1e-9)


def test_every_chunk_reads_its_weights_and_fills_its_cache():
    plain, drafted = both(prefills=True)
    each = plain.program.kv_bytes_per_token / SIZE.layers
    weight = get_format(IDEAL.stack().defaults.body).traffic_bits / 8
    for column, expected in (
        ("weight_bytes", len(chunks(plain)) * BODY * weight),
        ("kv_read_bytes", sum(seen for _, seen in chunks(plain)) * each),
        ("kv_write_bytes", sum(rows for rows, _ in chunks(plain)) * each),
    ):
        added = total(drafted, "prefill", column) - total(plain, "prefill", column)
        assert added == pytest.approx(expected, rel=1e-12), column
    assert drafted["decode_s"] == pytest.approx(plain["decode_s"], rel=1e-9)
    assert drafted["peak_dram_bytes"] == pytest.approx(plain["peak_dram_bytes"], rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_prompt_that_arithmetic_bounds_takes_the_seconds_of_its_flops(engine):
    soc = IDEAL.with_overrides(SLOW)
    plain, drafted = both(engine, soc, prefills=True)
    flops = total(drafted, "prefill", "flops") - total(plain, "prefill", "flops")
    expected = flops / (1e9 * soc.stack().efficiency.prefill.value)
    assert drafted["prefill_s"] - plain["prefill_s"] == pytest.approx(expected, rel=1e-3)
    terms = {term.name: term.seconds for term in phase_terms(drafted, "prefill")}
    assert terms[DRAFTED_PROMPT] == pytest.approx(expected, rel=1e-3)
    assert LAWS[DRAFTED_PROMPT] in {cost.law for cost in law_costs(drafted)}
    assert DRAFTED_PROMPT not in {term.name for term in phase_terms(plain, "prefill")}


def test_a_draft_models_prompt_is_that_models_own_without_its_head():
    drafting = {"method": "model", "draft_model": "qwen3-0.6b", "tree_nodes": None}
    plain, drafted = (
        simulate(scenario("qwen3-1.7b", **drafting, prefills=on), soc=IDEAL) for on in (False, True)
    )
    alone = {
        "device": IDEAL.id,
        "model": "qwen3-0.6b",
        "deployment": {"prefill_chunk_tokens": CHUNK},
        "session": {"turns": [{"prompt_tokens": PROMPT, "output_tokens": 2}]},
    }
    own = simulate(alone).facts.prefill.useful_flops[0]
    head = 2 * decoder_size(trace_for("qwen3-0.6b")).head_parameters
    useful = drafted.facts.prefill.useful_flops[0] - plain.facts.prefill.useful_flops[0]
    assert useful == pytest.approx(own - head, rel=1e-3)  # norms are counted as weights


def test_a_pass_multiplies_the_nodes_it_expands_and_streams_its_weights_once():
    rows = 8
    plain, tree = both(top_k=rows)
    [group] = [group for group in tree.program.groups if group.phase == "decode"]
    each = 2 * (BODY + SIZE.head_parameters)
    expected = (group.committed_tokens - 1).sum() + group.steps * (DEPTH - 1) * (rows - 1)
    added = total(tree, "decode", "flops") - total(plain, "decode", "flops")
    assert added == pytest.approx(expected * each, rel=1e-12)
    weights = [total(run, "decode", "weight_bytes") for run in (plain, tree)]
    assert weights[1] == pytest.approx(weights[0], rel=1e-12)
    calls = [sum(part.repeat for part in g.segments if part.graph_call) for g in (group,)]
    assert calls == [DEPTH]


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_of_a_tree_take_their_seconds_but_are_free_on_a_tile_that_holds_them(engine):
    rows = 8
    for tile in (1, 32):
        soc = IDEAL.with_overrides({**SLOW, "units.npu.matrix.tile_m": tile})
        plain, tree = both(engine, soc, top_k=rows)
        flops = total(tree, "decode", "flops") - total(plain, "decode", "flops")
        expected = flops / (1e9 * soc.stack().efficiency.decode.value) if tile == 1 else 0.0
        added = tree["decode_s"] - plain["decode_s"]
        assert added == pytest.approx(expected, rel=1e-3, abs=1e-6 * plain["decode_s"])
        terms = {term.name: term.seconds for term in phase_terms(tree, "decode")}
        assert terms.get(TREE_ROWS, 0.0) == pytest.approx(expected, rel=1e-3, abs=1e-9)
        assert TREE_ROWS not in {term.name for term in phase_terms(plain, "decode")}


def test_a_chain_expands_one_node():
    half = Acceptance(alpha=0.5)
    for nodes in (None, 4):
        with pytest.raises(ValidationError, match="at most the tree_nodes"):
            EagleDraft(depth=4, tree_nodes=nodes, top_k=8, acceptance=half)
    assert EagleDraft(depth=4, tree_nodes=8, top_k=8, acceptance=half).top_k == 8


def test_engines_agree_and_draws_are_runs_of_their_own():
    phone = load_soc("dimensity_9500")
    asked = scenario(prefills=True, top_k=8).model_copy(update={"device": phone.id})
    one, other = (simulate(asked, engine=engine) for engine in ENGINES)
    for metric in ("prefill_s", "decode_s", "energy_j"):
        assert one[metric] == pytest.approx(other[metric], rel=1e-9)
    draws = one.draws(4, seed=5)
    for index in range(4):
        alone = simulate(asked, device=draws.devices[index])
        for metric in ("prefill_s", "decode_s", "energy_j"):
            assert alone[metric] == pytest.approx(draws[metric][index], rel=1e-9)


def test_the_first_token_comes_no_sooner_and_replies_in_two_turns_prefill_twice():
    plain, drafted = both(prefills=True)
    assert drafted["time_to_first_token_s"] > plain["time_to_first_token_s"]
    turn = {"prompt_tokens": PROMPT, "output_tokens": 20, "fresh": True}
    asked = scenario(prefills=True).model_dump(mode="json")
    twice = simulate({**asked, "session": {"turns": [turn, turn]}})
    assert twice.facts.prefill.flops[0] == pytest.approx(2 * drafted.facts.prefill.flops[0])
