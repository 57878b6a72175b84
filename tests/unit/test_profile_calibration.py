"""Fitting a stack to the operators of a profile: what was put in is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hw_models.soc import load_soc
from sim.calibration.profiles import fit_profiles, profile_of, profiles
from sim.calibration.rows import observations
from sim.evidence.measured import MeasuredRun, OperatorTime
from sim.evidence.questions import CannotSimulate

FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
PHONE = load_soc("snapdragon_8_elite")
RAN = {"stack": "genie", "model": "qwen3-0.6b", "weights": "w4", "prompt_tokens": 128}
NAMES = {"linear": "MatMul", "attention": "Softmax"}


def recorded(soc, **fields) -> MeasuredRun:
    """Return the profile that a device would write of one prefill graph."""
    blank = OperatorTime("MatMul", 1, 1.0)
    run = MeasuredRun(id="p", inference_s=1.0, operators=(blank,), **(RAN | fields))
    found = profile_of(run, soc).simulated_s(soc)
    times = [
        OperatorTime(NAMES.get(kind, kind), 1, seconds) for (kind, _), seconds in found.items()
    ]
    return run.model_copy(update={"operators": tuple(times)})


@pytest.fixture(scope="module")
def slower():
    """The phone with two thirds of the arithmetic that it is described with."""
    known = PHONE.parameters()
    path = "stacks.genie.efficiency.prefill"
    return PHONE.with_values({path: known[path].value * 2 / 3})


def test_a_fitted_stack_takes_as_long_for_the_operators_as_they_took(slower):
    run = recorded(slower)
    found = fit_profiles(PHONE, [], [profile_of(run, PHONE)])
    assert found.found is not None, found.reason
    assert found.profiles == ("p",)
    assert found.operators == 2
    fitted = profile_of(run, PHONE.with_values(found.found.values))
    before, after = (
        sum(profile.simulated_s(soc)[key] for key in profile.compared(soc))
        for profile, soc in ((fitted, PHONE), (fitted, PHONE.with_values(found.found.values)))
    )
    measured = sum(profile_of(run, PHONE).measured_s[key] for key in fitted.compared(PHONE))
    assert before < 0.75 * measured
    assert after == pytest.approx(measured, rel=0.1)


def test_operators_and_whole_runs_are_fitted_together(slower):
    run = recorded(slower)
    whole = MeasuredRun(id="w", prefill_tokens_per_s=400.0, **RAN)
    rows, skipped = observations([whole], PHONE)
    assert not skipped
    found = fit_profiles(PHONE, rows, [profile_of(run, PHONE)])
    assert found.ids == ["p", "w"]


def test_a_profile_that_names_nothing_to_fit_says_why():
    run = MeasuredRun(id="p", operators=(OperatorTime("Gelu", 1, 1.0),), inference_s=1.0, **RAN)
    found, skipped = profiles([run], PHONE)
    assert not found
    assert "linear or attention" in skipped[0].reason
    with pytest.raises(CannotSimulate, match="no operators"):
        profile_of(run.model_copy(update={"operators": ()}), PHONE)


def test_the_command_fits_a_profile_of_a_graph(andesim, tmp_path, slower):
    run = recorded(slower)
    layers = [
        {
            "name": op.name,
            "type": op.name,
            "compute_unit": "NPU",
            "execution_time": op.duration_s * 1e6,
        }
        for op in run.operators
    ]
    total = sum(layer["execution_time"] for layer in layers)
    summary = {"estimated_inference_time": total, "all_inference_times": [total]}
    imported = tmp_path / "profile.json"
    imported.write_text(json.dumps({"execution_summary": summary, "execution_detail": layers}))
    runs, out = tmp_path / "runs.csv", tmp_path / "fitted.yaml"
    phone = ("--device", "snapdragon_8_elite")
    given = (*phone, "--model", "qwen3-0.6b", "--weights", "w4", "--stack", "genie")
    open_ = andesim("validate", imported, *given)
    assert "give them with --prompt-tokens" in open_.out
    assert open_.out.rstrip().endswith(
        "--model qwen3-0.6b --stack genie --weights w4 --prompt-tokens ..."
    )
    assert "Read as ai-hub (1 row)" in open_.out
    assert andesim("import", imported, *given, "--prompt-tokens", "128", "-o", runs).code == 0
    assert (tmp_path / "runs.operators.csv").exists()
    outcome = andesim("calibrate", runs, "-o", out)
    assert outcome.code == 0, outcome.err
    assert "2 kinds of operators" in outcome.err + outcome.out
    assert "kind: fitted" in out.read_text()
