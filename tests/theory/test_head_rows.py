"""Logits of all rows of a prompt's chunk: what is executed, written and waited for beyond one row.

On the ideal machine each adds its closed form and nothing else, in both engines.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.breakdown import UNREAD, phase_terms
from sim.law_costs import LAWS, law_costs
from workloads.catalogue import trace_for
from workloads.errors import WorkloadError
from workloads.head_rows import prefill_phase

IDEAL = load_soc("ideal_85gbps_50tflops")
ENGINES = ("event", "maxplus")
VOCABULARY, HIDDEN, PROMPT, CHUNK = 49152, 576, 300, 128  # of smollm2-135m
BF16 = 2


def scenario(model: str = "smollm2-135m", **deployment: object) -> Scenario:
    return Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": model,
            "deployment": {"prefill_chunk_tokens": CHUNK, **deployment},
            "session": {"turns": [{"prompt_tokens": PROMPT, "output_tokens": 5}]},
        }
    )


def device(whole_head: bool, **entries: object) -> SocSpec:
    path = f"stacks.{IDEAL.default_stack}.whole_head"
    return IDEAL.with_overrides({path: whole_head, **entries})


def both(engine: str = "auto", **entries: object) -> list[Result]:
    return [simulate(scenario(), soc=device(on, **entries), engine=engine) for on in (False, True)]


def rows() -> int:
    """Rows of all chunks, as the stack pads them."""
    pads = IDEAL.stack().prefill_chunk_tokens is not None
    return -(-PROMPT // CHUNK) * CHUNK if pads else PROMPT


def of_prefill(result: Result, column: str) -> float:
    return float(sum(g.total(column) for g in result.program.groups if g.phase == "prefill"))


def test_every_row_is_executed_and_none_is_needed_more():
    plain, whole = both()
    added = of_prefill(whole, "flops") - of_prefill(plain, "flops")
    assert added == pytest.approx(2 * VOCABULARY * HIDDEN * (rows() - 1))
    for metric in ("flops", "useful_flops"):
        known = [getattr(run.facts.decode, metric)[0] for run in (plain, whole)]
        assert known[1] == pytest.approx(known[0], rel=1e-12)
    useful = [run.facts.prefill.useful_flops[0] for run in (plain, whole)]
    assert useful[1] == pytest.approx(useful[0], rel=1e-12)


def test_logits_are_written_and_the_head_is_read_with_every_chunk():
    plain, whole = both(**{"units.npu.buffer.activation_bytes": 0})
    written = [of_prefill(run, "activation_write_bytes") for run in (plain, whole)]
    row = (VOCABULARY + HIDDEN) * BF16  # what follows the layers: norm and logits
    assert written[1] - written[0] == pytest.approx((rows() - 1) * row, rel=1e-9)
    heads = [
        sum(task.runs.sum() for task, _ in group.tasks() if task.tensor_class == "lm_head")
        for run in (plain, whole)
        for group in run.program.groups
        if group.phase == "prefill"
    ]
    assert heads == [1.0, float(-(-PROMPT // CHUNK))]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_prompt_that_is_bound_by_arithmetic_takes_the_seconds_of_the_rows(engine):
    slow = {path: "1 GFLOP/s" for path in IDEAL.parameters() if ".matrix.rates." in path}
    plain, whole = both(engine, **slow)
    share = IDEAL.stack().efficiency.prefill.value
    expected = 2 * VOCABULARY * HIDDEN * (rows() - 1) / (1e9 * share)
    assert whole["prefill_s"] - plain["prefill_s"] == pytest.approx(expected, rel=1e-5)
    assert whole["decode_s"] == pytest.approx(plain["decode_s"], rel=1e-9)
    if engine == "maxplus":
        terms = {term.name: term.seconds for term in phase_terms(whole, "prefill")}
        assert terms[UNREAD] == pytest.approx(expected, rel=1e-5)
        named = {cost.law: cost.seconds for cost in law_costs(whole)}
        assert named[LAWS[UNREAD]] == pytest.approx(expected, rel=1e-5)
        assert UNREAD not in {term.name for term in phase_terms(plain, "prefill")}


@pytest.mark.parametrize(("model", "share"), [("andesvl-4b", 0.107), ("llama-3.2-1b", 0.27)])
def test_shares_of_a_prompt_are_those_of_the_weights(model, share):
    """Vocabulary x hidden size over the weights of the layers: 11 % of 4 G, 27 % of 1 G."""
    trace = trace_for(model)
    head, body = trace.decoder.vocab * trace.decoder.hidden, trace.parameters["body"]
    assert head / body == pytest.approx(share, rel=0.02)
    plain, whole = (
        simulate(scenario(model), soc=device(on)).facts.prefill.flops[0] for on in (False, True)
    )
    assert whole / plain - 1 == pytest.approx(share, rel=0.06)  # attention takes a little, too


def test_engines_agree():
    one, other = (simulate(scenario(), soc=device(True), engine=engine) for engine in ENGINES)
    for metric in ("prefill_s", "decode_s", "energy_j", "peak_dram_bytes"):
        assert one[metric] == pytest.approx(other[metric], rel=1e-9)


def test_a_model_that_is_known_at_one_row_alone_is_refused():
    trace = trace_for("smollm2-135m")
    decode = replace(trace.phases["decode"], symbols=("S",))
    narrow = replace(trace, phases={**trace.phases, "decode": decode})
    with pytest.raises(WorkloadError, match="captured for one token"):
        prefill_phase(narrow, whole_head=True)
