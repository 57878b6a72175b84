"""Measured files on the command line: what logs leave open is given, and what came out is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.cli.measured_files import Given, filled
from sim.errors import SimError
from sim.evidence.importers.own_csv import column_mapping
from sim.evidence.measured import MeasuredRun

FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
EXHIBIT = Path(__file__).parents[2] / "validation_data" / "host_epyc_zen4"
PHONE = ("--device", "snapdragon_8_elite")


def judged(andesim, *arguments):
    outcome = andesim("validate", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_log_that_names_no_model_is_judged_on_the_one_given(andesim):
    log = FIXTURES / "genie.json"
    assert judged(andesim, log, *PHONE)["skipped"][0]["reason"].endswith("with --model.")
    rows = judged(andesim, log, *PHONE, "--model", "llama-3.2-3b", "--weights", "w4")["rows"]
    assert {row["metric"] for row in rows} >= {"tokens_per_s", "time_to_first_token_s"}


def test_what_is_given_never_overrules_a_row():
    run = MeasuredRun(id="a", model="qwen3-4b", weights="q4_0")
    assert filled(run, Given("smollm2-135m", "genie", "w8")) == run.model_copy(
        update={"stack": "genie"}
    )


def test_what_is_given_and_fills_no_row_is_refused(andesim):
    outcome = andesim("validate", FIXTURES / "llama_bench.json", *PHONE, "--stack", "genie")
    assert outcome.code == 2
    assert "--stack must fill a row" in outcome.err
    assert "llamacpp_cpu" in outcome.err


def test_foreign_columns_are_renamed(andesim):
    columns = ("run name=id", "net=model", "TG (tok/s)=tokens_per_s", "comment=notes")
    renames = [part for column in columns for part in ("--column", column)]
    rows = judged(andesim, FIXTURES / "vendor.csv", *PHONE, *renames)["rows"]
    assert [(row["id"], row["measured"]) for row in rows] == [("r1", 18.5), ("r2", 18.1)]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("tokens_per_s", "theirs=ours"),
        ("TG=tokens_per_sec", "tokens_per_s"),
        ("=model", "theirs=ours"),
    ],
)
def test_a_rename_that_cannot_be_is_refused(pair, words):
    with pytest.raises(SimError, match=words):
        column_mapping([pair])


def test_a_column_name_may_hold_the_sign():
    assert column_mapping(["a=b=model"]) == {"a=b": "model"}


def test_the_same_row_twice_is_refused(andesim):
    log = FIXTURES / "llama_bench.json"
    outcome = andesim("validate", log, log, *PHONE)
    assert outcome.code == 2
    assert "must be unique over all files" in outcome.err


def test_the_answer_comes_first_and_in_words(andesim):
    text = andesim("validate", FIXTURES / "llama_bench.json", *PHONE).out
    first, second, third = text.splitlines()[:3]
    assert first.startswith("- prefill_tokens_per_s: 1 row, mean error ")
    assert second.startswith("- tokens_per_s: 2 rows, mean error ")
    assert third == "- 1 row was skipped; the reason stands below."
    assert "cannot be split" in text


def test_nothing_judged_is_said_and_shows_no_empty_table(andesim):
    text = andesim("validate", FIXTURES / "executorch.log", *PHONE).out
    assert text.startswith("No row could be judged.")
    assert "MAPE" not in text


def test_calibrating_takes_what_the_log_leaves_open(andesim, tmp_path):
    out = tmp_path / "mine.yaml"
    given = ("--model", "llama-3.2-3b", "--weights", "w4")
    outcome = andesim("calibrate", FIXTURES / "genie.json", *PHONE, *given, "-o", out)
    assert outcome.code == 0, outcome.err
    assert "kind: fitted" in out.read_text()


def test_options_that_a_measurement_leaves_no_use_for_are_refused(andesim, tmp_path):
    measured = EXHIBIT / "smollm2-135m.measurement.json"
    judged = andesim("validate", measured, "--device", EXHIBIT / "device.yaml", "--out", tmp_path)
    assert (judged.code, list(tmp_path.iterdir())) == (2, [])
    assert "--out must go with files of other tools." in judged.err
    fitted = andesim("calibrate", measured, "--weights", "w4", "-o", tmp_path / "device.yaml")
    assert (fitted.code, list(tmp_path.iterdir())) == (2, [])
