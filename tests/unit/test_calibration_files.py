"""Calibrated device files: written from measured files, read back, and shipped."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from hw_models.soc import list_socs, load_soc
from sim.calibration.asked import Asked, asked
from sim.calibration.files import calibrate_to
from sim.calibration.folds import (
    Residual,
    held,
    leave_one_out,
    narrowed,
    narrowing,
    spread,
    spread_of,
)
from sim.calibration.pooled import Posterior, Problem, slots_of
from sim.calibration.rows import Observation, observations
from sim.calibration.shipping import (
    DEVICES,
    calibrations,
    fitted,
    prior_of,
    read_residuals,
    read_rivals,
    write_devices,
    write_residuals,
)
from sim.calibration.stacks import checked_rows, overlay
from sim.cli.validating import validate_files
from sim.errors import SimError
from sim.evidence.corpus_runs import language_runs
from sim.evidence.corpus_tables import corpus
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.measured import MeasuredRun

STACK = "powerserve_qnn"


@pytest.fixture(scope="module")
def rows() -> list[Observation]:
    """The calibration rows of one stack on two devices."""
    runs = runs_in_role(load_exhibits(), "calibration")
    return observations(run for run in runs if run.stack == STACK)[0]


@pytest.fixture(scope="module")
def questions() -> list[Asked]:
    """The same as the corpus holds them."""
    runs = [run for run in language_runs("calibration") if run.stack == STACK]
    return asked(runs, prior_of)[0]


@pytest.fixture(scope="module")
def problem(questions: list[Asked]) -> Problem:
    return fitted(questions)


@pytest.fixture(scope="module")
def posterior(problem: Problem) -> Posterior:
    return problem.solved()


@pytest.fixture(scope="module")
def residuals(problem: Problem, posterior: Posterior) -> list[Residual]:
    return leave_one_out(problem)


def own_rows(device: str = "snapdragon_8_elite") -> list[MeasuredRun]:
    same = {"device": device, "stack": "genie", "weights": "w4"}
    return [
        MeasuredRun(id="a", model="llama-3.2-1b", tokens_per_s=50.0, **same),
        MeasuredRun(id="b", model="llama-3.1-8b", tokens_per_s=12.0, **same),
    ]


def write_rows(runs: list[MeasuredRun], path: Path) -> None:
    columns = ("id", "device", "stack", "model", "weights", "tokens_per_s")
    lines = [",".join(str(getattr(run, column)) for column in columns) for run in runs]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")


def test_a_shipped_device_differs_from_its_priors_only_in_fitted_stacks() -> None:
    before = load_soc("_snapdragon_8_elite").parameters()
    after = load_soc("snapdragon_8_elite").parameters()
    changed = {path for path in after if after[path] != before[path]}
    assert changed
    assert all(path.startswith("stacks.") and after[path].kind == "fitted" for path in changed)
    assert all(before[path].low <= after[path].value <= before[path].high for path in changed)


def test_no_validation_row_is_in_a_fit() -> None:
    judged = {run.id for run in runs_in_role(load_exhibits(), "validation")}
    judged |= set(corpus("language", role="validation")["id"])
    for file in DEVICES.glob("[!_]*.yaml"):
        sources = load_soc(file.stem).sources
        fits = [source.title for key, source in sources.items() if key.startswith("fit_")]
        cited = {word.strip(",") for title in fits for word in title.split()}
        assert not judged & cited


def test_a_stack_without_rows_says_on_which_devices_it_stands() -> None:
    soc = load_soc("dimensity_9400")
    assert "no row of neuropilot on this device" in soc.sources["fit_neuropilot"].title
    own, pooled = (phone.stack("neuropilot") for phone in (load_soc("genio_720"), soc))
    assert own.fit
    assert pooled.fit
    for path in ("bandwidth_fraction", "layer_s", "efficiency.prefill"):
        known, told = (attrgetter(path)(stack) for stack in (own, pooled))
        assert told.high / told.low > known.high / known.low, path


def test_files_are_fitted_and_written_and_read_again(tmp_path: Path) -> None:
    write_rows(own_rows(), tmp_path / "mine.csv")
    prior = "_snapdragon_8_elite"
    text = calibrate_to([tmp_path / "mine.csv"], prior, tmp_path / "phone.yaml")
    assert "bandwidth_fraction = " in text
    assert "kept its prior" in text
    found = load_soc(tmp_path / "phone.yaml")
    assert found.stack("genie").fit is not None
    assert found.stack("genie").bandwidth_fraction.kind == "fitted"
    assert "a, b" in found.sources["fit_genie"].title


def test_a_device_file_can_be_calibrated_again(tmp_path: Path) -> None:
    write_rows(own_rows(), tmp_path / "mine.csv")
    first, second = tmp_path / "one.yaml", tmp_path / "two.yaml"
    calibrate_to([tmp_path / "mine.csv"], "snapdragon_8_elite", first)
    calibrate_to([tmp_path / "mine.csv"], str(first), second)
    assert f"extends: ./{first.name}" in second.read_text()
    assert load_soc(second).id == "snapdragon_8_elite"


def test_validation_rows_are_refused(rows: list[Observation]) -> None:
    run = rows[0].run.model_copy(update={"role": "validation"})
    with pytest.raises(SimError, match="role calibration"):
        checked_rows(observations([run])[0])
    with pytest.raises(SimError, match="at least one row"):
        checked_rows([])


def test_rows_of_two_devices_are_refused(tmp_path: Path) -> None:
    second = own_rows("snapdragon_8_gen_3")[0].model_copy(update={"id": "c"})
    write_rows([*own_rows(), second], tmp_path / "mine.csv")
    with pytest.raises(SimError, match="one device"):
        calibrate_to([tmp_path / "mine.csv"], None, tmp_path / "phone.yaml")


def test_an_overlay_without_a_fit_is_only_its_base() -> None:
    assert overlay("_x", load_soc("_snapdragon_8_elite"), [], "note") == "# note\nextends: _x\n"


def test_folds_leave_out_what_they_say(residuals: list[Residual], questions: list[Asked]) -> None:
    for fold in ("network", "device"):
        found = [(item.id, item.metric) for item in residuals if item.fold == fold]
        assert sorted(found) == sorted((item.ids[0], item.row.metric) for item in questions)


def test_a_fit_comes_nearer_than_the_priors(problem: Problem, posterior: Posterior) -> None:
    fresh = [problem.value(place, posterior) for place in range(len(problem.rows))]
    before = np.abs(problem.at_priors - problem.measured).mean()
    assert np.abs(np.array(fresh) - problem.measured).mean() < before


def test_a_row_narrows_its_own_cell_more_than_another_device(posterior: Posterior) -> None:
    def width(device: str) -> float:
        slots = [slot for slot in slots_of(prior_of(device), STACK) if "bandwidth" in slot.path]
        return float(posterior.of(slots)[1][0, 0] / slots[0].deviation ** 2)

    assert width("snapdragon_8_elite") < width("snapdragon_8_gen_2") < 1.0


def test_what_is_written_is_read_back(
    problem: Problem, posterior: Posterior, residuals: list[Residual], tmp_path: Path
) -> None:
    fits = calibrations(problem, posterior, residuals)
    assert {item.stack for item in fits} == {STACK}
    chosen = [item for item in fits if item.device == "snapdragon_8_elite"]
    (path,) = write_devices(chosen, tmp_path)
    assert "extends: _snapdragon_8_elite" in path.read_text()
    assert chosen[0].found
    assert chosen[0].found.values
    for name, value in chosen[0].found.values.items():
        prior = prior_of("snapdragon_8_elite").parameters()[name]
        assert prior.low <= value <= prior.high


def test_every_device_with_priors_is_written() -> None:
    for name in list_socs():
        if (DEVICES / f"_{name}.yaml").is_file():
            assert "andesim calibrate --exhibits" in (DEVICES / f"{name}.yaml").read_text()


def test_residuals_are_read_back(tmp_path: Path) -> None:
    item = Residual("network", "R1", "d", "s", "npu", "tokens_per_s", "m", -0.125, 0.25)
    write_residuals([item], tmp_path / "r.csv")
    assert read_residuals(tmp_path / "r.csv") == [item]
    assert read_residuals(tmp_path / "none.csv") == []


def test_shipped_residuals_are_of_calibration_rows() -> None:
    ids = set(corpus("language", role="calibration")["id"])
    assert {item.id for item in read_residuals()} <= ids
    assert {item.id for item in read_rivals()} <= ids


def test_a_strangers_llama_bench_file_is_judged_in_one_command(tmp_path: Path) -> None:
    tests = [
        {"n_prompt": 512, "n_gen": 0, "avg_ts": 180.0},
        {"n_prompt": 0, "n_gen": 128, "avg_ts": 40.0},
    ]
    named = {"model_filename": "Llama-3.2-1B-Instruct-Q4_0.gguf", "backends": "CPU"}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps([named | test for test in tests]))
    outcome = validate_files([file], "snapdragon_8_gen_2", tmp_path / "out")
    assert outcome.exit_code == 0
    assert [row.metric for row in outcome.judged.found.rows] == [
        "prefill_tokens_per_s",
        "tokens_per_s",
    ]
    document = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert document["schema"] == "andesim.validation/1"
    assert (tmp_path / "out" / "parity.html").stat().st_size > 1000
    unnamed = validate_files([file])
    assert "--device" in unnamed.judged.found.skipped[0].reason


def left_out(stack: str, model: str, log_error: float) -> Residual:
    return Residual("network", "r", "d", stack, "npu", "tokens_per_s", model, log_error, 0.0)


def test_a_spread_holds_80_percent_of_what_was_left_out() -> None:
    errors = np.linspace(-1.0, 1.0, 101)
    found = spread([left_out("a", "m", float(error)) for error in errors])
    assert np.mean(np.abs(errors) <= 1.2816 * found) == pytest.approx(0.8, abs=0.02)


def test_a_stack_of_one_network_expects_what_others_saw_of_a_second() -> None:
    several = [left_out("a", model, error) for model, error in (("m", 0.6), ("n", -0.8))]
    known = [*several, *(left_out("b", "m", 0.1) for _ in range(8))]
    assert spread_of(known, "network", "b", "npu") == pytest.approx(spread(known))
    assert spread_of(known, "network", "a", "npu") > spread_of(known, "network", "b", "npu")
    assert spread_of([], "network", "a", "npu") == 0.0


def test_parameters_that_hold_all_rows_alone_are_narrowed_till_they_hold_four_of_five() -> None:
    rows = [
        left_out("a", f"m{i % 5}", 0.01 * (i + 1))._replace(of_parameters=1.0) for i in range(50)
    ]
    factor = narrowing(rows, "network", "a", is_decode=True)
    assert factor == pytest.approx((50 * 0.4 / 1.2816 + 1.0) / 51, rel=1e-6)
    tight = narrowed(rows)
    assert np.mean(held(rows, rows)) == 1.0
    assert np.mean(held(tight, tight)) == pytest.approx(0.8, abs=0.03)
    wide = [item._replace(of_parameters=0.01) for item in rows]
    assert narrowing(wide, "network", "a", is_decode=True) == 1.0  # never wider
    assert narrowing(rows[:1], "network", "a", is_decode=True) == 1.0
    assert narrowing(rows, "device", "a", is_decode=True) == 1.0
    assert narrowing(rows, "network", "a", is_decode=False) == 1.0


def test_a_spread_is_of_one_metric_and_one_kind_of_unit() -> None:
    steady = [left_out("a", model, 0.1) for model in "mnop"]
    first = [item._replace(metric="time_to_first_token_s", log_error=0.9) for item in steady]
    gpu = [item._replace(unit="gpu", stack="g", log_error=2.0) for item in steady]
    known = [*steady, *first, *gpu]
    decode, prompt = (
        spread_of(known, "network", "a", "npu", metric)
        for metric in ("tokens_per_s", "time_to_first_token_s")
    )
    assert decode == pytest.approx(0.1 / 1.2816, rel=1e-6)
    assert prompt == pytest.approx(0.9 / 1.2816, rel=1e-6)
    unseen = spread_of(known, "network", "none", "gpu", "tokens_per_s")
    assert unseen == pytest.approx(2.0 / 1.2816, rel=1e-6)
    assert held(known, [steady[0], first[0], gpu[0]]) == [True, True, True]
    assert held(known, [steady[0]._replace(log_error=0.5)]) == [False]


def test_a_row_whose_unit_is_in_doubt_is_left_out_and_named(tmp_path):
    """Decode of 50 tokens/s in a column that was read as 50,000: a factor of about 1,000."""
    right, wrong = own_rows()
    measured, out = tmp_path / "rows.csv", tmp_path / "fitted.yaml"
    write_rows([right, wrong.model_copy(update={"tokens_per_s": 12_000.0})], measured)
    said = calibrate_to([measured], None, out)
    assert "skipped b: not fitted, tokens_per_s of 12000 is a factor of " in said
    assert "1 observations" in said
    write_rows([right], tmp_path / "alone.csv")
    calibrate_to([tmp_path / "alone.csv"], None, tmp_path / "alone.yaml")
    assert out.read_text() == (tmp_path / "alone.yaml").read_text()


def test_rows_that_are_all_in_doubt_are_refused(tmp_path):
    wrong = [run.model_copy(update={"tokens_per_s": 12_000.0}) for run in own_rows()]
    write_rows(wrong, tmp_path / "rows.csv")
    with pytest.raises(SimError, match=r"unit is not in doubt\. Got none: a: not fitted"):
        calibrate_to([tmp_path / "rows.csv"], None, tmp_path / "fitted.yaml")
    assert not (tmp_path / "fitted.yaml").exists()
