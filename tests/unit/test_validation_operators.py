"""Operators of a profile beside the simulation's: kinds, shapes, and what is left open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hw_models.soc import load_soc
from sim.calibration.profiles import kind_of, product_of
from sim.calibration.rows import observe
from sim.evidence.importers import import_measured
from sim.evidence.measured import MeasuredRun, OperatorTime
from sim.evidence.questions import CannotSimulate
from sim.validation.judging import validate
from sim.validation.operators import compared, measured_only

FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
PHONE = load_soc("snapdragon_8_elite")
RAN = {"stack": "genie", "model": "qwen3-0.6b", "weights": "w4"}


def profile(*operators: OperatorTime, **fields) -> MeasuredRun:
    return MeasuredRun(id="p", operators=operators, **(RAN | fields))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::mm", "linear"),
        ("native_call_linear.out", "linear"),
        ("FULLY_CONNECTED", "linear"),
        ("MatMul_1", "linear"),
        ("Conv2d", "linear"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("Softmax_1", "attention"),
        ("aten::rms_norm", "norm"),
        ("Gather", "embedding"),
        ("aten::silu", "elementwise"),
        ("Gelu", "elementwise"),
    ],
)
def test_names_of_profilers_have_a_kind(name, kind):
    assert kind_of(name) == kind


def test_sizes_of_inputs_are_those_of_the_product():
    assert product_of(OperatorTime("aten::addmm", 1, 1.0, "", "96, 4x64, 64x96")) == "4x96x64"
    assert product_of(OperatorTime("aten::mm", 1, 1.0, "", "4x64, 64x96")) == "4x96x64"
    assert product_of(OperatorTime("aten::add", 1, 1.0, "", "4x64, 4x64")) == ""


def test_a_decode_graph_is_compared_with_one_step_by_kind_and_shape():
    known = OperatorTime("aten::linear", 28, 5e-3, "", "1x1x1024, 3072x1024")
    run = profile(known, OperatorTime("aten::mul", 9, 1e-3), inference_s=6e-3, prompt_tokens=1)
    rows = {(row.kind, row.shape): row for row in compared(run, PHONE)}
    assert rows["linear", "1x3072x1024"].measured_s == 5e-3
    assert rows["linear", "1x3072x1024"].simulated_s > 0.0
    assert rows["linear", ""].measured_s == 0.0  # products that the profile does not name
    assert rows["elementwise", ""].measured_s == 1e-3


def graph_s(**fields) -> float:
    """Seconds that one graph of a language model is simulated to take."""
    run = MeasuredRun(id="g", inference_s=1e-2, **(RAN | {"context_tokens": 1024} | fields))
    return observe(run, "inference_s", PHONE).simulated(PHONE)


def test_a_graph_of_a_language_model_is_one_step_without_the_host():
    overhead_s = PHONE.stack("genie").step_overhead_s.value
    decode = MeasuredRun(id="d", tokens_per_s=1.0, context_tokens=1024, output_tokens=2, **RAN)
    rate = observe(decode, "tokens_per_s", PHONE).simulated(PHONE)
    assert graph_s(prompt_tokens=1) == pytest.approx(1.0 / rate - overhead_s, rel=1e-6)
    prompt = {"prompt_tokens": 128, "ubatch_tokens": 128}
    prefill = MeasuredRun(id="p", prefill_tokens_per_s=1.0, context_tokens=1024, **prompt, **RAN)
    rate = observe(prefill, "prefill_tokens_per_s", PHONE).simulated(PHONE)
    assert graph_s(prompt_tokens=128) == pytest.approx(128.0 / rate - overhead_s, rel=1e-6)


def test_a_graph_reads_the_cache_that_it_was_compiled_for():
    assert graph_s(prompt_tokens=1) < graph_s(prompt_tokens=1, context_tokens=4096)
    assert graph_s(prompt_tokens=64) < graph_s(prompt_tokens=512)


def test_a_profile_of_a_graph_is_judged_as_its_call():
    found = validate([MeasuredRun(id="g", inference_s=1e-2, prompt_tokens=1, **RAN)], PHONE)
    (row,) = found.rows
    assert row.interval is not None
    assert any("without the host's work" in text for text in row.warnings)
    (skipped,) = validate([MeasuredRun(id="g", inference_s=1e-2, **RAN)], PHONE).skipped
    assert "--prompt-tokens, 1 for a decode step" in skipped.reason


def test_measured_time_is_conserved_and_the_largest_difference_comes_first():
    run = profile(
        OperatorTime("MatMul", 10, 0.3),
        OperatorTime("Gelu", 5, 0.2),
        inference_s=0.5,
        prompt_tokens=128,
    )
    rows = compared(run, PHONE)
    assert sum(row.measured_s for row in rows) == pytest.approx(0.5)
    differences = [abs(row.difference_s) for row in rows]
    assert differences == sorted(differences, reverse=True)


def test_a_graph_whose_phase_is_open_is_shown_alone():
    run = profile(OperatorTime("MatMul", 10, 0.3), inference_s=0.3)
    with pytest.raises(CannotSimulate, match="which phase its graph is"):
        compared(run, PHONE)
    assert [(row.kind, row.measured_s) for row in measured_only(run)] == [("linear", 0.3)]


def test_a_profile_of_phases_is_compared_with_them():
    (run,) = import_measured(FIXTURES / "kineto.json")
    rows = compared(run.model_copy(update=RAN), PHONE)
    assert {row.kind for row in rows} >= {"linear", "attention", "elementwise"}
    assert all(row.simulated_s >= 0.0 for row in rows)


def test_the_command_shows_where_time_differs(andesim):
    given = ("--device", "snapdragon_8_elite", "--model", "qwen3-0.6b", "--weights", "w4")
    file = FIXTURES / "kineto.json"
    text = andesim("validate", file, *given, "--stack", "llamacpp_cpu").out
    assert "Operators of kineto:trace, the largest differences first:" in text
    alone = andesim("validate", FIXTURES / "ai_hub.json", *given, "--stack", "genie", "--json")
    (found,) = json.loads(alone.out)["operators"]
    assert found["id"] == "ai_hub:profile"
    assert found["rows"][0]["measured_s"] > 0.0
